/* What `adit top` makes of answers and keys: rates, the past, order, filter, selection, widths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/reload_report.h"
#include "admin/stats.h"
#include "system/columns.h"
#include "top/top_model.h"
#include "top/top_ui.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int set_up(void **state)
{
    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
        return -1;
    struct top_ui *ui = malloc(sizeof(*ui));
    if (ui == NULL)
        return -1;
    top_ui_init(ui);
    *state = ui;
    return 0;
}

static int tear_down(void **state)
{
    top_ui_finish(*state);
    free(*state);
    return 0;
}

static int take_stats(struct top_model *model, unsigned up_bytes, unsigned uptime_s,
                      uint64_t now_ms)
{
    char json[512];
    int length = snprintf(json, sizeof(json),
                          "{\"ok\":true,\"version\":\"1.2\",\"state\":\"serving\",\"uptime_s\":%u,"
                          "\"adit_tunnels_open\":7,"
                          "\"adit_bytes_total{direction=\\\"up\\\"}\":%u,\"adit_x\":1}\n",
                          uptime_s, up_bytes);

    return top_model_take_stats(model, json, (size_t)length, now_ms);
}

static void test_gauges(void **state)
{
    struct top_model *model = &((struct top_ui *)*state)->model;

    assert_int_equal(top_model_gauge(model, TOP_GAUGE_UP), 0);
    assert_int_equal(take_stats(model, 1000, 10, 5000), 0);
    assert_string_equal(model->version, "1.2");
    assert_string_equal(model->state, "serving");
    assert_int_equal(model->uptime_s, 10);
    assert_int_equal(top_model_gauge(model, TOP_GAUGE_TUNNELS), 7);
    assert_int_equal(top_model_gauge(model, TOP_GAUGE_UP), 0); /* a second is not known yet */
    assert_int_equal(take_stats(model, 2000, 12, 7000), 0);
    assert_int_equal(top_model_gauge(model, TOP_GAUGE_UP), 500);
    assert_int_equal(take_stats(model, 100, 13, 8000), 0); /* another worker: it began at 0 */
    assert_int_equal(top_model_gauge(model, TOP_GAUGE_UP), 0);
    assert_int_equal(take_stats(model, 400, 14, 9000), 0);
    assert_int_equal(top_model_gauge(model, TOP_GAUGE_UP), 300);
    assert_int_equal(take_stats(model, 900, 1, 10000), 0); /* another adit, that was faster */
    assert_int_equal(top_model_gauge(model, TOP_GAUGE_UP), 0);
    assert_int_equal(model->history_count, 5);
    assert_int_equal(model->gauges[TOP_GAUGE_UP][1], 500);
}

/* By the names that stats really have. */
static void test_every_gauge_has_its_counter(void **state)
{
    static const enum counter counters[] = {
        [TOP_GAUGE_UP] = COUNTER_BYTES_UP,           [TOP_GAUGE_DOWN] = COUNTER_BYTES_DOWN,
        [TOP_GAUGE_TUNNELS] = COUNTER_TUNNELS_OPEN,  [TOP_GAUGE_NEW] = COUNTER_TUNNELS_ESTABLISHED,
        [TOP_GAUGE_DENIED] = COUNTER_TUNNELS_DENIED, [TOP_GAUGE_FAILED] = COUNTER_TUNNELS_FAILED,
        [TOP_GAUGE_ASKED] = COUNTER_TUNNELS_ASKED,
    };
    static_assert(ARRAY_LENGTH(counters) == TOP_GAUGE_COUNT, "a counter for every gauge");
    static char json[STATS_SIZE];
    static const struct reload_report good = {.is_good = true};
    static struct stats stats = {
        .state = "serving", .reload = &good, .front_count = 2, .front_names = {"one", "two"}};
    struct top_model *model = &((struct top_ui *)*state)->model;
    struct text text;

    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        const struct counter_row *row = counter_row((enum counter)i);

        stats.counters[i] = i + 100;
        if (row->is_by_front) { /* the sum of all front-ends is shown */
            stats.fronts[0][row->front_counter] = 1;
            stats.fronts[1][row->front_counter] = i + 99;
        }
    }
    text_init(&text, json, sizeof(json));
    stats_print_json(&text, &stats);
    assert_int_equal(top_model_take_stats(model, json, text.length, 0), 0);
    for (size_t i = 0; i < TOP_GAUGE_COUNT; i++)
        assert_int_equal(model->counters[i], counters[i] + 100);
}

