/*
 * The rows of the bench: what is done through the proxy, and what it cost the proxy.
 */
#ifndef BENCH_ROW_H
#define BENCH_ROW_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct load;

struct row_settings {
    pid_t proxy_pid;  /* root of the proxy's process tree; 0: there is none */
    uint32_t tunnels; /* how many are open at once */
    uint32_t count;   /* `tunnels`: how many are opened in all, at most */
    uint64_t bytes;   /* bulk: of one exchange, on each flow; they repeat */
    uint32_t flows;   /* `mixed`: of bulk, beside the tunnels */
    double seconds;   /* how long it is measured */
    double settle_s;  /* `idle`: how long tunnels rest before they are measured */
};

#define ROW_MEASURES_MAX 16

/* A name says its unit; a row fills what it has, in order. */
struct row_measure {
    const char *name;
    double value;
};

struct row_result {
    struct row_measure measures[ROW_MEASURES_MAX];
    uint32_t measures_len;
};

struct row {
    const char *name;
    const char *summary;
    void (*run)(struct load *load, const struct row_settings *settings, struct row_result *result);
};

/* In a file of its own. */
void row_mixed_run(struct load *load, const struct row_settings *settings,
                   struct row_result *result);

/* NULL when there is no such row. */
const struct row *row_find(const char *name);

/* The row at `index`, NULL behind the last. */
const struct row *row_at(size_t index);

#endif
