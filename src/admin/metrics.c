/* Everything is printed from sums, so a scrape costs the same whether ten tunnels are open or ten
 * thousand.
 *
 * The values of labels come from adit or its operator and never from a client, so no client can
 * make series without end. Names of rules are bounded by observe/rule_names.h. Errors are the
 * tokens of tunnel_error.def; several errors may share a token, and are then one series.
 */
#include "admin/metrics.h"

#include "admin/memory_text.h"
#include "admin/reload_report.h"
#include "base/escape.h"
#include "tunnel/tunnel_error.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static_assert((int)TUNNEL_ERROR_COUNT <= COUNTERS_ERRORS_MAX, "a place for each error");

static void print_head(FILE *out, const char *name, const char *kind, const char *help)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

struct counters_print {
    FILE *out;
    const char *before; /* the name of the row before: rows of one name share one head */
};

static void print_counter(void *self, const struct counter_row *row, const char *labels,
                          uint64_t value)
{
    struct counters_print *print = self;

    if (strcmp(row->name, print->before) != 0)
        print_head(print->out, row->name, row->is_gauge ? "gauge" : "counter", row->help);
    print->before = row->name;
    if (labels != NULL)
        fprintf(print->out, "%s{%s} %" PRIu64 "\n", row->name, labels, value);
    else
        fprintf(print->out, "%s %" PRIu64 "\n", row->name, value);
}

static void print_counters(FILE *out, const struct stats *stats)
{
    struct counters_print print = {.out = out, .before = ""};

    stats_visit(stats, print_counter, &print);
}

/* Prints value / divisor. The divisor is 1, or 1000 for milliseconds that are shown as seconds. */
static void print_fraction(FILE *out, uint64_t value, unsigned divisor)
{
    if (divisor == 1)
        fprintf(out, "%" PRIu64 "\n", value);
    else
        fprintf(out, "%" PRIu64 ".%03u\n", value / divisor, (unsigned)(value % divisor));
}

/* Prometheus wants cumulative buckets: each counts all values up to its bound. */
static void print_histogram(FILE *out, const struct histogram_row *row,
                            const struct histogram_sum *sum)
{
    const struct histogram_bounds *bounds = histogram_bounds(row->scale);
    bool is_labelled = row->labels != NULL;
    const char *labels = is_labelled ? row->labels : "";
    const char *comma = is_labelled ? "," : "";
    const char *open = is_labelled ? "{" : "";
    const char *close = is_labelled ? "}" : "";
    uint64_t count = 0;

    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        bool is_last = i == HISTOGRAM_BUCKETS - 1;
        count += sum->buckets[i];
        fprintf(out, "%s_bucket{%s%sle=\"%s\"} %" PRIu64 "\n", row->name, labels, comma,
                is_last ? "+Inf" : bounds->texts[i], count);
    }
    fprintf(out, "%s_sum%s%s%s ", row->name, open, labels, close);
    print_fraction(out, sum->sum, bounds->divisor);
    fprintf(out, "%s_count%s%s%s %" PRIu64 "\n", row->name, open, labels, close, count);
}

static void print_histograms(FILE *out, const struct stats *stats)
{
    const char *before = "";

    for (size_t i = 0; i < HISTOGRAM_COUNT; i++) {
        const struct histogram_row *row = histogram_row((enum counters_histogram)i);

        if (strcmp(row->name, before) != 0)
            print_head(out, row->name, "histogram", row->help);
        before = row->name;
        print_histogram(out, row, &stats->histograms[i]);
    }
}

/* Prints the value of a label. Prometheus refuses the whole page when a value is not UTF-8, and a
 * rule may be named after a file, whose name can hold any bytes. So such bytes are escaped as
 * everywhere in adit (base/escape.h). The format itself escapes quote, backslash and newline. */
static void print_value(FILE *out, const char *value)
{
    size_t length = strlen(value);

    while (length > 0) {
        char character[ESCAPE_MAX + 1];
        struct text text;

        text_init(&text, character, sizeof(character));
        size_t count = escape_character(&text, value, length, ESCAPE_PLAIN);
        for (const char *byte = *value == '\n' ? "" : character; *byte != '\0'; byte++) {
            if (*byte == '"' || *byte == '\\')
                fputc('\\', out);
            fputc(*byte, out);
        }
        if (*value == '\n')
            fputs("\\n", out);
        value += count;
        length -= count;
    }
}

static void print_denied(FILE *out, const char *name, const char *rule, uint64_t count)
{
    fprintf(out, "%s{rule=\"", name);
    print_value(out, rule);
    fprintf(out, "\"} %" PRIu64 "\n", count);
}

