/*
 * Each row first does a little of the same unmeasured (a cold proxy faults in its code and grows
 * its heap), then reads the proxy's CPU, works, and reads again. The reading takes milliseconds,
 * so the clock starts after the first one and stops before the second.
 *
 * What counts as one operation, and what its latency is:
 *   tunnels    connect, CONNECT, 200, one 100-byte exchange, FIN from the client, and the end of
 *              data back at the client: the proxy's closing is part of it. Latency: from the
 *              connect to the answer.
 *   roundtrip  100 bytes there and 100 back, one at a time on each of the open tunnels.
 *   bulk       bytes that the other end has checked: one exchange after the other on each flow,
 *              until the time is up; the last ones are finished and count. Latency: of an exchange.
 *   idle       an open tunnel that has carried one exchange. Latency: from the connect to the 200.
 *   storm      as tunnels, but all at once, and without the closing.
 *   mixed      see row_mixed.c.
 */
#include "row.h"

#include "kernel_memory.h"
#include "latency.h"
#include "load.h"
#include "process_tree.h"
#include "row_tools.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SETTLE_NS (SECOND_NS / 20) /* the proxy's last close and log line come after our EOF */

/* ---- tunnels ---- */

struct tunnels_row {
    uint32_t count, started, ended;
    uint64_t until_ns; /* no new ones after that */
    struct latency latency;
};

static void tunnels_on_open(struct load *load, struct conn *conn)
{
    struct tunnels_row *row = load_row(load);
    conn_exchange(load, conn, EXCHANGE_ECHO, row->started);
}

static void tunnels_on_answer(struct load *load, struct conn *conn)
{
    struct tunnels_row *row = load_row(load);
    latency_add(&row->latency, clock_ns() - conn_dialled_ns(conn));
    conn_finish(load, conn);
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
    .on_answer = tunnels_on_answer,
    .on_closed = tunnels_on_closed,
};

/* Opens, uses and closes `count`, or what `seconds` allow: ret_row->ended of them. */
static void tunnels_pass(struct load *load, uint32_t at_once, uint32_t count, double seconds,
                         struct tunnels_row *ret_row)
{
    struct tunnels_row *row = ret_row;
    *row = (struct tunnels_row){.count = count, .until_ns = clock_ns() + seconds_to_ns(seconds)};
    load_set_ops(load, &tunnels_ops, row);
    while (row->started < at_once && row->started < count) {
        row->started++;
        load_dial(load);
    }
    load_run(load, 0);
    load_set_ops(load, &(struct load_ops){0}, NULL);
}

static void tunnels_run(struct load *load, const struct row_settings *settings,
                        struct row_result *result)
{
    struct tunnels_row row;
    tunnels_pass(load, settings->tunnels, settings->count / 10 + 1, settings->seconds / 5, &row);
    load_run(load, clock_ns() + SETTLE_NS);
    struct stretch stretch = stretch_begin(settings);
    tunnels_pass(load, settings->tunnels, settings->count, settings->seconds, &row);
    stretch_stop_clock(&stretch);
    load_run(load, clock_ns() + SETTLE_NS);
    stretch_read_cpu(&stretch, settings);
    load_finish_all(load);
    if (settings->proxy_pid)
        result_add(result, "cpu_us_per_tunnel", stretch.cpu_s * 1e6 / row.ended);
    result_add(result, "tunnels_per_s", row.ended / stretch.seconds);
    result_add_latency(result, &row.latency);
}

/* ---- roundtrip ---- */

struct roundtrip_row {
    uint64_t answers;
    bool is_stopping;
    struct latency latency;
};

