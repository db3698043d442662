/* Lines through a ring: whole, in order, dropped when there is no room, between two threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "observe/line_ring.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 64, LINES = 100000 };

static int set_up(void **state)
{
    struct line_ring *ring = aligned_alloc(LINE_RING_ALIGNMENT, sizeof(*ring));

    *state = ring;
    return ring == NULL ? -1 : line_ring_init(ring, SIZE);
}

static int tear_down(void **state)
{
    line_ring_finish(*state);
    free(*state);
    return 0;
}

static void expect(struct line_ring *ring, size_t size, const char *lines)
{
    char buffer[SIZE + 1];
    size_t length = line_ring_take(ring, buffer, size);

    buffer[length] = '\0';
    assert_string_equal(buffer, lines);
}

static void test_whole_lines(void **state)
{
    struct line_ring *ring = *state;

    assert_true(line_ring_is_empty(ring));
    expect(ring, SIZE, "");
    assert_true(line_ring_put(ring, "one", 3));
    assert_true(line_ring_put(ring, "", 0));
    assert_true(line_ring_put(ring, "three", 5));
    assert_false(line_ring_is_empty(ring));
    expect(ring, 9, "one\n\n");
    expect(ring, 6, "three\n");
    assert_true(line_ring_is_empty(ring));
}

static void test_round_the_end(void **state)
{
    struct line_ring *ring = *state;

    assert_true(line_ring_put(ring, "0", 1));
    for (int i = 0; i < 100; i++) { /* never empty, so that it goes round */
        char digit[] = {(char)('0' + (i + 1) % 10), '\0'};
        char expected[] = {(char)('0' + i % 10), '\n', '\0'};
        assert_true(line_ring_put(ring, "abcdefghijklm", 13));
        assert_true(line_ring_put(ring, digit, 1));
        expect(ring, 2, expected);
        expect(ring, 14, "abcdefghijklm\n");
    }
    assert_int_equal(line_ring_dropped(ring), 0);
}

static void test_empty_begins_anew(void **state)
{
    struct line_ring *ring = *state;

    for (int i = 0; i < 100; i++) {
        assert_true(line_ring_put(ring, "abcdefghijklmnopqrstuvwxyz", 26));
        assert_memory_equal(ring->bytes, "abcdefghijklmnopqrstuvwxyz\n", 27);
        expect(ring, SIZE, "abcdefghijklmnopqrstuvwxyz\n");
    }
}

static void test_full(void **state)
{
    struct line_ring *ring = *state;
    char line[SIZE];

    memset(line, 'x', sizeof(line));
    assert_false(line_ring_put(ring, line, SIZE));
    assert_true(line_ring_put(ring, line, SIZE - 1));
    assert_false(line_ring_put(ring, "", 0));
    assert_int_equal(line_ring_dropped(ring), 2);
    char buffer[SIZE];
    assert_int_equal(line_ring_take(ring, buffer, SIZE), SIZE);
    assert_true(line_ring_put(ring, "", 0));
    expect(ring, SIZE, "\n");
}

static void *produce(void *self)
{
    struct line_ring *ring = self;
    char line[32];

    for (int i = 0; i < LINES; i++) {
        int length = snprintf(line, sizeof(line), "%d", i);
        while (!line_ring_put(ring, line, (size_t)length))
            sched_yield();
    }
    return NULL;
}

static void test_two_threads(void **state)
{
    struct line_ring *ring = *state;
    char buffer[SIZE + 1];
    pthread_t producer;
    int next = 0;

    assert_int_equal(pthread_create(&producer, NULL, produce, ring), 0);
    while (next < LINES) {
        size_t length = line_ring_take(ring, buffer, SIZE);

        if (length == 0)
            sched_yield();
        buffer[length] = '\0';
        for (char *line = buffer; *line != '\0'; next++) {
            char *end;
            assert_int_equal(strtol(line, &end, 10), next);
            assert_int_equal(*end, '\n');
            line = end + 1;
        }
    }
    pthread_join(producer, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whole_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_round_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_empty_begins_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_two_threads, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
