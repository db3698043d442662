/*
 * Each row first does a little of the same unmeasured (a cold proxy faults in its code and grows
 * its heap), then reads the proxy's CPU, works, and reads again. The reading takes milliseconds,
 * so the clock starts after the first one and stops before the second.
 *
 * What counts as one operation:
 *   tunnels    connect, CONNECT, 200, one 100-byte exchange, FIN from the client, and the end of
 *              data back at the client: the proxy's closing is part of it
 *   roundtrip  100 bytes there and 100 back, one at a time on each of the open tunnels
 *   bulk       bytes that the other end has checked: one exchange after the other on each flow,
 * until the time is up; the last ones are finished and count idle       an open tunnel that has
 * carried one exchange
 */
#include "row.h"

#include "load.h"
#include "process_tree.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define OPENING_AT_ONCE 64
#define SECOND_NS 1000000000ull
#define SETTLE_NS (SECOND_NS / 20) /* the proxy's last close and log line come after our EOF */

static uint64_t seconds_to_ns(double seconds)
{
    return (uint64_t)(seconds * 1e9);
}

static void result_add(struct row_result *result, const char *name, double value)
{
    if (result->measures_len == ROW_MEASURES_MAX)
        load_fail("too many measures");
    result->measures[result->measures_len++] = (struct row_measure){name, value};
}

static uint64_t proxy_cpu_ns(const struct row_settings *settings)
{
    struct process_usage usage = {0};
    if (settings->proxy_pid && process_tree_cpu(settings->proxy_pid, &usage) < 0)
        load_fail("process %d, the proxy, is gone", (int)settings->proxy_pid);
    return usage.cpu_ns;
}

/* A stretch of work and what the proxy paid for it. */
struct stretch {
    uint64_t cpu_before_ns, began_ns;
    double seconds, cpu_s;
};

static struct stretch stretch_begin(const struct row_settings *settings)
{
    struct stretch stretch = {.cpu_before_ns = proxy_cpu_ns(settings)};
    stretch.began_ns = clock_ns();
    return stretch;
}

static void stretch_stop_clock(struct stretch *stretch)
{
    stretch->seconds = (double)(clock_ns() - stretch->began_ns) / 1e9;
}

static void stretch_read_cpu(struct stretch *stretch, const struct row_settings *settings)
{
    stretch->cpu_s = (double)(proxy_cpu_ns(settings) - stretch->cpu_before_ns) / 1e9;
}

/* ---- tunnels ---- */

struct tunnels_row {
    uint32_t count, started, ended;
    uint64_t until_ns; /* no new ones after that */
};

static void tunnels_on_open(struct load *load, struct conn *conn)
{
    struct tunnels_row *row = load_row(load);
    conn_exchange(load, conn, EXCHANGE_ECHO, row->started);
}

static void tunnels_on_closed(struct load *load)
{
    struct tunnels_row *row = load_row(load);
    row->ended++;
    if (row->started < row->count && clock_ns() < row->until_ns) {
        row->started++;
        load_dial(load);
    } else if (row->ended == row->started) {
        load_stop(load);
    }
}

static const struct load_ops tunnels_ops = {
    .on_open = tunnels_on_open,
    .on_answer = conn_finish,
    .on_closed = tunnels_on_closed,
};

/* Returns how many were opened, used and closed: `count`, or what `seconds` allowed. */
static uint32_t tunnels_pass(struct load *load, uint32_t at_once, uint32_t count, double seconds)
{
    struct tunnels_row row = {.count = count, .until_ns = clock_ns() + seconds_to_ns(seconds)};
    load_set_ops(load, &tunnels_ops, &row);
    while (row.started < at_once && row.started < count) {
        row.started++;
        load_dial(load);
    }
    load_run(load, 0);
    load_set_ops(load, &(struct load_ops){0}, NULL);
    return row.ended;
}