static void roundtrip_on_answer(struct load *load, struct conn *conn)
{
    struct roundtrip_row *row = load_row(load);
    row->answers++;
    latency_add(&row->latency, clock_ns() - conn_asked_ns(conn));
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
    row.latency = (struct latency){0};
    uint64_t until_ns = stretch.began_ns + seconds_to_ns(settings->seconds);
    /* A slow proxy gets longer: few answers measure nothing. The deadline bounds it. */
    do {
        load_run(load, until_ns);
        until_ns += seconds_to_ns(settings->seconds);
    } while (row.answers - answers_before < 3ull * settings->tunnels);
    stretch_stop_clock(&stretch);
    stretch_read_cpu(&stretch, settings);
    double answers = (double)(row.answers - answers_before);
    result_add_latency(result, &row.latency);
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
    struct latency latency;
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
    latency_add(&row->latency, clock_ns() - conn_asked_ns(conn));
    if (clock_ns() < row->until_ns)
        exchanges_start(load, conn);
    else if (--row->flows_left == 0)
        load_stop(load);
}

static const struct load_ops exchanges_ops = {.on_answer = exchanges_on_answer};

/* At least one exchange on each of the open tunnels. */
static void exchanges_pass(struct load *load, const struct row_settings *settings,
                           enum exchange_kind kind, double seconds, struct exchanges_row *ret_row)
{
    *ret_row = (struct exchanges_row){
        .kind = kind,
        .bytes = settings->bytes,
        .until_ns = clock_ns() + seconds_to_ns(seconds),
        .flows_left = settings->tunnels,
    };
    load_set_ops(load, &exchanges_ops, ret_row);
    load_each(load, exchanges_start);
    load_run(load, 0);
    load_set_ops(load, &(struct load_ops){0}, NULL);
}

/* ---- bulk ---- */

