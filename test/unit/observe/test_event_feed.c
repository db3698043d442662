/* The feed of events: what is wanted is there, what is awaited wakes, what has no room is counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "observe/event_feed.h"

#include <stdlib.h>
#include <string.h>

struct fixture {
    struct event_feed feed;
    struct log *log;
    unsigned wakes;
};

static void wake(void *self)
{
    struct fixture *fixture = self;

    fixture->wakes++;
}

static int set_up(void **state)
{
    struct fixture *fixture = aligned_alloc(LINE_RING_ALIGNMENT, sizeof(*fixture));

    if (fixture == NULL)
        return -1;
    memset(fixture, 0, sizeof(*fixture));
    *state = fixture;
    if (log_create(2, 1, 4096, &fixture->log) < 0)
        return -1;
    log_set_style(fixture->log, &(struct log_style){.events = 0});
    return event_feed_init(&fixture->feed, wake, fixture);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    event_feed_finish(&fixture->feed);
    log_destroy(fixture->log);
    free(fixture);
    return 0;
}

static void happen(struct fixture *fixture, enum access_event event)
{
    const struct access_record record = {
        .event = event, .id = 1, .dns_ms = -1, .dial_ms = -1, .target = "a:1", .target_length = 3};

    access_log_write(log_ring_at(fixture->log, 0), &fixture->feed, &record);
}

static const uint32_t deny = 1U << ACCESS_DENY;

static void test_what_is_wanted(void **state)
{
    struct fixture *fixture = *state;
    char buffer[4 * EVENT_LINE_MAX];

    happen(fixture, ACCESS_DENY);
    event_feed_want(&fixture->feed, deny, 0);
    happen(fixture, ACCESS_OPEN);
    assert_int_equal(event_feed_take(&fixture->feed, buffer, sizeof(buffer)), 0);
    happen(fixture, ACCESS_DENY);
    size_t length = event_feed_take(&fixture->feed, buffer, sizeof(buffer));
    assert_true(length > 0);
    assert_int_equal(buffer[0], '0' + ACCESS_DENY);
    assert_memory_equal(buffer + 1, "{\"time\":\"", 9);
    assert_memory_equal(buffer + length - 2, "}\n", 2);
    assert_int_equal(fixture->wakes, 0);
}

static void test_what_is_awaited_wakes_once(void **state)
{
    struct fixture *fixture = *state;
    char buffer[4 * EVENT_LINE_MAX];

    event_feed_want(&fixture->feed, deny, deny);
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < 5; i++)
            happen(fixture, ACCESS_DENY);
        assert_int_equal(fixture->wakes, round);
        assert_true(event_feed_take(&fixture->feed, buffer, sizeof(buffer)) > 0);
    }
}

static void test_half_full_wakes(void **state)
{
    struct fixture *fixture = *state;
    char buffer[EVENT_LINE_MAX];
    unsigned count = 0;

    event_feed_want(&fixture->feed, deny, 0);
    while (fixture->wakes == 0) {
        happen(fixture, ACCESS_DENY);
        count++;
    }
    assert_true(count > 100);
    assert_int_equal(event_feed_dropped(&fixture->feed), 0);
    for (unsigned i = 0; i < 2 * count; i++)
        happen(fixture, ACCESS_DENY);
    assert_true(event_feed_dropped(&fixture->feed) > 0);
    assert_int_equal(fixture->wakes, 1);
    while (event_feed_take(&fixture->feed, buffer, sizeof(buffer)) > 0)
        ;
    uint64_t dropped = event_feed_dropped(&fixture->feed);
    happen(fixture, ACCESS_DENY);
    assert_int_equal(event_feed_dropped(&fixture->feed), dropped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_wanted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_awaited_wakes_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_half_full_wakes, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
