/* The list of tunnels of one answer is kept as a whole: the texts, without their JSON escapes, lie
 * one behind the other in one block of memory, and each tunnel points into it. A new answer is
 * parsed while the old one is still there. The difference between the bytes of a tunnel in both
 * gives its rate; then the old answer is freed.
 *
 * The table that the user sees is `rows`, an array of pointers to tunnels. It is made again
 * whenever the answer, the filter or the order changes. The selection is kept as the id of a
 * tunnel, since rows move.
 */
#include "top/top_model.h"

#include "admin/control_request.h"
#include "admin/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const gauge_names[] = {"up",       "down",     "tunnels", "new/s",
                                          "denies/s", "errors/s", "asked/s"};
static_assert(ARRAY_LENGTH(gauge_names) == TOP_GAUGE_COUNT, "a name for every gauge");

static const char *const field_names[] = {"id",   "client", "listener", "user",
                                          "http", "target", "address",  "verdict",
                                          "rule", "report", "dns_ms",   "dial_ms"};
static_assert(ARRAY_LENGTH(field_names) == TOP_FIELD_COUNT, "a name for every field");

/* Where the value of a gauge comes from: the sum over all series of this name that have this label.
 * For a counter the gauge shows by how much the sum grows per second. */
static const struct gauge_source {
    const char *name;
    const char *label; /* NULL: any */
    bool is_counter;
} gauge_sources[] = {
    [TOP_GAUGE_UP] = {"adit_bytes_total", "direction=\"up\"", true},
    [TOP_GAUGE_DOWN] = {"adit_bytes_total", "direction=\"down\"", true},
    [TOP_GAUGE_TUNNELS] = {"adit_tunnels_open", NULL, false},
    [TOP_GAUGE_NEW] = {"adit_tunnels_total", "outcome=\"established\"", true},
    [TOP_GAUGE_DENIED] = {"adit_tunnels_total", "outcome=\"denied\"", true},
    [TOP_GAUGE_FAILED] = {"adit_tunnels_total", "outcome=\"failed\"", true},
    [TOP_GAUGE_ASKED] = {"adit_tunnels_total", "outcome=\"asked\"", true},
};
static_assert(ARRAY_LENGTH(gauge_sources) == TOP_GAUGE_COUNT, "a source for every gauge");

/* No outsider can choose ids that collide, since adit makes them. So the seed need not be random.
 */
static const struct hash_seed top_id_seed = {{0, 0}};

const char *top_gauge_name(enum top_gauge gauge)
{
    return gauge_names[gauge];
}

const char *top_field_name(enum top_field field)
{
    return field_names[field];
}

void top_model_init(struct top_model *model)
{
    *model = (struct top_model){.sort = TOP_SORT_RATE};
}

static void free_answer(struct top_answer *answer)
{
    free(answer->texts);
    free(answer->tunnels);
    free(answer->buckets);
}

void top_model_finish(struct top_model *model)
{
    free_answer(&model->answer);
    free(model->rows);
}

/* -- figures */

/* The members of one answer to `stats`, before it is known that the answer is whole and can be
 * used.
 */
struct stats_seen {
    char version[32];
    char state[32];
    uint64_t uptime_s;
    bool is_reload_bad;
    char reload_time[32];
    char reload_error[512];
    double counters[TOP_GAUGE_COUNT];
};

/* Whether the series (`NAME` or `NAME{LABELS}`) counts for the gauge. */
static bool is_of(const struct gauge_source *source, const char *series)
{
    size_t length = strlen(source->name);

    return strncmp(series, source->name, length) == 0 &&
           (series[length] == '\0' || series[length] == '{') &&
           (source->label == NULL || strstr(series, source->label) != NULL);
}

static void top_copy_text(char *place, size_t size, const char *value)
{
    struct text text;

    text_init(&text, place, size);
    text_add(&text, value);
}

static void top_take_member(struct stats_seen *seen, const char *name, const char *value)
{
    if (strcmp(name, "version") == 0)
        top_copy_text(seen->version, sizeof(seen->version), value);
    else if (strcmp(name, "state") == 0)
        top_copy_text(seen->state, sizeof(seen->state), value);
    else if (strcmp(name, "uptime_s") == 0)
        seen->uptime_s = strtoull(value, NULL, 10);
    else if (strcmp(name, "reload") == 0)
        seen->is_reload_bad = strcmp(value, "failed") == 0;
    else if (strcmp(name, "reload_time") == 0)
        top_copy_text(seen->reload_time, sizeof(seen->reload_time), value);
    else if (strcmp(name, "reload_error") == 0)
        top_copy_text(seen->reload_error, sizeof(seen->reload_error), value);
    for (size_t i = 0; i < TOP_GAUGE_COUNT; i++)
        if (is_of(&gauge_sources[i], name))
            seen->counters[i] += strtod(value, NULL);
}