static void test_history_is_bounded(void **state)
{
    struct top_model *model = &((struct top_ui *)*state)->model;

    for (unsigned i = 0; i < TOP_HISTORY_MAX + 10; i++)
        assert_int_equal(take_stats(model, i * i, i, i * 1000), 0);
    assert_int_equal(model->history_count, TOP_HISTORY_MAX);
    for (unsigned i = 1; i < TOP_HISTORY_MAX; i++)
        assert_int_equal(model->gauges[TOP_GAUGE_UP][i], (i + 9) * 2 + 1);
}

static int take(struct top_model *model, const char *lines)
{
    char answer[4096];
    int length = snprintf(answer, sizeof(answer), "{\"ok\":true,\"tunnels\":9}\n%s", lines);

    return top_model_take_tunnels(model, answer, (size_t)length);
}

#define TUNNEL(id, target, up, down, age)                                                          \
    "{\"id\":\"" id "\",\"client\":\"127.0.0.1:5\",\"target\":\"" target                           \
    "\",\"other\":1,\"up_bytes\":" #up ",\"down_bytes\":" #down ",\"duration_ms\":" #age "}\n"

/* The ids of the rows, in their order. */
static void expect_rows(const struct top_model *model, const char *wanted)
{
    char ids[256];
    struct text text;

    text_init(&text, ids, sizeof(ids));
    for (size_t i = 0; i < model->row_count; i++)
        text_add(&text, model->rows[i]->texts[TOP_FIELD_ID]);
    assert_string_equal(ids, wanted);
}

static void test_rates(void **state)
{
    struct top_model *model = &((struct top_ui *)*state)->model;

    assert_int_equal(take(model, TUNNEL("a", "x:1", 1000, 50, 10000)), 0);
    assert_string_equal(model->rows[0]->texts[TOP_FIELD_TARGET], "x:1");
    assert_string_equal(model->rows[0]->texts[TOP_FIELD_USER], "");
    assert_int_equal(model->rows[0]->up_rate, 0);
    assert_int_equal(take(model,
                          TUNNEL("new", "x:1", 300, 0, 10) TUNNEL("a", "x:1", 3000, 50, 12000)
                              TUNNEL("late", "x:1", 0, 4000, 2000)),
                     0);
    expect_rows(model, "latea"
                       "new");
    assert_int_equal(model->rows[0]->down_rate, 2000);
    assert_int_equal(model->rows[1]->up_rate, 1000);
    assert_int_equal(model->rows[1]->down_rate, 0);
    assert_int_equal(model->rows[2]->up_rate, 300);
    /* The same moment again, and bytes that fall: nothing is known. */
    assert_int_equal(take(model, TUNNEL("a", "x:1", 4000, 20, 12000)), 0);
    assert_int_equal(model->rows[0]->up_rate, 0);
    assert_int_equal(model->rows[0]->down_rate, 0);
}

static void test_order(void **state)
{
    struct top_model *model = &((struct top_ui *)*state)->model;

    assert_int_equal(take(model, TUNNEL("c", "x:1", 0, 0, 100) TUNNEL("a", "x:1", 0, 0, 300)
                                     TUNNEL("b", "x:1", 0, 0, 200)),
                     0);
    expect_rows(model, "abc"); /* all are equal: by id */
    assert_int_equal(take(model, TUNNEL("c", "x:1", 10, 10, 1100) TUNNEL("a", "x:1", 5, 0, 1300)
                                     TUNNEL("b", "x:1", 30, 0, 2200)),
                     0);
    assert_int_equal(model->sort, TOP_SORT_RATE);
    expect_rows(model, "cba");
    top_model_sort_by(model, TOP_SORT_RATE);
    expect_rows(model, "abc");
    top_model_sort_by(model, TOP_SORT_BYTES);
    assert_false(model->is_reversed);
    expect_rows(model, "bca");
    top_model_sort_by(model, TOP_SORT_BYTES);
    expect_rows(model, "acb");
    top_model_sort_by(model, TOP_SORT_AGE);
    expect_rows(model, "bac");
    top_model_sort_by(model, TOP_SORT_AGE);
    expect_rows(model, "cab");
}

