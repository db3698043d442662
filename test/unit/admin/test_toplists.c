/* Top lists over 15 minutes: what is older is gone, what is not wanted is not noted. */
#include "admin/toplists.h"

#include "admin/stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MINUTE = 60000 };

static struct talkers talkers;

static void talk(const char *user, const char *host, uint64_t bytes)
{
    talkers_add(&talkers, user, strlen(user), host, strlen(host), bytes);
}

static void expect(struct toplists *lists, uint64_t now_ms, const char *json)
{
    size_t length;
    char *printed = toplists_print(lists, now_ms, &length);

    assert_non_null(printed);
    assert_string_equal(printed, json);
    assert_int_equal(length, strlen(json));
    free(printed);
}

static void bytes_by_user_and_host(void **state)
{
    struct toplists *lists;

    assert_int_equal(toplists_create(&lists), 0);
    assert_int_equal(talkers_init(&talkers), 0);
    expect(lists, 0, "{\"minutes\":15,\"users\":[],\"hosts\":[],\"rules\":[]}");
    talk("alice", "a.example", 5);
    talk("b\"ob", "a.example", 9);
    toplists_take(lists, &talkers, 1000);
    toplists_take(lists, &talkers, 2000); /* it was taken */
    talk("alice", "b.example", 1);
    toplists_take(lists, &talkers, 3 * MINUTE);
    expect(lists, 3 * MINUTE,
           "{\"minutes\":15,\"users\":[{\"name\":\"b\\\"ob\",\"bytes\":9},{\"name\":\"alice\","
           "\"bytes\":6}],"
           "\"hosts\":[{\"name\":\"a.example\",\"bytes\":14},{\"name\":\"b.example\",\"bytes\":1}],"
           "\"rules\":[]}");
    /* The first minute is over 15 minutes ago; then its place is taken. */
    const char *rest = "{\"minutes\":15,\"users\":[{\"name\":\"alice\",\"bytes\":1}],"
                       "\"hosts\":[{\"name\":\"b.example\",\"bytes\":1}],\"rules\":[]}";
    expect(lists, 16 * MINUTE, rest);
    toplists_take(lists, &talkers, 16 * MINUTE);
    expect(lists, 18 * MINUTE, rest);
    expect(lists, 19 * MINUTE, "{\"minutes\":15,\"users\":[],\"hosts\":[],\"rules\":[]}");
    talkers_finish(&talkers);
    toplists_destroy(lists);
}

static void denials_by_rule(void **state)
{
    struct rule_names *rule_names = rule_names_create();
    struct stats stats = {.rule_names = rule_names};
    struct toplists *lists;

    assert_int_equal(toplists_create(&lists), 0);
    assert_non_null(rule_names);
    stats.denied[rule_names_find(rule_names, "ads")] = 2;
    toplists_add_denied(lists, &stats, 1000);
    stats.denied[rule_names_find(rule_names, "ads")] = 3;
    stats.denied[rule_names_find(rule_names, "mail")] = 7;
    stats.denied[RULE_NAMES_MAX] = 1;
    toplists_add_denied(lists, &stats, 5 * MINUTE);
    expect(lists, 5 * MINUTE,
           "{\"minutes\":15,\"users\":[],\"hosts\":[],\"rules\":[{\"name\":\"mail\",\"count\":7},"
           "{\"name\":\"ads\",\"count\":3},{\"name\":\"other\",\"count\":1}]}");
    expect(lists, 16 * MINUTE,
           "{\"minutes\":15,\"users\":[],\"hosts\":[],\"rules\":[{\"name\":\"mail\",\"count\":7},"
           "{\"name\":\"ads\",\"count\":1},{\"name\":\"other\",\"count\":1}]}");
    toplists_destroy(lists);
    rule_names_destroy(rule_names);
}

static void states_of_the_talkers(void **state)
{
    assert_int_equal(talkers_init(&talkers), 0);
    assert_int_equal(talkers_state(NULL), TALKERS_OFF);
    assert_int_equal(talkers_state(&talkers), TALKERS_OFF);
    talkers_begin(&talkers);
    assert_int_equal(talkers_state(&talkers), TALKERS_OFF);
    talkers_want(&talkers, true);
    assert_int_equal(talkers_state(&talkers), TALKERS_NEW);
    talkers_begin(&talkers);
    talkers_want(&talkers, true);
    assert_int_equal(talkers_state(&talkers), TALKERS_ON);
    talkers_want(&talkers, false);
    assert_int_equal(talkers_state(&talkers), TALKERS_OFF);
    talkers_finish(&talkers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_by_user_and_host),
        cmocka_unit_test(denials_by_rule),
        cmocka_unit_test(states_of_the_talkers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
