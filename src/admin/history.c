/* Two rings of fixed size: samples of the figures, and log lines of refusals. When one is full, the
 * oldest entry is overwritten.
 *
 * A sample holds counters as they are, counted since the worker began, and not what was added in
 * the last second. The page that draws them takes differences, so a sample that comes late shows
 * a longer step, but no wrong figure.
 */
#include "admin/history.h"

#include "admin/json.h"
#include "admin/memory_text.h"
#include "observe/rule_names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    enum counter counter;
} history_columns[] = {
    {"tunnels_open", COUNTER_TUNNELS_OPEN},   {"established", COUNTER_TUNNELS_ESTABLISHED},
    {"denied", COUNTER_TUNNELS_DENIED},       {"failed", COUNTER_TUNNELS_FAILED},
    {"auth_failures", COUNTER_AUTH_FAILURES}, {"bytes_up", COUNTER_BYTES_UP},
    {"bytes_down", COUNTER_BYTES_DOWN},       {"asked", COUNTER_TUNNELS_ASKED},
};
enum { HISTORY_COLUMN_COUNT = ARRAY_LENGTH(history_columns) };

/* Histograms that are kept with all their buckets, so that the page can draw percentiles over time.
 */
static const struct {
    const char *name;
    enum counters_histogram histogram;
} waits[] = {{"dial", HISTOGRAM_DIAL}, {"dns", HISTOGRAM_DNS}};
enum { WAIT_COUNT = ARRAY_LENGTH(waits) };

struct figures {
    uint64_t values[HISTORY_COLUMN_COUNT];
    uint64_t waits[WAIT_COUNT][HISTOGRAM_BUCKETS];
};

struct sample {
    uint64_t time_ms;
    struct figures figures;
};

struct history {
    size_t sample_count; /* of all samples so far; modulo the size: the place of the next one */
    size_t deny_count;
    struct sample samples[HISTORY_SAMPLES];
    char *denies[HISTORY_DENIES]; /* lines; NULL: none */
};

int history_create(struct history **ret_history)
{
    struct history *history = calloc(1, sizeof(*history));

    if (history == NULL)
        return -ENOMEM;
    *ret_history = history;
    return 0;
}

void history_destroy(struct history *history)
{
    if (history == NULL)
        return;
    for (size_t i = 0; i < HISTORY_DENIES; i++)
        free(history->denies[i]);
    free(history);
}

static struct sample sample_of(const struct stats *stats, uint64_t wall_ms)
{
    struct sample sample = {.time_ms = wall_ms};

    for (size_t i = 0; i < HISTORY_COLUMN_COUNT; i++)
        sample.figures.values[i] = stats->counters[history_columns[i].counter];
    for (size_t i = 0; i < WAIT_COUNT; i++)
        memcpy(sample.figures.waits[i], stats->histograms[waits[i].histogram].buckets,
               sizeof(sample.figures.waits[i]));
    return sample;
}

static void history_keep(struct history *history, const struct sample *sample)
{
    history->samples[history->sample_count++ % HISTORY_SAMPLES] = *sample;
}

void history_add_sample(struct history *history, const struct stats *stats, uint64_t wall_ms)
{
    struct sample sample = sample_of(stats, wall_ms);

    history_keep(history, &sample);
}

/* Returns NULL when no sample was taken yet. */
static const struct sample *last_sample(const struct history *history)
{
    if (history->sample_count == 0)
        return NULL;
    return &history->samples[(history->sample_count - 1) % HISTORY_SAMPLES];
}

bool history_is_current(const struct history *history, const struct stats *stats)
{
    const struct sample *last = last_sample(history);
    struct sample now = sample_of(stats, 0);

    return last != NULL && memcmp(&last->figures, &now.figures, sizeof(now.figures)) == 0;
}

void history_repeat(struct history *history, uint64_t wall_ms)
{
    const uint64_t kept_ms = (uint64_t)HISTORY_SAMPLES * HISTORY_INTERVAL_MS;
    const struct sample *last = last_sample(history);

    if (last == NULL)
        return;
    struct sample sample = *last;
    if (wall_ms > sample.time_ms + kept_ms)
        sample.time_ms = wall_ms - kept_ms;
    while (sample.time_ms + HISTORY_INTERVAL_MS <= wall_ms) {
        sample.time_ms += HISTORY_INTERVAL_MS;
        history_keep(history, &sample);
    }
}

/* Whether the line says only that a client was asked for a password, which is not a refusal. No
 * client can deceive the search: quotes inside a value are escaped, so no value can contain this
 * member. */
static bool history_is_question(const char *line, size_t length)
{
    static const char member[] = ",\"verdict\":\"ask\"";

    return memmem(line, length, member, sizeof(member) - 1) != NULL;
}