static void test_selection_stays(void **state)
{
    struct top_model *model = &((struct top_ui *)*state)->model;

    assert_null(top_model_selected(model));
    top_model_move(model, 1);
    top_model_sort_by(model, TOP_SORT_BYTES);
    assert_int_equal(take(model, TUNNEL("a", "x:1", 30, 0, 1) TUNNEL("b", "x:1", 20, 0, 1)
                                     TUNNEL("c", "x:1", 10, 0, 1)),
                     0);
    assert_int_equal(model->selected_row, 0); /* nobody has chosen: whoever is first */
    assert_int_equal(take(model, TUNNEL("a", "x:1", 30, 0, 1) TUNNEL("b", "x:1", 40, 0, 1)
                                     TUNNEL("c", "x:1", 10, 0, 1)),
                     0);
    assert_string_equal(top_model_selected(model)->texts[TOP_FIELD_ID], "b");
    top_model_move(model, 1);
    assert_string_equal(top_model_selected(model)->texts[TOP_FIELD_ID], "a");
    top_model_sort_by(model, TOP_SORT_BYTES);
    assert_string_equal(top_model_selected(model)->texts[TOP_FIELD_ID], "a");
    assert_int_equal(model->selected_row, 1);
    top_model_move(model, 100);
    assert_int_equal(model->selected_row, 2);
    top_model_move(model, -100);
    assert_string_equal(top_model_selected(model)->texts[TOP_FIELD_ID], "c");
    /* It goes: its row stays selected, and from then on who stands there. */
    assert_int_equal(take(model, TUNNEL("a", "x:1", 30, 0, 1) TUNNEL("b", "x:1", 40, 0, 1)), 0);
    assert_string_equal(top_model_selected(model)->texts[TOP_FIELD_ID], "a");
    assert_int_equal(take(model, TUNNEL("a", "x:1", 50, 0, 1) TUNNEL("b", "x:1", 40, 0, 1)), 0);
    assert_string_equal(top_model_selected(model)->texts[TOP_FIELD_ID], "a");
    assert_int_equal(model->selected_row, 1);
    assert_int_equal(take(model, TUNNEL("b", "x:1", 40, 0, 1)), 0);
    assert_int_equal(model->selected_row, 0);
    top_model_unselect(model);
    assert_int_equal(take(model, ""), 0);
    assert_null(top_model_selected(model));
}

