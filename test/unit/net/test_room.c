/* net/room: units, who makes room, and guests that leave at every stage. */
#include "net/room.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>

enum { GUESTS = 600 };

static struct loop *loop;
static struct loop *other_loop;
static struct room *room;
static struct room_guest guests[GUESTS];
static unsigned displaced[GUESTS]; /* how often */
static unsigned displaced_count;

static int set_up(void **state)
{
    (void)state;
    room = NULL;
    displaced_count = 0;
    memset(guests, 0, sizeof(guests));
    memset(displaced, 0, sizeof(displaced));
    return loop_create(&loop) < 0 || loop_create(&other_loop) < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < GUESTS; i++)
        (void)!room_unregister(&guests[i]);
    while (room_taken(room) > 0)
        room_give_back(room);
    room_destroy(room);
    loop_destroy(loop);
    loop_destroy(other_loop);
    return 0;
}

static void make(uint32_t limit)
{
    assert_int_equal(room_create(limit, &room), 0);
}

static void on_displaced(struct room_guest *guest)
{
    displaced[guest - guests]++;
    displaced_count++;
}

static void come_on(struct loop *its_loop, unsigned guest, unsigned client)
{
    const uint8_t bytes[4] = {10, 0, (uint8_t)(client >> 8), (uint8_t)client};
    struct ip_address address = ip_address_from_v4(bytes);

    assert_int_equal(room_take(room, its_loop), 0);
    room_register(room, &guests[guest], its_loop, &address, on_displaced);
}

static void come(unsigned guest, unsigned client)
{
    come_on(loop, guest, client);
}

static void without_guests_full_is_full(void **state)
{
    (void)state;
    make(2);
    assert_int_equal(room_take(room, loop), 0);
    assert_int_equal(room_take(room, loop), 0);
    assert_int_equal(room_take(room, loop), -ENOSPC);
    room_give_back(room);
    assert_int_equal(room_take(room, loop), 0);
    assert_int_equal(room_taken(room), 2);
}

static void spares_leave_half(void **state)
{
    (void)state;
    make(5);
    assert_true(room_take_spare(room));
    assert_true(room_take_spare(room));
    assert_false(room_take_spare(room));
    assert_int_equal(room_take(room, loop), 0);
    assert_false(room_take_spare(room));
    for (unsigned i = 0; i < 3; i++)
        room_give_back(room);
    assert_true(room_take_spare(room));
}

static void the_oldest_of_the_client_with_most_makes_room(void **state)
{
    (void)state;
    make(6);
    come(0, 1); /* the oldest of all, but its client has only one */
    come(1, 2);
    come(2, 3);
    come(3, 2);
    come(4, 3);
    come(5, 3);
    assert_int_equal(displaced_count, 0);
    assert_int_equal(room_take(room, loop), 0);
    assert_int_equal(displaced[2], 1);
    assert_int_equal(room_take(room, loop), 0); /* 2 and 3 have two each now */
    assert_int_equal(displaced[1] + displaced[4], 1);
    assert_int_equal(room_take(room, loop), 0);
    assert_int_equal(displaced[1] + displaced[4], 2);
    assert_int_equal(displaced[0], 0);
    assert_int_equal(room_taken(room), 6);
}

/* Clients with very many are told apart too. */
static void many_of_two_clients(void **state)
{
    (void)state;
    make(GUESTS);
    for (unsigned i = 0; i < 300; i++)
        come(i, 1);
    for (unsigned i = 300; i < GUESTS; i++)
        come(i, 300 + i % 2);
    for (unsigned i = 0; i < 150; i++)
        assert_int_equal(room_take(room, loop), 0);
    for (unsigned i = 0; i < 150; i++)
        assert_int_equal(displaced[i], 1);
    for (unsigned i = 0; i < 300; i++)
        assert_int_equal(room_take(room, loop), 0);
    unsigned left[3] = {0};
    for (unsigned i = 150; i < GUESTS; i++)
        left[i < 300 ? 2 : i % 2] += !displaced[i];
    for (unsigned i = 0; i < 3; i++)
        assert_in_range(left[i], 49, 51);
}

static void a_v6_network_is_one_client(void **state)
{
    const uint8_t bytes[16] = {0x20, 1, 0xd, 0xb8};

    (void)state;
    make(5);
    come(0, 1);
    come(1, 1);
    for (unsigned i = 2; i < 5; i++) {
        struct ip_address address = ip_address_from_v6(bytes);
        address.bytes[15] = (uint8_t)i;
        assert_int_equal(room_take(room, loop), 0);
        room_register(room, &guests[i], loop, &address, on_displaced);
    }
    assert_int_equal(room_take(room, loop), 0);
    assert_int_equal(displaced[2], 1);
}