/* Whether adit was started again since the last answer: its counters began at 0, and differences to
 * the last answer mean nothing. A worker that was replaced shows in the same way. */
static bool is_another_adit(const struct top_model *model, const struct stats_seen *seen)
{
    if (seen->uptime_s < model->uptime_s)
        return true;
    for (size_t i = 0; i < TOP_GAUGE_COUNT; i++)
        if (gauge_sources[i].is_counter && seen->counters[i] < model->counters[i])
            return true;
    return false;
}

/* Returns the next value of a gauge. `passed_ms` is the time since the last answer; 0 says that
 * there is no answer to compare with. A rate is then not known and counts as 0, so that all gauges
 * have the same number of samples. */
static double sample(const struct top_model *model, const struct stats_seen *seen, size_t gauge,
                     uint64_t passed_ms)
{
    if (!gauge_sources[gauge].is_counter)
        return seen->counters[gauge];
    if (passed_ms == 0)
        return 0;
    return (seen->counters[gauge] - model->counters[gauge]) * 1000 / (double)passed_ms;
}

int top_model_take_stats(struct top_model *model, const char *bytes, size_t length, uint64_t now_ms)
{
    struct stats_seen seen = {.uptime_s = 0};
    struct json_reader reader;
    char name[128];
    char value[512];

    json_reader_init(&reader, bytes, length);
    while (json_next(&reader, name, sizeof(name), value, sizeof(value)))
        top_take_member(&seen, name, value);
    if (!control_answer_is_ok(bytes, length) || !json_is_at_end(&reader) || seen.state[0] == '\0')
        return -EINVAL;

    bool is_comparable = model->state[0] != '\0' && !is_another_adit(model, &seen);
    uint64_t passed_ms = is_comparable ? now_ms - model->stats_ms : 0;
    if (model->history_count == TOP_HISTORY_MAX) {
        model->history_count--;
        for (size_t i = 0; i < TOP_GAUGE_COUNT; i++)
            memmove(model->gauges[i], model->gauges[i] + 1,
                    model->history_count * sizeof(model->gauges[i][0]));
    }
    for (size_t i = 0; i < TOP_GAUGE_COUNT; i++)
        model->gauges[i][model->history_count] = sample(model, &seen, i, passed_ms);
    model->history_count++;
    memcpy(model->version, seen.version, sizeof(model->version));
    memcpy(model->state, seen.state, sizeof(model->state));
    memcpy(model->counters, seen.counters, sizeof(model->counters));
    model->uptime_s = seen.uptime_s;
    top_copy_text(model->reload_time, sizeof(model->reload_time),
                  seen.is_reload_bad ? seen.reload_time : "");
    top_copy_text(model->reload_error, sizeof(model->reload_error),
                  seen.is_reload_bad ? seen.reload_error : "");
    model->stats_ms = now_ms;
    return 0;
}

double top_model_gauge(const struct top_model *model, enum top_gauge gauge)
{
    return model->history_count > 0 ? model->gauges[gauge][model->history_count - 1] : 0;
}

/* -- rows */

static uint64_t sort_key(const struct top_tunnel *tunnel, enum top_sort sort)
{
    switch (sort) {
    case TOP_SORT_AGE:
        return tunnel->duration_ms;
    case TOP_SORT_BYTES:
        return tunnel->up_bytes + tunnel->down_bytes;
    case TOP_SORT_RATE:
    case TOP_SORT_COUNT:
        break;
    }
    return tunnel->up_rate + tunnel->down_rate;
}

static int compare_by(const struct top_tunnel *a, const struct top_tunnel *b, enum top_sort sort)
{
    uint64_t key_a = sort_key(a, sort);
    uint64_t key_b = sort_key(b, sort);

    return key_a == key_b ? 0 : key_a < key_b ? 1 : -1;
}

/* Compares for qsort_r. Tunnels that are equal must not change places at every answer, so their
 * bytes decide next and their ids in the end. */
static int top_row_compare(const void *left, const void *right, void *self)
{
    const struct top_model *model = self;
    const struct top_tunnel *a = *(struct top_tunnel *const *)left;
    const struct top_tunnel *b = *(struct top_tunnel *const *)right;
    int order = compare_by(a, b, model->sort);

    if (order != 0)
        return model->is_reversed ? -order : order;
    order = compare_by(a, b, TOP_SORT_BYTES);
    return order != 0 ? order : strcmp(a->texts[TOP_FIELD_ID], b->texts[TOP_FIELD_ID]);
}

/* Whether one of the texts that a user would look for contains the filter, in any case of letters.
 * The empty filter is in every text. */
