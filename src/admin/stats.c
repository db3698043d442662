/* The object is flat on purpose: its keys are the series' names as every metrics tool writes them,
 * and whoever reads it (ours does it below) needs no more of JSON than strings and numbers.
 */
#include "admin/stats.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

void json_add_string(struct text *out, const char *string)
{
    static const char digits[] = "0123456789abcdef";

    text_add_char(out, '"');
    for (const char *byte = string; *byte != '\0'; byte++) {
        unsigned char value = (unsigned char)*byte;

        if (value < ' ' || value == 0x7f) {
            text_add(out, "\\u00");
            text_add_char(out, digits[value >> 4]);
            text_add_char(out, digits[value & 0xf]);
            continue;
        }
        if (value == '"' || value == '\\')
            text_add_char(out, '\\');
        text_add_char(out, *byte);
    }
    text_add_char(out, '"');
}

static void add_number(struct text *out, const char *name, uint64_t value)
{
    text_add_char(out, ',');
    json_add_string(out, name);
    text_add_char(out, ':');
    text_add_decimal(out, value);
}

static void add_counter(struct text *out, const struct counter_row *row, uint64_t value)
{
    char name[128];
    struct text series;

    text_init(&series, name, sizeof(name));
    text_add(&series, row->name);
    if (row->label != NULL) {
        text_add_char(&series, '{');
        text_add(&series, row->label);
        text_add(&series, "=\"");
        text_add(&series, row->value);
        text_add(&series, "\"}");
    }
    add_number(out, name, value);
}

void stats_print_json(struct text *out, const struct stats *stats)
{
    text_add(out, "{\"ok\":true,\"version\":\"" ADIT_VERSION "\"");
    text_add(out, ",\"state\":");
    json_add_string(out, stats->state);
    add_number(out, "workers", stats->workers);
    add_number(out, "uptime_s", stats->uptime_s);
    add_number(out, "worker_restarts", stats->worker_restarts);
    add_number(out, "log_dropped", stats->log_dropped);
    add_number(out, "dns_cache_hits", stats->dns_cache_hits);
    add_number(out, "dns_cache_misses", stats->dns_cache_misses);
    add_number(out, "dns_questions", stats->dns_questions);
    for (size_t i = 0; i < COUNTER_COUNT; i++)
        add_counter(out, counter_row((enum counter)i), stats->counters[i]);
    text_add(out, "}\n");
}

/* -- reading it */

struct reader {
    const char *next;
    const char *end;
};

static bool take_byte(struct reader *reader, char byte)
{
    if (reader->next == reader->end || *reader->next != byte)
        return false;
    reader->next++;
    return true;
}

/* A string without its quotes and backslashes (\u00XX can't occur in what adit sends). */
static bool take_string(struct reader *reader, struct text *out)
{
    if (!take_byte(reader, '"'))
        return false;
    while (reader->next < reader->end && *reader->next != '"') {
        if (*reader->next == '\\' && ++reader->next == reader->end)
            return false;
        text_add_char(out, *reader->next++);
    }
    return take_byte(reader, '"');
}

static bool take_value(struct reader *reader, struct text *out)
{
    const char *start = reader->next;

    if (start < reader->end && *start == '"')
        return take_string(reader, out);
    while (reader->next < reader->end && strchr(",}", *reader->next) == NULL)
        reader->next++;
    text_add_bytes(out, start, (size_t)(reader->next - start));
    return reader->next > start;
}

int stats_print_plain(struct text *out, const char *json, size_t length)
{
    struct reader reader = {json, json + length};
    bool has_more = take_byte(&reader, '{');

    while (has_more) {
        char member[256];
        struct text text;

        text_init(&text, member, sizeof(member));
        if (!take_string(&reader, &text) || !take_byte(&reader, ':'))
            return -EINVAL;
        bool is_shown = strcmp(member, "ok") != 0;
        text_add_char(&text, ' ');
        if (!take_value(&reader, &text))
            return -EINVAL;
        if (is_shown) {
            text_add(out, member);
            text_add_char(out, '\n');
        }
        has_more = take_byte(&reader, ',');
    }
    return take_byte(&reader, '}') ? 0 : -EINVAL;
}
