/*
 * Chats beside bulk: does a download make everybody else wait?
 *
 * Each chat has an exchange of 100 bytes every 200 ms, evenly spread: 5,000 per second with 1,000
 * chats, so that neither the proxy nor the generator is busy with them alone. The same chats are
 * measured twice: alone, and beside flows that take all they can get.
 *
 * Latency counts from the moment at which an exchange was due, not from when it was sent: a proxy
 * that stalls makes its own next exchanges late, and those must not be left out. A chat that is
 * still waiting when the next is due starts that one as soon as it can.
 */
#include "latency.h"
#include "load.h"
#include "row_tools.h"

#include <stdbool.h>
#include <stdlib.h>

#define CHAT_EVERY_NS (SECOND_NS / 5)

struct chat {
    struct conn *conn;
    uint64_t due_ns;  /* of the exchange under way */
    uint64_t owed_ns; /* when one fell due while another was under way, 0: none did */
};

struct mixed_row {
    const struct row_settings *settings;
    struct chat *chats;
    uint32_t chats_len, flows_len;
    struct conn **flows;
    uint32_t next; /* the chat whose turn comes next, at next_ns */
    uint64_t next_ns;
    bool is_chatting, is_flowing;
    uint32_t chats_busy, flows_busy;
    uint64_t flow_bytes;
    struct latency latency;
};

static void chat_ask(struct load *load, struct mixed_row *row, struct chat *chat, uint64_t due_ns)
{
    chat->due_ns = due_ns;
    row->chats_busy++;
    conn_exchange(load, chat->conn, EXCHANGE_ECHO, due_ns);
}

static void chat_answered(struct load *load, struct mixed_row *row, struct chat *chat)
{
    uint64_t owed_ns = chat->owed_ns;
    row->chats_busy--;
    latency_add(&row->latency, clock_ns() - chat->due_ns);
    chat->owed_ns = 0;
    if (owed_ns)
        chat_ask(load, row, chat, owed_ns);
}

static uint64_t mixed_on_turn(struct load *load, uint64_t now_ns)
{
    struct mixed_row *row = load_row(load);
    if (!row->is_chatting)
        return UINT64_MAX;
    while (row->next_ns <= now_ns) {
        struct chat *chat = &row->chats[row->next];
        if (conn_is_idle(chat->conn))
            chat_ask(load, row, chat, row->next_ns);
        else if (!chat->owed_ns)
            chat->owed_ns = row->next_ns;
        row->next = (row->next + 1) % row->chats_len;
        row->next_ns += CHAT_EVERY_NS / row->chats_len;
    }
    return row->next_ns;
}

static void flow_ask(struct load *load, struct mixed_row *row, struct conn *conn)
{
    row->flows_busy++;
    conn_exchange(load, conn, EXCHANGE_DOWN, row->settings->bytes);
}

static void mixed_on_answer(struct load *load, struct conn *conn)
{
    struct mixed_row *row = load_row(load);
    if (conn_tag(conn)) {
        chat_answered(load, row, conn_tag(conn));
        return;
    }
    row->flows_busy--;
    row->flow_bytes += row->settings->bytes;
    if (row->is_flowing)
        flow_ask(load, row, conn);
}

static const struct load_ops mixed_ops = {.on_answer = mixed_on_answer, .on_turn = mixed_on_turn};

static void mixed_sort(struct load *load, struct conn *conn)
{
    struct mixed_row *row = load_row(load);
    if (row->flows_len < row->settings->flows) {
        row->flows[row->flows_len++] = conn;
        return;
    }
    row->chats[row->chats_len].conn = conn;
    conn_set_tag(conn, &row->chats[row->chats_len++]);
}

static void chats_measure(struct load *load, struct mixed_row *row)
{
    row->latency = (struct latency){0};
    row->flow_bytes = 0;
    load_run(load, clock_ns() + seconds_to_ns(row->settings->seconds));
}

static void mixed_measure(struct load *load, struct mixed_row *row, struct row_result *result)
{
    row->is_chatting = true;
    row->next_ns = clock_ns();
    load_run(load, clock_ns() + CHAT_EVERY_NS);
    chats_measure(load, row);
    result_add(result, "alone_p50_us", latency_percentile_us(&row->latency, 50));
    result_add(result, "alone_p99_us", latency_percentile_us(&row->latency, 99));
    row->is_flowing = true;
    for (uint32_t i = 0; i < row->flows_len; i++)
        flow_ask(load, row, row->flows[i]);
    load_run(load, clock_ns() + CHAT_EVERY_NS);
    struct stretch stretch = stretch_begin(row->settings);
    chats_measure(load, row);
    stretch_stop_clock(&stretch);
    stretch_read_cpu(&stretch, row->settings);
    result_add_latency(result, &row->latency);
    result_add(result, "gbit_per_s", (double)row->flow_bytes * 8 / 1e9 / stretch.seconds);
    if (row->settings->proxy_pid)
        result_add(result, "cpu_share", stretch.cpu_s / stretch.seconds);
    row->is_chatting = row->is_flowing = false;
    while (row->chats_busy > 0 || row->flows_busy > 0)
        load_run(load, clock_ns() + SECOND_NS / 100);
}

void row_mixed_run(struct load *load, const struct row_settings *settings,
                   struct row_result *result)
{
    struct mixed_row row = {
        .settings = settings,
        .chats = calloc(settings->tunnels, sizeof *row.chats),
        .flows = calloc(settings->flows, sizeof *row.flows),
    };
    if (!row.chats || !row.flows)
        load_fail("no memory");
    load_open_all(load, settings->tunnels + settings->flows, OPENING_AT_ONCE);
    load_set_ops(load, &mixed_ops, &row);
    load_each(load, mixed_sort);
    mixed_measure(load, &row, result);
    load_set_ops(load, &(struct load_ops){0}, NULL);
    load_finish_all(load);
    free(row.chats);
    free(row.flows);
}