static bool passes(const struct top_tunnel *tunnel, const char *filter)
{
    static const enum top_field fields[] = {TOP_FIELD_ID,     TOP_FIELD_CLIENT,  TOP_FIELD_USER,
                                            TOP_FIELD_TARGET, TOP_FIELD_ADDRESS, TOP_FIELD_RULE};

    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++)
        if (strcasestr(tunnel->texts[fields[i]], filter) != NULL)
            return true;
    return false;
}

/* Finds the row of the selected tunnel in the new `rows`. When the tunnel is not there any more,
 * the selection stays where it was on the screen and takes the tunnel that stands there now. */
static void find_selected(struct top_model *model)
{
    if (model->selected_id[0] == '\0')
        model->selected_row = 0;
    for (size_t i = 0; i < model->row_count; i++) {
        if (strcmp(model->rows[i]->texts[TOP_FIELD_ID], model->selected_id) == 0) {
            model->selected_row = i;
            return;
        }
    }
    if (model->selected_row >= model->row_count)
        model->selected_row = model->row_count > 0 ? model->row_count - 1 : 0;
    if (model->selected_id[0] != '\0')
        top_model_move(model, 0);
}

/* Makes `rows` from the answer, by the filter and in the order of now. `rows` has room for all
 * tunnels of the answer. */
static void arrange(struct top_model *model)
{
    model->row_count = 0;
    for (size_t i = 0; i < model->answer.count; i++)
        if (passes(&model->answer.tunnels[i], model->filter))
            model->rows[model->row_count++] = &model->answer.tunnels[i];
    if (model->row_count > 1)
        qsort_r(model->rows, model->row_count, sizeof(struct top_tunnel *), top_row_compare, model);
    find_selected(model);
}

void top_model_sort_by(struct top_model *model, enum top_sort sort)
{
    model->is_reversed = model->sort == sort && !model->is_reversed;
    model->sort = sort;
    arrange(model);
}

void top_model_set_filter(struct top_model *model, const char *filter)
{
    struct text text;

    text_init(&text, model->filter, sizeof(model->filter));
    text_add(&text, filter);
    arrange(model);
}

void top_model_move(struct top_model *model, ptrdiff_t rows)
{
    ptrdiff_t row = (ptrdiff_t)model->selected_row + rows;
    struct text text;

    if (model->row_count == 0)
        return;
    if (row >= (ptrdiff_t)model->row_count)
        row = (ptrdiff_t)model->row_count - 1;
    model->selected_row = row < 0 ? 0 : (size_t)row;
    text_init(&text, model->selected_id, sizeof(model->selected_id));
    text_add(&text, model->rows[model->selected_row]->texts[TOP_FIELD_ID]);
}

void top_model_unselect(struct top_model *model)
{
    model->selected_id[0] = '\0';
    model->selected_row = 0;
}

const struct top_tunnel *top_model_selected(const struct top_model *model)
{
    return model->row_count > 0 ? model->rows[model->selected_row] : NULL;
}

/* -- tunnels */

static uint64_t id_hash(const char *id)
{
    return hash_bytes(&top_id_seed, id, strlen(id));
}

static struct top_tunnel *top_answer_find(const struct top_answer *answer, const char *id)
{
    struct hash_link *link =
        answer->count > 0 ? hash_table_first(&answer->by_id, id_hash(id)) : NULL;

    for (; link != NULL; link = hash_table_next(link)) {
        struct top_tunnel *tunnel = container_of(link, struct top_tunnel, link);

        if (strcmp(tunnel->texts[TOP_FIELD_ID], id) == 0)
            return tunnel;
    }
    return NULL;
}

static void set_member(struct top_tunnel *tunnel, const char *name, const char *value)
{
    if (strcmp(name, "up_bytes") == 0)
        tunnel->up_bytes = strtoull(value, NULL, 10);
    else if (strcmp(name, "down_bytes") == 0)
        tunnel->down_bytes = strtoull(value, NULL, 10);
    else if (strcmp(name, "duration_ms") == 0)
        tunnel->duration_ms = strtoull(value, NULL, 10);
    for (size_t i = 0; i < TOP_FIELD_COUNT; i++)
        if (strcmp(name, field_names[i]) == 0)
            tunnel->texts[i] = value;
}

/* Reads one tunnel. Its values are unescaped directly into `texts`. A value with its NUL is never
 * longer than the `"name":value,` that it was read from, so `texts`, which is as large as the
 * answer, has room for all. Returns 0 or -EINVAL. */
static int read_tunnel(const char *line, size_t length, struct text *texts,
                       struct top_tunnel *ret_tunnel)
{
    struct json_reader reader;
    char name[32];
    char *value = texts->start + texts->length;

