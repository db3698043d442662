/* The last 15 minutes, for a page that is opened late: a sample of the figures per second, and the
 * last refusals.
 */
#ifndef ADMIN_HISTORY_H
#define ADMIN_HISTORY_H

#include "admin/stats.h"
#include "base/contract.h"
#include "base/listener.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HISTORY_INTERVAL_MS 1000
#define HISTORY_SAMPLES 900
#define HISTORY_DENIES 100

struct history;

int history_create(struct history **ret_history) MUST_CHECK; /* 0 or -ENOMEM */
void history_destroy(struct history *history);               /* harmless on NULL */

/* Adds a sample and drops the oldest one when there is no room. `wall_ms`: since the epoch. */
void history_add_sample(struct history *history, const struct stats *stats, uint64_t wall_ms);
/* Returns whether the last sample has the same figures as `stats`. */
bool history_is_current(const struct history *history, const struct stats *stats);
/* Repeats the last sample for each interval that has passed since, because its figures have not
 * changed until now. */
void history_repeat(struct history *history, uint64_t wall_ms);
/* Keeps a line of the access log (JSON, without a newline). It is dropped when there is no memory.
 */
void history_add_deny(struct history *history, const char *line, size_t length);

/* Returns the history as one JSON object, together with the present figures (`now`) and the
 * endpoints of `listeners` that take tunnels. The caller frees it. Returns NULL when there is no
 * memory.
 * {"version":"..","state":"..","uptime_s":N,"listeners":["127.0.0.1:10800",..],"interval_s":1,
 *  "waits_ms":[..],"columns":[..],"samples":[[..],..],"denies":[{..},..],"denied_rules":{"rule":N,..}}
 */
char *history_print(const struct history *history, const struct stats *now,
                    const struct listener_set *listeners, size_t *ret_length);

#endif