void history_add_deny(struct history *history, const char *line, size_t length)
{
    char *copy = history_is_question(line, length) ? NULL : strndup(line, length);

    if (copy == NULL)
        return;
    char **deny = &history->denies[history->deny_count++ % HISTORY_DENIES];
    free(*deny);
    *deny = copy;
}

/* -- printing */

/* Prints the count of each bucket by itself; the counts are not cumulative. */
static void print_wait(FILE *out, const uint64_t buckets[HISTOGRAM_BUCKETS])
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        fprintf(out, "%s%" PRIu64, i > 0 ? "," : ",[", buckets[i]);
    fputc(']', out);
}

/* Prints the upper bounds of the buckets in ms. The last bucket has none. */
static void print_bounds(FILE *out)
{
    const struct histogram_bounds *bounds = histogram_bounds(HISTOGRAM_SCALE_LATENCY);

    fputs("\"waits_ms\":[", out);
    for (size_t i = 0; i + 1 < HISTOGRAM_BUCKETS; i++)
        fprintf(out, "%s%" PRIu64, i > 0 ? "," : "", bounds->values[i]);
    fputs("],", out);
}

static void print_samples(FILE *out, const struct history *history)
{
    size_t kept = history->sample_count < HISTORY_SAMPLES ? history->sample_count : HISTORY_SAMPLES;

    fputs("\"columns\":[\"time_ms\"", out);
    for (size_t i = 0; i < HISTORY_COLUMN_COUNT; i++)
        fprintf(out, ",\"%s\"", history_columns[i].name);
    for (size_t i = 0; i < WAIT_COUNT; i++)
        fprintf(out, ",\"%s\"", waits[i].name);
    fputs("],\"samples\":[", out);
    for (size_t i = history->sample_count - kept; i < history->sample_count; i++) {
        const struct sample *sample = &history->samples[i % HISTORY_SAMPLES];

        fprintf(out, "%s[%" PRIu64, i > history->sample_count - kept ? "," : "", sample->time_ms);
        for (size_t column = 0; column < HISTORY_COLUMN_COUNT; column++)
            fprintf(out, ",%" PRIu64, sample->figures.values[column]);
        for (size_t wait = 0; wait < WAIT_COUNT; wait++)
            print_wait(out, sample->figures.waits[wait]);
        fputc(']', out);
    }
    fputc(']', out);
}

static void print_denies(FILE *out, const struct history *history)
{
    size_t kept = history->deny_count < HISTORY_DENIES ? history->deny_count : HISTORY_DENIES;

    fputs("\"denies\":[", out);
    for (size_t i = history->deny_count - kept; i < history->deny_count; i++)
        fprintf(out, "%s%s", i > history->deny_count - kept ? "," : "",
                history->denies[i % HISTORY_DENIES]);
    fputc(']', out);
}

/* Prints refusals per rule, as the metrics do: the last number is the sum of all rules that have no
 * number of their own. */
static void history_print_rules(FILE *out, const struct stats *now)
{
    const char *comma = "";

    fputs("\"denied_rules\":{", out);
    for (size_t i = 0; i <= RULE_NAMES_MAX; i++) {
        if (now->denied[i] == 0)
            continue;
        fputs(comma, out);
        json_write_string(out, rule_names_or_other(now->rule_names, i));
        fprintf(out, ":%" PRIu64, now->denied[i]);
        comma = ",";
    }
    fputc('}', out);
}

/* Prints the endpoints at which clients may ask for tunnels. */
static void print_listeners(FILE *out, const struct listener_set *listeners)
{
    fputs("\"listeners\":[", out);
    for (size_t i = 0; i < listener_set_count(listeners, LISTENER_TUNNELS); i++) {
        char endpoint[IP_ENDPOINT_TEXT_SIZE];

        fprintf(out, "%s\"%s\"", i > 0 ? "," : "",
                ip_endpoint_text(endpoint, &listeners->all[i].bound));
    }
    fputs("],", out);
}

char *history_print(const struct history *history, const struct stats *now,
                    const struct listener_set *listeners, size_t *ret_length)
{
    char *bytes = NULL;
    FILE *out = open_memstream(&bytes, ret_length);

    if (out == NULL)
        return NULL;
    fprintf(out, "{\"version\":\"" ADIT_VERSION "\",\"state\":\"%s\",\"uptime_s\":%" PRIu64 ",",
            now->state, now->uptime_s);
    print_listeners(out, listeners);
    fprintf(out, "\"interval_s\":%d,", HISTORY_INTERVAL_MS / 1000);
    print_bounds(out);
    print_samples(out, history);
    fputc(',', out);
    print_denies(out, history);
    fputc(',', out);
    history_print_rules(out, now);
    fputc('}', out);
    return memory_text_finish(out, &bytes);
}
