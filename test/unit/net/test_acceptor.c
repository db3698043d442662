/* The acceptor on real sockets: its share a turn, running out of descriptors, stopping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop/loop.h"
#include "net/acceptor.h"
#include "net/socket_address.h"
#include "observe/counters.h"
#include "observe/log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { CLIENTS_MAX = 64, LISTENERS = 2, LOG_RING_BYTES = 4096 };

struct fixture {
    struct loop *loop;
    struct log *log;
    struct counters counters;
    struct acceptor *acceptor;
    struct deadline tick;
    int listeners[LISTENERS];
    union socket_address addresses[LISTENERS];
    int clients[CLIENTS_MAX];
    size_t client_count;
    int accepted[CLIENTS_MAX];
    size_t accepted_count;
    size_t last_count; /* delivered on the reserve */
    unsigned last_listener;
    struct rlimit old_limit;
    size_t ready_for; /* connections that were accepted */
};

static void accepted(void *self, int fd, const struct ip_endpoint *client, unsigned slot,
                     bool is_last_descriptor)
{
    struct fixture *fixture = self;

    assert_true(ip_address_is_loopback(&client->address));
    assert_true(client->port != 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    fixture->last_listener = slot;
    if (is_last_descriptor) {
        fixture->last_count++;
        close(fd);
    } else {
        fixture->accepted[fixture->accepted_count++] = fd;
    }
}

static bool is_ready(void *self)
{
    const struct fixture *fixture = self;

    return fixture->accepted_count < fixture->ready_for;
}

static void ticked(struct deadline *deadline)
{
}

static void turn_for(struct fixture *fixture, uint64_t ms)
{
    uint64_t end = loop_now_ms(fixture->loop) + ms;

    while (loop_now_ms(fixture->loop) < end) {
        deadline_set(fixture->loop, &fixture->tick, end);
        assert_int_equal(loop_turn(fixture->loop), 0);
    }
}

static int open_listener(union socket_address *ret_address)
{
    socklen_t size = sizeof(ret_address->v4);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    memset(ret_address, 0, sizeof(*ret_address));
    ret_address->v4.sin_family = AF_INET;
    ret_address->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, &ret_address->any, size) < 0 || listen(fd, CLIENTS_MAX) < 0 ||
        getsockname(fd, &ret_address->any, &size) < 0)
        return -1;
    return fd;
}

/* `is_counted`: what the owner has, who then has a reserve, too. */
static int set_up_as(void **state, bool is_counted)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    if (fixture == NULL || getrlimit(RLIMIT_NOFILE, &fixture->old_limit) < 0 ||
        loop_create(&fixture->loop) < 0 || log_create(-1, 1, LOG_RING_BYTES, &fixture->log) < 0)
        return -1;
    deadline_init(&fixture->tick, ticked);
    for (size_t i = 0; i < LISTENERS; i++)
        fixture->listeners[i] = open_listener(&fixture->addresses[i]);
    fixture->ready_for = CLIENTS_MAX;
    const struct acceptor_owner owner = {
        .accepted = accepted, .is_ready = is_ready, .self = fixture};
    *state = fixture;
    int error =
        acceptor_create(fixture->loop, &owner, is_counted ? &fixture->counters : NULL,
                        is_counted ? log_ring_at(fixture->log, 0) : NULL, &fixture->acceptor);
    for (unsigned i = 0; i < LISTENERS && error == 0; i++) {
        const struct listener listener = {.fd = fixture->listeners[i], .slot = i};

        error = acceptor_add(fixture->acceptor, &listener);
    }
    return error;
}

static int set_up(void **state)
{
    return set_up_as(state, true);
}

static int set_up_uncounted(void **state)
{
    return set_up_as(state, false);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    setrlimit(RLIMIT_NOFILE, &fixture->old_limit);
    deadline_cancel(fixture->loop, &fixture->tick);
    acceptor_destroy(fixture->acceptor);
    for (size_t i = 0; i < LISTENERS; i++) {
        /* Still the caller's. */
        assert_true(fcntl(fixture->listeners[i], F_GETFD) >= 0);
        close(fixture->listeners[i]);
    }
    for (size_t i = 0; i < fixture->client_count; i++)
        close(fixture->clients[i]);
    for (size_t i = 0; i < fixture->accepted_count; i++)
        close(fixture->accepted[i]);
    loop_destroy(fixture->loop);
    log_destroy(fixture->log);
    free(fixture);
    return 0;
}

static void connect_clients(struct fixture *fixture, size_t listener, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        assert_int_equal(connect(fd, &fixture->addresses[listener].any, sizeof(struct sockaddr_in)),
                         0);
        fixture->clients[fixture->client_count++] = fd;
    }
}

