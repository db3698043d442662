/* Contracts: what must hold, checked in every build.
 *
 * REQUIRE states what the caller owes, ENSURE what we owe. Both stay on in release builds: a broken
 * invariant in a proxy is a security hole, and the supervisor replaces a worker that died. What
 * this thread worked on, and in which state that was (base/state.h), is printed first.
 */
#ifndef BASE_CONTRACT_H
#define BASE_CONTRACT_H

#include <assert.h>
#include <stddef.h>

#ifdef NDEBUG
#error "contracts stay on: do not define NDEBUG"
#endif

/* Marks a function that is rarely called, so that the compiler keeps it away from the code that is.
 */
#define COLD __attribute__((cold))
/* Marks a function that is so short and so often called that the call would be most of its cost. */
#define ALWAYS_INLINE inline __attribute__((always_inline))

#define REQUIRE(condition)                                                                         \
    (__builtin_expect(!!(condition), 1)                                                            \
         ? (void)0                                                                                 \
         : contract_fail(#condition, __FILE__, __LINE__, __extension__ __PRETTY_FUNCTION__))
#define ENSURE(condition) REQUIRE(condition)

/* Ends the process with `problem` on standard error, then the states of what was worked on. */
COLD _Noreturn void contract_fail(const char *problem, const char *file, unsigned line,
                                  const char *function);

/* Marks a function whose result the caller may not ignore. */
#define MUST_CHECK __attribute__((warn_unused_result))

#define PRINTF_LIKE(at, arguments) __attribute__((format(printf, at, arguments)))

/* Gives the struct whose `member` is at address `pointer`. */
#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#endif
