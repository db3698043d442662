/*
 * 64 buckets for each power of two: the relative error is the same everywhere, below 1/64.
 * Values up to 63 ns have a bucket each; what takes over a minute falls into the last one.
 */
#include "latency.h"

#include <stddef.h>

#define STEP_BITS 6 /* 2^6 buckets to a power of two */
#define STEPS (1u << STEP_BITS)

static size_t bucket_of(uint64_t ns)
{
    if (ns < STEPS)
        return (size_t)ns;
    unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - STEP_BITS;
    size_t bucket = (size_t)shift * STEPS + (size_t)(ns >> shift);
    return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

/* The middle of a bucket. */
static double bucket_ns(size_t bucket)
{
    if (bucket < 2 * STEPS)
        return (double)bucket;
    unsigned shift = (unsigned)(bucket / STEPS) - 1;
    uint64_t low = (uint64_t)(bucket - (size_t)shift * STEPS) << shift;
    return (double)low + (double)(1ull << shift) / 2;
}

void latency_add(struct latency *latency, uint64_t ns)
{
    latency->buckets[bucket_of(ns)]++;
    latency->count++;
}

double latency_percentile_us(const struct latency *latency, double percent)
{
    uint64_t seen = 0;
    for (size_t i = 0; i < LATENCY_BUCKETS && latency->count > 0; i++) {
        seen += latency->buckets[i];
        if ((double)seen >= (double)latency->count * percent / 100)
            return bucket_ns(i) / 1e3;
    }
    return 0;
}