static void test_filter(void **state)
{
    struct top_model *model = &((struct top_ui *)*state)->model;

    assert_int_equal(take(model, TUNNEL("a", "WWW.example.com:443", 0, 0, 1)
                                     TUNNEL("b", "10.0.0.1:22", 0, 0, 1)
                                         TUNNEL("c", "example.org:443", 0, 0, 1)),
                     0);
    top_model_move(model, 2);
    top_model_set_filter(model, "Example");
    expect_rows(model, "ac");
    assert_string_equal(top_model_selected(model)->texts[TOP_FIELD_ID], "c");
    top_model_set_filter(model, "www.EXAMPLE");
    expect_rows(model, "a");
    assert_string_equal(top_model_selected(model)->texts[TOP_FIELD_ID], "a");
    top_model_set_filter(model, "nobody");
    assert_null(top_model_selected(model));
    assert_int_equal(model->answer.count, 3);
    top_model_set_filter(model, "127.0.0.1");
    expect_rows(model, "abc");
    char longer[TOP_FILTER_SIZE + 10];
    memset(longer, 'x', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    top_model_set_filter(model, longer);
    assert_int_equal(strlen(model->filter), TOP_FILTER_SIZE - 1);
}

static void test_bad_answers_change_nothing(void **state)
{
    static const char *const answers[] = {
        "",
        "{\"ok\":false,\"error\":\"no\"}\n",
        "{\"ok\":true,\"tunnels\":1}",
        "{\"ok\":true,\"tunnels\":1}\n{\"id\":\"b\"}",
        "{\"ok\":true,\"tunnels\":1}\n{\"id\":\"b\"\n",
        "{\"ok\":true,\"tunnels\":1}\n{\"client\":\"b\"}\n",
        "{\"ok\":true,\"tunnels\":1}\n\n",
    };
    struct top_model *model = &((struct top_ui *)*state)->model;

    assert_int_equal(take(model, TUNNEL("a", "x:1", 0, 0, 1)), 0);
    assert_int_equal(take_stats(model, 1, 1, 1), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
        size_t length = strlen(answers[i]);

        assert_int_equal(top_model_take_tunnels(model, answers[i], length), -EINVAL);
        assert_int_equal(top_model_take_stats(model, answers[i], length, 2), -EINVAL);
    }
    expect_rows(model, "a");
    assert_int_equal(model->history_count, 1);
}

static enum top_action type(struct top_ui *ui, const char *keys)
{
    enum top_action action = TOP_ACTION_NONE;

    for (; *keys != '\0'; keys++)
        action = top_ui_press(ui, (unsigned char)*keys, 10);
    return action;
}

static void test_keys_of_the_table(void **state)
{
    struct top_ui *ui = *state;

    assert_int_equal(take(&ui->model, TUNNEL("a", "x:1", 0, 0, 1) TUNNEL("b", "y:1", 0, 0, 1)), 0);
    assert_int_equal(type(ui, "q"), TOP_ACTION_QUIT);
    assert_int_equal(type(ui, "\x03"), TOP_ACTION_QUIT);
    assert_int_equal(type(ui, " "), TOP_ACTION_NONE);
    assert_true(ui->is_paused);
    assert_int_equal(type(ui, " "), TOP_ACTION_REFRESH);
    assert_false(ui->is_paused);
    type(ui, "?q");
    assert_int_equal(ui->mode, TOP_MODE_TABLE);
    top_ui_press(ui, TOP_KEY_END, 10);
    assert_int_equal(ui->model.selected_row, 1);
    top_ui_press(ui, TOP_KEY_HOME, 10);
    assert_int_equal(ui->model.selected_row, 0);
    type(ui, "a\n");
    assert_int_equal(ui->model.sort, TOP_SORT_AGE);
    assert_true(ui->is_detailed);
    type(ui, "\x1b");
    assert_false(ui->is_detailed);
    assert_string_equal(ui->model.selected_id, "a");
    type(ui, "\x1b");
    assert_string_equal(ui->model.selected_id, "");
}

static void test_keys_of_the_filter(void **state)
{
    struct top_ui *ui = *state;

    assert_int_equal(take(&ui->model, TUNNEL("a", "x:1", 0, 0, 1) TUNNEL("b", "q:1", 0, 0, 1)), 0);
    assert_int_equal(type(ui, "/q:"), TOP_ACTION_NONE);
    expect_rows(&ui->model, "b");
    type(ui, "zz");
    expect_rows(&ui->model, "");
    top_ui_press(ui, TOP_KEY_BACKSPACE, 10);
    type(ui, "\x7f");
    expect_rows(&ui->model, "b");
    top_ui_press(ui, 0xe9, 10);
    assert_string_equal(ui->model.filter, "q:é");
    type(ui, "\x7f");
    assert_string_equal(ui->model.filter, "q:");
    type(ui, "\n");
    assert_int_equal(ui->mode, TOP_MODE_TABLE);
    expect_rows(&ui->model, "b");
    type(ui, "\x1b");
    expect_rows(&ui->model, "ab");
    type(ui, "/x\x15");
    assert_string_equal(ui->model.filter, "");
    type(ui, "\x7f\x1b");
    assert_int_equal(ui->mode, TOP_MODE_TABLE);
    for (size_t i = 0; i < 100; i++)
        type(ui, i == 0 ? "/" : "x");
    assert_int_equal(strlen(ui->model.filter), TOP_FILTER_SIZE - 1);
}

static void test_kill_is_asked_about(void **state)
{
    struct top_ui *ui = *state;

    type(ui, "k"); /* nothing is there */
    assert_int_equal(ui->mode, TOP_MODE_TABLE);
    assert_int_equal(take(&ui->model, TUNNEL("a", "x:1", 0, 0, 1) TUNNEL("b", "y:1", 0, 0, 1)), 0);
    type(ui, "k");
    assert_int_equal(ui->mode, TOP_MODE_KILL);
    /* Whoever comes to stand there meanwhile, the question was about this one. */
    assert_int_equal(take(&ui->model, TUNNEL("b", "y:1", 0, 0, 1)), 0);
    assert_int_equal(type(ui, "y"), TOP_ACTION_KILL);
    assert_string_equal(ui->kill_id, "a");
    assert_string_equal(ui->kill_text, "x:1 of 127.0.0.1:5");
    assert_int_equal(type(ui, "kn"), TOP_ACTION_NONE);
    assert_int_equal(ui->mode, TOP_MODE_TABLE);
    assert_int_equal(type(ui, "kq"), TOP_ACTION_NONE);
    assert_int_equal(type(ui, "k\x1b"), TOP_ACTION_NONE);
    assert_int_equal(type(ui, "k\n"), TOP_ACTION_NONE);
}

/* -- how it is written */

static void test_numbers(void **state)
{
    static const struct {
        double value;
        const char *bytes;
        const char *count;
    } rows[] = {
        {0, "0", "0"},
        {0.4, "0", "0.4"},
        {9, "9", "9"},
        {9.97, "10", "10"},
        {1023, "1023", "1023"},
        {1024, "1.0k", "1024"},
        {10000, "9.8k", "10.0k"},
        {102348, "99.9k", "102k"},
        {102396, "100k", "102k"},
        {1048575, "1024k", "1.0M"},
        {1e13, "9.1T", "10.0T"},
        {2e19, "17.3E", "20.0E"},
    };
    char buffer[32];
    struct text text;

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        text_init(&text, buffer, sizeof(buffer));
        columns_add_bytes(&text, rows[i].value);
        assert_string_equal(buffer, rows[i].bytes);
        text_init(&text, buffer, sizeof(buffer));
        columns_add_count(&text, rows[i].value);
        assert_string_equal(buffer, rows[i].count);
    }
}

