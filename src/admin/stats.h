/* The figures of a running adit, as one line of JSON and as lines for people. */
#ifndef ADMIN_STATS_H
#define ADMIN_STATS_H

#include "base/contract.h"
#include "base/text.h"
#include "observe/counters.h"

#include <stddef.h>
#include <stdint.h>

/* Room for either form. */
#define STATS_SIZE 16384

struct stats {
    unsigned workers;
    const char *state; /* "serving", "draining" */
    uint64_t uptime_s;
    uint64_t worker_restarts;
    uint64_t log_dropped;
    uint64_t events_dropped; /* that were wanted by those who look on */
    uint64_t dns_cache_hits;
    uint64_t dns_cache_misses;
    uint64_t dns_questions;
    uint64_t counters[COUNTER_COUNT]; /* summed over the threads */
};

/* A flat object and a newline:
 * {"ok":true,"version":"0.1.0",...,"adit_bytes_total{direction=\"up\"}":7} */
void stats_print_json(struct text *out, const struct stats *stats);

/* A flat JSON object, as above, to a line `name value` a member, but "ok". 0 or -EINVAL. */
int stats_print_plain(struct text *out, const char *json, size_t length) MUST_CHECK;

#endif
