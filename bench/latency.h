/*
 * How long things took: a histogram, so that a percentile of millions costs 8 KB.
 */
#ifndef BENCH_LATENCY_H
#define BENCH_LATENCY_H

#include <stdint.h>

#define LATENCY_BUCKETS 2048

/* Zeroed: empty. */
struct latency {
    uint64_t count;
    uint32_t buckets[LATENCY_BUCKETS];
};

void latency_add(struct latency *latency, uint64_t ns);

/* The value that `percent` of all are not above, within 2 %; 0 when there are none. */
double latency_percentile_us(const struct latency *latency, double percent);

#endif
