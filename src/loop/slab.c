/* A chunk holds objects of one size and lies on a boundary of its own size. So an object's address
 * tells its chunk, and the chunk tells its list. Objects are cut from a chunk only when they are
 * taken, so its pages cost nothing before they are used. Objects that came back are taken first,
 * and of those the one that came last, because it may still be in the cache.
 *
 * AddressSanitizer has to see each object by itself, so with it all of this is calloc and free.
 */
#include "loop/slab.h"

#include "base/contract.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLAB_IS_PLAIN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SLAB_IS_PLAIN 1
#endif
#ifndef SLAB_IS_PLAIN
#define SLAB_IS_PLAIN 0
#endif

/* Small compared with what a thread needs anyway, and large enough that only about one in a hundred
 * tunnels needs a new chunk. */
enum { SLAB_CHUNK_SIZE = 64 * 1024 };

struct free_object {
    struct free_object *next;
};

struct chunk {
    struct list link; /* in slab->open while it has room */
    struct list *open;
    struct free_object *free; /* came back */
    uint32_t size;            /* of an object */
    uint32_t used;            /* objects that are out */
    uint32_t carved;          /* bytes from the chunk's start that have ever been out */
};

void slab_init(struct slab *slab)
{
    for (size_t i = 0; i < SLAB_SIZES; i++)
        list_init(&slab->open[i]);
}

void slab_finish(struct slab *slab)
{
    for (size_t i = 0; i < SLAB_SIZES; i++) {
        while (!list_is_empty(&slab->open[i])) {
            struct chunk *chunk = container_of(slab->open[i].next, struct chunk, link);

            REQUIRE(chunk->used == 0);
            list_remove(&chunk->link);
            munmap(chunk, SLAB_CHUNK_SIZE);
        }
    }
}

static bool has_room(const struct chunk *chunk)
{
    return chunk->free != NULL || chunk->carved + chunk->size <= SLAB_CHUNK_SIZE;
}

static void *slab_map(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

static size_t beyond_boundary(const void *memory)
{
    return (uintptr_t)memory % SLAB_CHUNK_SIZE;
}

/* Asks the kernel itself, because malloc would put a header, and so a page, before each chunk. The
 * kernel places new memory next to what it gave before, so mostly it is aligned already. */
static void *map_chunk(void)
{
    char *memory = slab_map(SLAB_CHUNK_SIZE);

    if (memory == NULL || beyond_boundary(memory) == 0)
        return memory;
    munmap(memory, SLAB_CHUNK_SIZE);
    memory = slab_map((size_t)2 * SLAB_CHUNK_SIZE);
    if (memory == NULL)
        return NULL;
    size_t before = SLAB_CHUNK_SIZE - beyond_boundary(memory);
    munmap(memory, before);
    if (before < SLAB_CHUNK_SIZE)
        munmap(memory + before + SLAB_CHUNK_SIZE, SLAB_CHUNK_SIZE - before);
    return memory + before;
}

/* This is rare. If it were inlined, its registers would be saved for every object. */
static __attribute__((noinline)) struct chunk *chunk_create(struct list *open, size_t size)
{
    struct chunk *chunk = map_chunk();

    if (chunk == NULL)
        return NULL;
    *chunk = (struct chunk){.open = open, .size = (uint32_t)size, .carved = sizeof(*chunk)};
    list_init(&chunk->link);
    list_append(open, &chunk->link);
    return chunk;
}

static void *chunk_take(struct chunk *chunk)
{
    void *object = chunk->free;

    if (object != NULL) {
        chunk->free = chunk->free->next;
    } else {
        object = (char *)chunk + chunk->carved;
        chunk->carved += chunk->size;
    }
    chunk->used++;
    if (!has_room(chunk))
        list_remove(&chunk->link);
    return object;
}

void *slab_take(struct slab *slab, size_t size)
{
    REQUIRE(size > 0 && size <= SLAB_LARGEST);
    if (SLAB_IS_PLAIN)
        return calloc(1, size);
    size_t index = (size - 1) / SLAB_STEP;
    struct list *open = &slab->open[index];
    struct chunk *chunk = list_is_empty(open) ? chunk_create(open, (index + 1) * SLAB_STEP)
                                              : container_of(open->next, struct chunk, link);
    return chunk == NULL ? NULL : memset(chunk_take(chunk), 0, size);
}

void slab_give(void *object)
{
    if (SLAB_IS_PLAIN || object == NULL) {
        free(object);
        return;
    }
    void *start = (char *)object - ((uintptr_t)object & (SLAB_CHUNK_SIZE - 1));
    struct chunk *chunk = start;
    struct free_object *returned = object;
    bool had_room = has_room(chunk);

    returned->next = chunk->free;
    chunk->free = returned;
    chunk->used--;
    if (!had_room)
        list_append(chunk->open, &chunk->link);
    /* The last chunk of its size stays. Otherwise, tunnels that come one after the other would need
     * a new chunk each. */
    bool is_only = chunk->open->next == chunk->open->previous;
    if (chunk->used == 0 && !is_only) {
        list_remove(&chunk->link);
        munmap(chunk, SLAB_CHUNK_SIZE);
    }
}