static void test_ages(void **state)
{
    static const struct {
        uint64_t s;
        const char *age;
    } rows[] = {{0, "0s"},        {59, "59s"},         {65, "1m05s"},
                {3599, "59m59s"}, {3600, "1h00m"},     {86399, "23h59m"},
                {86400, "1d00h"}, {8639999, "99d23h"}, {8640000, "100d"}};
    char buffer[32];
    struct text text;

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        text_init(&text, buffer, sizeof(buffer));
        columns_add_age(&text, rows[i].s * 1000 + 999);
        assert_string_equal(buffer, rows[i].age);
    }
}

static void test_texts_fit(void **state)
{
    static const struct {
        const char *value;
        size_t width;
        bool is_utf8;
        const char *shown;
    } rows[] = {
        {"abc", 3, true, "abc"},
        {"abc", 5, true, "abc  "},
        {"abcd", 3, true, "ab…"},
        {"abcd", 3, false, "ab~"},
        {"abcd", 0, true, ""},
        {"a\x1b[2Jb\x7f\n", 8, true, "a?[2Jb??"},
        {"h\xc3\xa9", 3, true, "hé "},
        {"h\xc3\xa9", 3, false, "h??"},
        {"\xff\xc3", 3, true, "?? "},
        {"\xe4\xb8\xad\xe6\x96\x87", 4, true, "中文"},
        {"\xe4\xb8\xad\xe6\x96\x87", 3, true, "中…"},
        {"\xe4\xb8\xad\xe6\x96\x87", 2, true, "… "},
        {"a\xe2\x80\xae"
         "b",
         4, true, "a?b "},             /* right-to-left override */
        {"a\xcc\x81", 3, true, "a? "}, /* a combining accent */
    };
    char buffer[64];
    struct text text;

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        text_init(&text, buffer, sizeof(buffer));
        columns_add_fit(&text, rows[i].value, rows[i].width, rows[i].is_utf8);
        assert_string_equal(buffer, rows[i].shown);
    }
}

static void test_sparklines(void **state)
{
    static const double values[] = {1000, 0, 1, 2, 3, 4, 5, 6, 7, 0};
    static const double zeros[] = {0, 0};
    char buffer[64];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    columns_add_sparkline(&text, values, ARRAY_LENGTH(values), 9, true);
    assert_string_equal(buffer, "▁▂▃▄▅▆▇█▁");
    text_init(&text, buffer, sizeof(buffer));
    columns_add_sparkline(&text, zeros, 2, 4, false);
    assert_string_equal(buffer, "  __");
    text_init(&text, buffer, sizeof(buffer));
    columns_add_sparkline(&text, values, 2, 2, false);
    assert_string_equal(buffer, "#_");
    for (int i = 1; i < 5000; i++) {
        double highest = i * 1000.0 / 1003; /* times 7 and by itself it is not always 7 */

        text_init(&text, buffer, sizeof(buffer));
        columns_add_sparkline(&text, &highest, 1, 1, false);
        assert_string_equal(buffer, "#");
    }
}

int main(void)
{
#define WITH_UI(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_UI(test_gauges),
        WITH_UI(test_every_gauge_has_its_counter),
        WITH_UI(test_history_is_bounded),
        WITH_UI(test_rates),
        WITH_UI(test_order),
        WITH_UI(test_selection_stays),
        WITH_UI(test_filter),
        WITH_UI(test_bad_answers_change_nothing),
        WITH_UI(test_keys_of_the_table),
        WITH_UI(test_keys_of_the_filter),
        WITH_UI(test_kill_is_asked_about),
        WITH_UI(test_numbers),
        WITH_UI(test_ages),
        WITH_UI(test_texts_fit),
        WITH_UI(test_sparklines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