static void tunnels_run(struct load *load, const struct row_settings *settings,
                        struct row_result *result)
{
    tunnels_pass(load, settings->tunnels, settings->count / 10 + 1, settings->seconds / 5);
    load_run(load, clock_ns() + SETTLE_NS);
    struct stretch stretch = stretch_begin(settings);
    double ended = tunnels_pass(load, settings->tunnels, settings->count, settings->seconds);
    stretch_stop_clock(&stretch);
    load_run(load, clock_ns() + SETTLE_NS);
    stretch_read_cpu(&stretch, settings);
    load_finish_all(load);
    if (settings->proxy_pid)
        result_add(result, "cpu_us_per_tunnel", stretch.cpu_s * 1e6 / ended);
    result_add(result, "tunnels_per_s", ended / stretch.seconds);
}

/* ---- roundtrip ---- */

struct roundtrip_row {
    uint64_t answers;
    bool is_stopping;
};

static void roundtrip_on_answer(struct load *load, struct conn *conn)
{
    struct roundtrip_row *row = load_row(load);
    row->answers++;
    if (row->is_stopping)
        conn_finish(load, conn);
    else
        conn_exchange(load, conn, EXCHANGE_ECHO, row->answers);
}

static const struct load_ops roundtrip_ops = {.on_answer = roundtrip_on_answer};

static void roundtrip_start(struct load *load, struct conn *conn)
{
    conn_exchange(load, conn, EXCHANGE_ECHO, 0);
}

static void roundtrip_run(struct load *load, const struct row_settings *settings,
                          struct row_result *result)
{
    struct roundtrip_row row = {0};
    load_open_all(load, settings->tunnels, OPENING_AT_ONCE);
    load_set_ops(load, &roundtrip_ops, &row);
    load_each(load, roundtrip_start);
    load_run(load, clock_ns() + seconds_to_ns(settings->seconds / 5));
    struct stretch stretch = stretch_begin(settings);
    uint64_t answers_before = row.answers;
    uint64_t until_ns = stretch.began_ns + seconds_to_ns(settings->seconds);
    /* A slow proxy gets longer: few answers measure nothing. The deadline bounds it. */
    do {
        load_run(load, until_ns);
        until_ns += seconds_to_ns(settings->seconds);
    } while (row.answers - answers_before < 3ull * settings->tunnels);
    stretch_stop_clock(&stretch);
    stretch_read_cpu(&stretch, settings);
    double answers = (double)(row.answers - answers_before);
    row.is_stopping = true;
    load_wait_closed(load);
    if (settings->proxy_pid)
        result_add(result, "cpu_us_per_roundtrip", stretch.cpu_s * 1e6 / answers);
    result_add(result, "roundtrips_per_s", answers / stretch.seconds);
}

/* ---- exchanges of any kind, again and again, on every open tunnel ---- */

struct exchanges_row {
    enum exchange_kind kind;
    uint64_t bytes; /* of one exchange; each flow has one after the other */
    uint64_t until_ns;
    uint64_t exchanges;
    uint32_t flows_left;
};

static void exchanges_start(struct load *load, struct conn *conn)
{
    struct exchanges_row *row = load_row(load);
    conn_exchange(load, conn, row->kind, row->bytes);
}

static void exchanges_on_answer(struct load *load, struct conn *conn)
{
    struct exchanges_row *row = load_row(load);
    row->exchanges++;
    if (clock_ns() < row->until_ns)
        exchanges_start(load, conn);
    else if (--row->flows_left == 0)
        load_stop(load);
}

static const struct load_ops exchanges_ops = {.on_answer = exchanges_on_answer};

/* At least one exchange on each open tunnel; returns how many in all. */
static uint64_t exchanges_pass(struct load *load, struct exchanges_row row, double seconds)
{
    row.until_ns = clock_ns() + seconds_to_ns(seconds);
    load_set_ops(load, &exchanges_ops, &row);
    load_each(load, exchanges_start);
    load_run(load, 0);
    load_set_ops(load, &(struct load_ops){0}, NULL);
    return row.exchanges;
}

