/* How fast bytes may flow: buckets, and the throttle of one tunnel, which draws on several.
 *
 * Before a direction reads, it draws a number of bytes from its buckets. It may read them once the
 * buckets have refilled that far, and it gives back what it did not need. So all that share a
 * bucket take turns, whatever thread they are on.
 */
#ifndef ACCESS_LIMITS_BANDWIDTH_H
#define ACCESS_LIMITS_BANDWIDTH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BANDWIDTH_WAYS = 2, THROTTLE_PARTS_MAX = 3 };

/* One direction of a tunnel, a user or a client. A bucket whose members are zero is full. */
struct bandwidth_bucket {
    _Atomic uint64_t paid_until_ns; /* at the rate, what was drawn lasts until then */
};

/* Belongs to the tunnel's thread. Only buckets of users and clients are shared between threads. */
struct throttle {
    struct bandwidth_bucket own[BANDWIDTH_WAYS];
    struct throttle_part {
        struct bandwidth_bucket *buckets; /* one per direction */
        uint64_t bytes_per_s;
    } parts[THROTTLE_PARTS_MAX];
    unsigned part_count;
    size_t piece;
    struct throttle_grant {
        size_t bytes; /* drawn, not used yet */
        uint64_t at_ms;
    } grants[BANDWIDTH_WAYS];
};

void throttle_init(struct throttle *throttle);
/* Makes the throttle draw on these buckets, too; or on its own when `buckets` is NULL. */
void throttle_add(struct throttle *throttle, struct bandwidth_bucket *buckets,
                  uint64_t bytes_per_s);

/* Returns true when throttle_granted bytes may be read now, or false when the caller has to ask
 * again at throttle_wakes_ms. */
bool throttle_admits(struct throttle *throttle, unsigned way, uint64_t now_ms);
/* Returns whether bytes were drawn that may not be read yet. */
static inline bool throttle_is_waiting(const struct throttle *throttle, unsigned way,
                                       uint64_t now_ms)
{
    return throttle->grants[way].bytes > 0 && now_ms < throttle->grants[way].at_ms;
}
static inline size_t throttle_granted(const struct throttle *throttle, unsigned way)
{
    return throttle->grants[way].bytes;
}
static inline uint64_t throttle_wakes_ms(const struct throttle *throttle, unsigned way)
{
    return throttle->grants[way].at_ms;
}
void throttle_spend(struct throttle *throttle, unsigned way, size_t bytes);
/* Gives back what was drawn and not used, because there is nothing more to read for now. */
void throttle_give_back(struct throttle *throttle, unsigned way);

#endif
