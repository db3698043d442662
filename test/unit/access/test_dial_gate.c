/* The gate: who waits is told by letter, and may leave at every stage (test_fair_line: whose turn
 * it is). */
#include "access/dial_gate.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { PASSES = 8 };

static struct loop *loop;
static struct dial_gate *gate;
static struct dial_pass passes[PASSES];
static unsigned entered[PASSES]; /* in which order; 0: not yet */
static unsigned entered_count;

static const struct fair_limits limits = {.total = 10, .per_client = 2, .waiting_per_client = 2};

static int set_up(void **state)
{
    (void)state;
    entered_count = 0;
    for (unsigned i = 0; i < PASSES; i++) {
        passes[i] = (struct dial_pass){.loop = NULL};
        entered[i] = 0;
    }
    return loop_create(&loop) < 0 || dial_gate_create(&limits, &gate) < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PASSES; i++)
        dial_gate_leave(gate, &passes[i]);
    dial_gate_destroy(gate);
    loop_destroy(loop);
    return 0;
}

static void on_entered(struct dial_pass *pass)
{
    entered[pass - passes] = ++entered_count;
}

static int enter(unsigned pass, uint8_t client)
{
    const uint8_t bytes[4] = {10, 0, 0, client};
    struct ip_address address = ip_address_from_v4(bytes);

    return dial_gate_enter(gate, &passes[pass], loop, &address, on_entered);
}

static void leave_and_turn(unsigned pass)
{
    dial_gate_leave(gate, &passes[pass]);
    assert_int_equal(loop_turn(loop), 0);
}

static void a_client_has_its_limit_and_its_line(void **state)
{
    (void)state;
    assert_int_equal(enter(0, 1), 0);
    assert_int_equal(enter(1, 1), 0);
    assert_int_equal(enter(2, 1), -EINPROGRESS);
    assert_int_equal(enter(3, 1), -EINPROGRESS);
    assert_int_equal(enter(4, 1), -EAGAIN);
    assert_int_equal(enter(5, 2), 0); /* another client is not concerned */

    leave_and_turn(1);
    assert_int_equal(entered[2], 1);
    assert_int_equal(entered[3], 0);
    leave_and_turn(0);
    assert_int_equal(entered[3], 2);
}

static void whoever_waits_may_leave(void **state)
{
    (void)state;
    assert_int_equal(enter(0, 1), 0);
    assert_int_equal(enter(1, 1), 0);
    assert_int_equal(enter(2, 1), -EINPROGRESS);
    assert_int_equal(enter(3, 1), -EINPROGRESS);
    dial_gate_leave(gate, &passes[2]);
    leave_and_turn(0);
    assert_int_equal(entered[2], 0);
    assert_int_equal(entered[3], 1);
}

/* Admitted, but the letter is not delivered yet: nobody is told, and the room goes on to the next.
 */
static void whoever_was_just_admitted_may_leave(void **state)
{
    (void)state;
    assert_int_equal(enter(0, 1), 0);
    assert_int_equal(enter(1, 1), 0);
    assert_int_equal(enter(2, 1), -EINPROGRESS);
    assert_int_equal(enter(3, 1), -EINPROGRESS);
    dial_gate_leave(gate, &passes[0]);
    leave_and_turn(2);
    assert_int_equal(entered[2], 0);
    assert_int_equal(entered[3], 1);
}

/* Whoever has a /64 can't take more shares by having more addresses. */
static void a_v6_network_is_one_client(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        const uint8_t bytes[16] = {0x20, 1, 0xd, 0xb8, [15] = (uint8_t)(i + 1)};
        struct ip_address address = ip_address_from_v6(bytes);
        int result = dial_gate_enter(gate, &passes[i], loop, &address, on_entered);
        assert_int_equal(result, i < limits.per_client ? 0 : -EINPROGRESS);
    }
    assert_int_equal(enter(4, 1), 0);
}

/* More than the gate keeps memory for; the second time some of it is used again. */
static void many_clients_come_and_go(void **state)
{
    static struct dial_pass many[200];

    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < ARRAY_LENGTH(many); i++) {
            const uint8_t bytes[4] = {10, 0, 1, (uint8_t)i};
            struct ip_address address = ip_address_from_v4(bytes);
            int result = dial_gate_enter(gate, &many[i], loop, &address, on_entered);
            assert_int_equal(result, i < limits.total ? 0 : -EINPROGRESS);
        }
        for (unsigned i = ARRAY_LENGTH(many); i-- > 0;)
            dial_gate_leave(gate, &many[i]);
    }
    assert_int_equal(entered_count, 0);
}

#define GATE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATE_TEST(a_client_has_its_limit_and_its_line),
        GATE_TEST(whoever_waits_may_leave),
        GATE_TEST(whoever_was_just_admitted_may_leave),
        GATE_TEST(a_v6_network_is_one_client),
        GATE_TEST(many_clients_come_and_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
