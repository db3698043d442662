/* How often a value was how large: cumulative when printed, counted by bucket here.
 *
 * Values are whole: milliseconds or bytes. One thread writes, anybody reads.
 */
#ifndef OBSERVE_HISTOGRAM_H
#define OBSERVE_HISTOGRAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_BUCKETS 14 /* the last is without bound */

enum histogram_scale {
    HISTOGRAM_SCALE_LATENCY,  /* ms, 1 ms to 10 s */
    HISTOGRAM_SCALE_LIFETIME, /* ms, 100 ms to a day */
    HISTOGRAM_SCALE_BYTES,    /* 64 to 1 GiB */
    HISTOGRAM_SCALE_COUNT,
};

struct histogram_bounds {
    uint64_t values[HISTOGRAM_BUCKETS - 1];   /* a bucket holds what is at most that */
    const char *texts[HISTOGRAM_BUCKETS - 1]; /* in seconds or bytes */
    unsigned divisor;                         /* of a value, for seconds or bytes */
};
const struct histogram_bounds *histogram_bounds(enum histogram_scale scale);

struct histogram {
    _Atomic uint64_t buckets[HISTOGRAM_BUCKETS];
    _Atomic uint64_t sum; /* of values */
};
/* By the owning thread only. */
void histogram_observe(struct histogram *histogram, enum histogram_scale scale, uint64_t value);

struct histogram_sum {
    uint64_t buckets[HISTOGRAM_BUCKETS];
    uint64_t sum;
};
void histogram_add(struct histogram_sum *sum, const struct histogram *histogram);

#endif
