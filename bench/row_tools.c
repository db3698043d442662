/*
 * The proxy's CPU is read outside the clock: reading takes milliseconds.
 */
#include "row_tools.h"

#include "latency.h"
#include "load.h"
#include "process_tree.h"

uint64_t seconds_to_ns(double seconds)
{
    return (uint64_t)(seconds * 1e9);
}

void result_add(struct row_result *result, const char *name, double value)
{
    if (result->measures_len == ROW_MEASURES_MAX)
        load_fail("too many measures");
    result->measures[result->measures_len++] = (struct row_measure){name, value};
}

void result_add_latency(struct row_result *result, const struct latency *latency)
{
    result_add(result, "p50_us", latency_percentile_us(latency, 50));
    result_add(result, "p99_us", latency_percentile_us(latency, 99));
}

static uint64_t proxy_cpu_ns(const struct row_settings *settings)
{
    struct process_usage usage = {0};
    if (settings->proxy_pid && process_tree_cpu(settings->proxy_pid, &usage) < 0)
        load_fail("process %d, the proxy, is gone", (int)settings->proxy_pid);
    return usage.cpu_ns;
}

struct stretch stretch_begin(const struct row_settings *settings)
{
    struct stretch stretch = {.cpu_before_ns = proxy_cpu_ns(settings)};
    stretch.began_ns = clock_ns();
    return stretch;
}

void stretch_stop_clock(struct stretch *stretch)
{
    stretch->seconds = (double)(clock_ns() - stretch->began_ns) / 1e9;
}

void stretch_read_cpu(struct stretch *stretch, const struct row_settings *settings)
{
    stretch->cpu_s = (double)(proxy_cpu_ns(settings) - stretch->cpu_before_ns) / 1e9;
}
