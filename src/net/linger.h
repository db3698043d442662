/* The lingering close. Closing a socket that still holds unread bytes sends a reset, which can
 * destroy an answer that is still on its way (RFC 9112 9.6). So the write side is shut, and what
 * still comes is read and dropped for a bounded time: until the peer's end, an error, 1 MiB, 2 s of
 * silence or 5 s in all.
 */
#ifndef NET_LINGER_H
#define NET_LINGER_H

#include "loop/loop.h"

#include <stddef.h>
#include <stdint.h>

#define LINGER_SILENCE_MS 2000
#define LINGER_MOST_MS 5000 /* in all */

struct stream;

/* Embedded in the owner of the stream. When all is zero, nothing lingers. The members are private.
 */
struct lingering {
    struct loop *loop;
    struct stream *stream;
    struct deadline deadline;
    uint64_t until_ms;
    size_t dropped;
    void (*ended)(struct lingering *lingering);
};

/* Shuts `stream`'s write side behind what was written, and becomes the stream's observer. Calls
 * `ended` once, maybe before it returns. The stream stays the owner's, who closes it then. */
void linger_begin(struct lingering *lingering, struct loop *loop, struct stream *stream,
                  void (*ended)(struct lingering *lingering));
/* Forgets the stream: `ended` is not called any more. Harmless when it does not linger. */
void linger_cancel(struct lingering *lingering);

#endif
