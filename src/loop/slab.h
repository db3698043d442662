/* Memory for the small objects of one thread: connections, streams, tunnels.
 *
 * Taking and giving back are a few instructions and never a system call while a chunk has room. An
 * object has no header and no neighbour of another size, so it costs its size rounded up to 8.
 * Empty chunks go back to the kernel, except for one per size. A slab belongs to one thread.
 */
#ifndef LOOP_SLAB_H
#define LOOP_SLAB_H

#include "base/list.h"

#include <stddef.h>

enum { SLAB_STEP = 8, SLAB_LARGEST = 1280, SLAB_SIZES = SLAB_LARGEST / SLAB_STEP };

struct slab {
    struct list open[SLAB_SIZES]; /* by size: chunks that have room */
};

void slab_init(struct slab *slab);
/* Contract: every object was given back. */
void slab_finish(struct slab *slab);
/* Returns an object of at most SLAB_LARGEST bytes, filled with zeros, or NULL when there is no
 * memory. */
void *slab_take(struct slab *slab, size_t size);
/* Gives an object back, on the slab's thread. Harmless with NULL. */
void slab_give(void *object);

#endif
