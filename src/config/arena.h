/* Memory that is freed all at once, and arrays that grow in it. */
#ifndef CONFIG_ARENA_H
#define CONFIG_ARENA_H

#include "base/contract.h"

#include <stdbool.h>
#include <stddef.h>

struct arena_chunk;

/* An arena that is all zeroes is empty and ready for use. */
struct arena {
    struct arena_chunk *chunks;
    bool is_exhausted; /* an allocation failed: whoever fills the arena asks once, at the end */
};

/* Frees all that was allocated from the arena; afterwards it is empty. */
void arena_finish(struct arena *arena);
/* Returns zeroed memory that is aligned for any type and lives until arena_finish, or NULL when
 * there is no memory. */
void *arena_allocate(struct arena *arena, size_t size) MUST_CHECK;
/* Copies the bytes and puts a NUL behind them. Returns NULL when there is no memory. */
char *arena_copy(struct arena *arena, const char *bytes, size_t length) MUST_CHECK;

struct vector {
    void *items;
    size_t count;
    size_t capacity;
};

/* Returns a new zeroed item at the end, or NULL when there is no memory. A vector that grows moves
 * its items to a larger place; the old place stays readable as long as the arena, so pointers into
 * it do not dangle, but they no longer see changes. */
void *vector_push(struct arena *arena, struct vector *vector, size_t item_size) MUST_CHECK;

#endif
