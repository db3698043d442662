/* net/linger in virtual time: what ends it, and when. */
#include "net/stream.h" /* first: cmocka makes a macro of `skip` */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/linger.h"
#include "virtual_loop.h"

#include <errno.h>
#include <string.h>

static const size_t mebibyte = 1024 * 1024;

/* A peer that has sent `waiting` bytes that were not read yet. */
static struct {
    struct stream stream;
    struct lingering lingering;
    size_t waiting;
    int read_error; /* once nothing waits */
    int shutdown_error;
    bool has_fin;
    bool is_shut;
    unsigned times_ended;
} world;

static ssize_t fake_read(struct stream *stream, void *buffer, size_t size)
{
    size_t count = world.waiting < size ? world.waiting : size;

    if (count == 0) {
        stream->ready &= (uint8_t)~STREAM_READABLE;
        return world.has_fin ? 0 : world.read_error;
    }
    memset(buffer, 'x', count);
    world.waiting -= count;
    return (ssize_t)count;
}

static int fake_shutdown_write(struct stream *stream)
{
    (void)stream;
    world.is_shut = true;
    return world.shutdown_error;
}

static void fake_want(struct stream *stream, unsigned wanted)
{
    stream->wanted = (uint8_t)wanted;
}

static const struct stream_kind fake_kind = {
    .read = fake_read,
    .shutdown_write = fake_shutdown_write,
    .want = fake_want,
};

static void ended(struct lingering *lingering)
{
    assert_ptr_equal(lingering, &world.lingering);
    world.times_ended++;
}

static int set_up(void **state)
{
    (void)state;
    virtual_loop_reset();
    memset(&world, 0, sizeof(world));
    world.stream.kind = &fake_kind;
    world.read_error = -EAGAIN;
    return 0;
}

static void begin(void)
{
    linger_begin(&world.lingering, (struct loop *)&world, &world.stream, ended);
}

static void arrive(size_t bytes, unsigned bits)
{
    world.waiting += bytes;
    world.stream.ready |= (uint8_t)(bits | STREAM_READABLE);
    world.stream.on_ready(&world.stream, world.stream.self);
}

static void assert_over(bool is_over)
{
    assert_int_equal(world.times_ended, is_over ? 1 : 0);
    assert_int_equal(virtual_loop_has_deadline(), !is_over);
}

static void test_silence_ends_it(void **state)
{
    begin();
    assert_true(world.is_shut);
    assert_int_equal(world.stream.wanted, STREAM_READABLE);
    virtual_loop_pass_time(1999);
    assert_over(false);
    virtual_loop_pass_time(1);
    assert_over(true);
}

static void test_each_byte_buys_two_seconds_but_five_in_all(void **state)
{
    begin();
    for (unsigned i = 0; i < 3; i++) {
        virtual_loop_pass_time(1500);
        arrive(1, 0);
        assert_int_equal(world.waiting, 0);
    }
    virtual_loop_pass_time(499);
    assert_over(false);
    virtual_loop_pass_time(1);
    assert_over(true);
}

/* An event that brings nothing, as that the stream can be written again. */
static void test_an_event_without_bytes_buys_nothing(void **state)
{
    begin();
    virtual_loop_pass_time(1500);
    arrive(0, STREAM_WRITABLE);
    virtual_loop_pass_time(500);
    assert_over(true);
}

static void test_a_mebibyte_ends_it(void **state)
{
    begin();
    arrive(mebibyte - 1, 0);
    assert_over(false);
    arrive(1, 0);
    assert_over(true);
}

/* Before the loop hears anything again. */
static void test_a_flood_that_waits_already_ends_it_at_once(void **state)
{
    world.waiting = 2 * mebibyte;
    world.stream.ready = STREAM_READABLE;
    begin();
    assert_over(true);
    assert_true(world.waiting >= mebibyte - 1);
}

static void test_the_end_of_the_peer_ends_it(void **state)
{
    begin();
    world.has_fin = true;
    arrive(100, STREAM_PEER_CLOSED);
    assert_int_equal(world.waiting, 0);
    assert_over(true);
}

/* It was read already by whoever had the stream before. */
static void test_an_end_that_is_known_already_ends_it(void **state)
{
    world.stream.ready = STREAM_PEER_CLOSED;
    begin();
    assert_over(true);
}

static void test_a_reset_ends_it(void **state)
{
    begin();
    world.read_error = -ECONNRESET;
    arrive(0, STREAM_BROKEN);
    assert_over(true);
}

static void test_one_that_cannot_be_half_closed_ends_at_once(void **state)
{
    world.shutdown_error = -ENOTCONN;
    begin();
    assert_over(true);
}

static void test_a_cancelled_one_is_silent(void **state)
{
    linger_cancel(&world.lingering); /* harmless before it begins */
    begin();
    linger_cancel(&world.lingering);
    assert_false(virtual_loop_has_deadline());
    virtual_loop_pass_time(10000);
    assert_int_equal(world.times_ended, 0);
    linger_cancel(&world.lingering);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_silence_ends_it, set_up),
        cmocka_unit_test_setup(test_each_byte_buys_two_seconds_but_five_in_all, set_up),
        cmocka_unit_test_setup(test_an_event_without_bytes_buys_nothing, set_up),
        cmocka_unit_test_setup(test_a_mebibyte_ends_it, set_up),
        cmocka_unit_test_setup(test_a_flood_that_waits_already_ends_it_at_once, set_up),
        cmocka_unit_test_setup(test_the_end_of_the_peer_ends_it, set_up),
        cmocka_unit_test_setup(test_an_end_that_is_known_already_ends_it, set_up),
        cmocka_unit_test_setup(test_a_reset_ends_it, set_up),
        cmocka_unit_test_setup(test_one_that_cannot_be_half_closed_ends_at_once, set_up),
        cmocka_unit_test_setup(test_a_cancelled_one_is_silent, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