    for (size_t i = 0; i < TOP_FIELD_COUNT; i++)
        ret_tunnel->texts[i] = "";
    json_reader_init(&reader, line, length);
    while (json_next(&reader, name, sizeof(name), value, texts->size - texts->length)) {
        set_member(ret_tunnel, name, value);
        texts->length += strlen(value) + 1;
        value = texts->start + texts->length;
    }
    if (!json_is_at_end(&reader) || ret_tunnel->texts[TOP_FIELD_ID][0] == '\0')
        return -EINVAL;
    return 0;
}

static int make_answer(size_t length, size_t lines, struct top_answer *ret_answer)
{
    size_t buckets = 1;

    while (buckets < lines)
        buckets *= 2;
    *ret_answer = (struct top_answer){
        .texts = malloc(length + 1),
        .tunnels = calloc(lines + 1, sizeof(struct top_tunnel)),
        .buckets = calloc(buckets, sizeof(struct hash_link *)),
    };
    if (ret_answer->texts == NULL || ret_answer->tunnels == NULL || ret_answer->buckets == NULL) {
        free_answer(ret_answer);
        return -ENOMEM;
    }
    hash_table_init(&ret_answer->by_id, ret_answer->buckets, buckets);
    return 0;
}

/* Reads the lines behind the first one, one tunnel per line. Returns 0, or -errno and nothing is
 * left to free. */
static int top_answer_read(const char *lines, size_t length, struct top_answer *ret_answer)
{
    struct text texts;
    int error = make_answer(length, text_count_lines(lines, length), ret_answer);

    if (error < 0)
        return error;
    text_init(&texts, ret_answer->texts, length + 1);
    while (length > 0 && error == 0) {
        const char *end = memchr(lines, '\n', length);
        struct top_tunnel *tunnel = &ret_answer->tunnels[ret_answer->count];

        error = end == NULL ? -EINVAL : read_tunnel(lines, (size_t)(end - lines), &texts, tunnel);
        if (error == 0) {
            hash_table_insert(&ret_answer->by_id, &tunnel->link,
                              id_hash(tunnel->texts[TOP_FIELD_ID]));
            ret_answer->count++;
            length -= (size_t)(end + 1 - lines);
            lines = end + 1;
        }
    }
    if (error < 0)
        free_answer(ret_answer);
    return error;
}

static uint64_t rate(uint64_t bytes, uint64_t bytes_before, uint64_t passed_ms)
{
    return bytes > bytes_before && passed_ms > 0 ? (bytes - bytes_before) * 1000 / passed_ms : 0;
}

/* Time is measured by the age of the tunnel, which adit prints together with its bytes. A tunnel
 * that the last answer does not have has moved its bytes within its age. That counts as at least
 * one second, so that a first packet does not look like a gigabyte per second. */
static void set_rates(struct top_tunnel *tunnel, const struct top_answer *before)
{
    static const struct top_tunnel unborn;
    const struct top_tunnel *then = top_answer_find(before, tunnel->texts[TOP_FIELD_ID]);
    uint64_t passed_ms = tunnel->duration_ms;

    if (then == NULL) {
        then = &unborn;
        passed_ms = passed_ms < 1000 ? 1000 : passed_ms;
    } else {
        passed_ms = passed_ms > then->duration_ms ? passed_ms - then->duration_ms : 0;
    }
    tunnel->up_rate = rate(tunnel->up_bytes, then->up_bytes, passed_ms);
    tunnel->down_rate = rate(tunnel->down_bytes, then->down_bytes, passed_ms);
}

static void find_longest(const struct top_answer *answer, size_t ret_longest[TOP_FIELD_COUNT])
{
    memset(ret_longest, 0, TOP_FIELD_COUNT * sizeof(ret_longest[0]));
    for (size_t i = 0; i < answer->count; i++) {
        for (size_t field = 0; field < TOP_FIELD_COUNT; field++) {
            size_t length = strlen(answer->tunnels[i].texts[field]);

            if (length > ret_longest[field])
                ret_longest[field] = length;
        }
    }
}

int top_model_take_tunnels(struct top_model *model, const char *bytes, size_t length)
{
    struct top_answer answer;
    const char *newline = memchr(bytes, '\n', length);

    if (newline == NULL || !control_answer_is_ok(bytes, length))
        return -EINVAL;
    size_t head = (size_t)(newline + 1 - bytes);
    int error = top_answer_read(bytes + head, length - head, &answer);
    if (error < 0)
        return error;
    struct top_tunnel **rows = malloc((answer.count + 1) * sizeof(struct top_tunnel *));
    if (rows == NULL) {
        free_answer(&answer);
        return -ENOMEM;
    }
    for (size_t i = 0; i < answer.count && model->has_answer; i++)
        set_rates(&answer.tunnels[i], &model->answer);
    find_longest(&answer, model->longest);
    free_answer(&model->answer);
    free(model->rows);
    model->rows = rows;
    model->answer = answer;
    model->has_answer = true;
    arrange(model);
    return 0;
}