static void who_is_no_guest_any_more_stays(void **state)
{
    (void)state;
    make(2);
    come(0, 1);
    come(1, 1);
    assert_true(room_unregister(&guests[0]));
    assert_true(room_unregister(&guests[0]));
    assert_int_equal(room_take(room, loop), 0);
    assert_int_equal(displaced[1], 1);
    assert_int_equal(room_take(room, loop), -ENOSPC);
    assert_false(room_unregister(&guests[1]));
}

static void another_loop_gets_a_letter(void **state)
{
    (void)state;
    make(2);
    come_on(other_loop, 0, 1);
    come_on(other_loop, 1, 1);
    assert_int_equal(room_take(room, loop), 0);
    assert_int_equal(room_take(room, loop), 0);
    assert_int_equal(displaced_count, 0);
    assert_false(room_unregister(&guests[1])); /* before its letter came */
    assert_int_equal(loop_turn(other_loop), 0);
    assert_int_equal(displaced[0], 1);
    assert_int_equal(displaced[1], 0);
    assert_false(room_unregister(&guests[0]));
}

/* Those who live on without a unit take descriptors nevertheless. */
static void letters_on_their_way_are_few(void **state)
{
    unsigned granted = 0;

    (void)state;
    make(50);
    for (unsigned i = 0; i < 50; i++)
        come_on(i < 48 ? other_loop : loop, i, 1);
    int error;
    while ((error = room_take(room, loop)) == 0)
        granted++;
    assert_int_equal(error, -EAGAIN); /* the others would make room */
    assert_int_equal(granted, 8 + 2);
    assert_int_equal(displaced[48] + displaced[49], 2);
    assert_int_equal(loop_turn(other_loop), 0);
    assert_int_equal(displaced_count, 8 + 2);
    assert_int_equal(room_take(room, loop), 0);
    assert_int_equal(room_take(room, other_loop), 0);
}

/* ---- threads ---- */

struct racer {
    pthread_t id;
    struct loop *loop;
    unsigned client, lost;
    struct room_guest guests[20];
    bool has_unit[20];
};

static void race_lost(struct room_guest *guest)
{
    (void)guest; /* the racer hears of it when it unregisters */
}

static void *race(void *self)
{
    struct racer *racer = self;
    const uint8_t bytes[4] = {10, 0, 0, (uint8_t)racer->client};
    struct ip_address address = ip_address_from_v4(bytes);

    for (unsigned round = 0; round < 20000; round++) {
        unsigned i = (round * 7 + round / 13) % ARRAY_LENGTH(racer->guests);

        if (racer->has_unit[i]) {
            if (room_unregister(&racer->guests[i]))
                room_give_back(room);
            else
                racer->lost++;
            racer->has_unit[i] = false;
        } else if (room_take(room, racer->loop) == 0) {
            racer->has_unit[i] = true;
            room_register(room, &racer->guests[i], racer->loop, &address, race_lost);
        }
    }
    for (unsigned i = 0; i < ARRAY_LENGTH(racer->guests); i++)
        if (racer->has_unit[i] && room_unregister(&racer->guests[i]))
            room_give_back(room);
    return NULL;
}

static void threads_lose_no_unit(void **state)
{
    static struct racer racers[4];

    (void)state;
    make(30);
    for (unsigned i = 0; i < ARRAY_LENGTH(racers); i++) {
        racers[i] = (struct racer){.client = i};
        assert_int_equal(loop_create(&racers[i].loop), 0);
        assert_int_equal(pthread_create(&racers[i].id, NULL, race, &racers[i]), 0);
    }
    for (unsigned i = 0; i < ARRAY_LENGTH(racers); i++)
        pthread_join(racers[i].id, NULL);
    for (unsigned i = 0; i < ARRAY_LENGTH(racers); i++)
        loop_destroy(racers[i].loop);
    assert_int_equal(room_taken(room), 0);
}

#define ROOM_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROOM_TEST(without_guests_full_is_full),
        ROOM_TEST(spares_leave_half),
        ROOM_TEST(the_oldest_of_the_client_with_most_makes_room),
        ROOM_TEST(many_of_two_clients),
        ROOM_TEST(a_v6_network_is_one_client),
        ROOM_TEST(who_is_no_guest_any_more_stays),
        ROOM_TEST(another_loop_gets_a_letter),
        ROOM_TEST(letters_on_their_way_are_few),
        ROOM_TEST(threads_lose_no_unit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
