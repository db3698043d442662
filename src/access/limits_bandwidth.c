/* A bucket is one number: the time until which the bytes drawn so far last at the rate. Drawing
 * moves that time on, and the passing of time refills the bucket. So a bucket needs no lock, and a
 * change of the rate needs no conversion.
 *
 * The surprise is that drawing never fails; it tells from when on the bytes may flow. The bucket
 * goes into debt by a piece for each direction that waits, and they get their turns in the order in
 * which they asked. So none starves. If all that wait looked again at the same time instead, the
 * first one would take everything.
 */
#include "access/limits_bandwidth.h"

#include "base/contract.h"

static const uint64_t ns_per_s = 1000000000;
static const uint64_t ns_per_ms = 1000000;
/* How much may flow at once after a pause, as a time at the rate. It must be larger than a piece,
 * otherwise the rate is not reached. */
static const uint64_t burst_ns = 200 * 1000000;
/* A piece is what flows in 50 ms at the rate. Below THROTTLE_PIECE_MIN the calls would cost more
 * than the bytes; a pipe takes no more than THROTTLE_PIECE_MAX. */
enum { PIECES_PER_S = 20, THROTTLE_PIECE_MIN = 256, THROTTLE_PIECE_MAX = 1024 * 1024 };

void throttle_init(struct throttle *throttle)
{
    *throttle = (struct throttle){.piece = THROTTLE_PIECE_MAX};
}

void throttle_add(struct throttle *throttle, struct bandwidth_bucket *buckets, uint64_t bytes_per_s)
{
    uint64_t piece = bytes_per_s / PIECES_PER_S;

    REQUIRE(throttle->part_count < THROTTLE_PARTS_MAX && bytes_per_s > 0);
    throttle->parts[throttle->part_count++] = (struct throttle_part){
        .buckets = buckets != NULL ? buckets : throttle->own,
        .bytes_per_s = bytes_per_s,
    };
    if (piece < THROTTLE_PIECE_MIN)
        piece = THROTTLE_PIECE_MIN;
    if (piece < throttle->piece)
        throttle->piece = (size_t)piece;
}

static uint64_t cost_ns(size_t bytes, uint64_t bytes_per_s)
{
    return (uint64_t)bytes * ns_per_s / bytes_per_s;
}

/* Returns when the bytes may flow. */
static uint64_t draw(struct bandwidth_bucket *bucket, uint64_t cost, uint64_t now_ns)
{
    uint64_t before = atomic_load_explicit(&bucket->paid_until_ns, memory_order_relaxed);
    uint64_t after;

    do {
        after = (before > now_ns ? before : now_ns) + cost;
    } while (!atomic_compare_exchange_weak_explicit(&bucket->paid_until_ns, &before, after,
                                                    memory_order_relaxed, memory_order_relaxed));
    return after > now_ns + burst_ns ? after - burst_ns : now_ns;
}

static void put_back(struct bandwidth_bucket *bucket, uint64_t cost)
{
    uint64_t before = atomic_load_explicit(&bucket->paid_until_ns, memory_order_relaxed);
    uint64_t after;

    do {
        after = before > cost ? before - cost : 0;
    } while (!atomic_compare_exchange_weak_explicit(&bucket->paid_until_ns, &before, after,
                                                    memory_order_relaxed, memory_order_relaxed));
}

bool throttle_admits(struct throttle *throttle, unsigned way, uint64_t now_ms)
{
    struct throttle_grant *grant = &throttle->grants[way];
    uint64_t now_ns = now_ms * ns_per_ms;
    uint64_t at_ns = now_ns;

    if (grant->bytes > 0)
        return now_ms >= grant->at_ms;
    for (unsigned i = 0; i < throttle->part_count; i++) {
        const struct throttle_part *part = &throttle->parts[i];
        uint64_t part_at_ns =
            draw(&part->buckets[way], cost_ns(throttle->piece, part->bytes_per_s), now_ns);

        if (part_at_ns > at_ns)
            at_ns = part_at_ns;
    }
    grant->bytes = throttle->piece;
    grant->at_ms = (at_ns + ns_per_ms - 1) / ns_per_ms;
    return now_ms >= grant->at_ms;
}

void throttle_spend(struct throttle *throttle, unsigned way, size_t bytes)
{
    REQUIRE(bytes <= throttle->grants[way].bytes);
    throttle->grants[way].bytes -= bytes;
}

void throttle_give_back(struct throttle *throttle, unsigned way)
{
    struct throttle_grant *grant = &throttle->grants[way];

    for (unsigned i = 0; grant->bytes > 0 && i < throttle->part_count; i++)
        put_back(&throttle->parts[i].buckets[way],
                 cost_ns(grant->bytes, throttle->parts[i].bytes_per_s));
    grant->bytes = 0;
}
