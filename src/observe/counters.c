/* The table of counters: what each is called outside, and what it says. */
#include "observe/counters.h"

#include "base/contract.h"

static const struct counter_row rows[] = {
#define METRIC(suffix, name, label, value, help) {name, label, value, help},
#include "observe/metrics.def"
#undef METRIC
};
static_assert(ARRAY_LENGTH(rows) == COUNTER_COUNT, "a row a counter");

const struct counter_row *counter_row(enum counter counter)
{
    REQUIRE((unsigned)counter < COUNTER_COUNT);
    return &rows[counter];
}
