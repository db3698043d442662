/* An arena is a list of chunks, the newest first; only the newest one has room. An item larger than
 * a chunk gets a chunk of its own size. A vector doubles when it grows and leaves its old items
 * behind, so that an arena of vectors takes at most twice the size of its contents. That is
 * acceptable because configurations are small.
 */
#include "config/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_CHUNK_SIZE = 16384, ARENA_ALIGNMENT = 16, VECTOR_START = 8 };

struct arena_chunk {
    struct arena_chunk *next;
    size_t used;
    size_t size;
    size_t padding; /* keeps bytes[] aligned */
    char bytes[];
};
static_assert(offsetof(struct arena_chunk, bytes) % ARENA_ALIGNMENT == 0, "aligned for anything");

void arena_finish(struct arena *arena)
{
    while (arena->chunks != NULL) {
        struct arena_chunk *chunk = arena->chunks;

        arena->chunks = chunk->next;
        free(chunk);
    }
}

static struct arena_chunk *add_chunk(struct arena *arena, size_t size)
{
    size_t room = size > ARENA_CHUNK_SIZE ? size : ARENA_CHUNK_SIZE;
    struct arena_chunk *chunk = NULL;

    if (room <= SIZE_MAX - sizeof(*chunk))
        chunk = calloc(1, sizeof(*chunk) + room);
    if (chunk == NULL) {
        arena->is_exhausted = true;
        return NULL;
    }
    chunk->size = room;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    return chunk;
}

void *arena_allocate(struct arena *arena, size_t size)
{
    struct arena_chunk *chunk = arena->chunks;

    if (size > SIZE_MAX / 2) {
        arena->is_exhausted = true;
        return NULL;
    }
    size = (size + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
    if (chunk == NULL || chunk->size - chunk->used < size)
        chunk = add_chunk(arena, size);
    if (chunk == NULL)
        return NULL;
    void *place = chunk->bytes + chunk->used;
    chunk->used += size;
    return place;
}

char *arena_copy(struct arena *arena, const char *bytes, size_t length)
{
    char *copy = arena_allocate(arena, length + 1);

    if (copy != NULL && length > 0)
        memcpy(copy, bytes, length);
    return copy;
}

void *vector_push(struct arena *arena, struct vector *vector, size_t item_size)
{
    if (vector->count == vector->capacity) {
        size_t capacity = vector->capacity > 0 ? vector->capacity * 2 : VECTOR_START;
        char *items = arena_allocate(arena, capacity * item_size);

        if (items == NULL)
            return NULL;
        if (vector->count > 0)
            memcpy(items, vector->items, vector->count * item_size);
        vector->items = items;
        vector->capacity = capacity;
    }
    return (char *)vector->items + item_size * vector->count++;
}