static void print_all_denied(FILE *out, const char *name, const struct stats *stats)
{
    const struct rule_names *names = stats->rule_names;
    bool is_full = names != NULL && rule_names_at(names, RULE_NAMES_MAX - 1) != NULL;

    for (size_t i = 0; names != NULL && i < RULE_NAMES_MAX; i++) {
        const char *rule = rule_names_at(names, i);

        if (rule != NULL)
            print_denied(out, name, rule, stats->denied[i]);
    }
    /* Rules of the configuration that have not denied anything yet are shown with 0, so that a
     * graph of them begins at 0. When all numbers are taken they get none any more: what they deny
     * is counted as `other`. */
    const char *rule = names != NULL && !is_full ? rule_names_announced_at(names, 0) : NULL;
    for (size_t i = 1; rule != NULL; rule = rule_names_announced_at(names, i++))
        if (!rule_names_has(names, rule))
            print_denied(out, name, rule, 0);
    if (is_full || stats->denied[RULE_NAMES_MAX] > 0)
        print_denied(out, name, "other", stats->denied[RULE_NAMES_MAX]);
}

static const char *token_of(size_t error)
{
    return tunnel_error_row((enum tunnel_error)error)->token;
}

/* Errors that share a token are summed where the first of them is printed. */
static bool is_first_of_token(size_t error)
{
    for (size_t i = 0; i < error; i++)
        if (strcmp(token_of(i), token_of(error)) == 0)
            return false;
    return true;
}

static void print_errors(FILE *out, const char *name, const struct stats *stats)
{
    for (size_t i = 0; i < TUNNEL_ERROR_COUNT; i++) {
        uint64_t count = 0;

        if (token_of(i)[0] == '\0' || !is_first_of_token(i))
            continue;
        for (size_t j = i; j < TUNNEL_ERROR_COUNT; j++)
            if (strcmp(token_of(j), token_of(i)) == 0)
                count += stats->errors[j];
        fprintf(out, "%s{error=\"%s\"} %" PRIu64 "\n", name, token_of(i), count);
    }
}

static void print_labelled(FILE *out, const struct stats *stats)
{
    static const struct {
        const char *name, *help;
        void (*print)(FILE *out, const char *name, const struct stats *stats);
    } rows[] = {
#define print_DENIED print_all_denied
#define print_ERRORS print_errors
#define LABELLED(suffix, name, label, help) {name, help, print_##suffix},
#include "observe/metrics.def"
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        print_head(out, rows[i].name, "counter", rows[i].help);
        rows[i].print(out, rows[i].name, stats);
    }
}

enum process_metric {
#define PROCESS(suffix, name, kind, decimals, help) PROCESS_##suffix,
#include "observe/metrics.def"
    PROCESS_COUNT,
};

static void print_process(FILE *out, const struct stats *stats)
{
    static const struct {
        const char *name, *kind, *help;
        unsigned divisor;
    } rows[] = {
#define PROCESS(suffix, name, kind, decimals, help) {name, #kind, help, (decimals) == 3 ? 1000 : 1},
#include "observe/metrics.def"
    };
    struct process_figures figures = {0};

    if (stats->meter != NULL)
        process_meter_read(stats->meter, &figures);
    const uint64_t values[] = {
        [PROCESS_LOG_DROPPED] = stats->log_dropped,
        [PROCESS_EVENTS_DROPPED] = stats->events_dropped,
        [PROCESS_WORKER_RESTARTS] = stats->worker_restarts,
        [PROCESS_RELOAD_SUCCESS] = stats->reload->is_good,
        [PROCESS_RELOAD_TIME] = stats->reload->good_wall_ms,
        [PROCESS_CPU_TIME] = figures.cpu_ms,
        [PROCESS_RESIDENT] = figures.resident_bytes,
        [PROCESS_OPEN_FDS] = figures.open_fds,
        [PROCESS_MAX_FDS] = figures.max_fds,
        [PROCESS_START_TIME] = figures.started_wall_ms,
    };
    static_assert(ARRAY_LENGTH(values) == PROCESS_COUNT, "a value a metric");

    for (size_t i = 0; i < PROCESS_COUNT; i++) {
        print_head(out, rows[i].name, rows[i].kind, rows[i].help);
        fprintf(out, "%s ", rows[i].name);
        print_fraction(out, values[i], rows[i].divisor);
    }
}

char *metrics_print(const struct stats *stats, size_t *ret_length)
{
    char *bytes = NULL;
    FILE *out = open_memstream(&bytes, ret_length);

    if (out == NULL)
        return NULL;
    print_head(out, "adit_build_info", "gauge", "Which adit this is");
    fprintf(out, "adit_build_info{version=\"%s\"} 1\n", ADIT_VERSION);
    print_counters(out, stats);
    print_labelled(out, stats);
    print_histograms(out, stats);
    print_process(out, stats);
    return memory_text_finish(out, &bytes);
}
