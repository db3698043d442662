/* Counters: one set per thread, which that thread writes without locks. A reader sums the sets up.
 *
 * metrics.def lists them all.
 */
#ifndef OBSERVE_COUNTERS_H
#define OBSERVE_COUNTERS_H

#include "observe/histogram.h"
#include "observe/rule_names.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define COUNTERS_ERRORS_MAX 64
#define COUNTERS_FRONTS_MAX 8

enum counter {
#define COUNTER(suffix, name, labels, help) COUNTER_##suffix,
#define GAUGE(suffix, name, labels, help) COUNTER_##suffix,
#include "observe/metrics.def"
    COUNTER_COUNT,
};

/* Counters that each front-end has for itself; the COUNTER of the same name holds their sum. */
enum front_counter {
#define COUNTER(suffix, name, labels, help)
#define BY_FRONT(suffix, name, labels, help) FRONT_COUNTER_##suffix,
#include "observe/metrics.def"
    FRONT_COUNTER_COUNT,
};

enum counters_histogram {
#define HISTOGRAM(suffix, name, labels, scale, help) HISTOGRAM_##suffix,
#include "observe/metrics.def"
    HISTOGRAM_COUNT,
};

struct counters {
    _Atomic uint64_t values[COUNTER_COUNT];
    _Atomic uint64_t fronts[COUNTERS_FRONTS_MAX][FRONT_COUNTER_COUNT]; /* by front-end */
    struct histogram histograms[HISTOGRAM_COUNT];
    _Atomic uint64_t errors[COUNTERS_ERRORS_MAX]; /* by enum tunnel_error */
    _Atomic uint64_t denied[RULE_NAMES_MAX + 1];  /* by rule_names_find */
    struct rule_names *rule_names;                /* all threads'; NULL: denials have no rule */
};

/* Only the owning thread may call this, so a plain load, add and store suffices. */
static inline void counter_place_add(_Atomic uint64_t *place, uint64_t amount)
{
    uint64_t value = atomic_load_explicit(place, memory_order_relaxed);
    atomic_store_explicit(place, value + amount, memory_order_relaxed);
}

static inline void counter_add(struct counters *counters, enum counter counter, uint64_t amount)
{
    counter_place_add(&counters->values[counter], amount);
}

/* A gauge goes down by adding the negative amount modulo 2^64. One thread's value may wrap around;
 * the sum over all threads is right. */
static inline void counter_subtract(struct counters *counters, enum counter counter,
                                    uint64_t amount)
{
    counter_add(counters, counter, (uint64_t)0 - amount);
}

static inline uint64_t counter_read(const struct counters *counters, enum counter counter)
{
    return atomic_load_explicit(&counters->values[counter], memory_order_relaxed);
}

/* Adds one to the front-end's counter and to the sum. Only the owning thread may call this, too. */
void counters_add_of_front(struct counters *counters, unsigned front, enum front_counter counter);
/* Only the owning thread may call these, too. `error` is below COUNTERS_ERRORS_MAX. */
void counters_add_error(struct counters *counters, unsigned error);
void counters_add_denied(struct counters *counters, const char *rule);
void counters_observe(struct counters *counters, enum counters_histogram histogram, uint64_t value);

struct counter_row {
    const char *name;
    const char *labels; /* NULL: none */
    const char *help;
    bool is_gauge;
    bool is_by_front;
    enum front_counter front_counter; /* if it is */
};
const struct counter_row *counter_row(enum counter counter);

struct histogram_row {
    const char *name;
    const char *labels; /* NULL: none */
    const char *help;
    enum histogram_scale scale;
};
const struct histogram_row *histogram_row(enum counters_histogram histogram);

#endif