static void bulk_run(struct load *load, const struct row_settings *settings,
                     struct row_result *result, enum exchange_kind kind)
{
    struct exchanges_row row;
    load_open_all(load, settings->tunnels, OPENING_AT_ONCE);
    exchanges_pass(load, settings, kind, settings->seconds / 5, &row);
    struct stretch stretch = stretch_begin(settings);
    exchanges_pass(load, settings, kind, settings->seconds, &row);
    double gigabytes = (double)(row.exchanges * row.bytes) / 1e9;
    stretch_stop_clock(&stretch);
    stretch_read_cpu(&stretch, settings);
    load_finish_all(load);
    if (settings->proxy_pid)
        result_add(result, "cpu_s_per_gb", stretch.cpu_s / gigabytes);
    result_add(result, "gbit_per_s", gigabytes * 8 / stretch.seconds);
    result_add_latency(result, &row.latency);
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

struct memory {
    struct process_usage proxy;
    uint64_t kernel_bytes;
    bool has_kernel;
};

static void memory_read(const struct row_settings *settings, struct memory *ret_memory)
{
    struct memory memory = {.has_kernel = kernel_memory(&memory.kernel_bytes) == 0};
    int error = settings->proxy_pid ? process_tree_memory(settings->proxy_pid, &memory.proxy) : 0;
    if (error < 0)
        load_fail("cannot read memory and descriptors of process %d and its children: %s",
                  (int)settings->proxy_pid, strerror(-error));
    *ret_memory = memory;
}

static void result_add_memory(struct row_result *result, const struct row_settings *settings,
                              const struct memory *before, const struct memory *after)
{
    double tunnels = settings->tunnels;
    if (before->has_kernel && after->has_kernel)
        result_add(result, "kernel_bytes_per_tunnel",
                   ((double)after->kernel_bytes - (double)before->kernel_bytes) / tunnels);
    if (!settings->proxy_pid)
        return;
    const struct process_usage *old = &before->proxy, *new = &after->proxy;
    result_add(result, "pss_bytes_per_tunnel",
               ((double)new->pss_bytes - (double)old->pss_bytes) / tunnels);
    result_add(result, "descriptors_per_tunnel",
               ((double)new->descriptors - (double)old->descriptors) / tunnels);
    result_add(result, "pss_bytes_before", (double)old->pss_bytes);
    result_add(result, "pss_bytes_after", (double)new->pss_bytes);
}

static void opening_on_open(struct load *load, struct conn *conn)
{
    latency_add(load_row(load), clock_ns() - conn_dialled_ns(conn));
}

/* Opens all, 64 at a time. */
static void opening_pass(struct load *load, const struct row_settings *settings,
                         struct row_result *result)
{
    struct latency latency = {0};
    uint64_t began_ns = clock_ns();
    load_set_ops(load, &(struct load_ops){.on_open = opening_on_open}, &latency);
    load_open_all(load, settings->tunnels, OPENING_AT_ONCE);
    load_set_ops(load, &(struct load_ops){0}, NULL);
    result_add(result, "opened_per_s", settings->tunnels * 1e9 / (double)(clock_ns() - began_ns));
    result_add_latency(result, &latency);
}

static void idle_run(struct load *load, const struct row_settings *settings,
                     struct row_result *result)
{
    struct memory before, after;
    struct exchanges_row used;
    struct tunnels_row warm;
    tunnels_pass(load, OPENING_AT_ONCE, 2 * OPENING_AT_ONCE, 1, &warm);
    load_run(load, clock_ns() + SECOND_NS / 2);
    memory_read(settings, &before);
    opening_pass(load, settings, result);
    exchanges_pass(load, settings, EXCHANGE_ECHO, 0, &used);
    load_run(load, clock_ns() + seconds_to_ns(settings->settle_s));
    struct stretch stretch = stretch_begin(settings);
    load_run(load, stretch.began_ns + seconds_to_ns(settings->seconds));
    stretch_stop_clock(&stretch);
    stretch_read_cpu(&stretch, settings);
    memory_read(settings, &after);
    load_finish_all(load);
    result_add_memory(result, settings, &before, &after);
    if (settings->proxy_pid)
        result_add(result, "idle_cpu_ms_per_s", stretch.cpu_s * 1e3 / stretch.seconds);
}

/* ---- storm ---- */

struct storm_row {
    uint32_t left;
    struct latency latency;
};

static void storm_on_open(struct load *load, struct conn *conn)
{
    conn_exchange(load, conn, EXCHANGE_ECHO, 0);
}

static void storm_on_answer(struct load *load, struct conn *conn)
{
    struct storm_row *row = load_row(load);
    latency_add(&row->latency, clock_ns() - conn_dialled_ns(conn));
    if (--row->left == 0)
        load_stop(load);
}

static const struct load_ops storm_ops = {.on_open = storm_on_open, .on_answer = storm_on_answer};

static void storm_run(struct load *load, const struct row_settings *settings,
                      struct row_result *result)
{
    struct storm_row row = {.left = settings->tunnels};
    struct tunnels_row warm;
    tunnels_pass(load, OPENING_AT_ONCE, 2 * OPENING_AT_ONCE, 1, &warm);
    load_run(load, clock_ns() + SETTLE_NS);
    load_set_ops(load, &storm_ops, &row);
    struct stretch stretch = stretch_begin(settings);
    for (uint32_t i = 0; i < settings->tunnels; i++)
        load_dial(load);
    load_run(load, 0);
    stretch_stop_clock(&stretch);
    stretch_read_cpu(&stretch, settings);
    load_set_ops(load, &(struct load_ops){0}, NULL);
    load_finish_all(load);
    if (settings->proxy_pid)
        result_add(result, "cpu_us_per_tunnel", stretch.cpu_s * 1e6 / settings->tunnels);
    result_add(result, "all_served_ms", stretch.seconds * 1e3);
    result_add_latency(result, &row.latency);
}

static const struct row rows[] = {
    {"tunnels", "open, use once, close", tunnels_run},
    {"roundtrip", "100 bytes there and back over open tunnels", roundtrip_run},
    {"bulk-down", "origin to client", bulk_down_run},
    {"bulk-up", "client to origin", bulk_up_run},
    {"idle", "memory, descriptors and CPU of tunnels that rest", idle_run},
    {"storm", "all tunnels at once: connect, 200, one exchange", storm_run},
    {"mixed", "paced chats, alone and beside bulk flows", row_mixed_run},
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
