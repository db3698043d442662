/* The tables that metrics.def expands to. Counters belong to one thread: only it adds to them, and
 * the thread that shows metrics reads them at any time (counters.h).
 */
#include "observe/counters.h"

#include "base/contract.h"

static const struct counter_row counter_rows[] = {
#define COUNTER(suffix, counter_name, counter_labels, text)                                        \
    {.name = (counter_name), .labels = (counter_labels), .help = (text)},
#define BY_FRONT(suffix, counter_name, counter_labels, text)                                       \
    {.name = (counter_name),                                                                       \
     .labels = (counter_labels),                                                                   \
     .help = (text),                                                                               \
     .is_by_front = true,                                                                          \
     .front_counter = FRONT_COUNTER_##suffix},
#define GAUGE(suffix, counter_name, counter_labels, text)                                          \
    {.name = (counter_name), .labels = (counter_labels), .help = (text), .is_gauge = true},
#include "observe/metrics.def"
};
static_assert(ARRAY_LENGTH(counter_rows) == COUNTER_COUNT, "a row a counter");

static const struct histogram_row histogram_rows[] = {
#define HISTOGRAM(suffix, name, labels, scale, help) {name, labels, help, HISTOGRAM_SCALE_##scale},
#include "observe/metrics.def"
};
static_assert(ARRAY_LENGTH(histogram_rows) == HISTOGRAM_COUNT, "a row a histogram");

const struct counter_row *counter_row(enum counter counter)
{
    REQUIRE((unsigned)counter < COUNTER_COUNT);
    return &counter_rows[counter];
}

const struct histogram_row *histogram_row(enum counters_histogram histogram)
{
    REQUIRE((unsigned)histogram < HISTOGRAM_COUNT);
    return &histogram_rows[histogram];
}

/* Counts for the front-end and for the sum over all of them, so that reading the sum is reading one
 * place. */
void counters_add_of_front(struct counters *counters, unsigned front, enum front_counter counter)
{
    static const enum counter sums[] = {
#define COUNTER(suffix, name, labels, help)
#define BY_FRONT(suffix, name, labels, help) [FRONT_COUNTER_##suffix] = COUNTER_##suffix,
#include "observe/metrics.def"
    };

    REQUIRE(front < COUNTERS_FRONTS_MAX);
    counter_place_add(&counters->fronts[front][counter], 1);
    counter_add(counters, sums[counter], 1);
}

void counters_add_error(struct counters *counters, unsigned error)
{
    REQUIRE(error < COUNTERS_ERRORS_MAX);
    counter_place_add(&counters->errors[error], 1);
}

/* Without names (rule_names NULL) denials are not counted by rule. */
void counters_add_denied(struct counters *counters, const char *rule)
{
    if (counters->rule_names != NULL)
        counter_place_add(&counters->denied[rule_names_find(counters->rule_names, rule)], 1);
}

void counters_observe(struct counters *counters, enum counters_histogram histogram, uint64_t value)
{
    histogram_observe(&counters->histograms[histogram], histogram_row(histogram)->scale, value);
}
