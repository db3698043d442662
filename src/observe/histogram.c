/* The bounds grow in steps of 2 to 5. That keeps the number of series small, and a quantile that is
 * computed from them is wrong by no more than such a step.
 */
#include "observe/histogram.h"

#include "base/contract.h"

/* Each row has the bounds in the unit that is counted (milliseconds, bytes), the same as text in
 * the unit of the metric (seconds, bytes), and how many of the one make one of the other. */
static const struct histogram_bounds histogram_scales[] = {
    [HISTOGRAM_SCALE_LATENCY] = {{1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000},
                                 {"0.001", "0.002", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25",
                                  "0.5", "1.0", "2.5", "5.0", "10.0"},
                                 1000},
    [HISTOGRAM_SCALE_LIFETIME] = {{100, 500, 1000, 5000, 15000, 30000, 60000, 300000, 900000,
                                   3600000, 14400000, 43200000, 86400000},
                                  {"0.1", "0.5", "1.0", "5.0", "15.0", "30.0", "60.0", "300.0",
                                   "900.0", "3600.0", "14400.0", "43200.0", "86400.0"},
                                  1000},
    [HISTOGRAM_SCALE_BYTES] = {{1 << 6, 1 << 8, 1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18,
                                1 << 20, 1 << 22, 1 << 24, 1 << 26, 1 << 28, 1 << 30},
                               {"64.0", "256.0", "1024.0", "4096.0", "16384.0", "65536.0",
                                "262144.0", "1048576.0", "4194304.0", "16777216.0", "67108864.0",
                                "268435456.0", "1073741824.0"},
                               1},
};
static_assert(ARRAY_LENGTH(histogram_scales) == HISTOGRAM_SCALE_COUNT, "bounds for every scale");

const struct histogram_bounds *histogram_bounds(enum histogram_scale scale)
{
    REQUIRE((unsigned)scale < HISTOGRAM_SCALE_COUNT);
    return &histogram_scales[scale];
}

/* Only the thread that owns the histogram writes it, so a load and a store are enough and cheaper
 * than an atomic addition. Other threads read it at any time. */
static void histogram_place_add(_Atomic uint64_t *place, uint64_t amount)
{
    uint64_t value = atomic_load_explicit(place, memory_order_relaxed);

    atomic_store_explicit(place, value + amount, memory_order_relaxed);
}

/* The last bucket takes what is above all bounds. */
void histogram_observe(struct histogram *histogram, enum histogram_scale scale, uint64_t value)
{
    const uint64_t *bounds = histogram_bounds(scale)->values;
    size_t bucket = 0;

    while (bucket < HISTOGRAM_BUCKETS - 1 && value > bounds[bucket])
        bucket++;
    histogram_place_add(&histogram->buckets[bucket], 1);
    histogram_place_add(&histogram->sum, value);
}

void histogram_add(struct histogram_sum *sum, const struct histogram *histogram)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        sum->buckets[i] += atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
    sum->sum += atomic_load_explicit(&histogram->sum, memory_order_relaxed);
}
