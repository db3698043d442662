/* Two rings. Counters are kept as they are, since the worker's begin; whoever draws them takes
 * differences, so a sample that is late falsifies nothing.
 */
#include "admin/history.h"

#include "admin/json.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    enum counter counter;
} columns[] = {
    {"tunnels_open", COUNTER_TUNNELS_OPEN},   {"established", COUNTER_TUNNELS_ESTABLISHED},
    {"denied", COUNTER_TUNNELS_DENIED},       {"failed", COUNTER_TUNNELS_FAILED},
    {"auth_failures", COUNTER_AUTH_FAILURES}, {"bytes_up", COUNTER_BYTES_UP},
    {"bytes_down", COUNTER_BYTES_DOWN},
};
enum { COLUMN_COUNT = ARRAY_LENGTH(columns), RULE_SIZE = 128, NAME_SIZE = 16 };

struct sample {
    uint64_t time_ms;
    uint64_t values[COLUMN_COUNT];
};

struct deny {
    char *line; /* NULL: none */
    char rule[RULE_SIZE];
};

struct history {
    size_t sample_count; /* ever; the place of the next one, modulo the size */
    size_t deny_count;
    struct sample samples[HISTORY_SAMPLES];
    struct deny denies[HISTORY_DENIES];
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
        free(history->denies[i].line);
    free(history);
}

void history_add_sample(struct history *history, const struct stats *stats, uint64_t wall_ms)
{
    struct sample *sample = &history->samples[history->sample_count++ % HISTORY_SAMPLES];

    sample->time_ms = wall_ms;
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        sample->values[i] = stats->counters[columns[i].counter];
}

static void find_rule(struct deny *deny, size_t length)
{
    struct json_reader reader;
    char name[NAME_SIZE];

    json_reader_init(&reader, deny->line, length);
    while (json_next(&reader, name, sizeof(name), deny->rule, sizeof(deny->rule)))
        if (strcmp(name, "rule") == 0)
            return;
    deny->rule[0] = '\0';
}

void history_add_deny(struct history *history, const char *line, size_t length)
{
    char *copy = strndup(line, length);

    if (copy == NULL)
        return;
    struct deny *deny = &history->denies[history->deny_count++ % HISTORY_DENIES];
    free(deny->line);
    deny->line = copy;
    find_rule(deny, length);
}

/* -- printing */

static void print_string(FILE *out, const char *string)
{
    char buffer[RULE_SIZE * 6 + 3];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    json_add_string(&text, string);
    fputs(buffer, out);
}

static void print_samples(FILE *out, const struct history *history)
{
    size_t kept = history->sample_count < HISTORY_SAMPLES ? history->sample_count : HISTORY_SAMPLES;

    fputs("\"columns\":[\"time_ms\"", out);
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        fprintf(out, ",\"%s\"", columns[i].name);
    fputs("],\"samples\":[", out);
    for (size_t i = history->sample_count - kept; i < history->sample_count; i++) {
        const struct sample *sample = &history->samples[i % HISTORY_SAMPLES];

        fprintf(out, "%s[%" PRIu64, i > history->sample_count - kept ? "," : "", sample->time_ms);
        for (size_t column = 0; column < COLUMN_COUNT; column++)
            fprintf(out, ",%" PRIu64, sample->values[column]);
        fputc(']', out);
    }
    fputc(']', out);
}

/* The deny that is `age` denies old, from the oldest that is kept. */
static const struct deny *deny_at(const struct history *history, size_t index)
{
    size_t first = history->deny_count < HISTORY_DENIES ? 0 : history->deny_count - HISTORY_DENIES;

    return &history->denies[(first + index) % HISTORY_DENIES];
}

static size_t denies_kept(const struct history *history)
{
    return history->deny_count < HISTORY_DENIES ? history->deny_count : HISTORY_DENIES;
}

static void print_denies(FILE *out, const struct history *history)
{
    fputs("\"denies\":[", out);
    for (size_t i = 0; i < denies_kept(history); i++)
        fprintf(out, "%s%s", i > 0 ? "," : "", deny_at(history, i)->line);
    fputc(']', out);
}

/* How often the rule of the deny at `index` decided, or 0 when one before it is the same. */
static size_t count_rule(const struct history *history, size_t index)
{
    const char *rule = deny_at(history, index)->rule;
    size_t count = 0;

    for (size_t i = 0; i < denies_kept(history); i++) {
        bool is_same = strcmp(deny_at(history, i)->rule, rule) == 0;

        if (is_same && i < index)
            return 0;
        count += is_same;
    }
    return rule[0] == '\0' ? 0 : count;
}

static void print_rules(FILE *out, const struct history *history)
{
    const char *comma = "";

    fputs("\"denied_rules\":{", out);
    for (size_t i = 0; i < denies_kept(history); i++) {
        size_t count = count_rule(history, i);

        if (count == 0)
            continue;
        fputs(comma, out);
        print_string(out, deny_at(history, i)->rule);
        fprintf(out, ":%zu", count);
        comma = ",";
    }
    fputc('}', out);
}

char *history_print(const struct history *history, const struct stats *now, size_t *ret_length)
{
    char *bytes = NULL;
    FILE *out = open_memstream(&bytes, ret_length);

    if (out == NULL)
        return NULL;
    fprintf(out,
            "{\"version\":\"" ADIT_VERSION "\",\"state\":\"%s\",\"uptime_s\":%" PRIu64
            ",\"interval_s\":%d,",
            now->state, now->uptime_s, HISTORY_INTERVAL_MS / 1000);
    print_samples(out, history);
    fputc(',', out);
    print_denies(out, history);
    fputc(',', out);
    print_rules(out, history);
    fputc('}', out);
    bool is_good = !ferror(out);
    if (fclose(out) != 0 || !is_good) {
        free(bytes);
        return NULL;
    }
    return bytes;
}
