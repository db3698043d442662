/* Memory that is freed all at once, and arrays that grow in it. */
#ifndef CONFIG_ARENA_H
#define CONFIG_ARENA_H

#include "base/contract.h"

#include <stdbool.h>
#include <stddef.h>

struct arena_chunk;

/* All zeroes: an empty one. */
struct arena {
    struct arena_chunk *chunks;
    bool is_exhausted; /* an allocation failed: whoever fills the arena asks once, at the end */
};

void arena_finish(struct arena *arena);
/* Zeroed, aligned for anything; NULL when there is no memory. */
void *arena_allocate(struct arena *arena, size_t size) MUST_CHECK;
/* With a NUL behind it. */
char *arena_copy(struct arena *arena, const char *bytes, size_t length) MUST_CHECK;

struct vector {
    void *items;
    size_t count;
    size_t capacity;
};

/* A zeroed new item at the end, or NULL. Moves the others: the old place stays as it was. */
void *vector_push(struct arena *arena, struct vector *vector, size_t item_size) MUST_CHECK;

#endif