/* ---- bulk ---- */

static void bulk_run(struct load *load, const struct row_settings *settings,
                     struct row_result *result, enum exchange_kind kind)
{
    struct exchanges_row row = {
        .kind = kind,
        .bytes = settings->bytes / settings->tunnels,
        .flows_left = settings->tunnels,
    };
    load_open_all(load, settings->tunnels, OPENING_AT_ONCE);
    exchanges_pass(load, row, settings->seconds / 5);
    struct stretch stretch = stretch_begin(settings);
    double gigabytes = (double)(exchanges_pass(load, row, settings->seconds) * row.bytes) / 1e9;
    stretch_stop_clock(&stretch);
    stretch_read_cpu(&stretch, settings);
    load_finish_all(load);
    if (settings->proxy_pid)
        result_add(result, "cpu_s_per_gb", stretch.cpu_s / gigabytes);
    result_add(result, "gbit_per_s", gigabytes * 8 / stretch.seconds);
}

static void bulk_down_run(struct load *load, const struct row_settings *settings,
                          struct row_result *result)
{
    bulk_run(load, settings, result, EXCHANGE_DOWN);
}

static void bulk_up_run(struct load *load, const struct row_settings *settings,
                        struct row_result *result)
{
    bulk_run(load, settings, result, EXCHANGE_UP);
}

/* ---- idle ---- */

static void proxy_memory(const struct row_settings *settings, struct process_usage *ret_usage)
{
    int error = process_tree_memory(settings->proxy_pid, ret_usage);
    if (error < 0)
        load_fail("cannot read memory and descriptors of process %d and its children: %s",
                  (int)settings->proxy_pid, strerror(-error));
}

static void idle_run(struct load *load, const struct row_settings *settings,
                     struct row_result *result)
{
    struct process_usage before, after;
    struct exchanges_row use_once = {.kind = EXCHANGE_ECHO, .flows_left = settings->tunnels};
    if (!settings->proxy_pid)
        load_fail("the row idle is about a proxy: give its --pid");
    tunnels_pass(load, OPENING_AT_ONCE, 2 * OPENING_AT_ONCE, 1);
    load_run(load, clock_ns() + SECOND_NS / 2);
    proxy_memory(settings, &before);
    load_open_all(load, settings->tunnels, OPENING_AT_ONCE);
    exchanges_pass(load, use_once, 0);
    load_run(load, clock_ns() + seconds_to_ns(settings->settle_s));
    struct stretch stretch = stretch_begin(settings);
    load_run(load, stretch.began_ns + seconds_to_ns(settings->seconds));
    stretch_stop_clock(&stretch);
    stretch_read_cpu(&stretch, settings);
    proxy_memory(settings, &after);
    load_finish_all(load);
    double tunnels = settings->tunnels;
    result_add(result, "pss_bytes_per_tunnel",
               ((double)after.pss_bytes - (double)before.pss_bytes) / tunnels);
    result_add(result, "descriptors_per_tunnel",
               ((double)after.descriptors - (double)before.descriptors) / tunnels);
    result_add(result, "idle_cpu_ms_per_s", stretch.cpu_s * 1e3 / stretch.seconds);
    result_add(result, "pss_bytes_before", (double)before.pss_bytes);
    result_add(result, "pss_bytes_after", (double)after.pss_bytes);
}

static const struct row rows[] = {
    {"tunnels", "open, use once, close", tunnels_run},
    {"roundtrip", "100 bytes there and back over open tunnels", roundtrip_run},
    {"bulk-down", "origin to client", bulk_down_run},
    {"bulk-up", "client to origin", bulk_up_run},
    {"idle", "memory, descriptors and CPU of tunnels that rest", idle_run},
};

const struct row *row_at(size_t index)
{
    return index < sizeof rows / sizeof *rows ? &rows[index] : NULL;
}

const struct row *row_find(const char *name)
{
    for (size_t i = 0; row_at(i); i++) {
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    }
    return NULL;
}
