/* A ring with one set of lists per minute. A minute that is too old stays in its place until the
 * place is needed, and is then cleared; whoever reads before that skips it.
 */
#include "admin/toplists.h"

#include "admin/json.h"
#include "admin/memory_text.h"
#include "admin/stats.h"
#include "observe/rule_names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KIND_RULES = TALKERS_KIND_COUNT, /* behind those of the talkers */
    KIND_COUNT,
    TOPLIST_PLACES = TOPLISTS_MINUTES + 1, /* 15 whole minutes, and the one that goes on */
    MINUTE_MS = 60000,
};

static const struct {
    const char *name;
    const char *unit;
} toplist_kinds[] = {
    [TALKERS_USERS] = {"users", "bytes"},
    [TALKERS_HOSTS] = {"hosts", "bytes"},
    [KIND_RULES] = {"rules", "count"},
};
static_assert(ARRAY_LENGTH(toplist_kinds) == KIND_COUNT, "a name for every kind");

struct minute {
    uint64_t number; /* minutes since the clock's beginning */
    struct top_list lists[KIND_COUNT];
};

struct toplists {
    struct minute minutes[TOPLIST_PLACES];
    struct top_list sum; /* for printing */
    uint64_t denied[RULE_NAMES_MAX + 1];
};

int toplists_create(struct toplists **ret_lists)
{
    struct toplists *lists = calloc(1, sizeof(*lists));
    int error = 0;

    if (lists == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < TOPLIST_PLACES * KIND_COUNT && error == 0; i++)
        error = top_list_init(&lists->minutes[i / KIND_COUNT].lists[i % KIND_COUNT], TALKERS_MAX);
    if (error == 0)
        error = top_list_init(&lists->sum, (size_t)TOPLIST_PLACES * TALKERS_MAX);
    if (error < 0) {
        toplists_destroy(lists);
        return error;
    }
    *ret_lists = lists;
    return 0;
}

void toplists_destroy(struct toplists *lists)
{
    if (lists == NULL)
        return;
    for (size_t i = 0; i < TOPLIST_PLACES * KIND_COUNT; i++)
        top_list_finish(&lists->minutes[i / KIND_COUNT].lists[i % KIND_COUNT]);
    top_list_finish(&lists->sum);
    free(lists);
}

/* Returns the place of the present minute. It is cleared when it still has the lists of an older
 * minute. */
static struct minute *this_minute(struct toplists *lists, uint64_t now_ms)
{
    uint64_t number = now_ms / MINUTE_MS;
    struct minute *minute = &lists->minutes[number % TOPLIST_PLACES];

    if (minute->number != number)
        for (size_t i = 0; i < KIND_COUNT; i++)
            top_list_clear(&minute->lists[i]);
    minute->number = number;
    return minute;
}

void toplists_take(struct toplists *lists, struct talkers *talkers, uint64_t now_ms)
{
    struct minute *minute = this_minute(lists, now_ms);
    struct top_list *const taken[TALKERS_KIND_COUNT] = {&minute->lists[TALKERS_USERS],
                                                        &minute->lists[TALKERS_HOSTS]};

    talkers_take(talkers, taken);
}

void toplists_add_denied(struct toplists *lists, const struct stats *stats, uint64_t now_ms)
{
    struct minute *minute = this_minute(lists, now_ms);

    for (size_t i = 0; i <= RULE_NAMES_MAX; i++) {
        uint64_t count = stats->denied[i] - lists->denied[i];

        if (count == 0)
            continue;
        const char *rule = rule_names_or_other(stats->rule_names, i);
        lists->denied[i] = stats->denied[i];
        top_list_add(&minute->lists[KIND_RULES], rule, strlen(rule), count);
    }
}

/* -- printing */

static bool is_recent(const struct minute *minute, uint64_t now_ms)
{
    return minute->number + TOPLISTS_MINUTES >= now_ms / MINUTE_MS;
}

static void print_list(FILE *out, struct toplists *lists, size_t kind, uint64_t now_ms)
{
    struct top_name names[TOPLISTS_SHOWN];

    top_list_clear(&lists->sum);
    for (size_t i = 0; i < TOPLIST_PLACES; i++)
        if (is_recent(&lists->minutes[i], now_ms))
            top_list_add_all(&lists->sum, &lists->minutes[i].lists[kind]);
    size_t count = top_list_read(&lists->sum, names, TOPLISTS_SHOWN);
    fprintf(out, ",\"%s\":[", toplist_kinds[kind].name);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%s{\"name\":", i > 0 ? "," : "");
        json_write_string(out, names[i].name);
        fprintf(out, ",\"%s\":%" PRIu64 "}", toplist_kinds[kind].unit, names[i].amount);
    }
    fputc(']', out);
}

char *toplists_print(struct toplists *lists, uint64_t now_ms, size_t *ret_length)
{
    char *bytes = NULL;
    FILE *out = open_memstream(&bytes, ret_length);

    if (out == NULL)
        return NULL;
    fprintf(out, "{\"minutes\":%d", TOPLISTS_MINUTES);
    for (size_t i = 0; i < KIND_COUNT; i++)
        print_list(out, lists, i, now_ms);
    fputc('}', out);
    return memory_text_finish(out, &bytes);
}
