/*
 * What the rows share: stretches of work and how results are noted.
 */
#ifndef BENCH_ROW_TOOLS_H
#define BENCH_ROW_TOOLS_H

#include "row.h"

#include <stdint.h>

#define OPENING_AT_ONCE 64
#define SECOND_NS 1000000000ull

struct latency;

uint64_t seconds_to_ns(double seconds);

/* `name` lives as long as the result. */
void result_add(struct row_result *result, const char *name, double value);

/* As p50_us and p99_us. */
void result_add_latency(struct row_result *result, const struct latency *latency);

/* A stretch of work and what the proxy paid for it. */
struct stretch {
    uint64_t cpu_before_ns, began_ns;
    double seconds, cpu_s;
};

struct stretch stretch_begin(const struct row_settings *settings);

/* Fills `seconds`, and `cpu_s`. */
void stretch_stop_clock(struct stretch *stretch);
void stretch_read_cpu(struct stretch *stretch, const struct row_settings *settings);

#endif
