/* Memory for the small objects of one thread: connections, streams, tunnels.
 *
 * Taking and giving back are a few instructions and never a system call while a chunk has room. An
 * object has no header and no neighbour of another size, so it costs its size rounded up to 8.
 * Chunks that are empty go back, but one a size. Of one thread only.
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
/* Everything was given back. */
void slab_finish(struct slab *slab);
/* Filled with zeros; NULL for want of memory. At most SLAB_LARGEST bytes. */
void *slab_take(struct slab *slab, size_t size);
/* On the slab's thread. Harmless with NULL. */
void slab_give(void *object);

#endif