/* No descriptor is free any more, but the acceptor has its reserve. */
static void use_up_descriptors(struct fixture *fixture)
{
    struct rlimit limit = fixture->old_limit;
    int next = dup(fixture->listeners[0]);

    close(next);
    limit.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void test_it_says_which_listener(void **state)
{
    struct fixture *fixture = *state;

    connect_clients(fixture, 1, 1);
    turn_for(fixture, 5);
    assert_int_equal(fixture->accepted_count, 1);
    assert_int_equal(fixture->last_listener, 1);
    connect_clients(fixture, 0, 1);
    turn_for(fixture, 5);
    assert_int_equal(fixture->accepted_count, 2);
    assert_int_equal(fixture->last_listener, 0);
}

static void test_a_storm_takes_several_turns(void **state)
{
    struct fixture *fixture = *state;

    connect_clients(fixture, 0, 30);
    assert_int_equal(loop_turn(fixture->loop), 0);
    assert_in_range(fixture->accepted_count, 1, 16);
    turn_for(fixture, 20);
    assert_int_equal(fixture->accepted_count, 30);
}

static void test_it_waits_until_its_owner_is_ready(void **state)
{
    struct fixture *fixture = *state;

    fixture->ready_for = 6;
    connect_clients(fixture, 0, 10);
    turn_for(fixture, 20);
    assert_int_equal(fixture->accepted_count, 6);
    connect_clients(fixture, 1, 5);
    turn_for(fixture, 20);
    assert_int_equal(fixture->accepted_count, 6);
    fixture->ready_for = 13;
    turn_for(fixture, 50);
    assert_int_equal(fixture->accepted_count, 13);
    acceptor_stop(fixture->acceptor, 4096); /* whoever is there still gets an answer */
    assert_int_equal(fixture->accepted_count, 15);
}

static void test_out_of_descriptors(void **state)
{
    struct fixture *fixture = *state;

    connect_clients(fixture, 0, 20);
    use_up_descriptors(fixture);
    assert_int_equal(loop_turn(fixture->loop), 0);
    assert_int_equal(fixture->accepted_count, 0);
    assert_int_equal(fixture->last_count, 20);
    assert_int_equal(counter_read(&fixture->counters, COUNTER_ACCEPT_ERRORS), 1);

    /* It pauses, then serves again. */
    setrlimit(RLIMIT_NOFILE, &fixture->old_limit);
    connect_clients(fixture, 0, 1);
    turn_for(fixture, 50);
    assert_int_equal(fixture->accepted_count, 0);
    turn_for(fixture, 100);
    assert_int_equal(fixture->accepted_count, 1);
    assert_int_equal(fixture->last_count, 20);
}

/* Nobody is refused, and nobody is told: they wait. */
static void test_out_of_descriptors_without_counters(void **state)
{
    struct fixture *fixture = *state;

    connect_clients(fixture, 0, 3);
    use_up_descriptors(fixture);
    turn_for(fixture, 50);
    assert_int_equal(fixture->accepted_count + fixture->last_count, 0);
    setrlimit(RLIMIT_NOFILE, &fixture->old_limit);
    turn_for(fixture, 150);
    assert_int_equal(fixture->accepted_count, 3);
    assert_int_equal(fixture->last_count, 0);
    assert_int_equal(counter_read(&fixture->counters, COUNTER_ACCEPT_ERRORS), 0);
}

/* Somebody else takes the reserve's descriptor: no answer, no spinning, and it comes back. */
static void test_out_of_descriptors_for_long(void **state)
{
    struct fixture *fixture = *state;
    struct rlimit none = fixture->old_limit;

    connect_clients(fixture, 0, 3);
    none.rlim_cur = 3; /* below the reserve's number: not even it can be used again */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    turn_for(fixture, 250);
    assert_int_equal(fixture->accepted_count + fixture->last_count, 0);
    assert_in_range(counter_read(&fixture->counters, COUNTER_ACCEPT_ERRORS), 1, 4);
    setrlimit(RLIMIT_NOFILE, &fixture->old_limit);
    turn_for(fixture, 150);
    assert_int_equal(fixture->accepted_count, 3);
    connect_clients(fixture, 0, 2);
    use_up_descriptors(fixture); /* the reserve is there again */
    turn_for(fixture, 5);
    assert_int_equal(fixture->last_count, 2);
}

static void test_stopping_empties_the_queues(void **state)
{
    struct fixture *fixture = *state;

    connect_clients(fixture, 0, 20);
    connect_clients(fixture, 1, 20);
    acceptor_stop(fixture->acceptor, 4096);
    assert_int_equal(fixture->accepted_count, 40);
    connect_clients(fixture, 0, 1);
    turn_for(fixture, 150);
    assert_int_equal(fixture->accepted_count, 40);
    acceptor_stop(fixture->acceptor, 4096);
    assert_int_equal(fixture->accepted_count, 40);
}

static void test_stopping_is_bounded(void **state)
{
    struct fixture *fixture = *state;

    connect_clients(fixture, 0, 20);
    acceptor_stop(fixture->acceptor, 5);
    assert_int_equal(fixture->accepted_count, 5);
}

static void test_stopping_while_paused(void **state)
{
    struct fixture *fixture = *state;

    connect_clients(fixture, 0, 3);
    use_up_descriptors(fixture);
    assert_int_equal(loop_turn(fixture->loop), 0);
    assert_int_equal(fixture->last_count, 3);
    setrlimit(RLIMIT_NOFILE, &fixture->old_limit);
    connect_clients(fixture, 1, 3);
    acceptor_stop(fixture->acceptor, 4096);
    assert_int_equal(fixture->accepted_count, 3);
    turn_for(fixture, 150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_says_which_listener, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_storm_takes_several_turns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_waits_until_its_owner_is_ready, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_out_of_descriptors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_out_of_descriptors_without_counters, set_up_uncounted,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_out_of_descriptors_for_long, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stopping_empties_the_queues, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stopping_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stopping_while_paused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
