/* The answer to a question to the policy, as JSON. */
#ifndef ADMIN_EXPLAIN_ANSWER_H
#define ADMIN_EXPLAIN_ANSWER_H

#include <stddef.h>

struct explain_answer;

/* `HEAD"verdict":"..","exit":N,"text":".."}` and a newline; the caller frees. NULL: no memory. */
char *explain_answer_print(const struct explain_answer *answer, const char *head,
                           size_t *ret_length);

#endif
