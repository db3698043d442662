/* Counters: one set a thread, written without locks by that thread, summed by whoever reads.
 *
 * The rows stand in metrics.def: METRIC(enum suffix, exposed name, label name or NULL, label value,
 * help).
 */
#ifndef OBSERVE_COUNTERS_H
#define OBSERVE_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

enum counter {
#define METRIC(suffix, name, label, value, help) COUNTER_##suffix,
#include "observe/metrics.def"
#undef METRIC
    COUNTER_COUNT,
};

struct counters {
    _Atomic uint64_t values[COUNTER_COUNT];
};

/* By the owning thread only: a plain load, add, store. */
static inline void counter_add(struct counters *counters, enum counter counter, uint64_t amount)
{
    uint64_t value = atomic_load_explicit(&counters->values[counter], memory_order_relaxed);
    atomic_store_explicit(&counters->values[counter], value + amount, memory_order_relaxed);
}

/* A gauge goes down by adding -1 modulo 2^64; the sum over the threads is right again. */
static inline void counter_subtract(struct counters *counters, enum counter counter,
                                    uint64_t amount)
{
    counter_add(counters, counter, (uint64_t)0 - amount);
}

static inline uint64_t counter_read(const struct counters *counters, enum counter counter)
{
    return atomic_load_explicit(&counters->values[counter], memory_order_relaxed);
}

struct counter_row {
    const char *name;
    const char *label; /* NULL: none */
    const char *value;
    const char *help;
};

const struct counter_row *counter_row(enum counter counter);

#endif
