/* The door: right and wrong, what each costs in hashes, the memory of successes, the throttle, the
 * queue's bound, leaving at every stage, and many threads at once (for the thread sanitizer). */
#include "access/auth.h"

#include "observe/counters.h"
#include "system/clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { CHECKS = 400, THREADS = 4 };

/* Each of the password "right". */
#define QUICK                                                                                      \
    "$6$rounds=1000$salt$yiW6N.84VzeTC0bx5oZcI6R7GA6ccCfWQfaJEjLTn3tSOj35.DFqvDPhk41tF8IpdfgKnp"   \
    "LGt5EmXsjEnq0Dy."
#define SLOW "$2b$08$abcdefghijklmnopqrstuuM7WmALSPQG/ubL8NksTdR4H7Y2WXZ.."

static const struct auth_user user_rows[] = {
    {"alice", QUICK}, {"bob", QUICK}, {"slow", SLOW}, {"alice", SLOW /* never counts */}};

static struct loop *loop;
static struct auth *auth;
static struct auth_users *users;
static struct auth_check checks[CHECKS];
static unsigned answered;

static int set_up(void **state)
{
    (void)state;
    memset(checks, 0, sizeof(checks));
    answered = 0;
    if (loop_create(&loop) < 0 || auth_create(&auth) < 0)
        return -1;
    return auth_users_create(user_rows, ARRAY_LENGTH(user_rows), 2, true, &users);
}

static int tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CHECKS; i++)
        auth_check_cancel(&checks[i]);
    auth_destroy(auth);
    auth_users_release(users);
    loop_destroy(loop);
    return 0;
}

static unsigned hashes(void)
{
    return (unsigned)counter_read(auth_counters(auth), COUNTER_AUTH_HASHES);
}

static struct basic_credentials credentials_of(const char *user, const char *password)
{
    struct basic_credentials credentials = {.user_length = strlen(user),
                                            .password_length = strlen(password)};

    strcpy(credentials.user, user);
    strcpy(credentials.password, password);
    return credentials;
}

static struct ip_address client_of(uint8_t last)
{
    const uint8_t bytes[4] = {10, 0, 0, last};

    return ip_address_from_v4(bytes);
}

static void on_checked(struct auth_check *check)
{
    (void)check;
    answered++;
}

static enum auth_result start(unsigned check, uint8_t last, const char *user, const char *password)
{
    struct basic_credentials credentials = credentials_of(user, password);
    struct ip_address client = client_of(last);

    return auth_check_start(&checks[check], auth, users, loop, &client, &credentials, on_checked);
}

static void wait_for(unsigned count)
{
    while (answered < count)
        assert_int_equal(loop_turn(loop), 0);
}

static enum auth_result ask(uint8_t last, const char *user, const char *password)
{
    enum auth_result result = start(0, last, user, password);

    if (result != AUTH_PENDING)
        return result;
    wait_for(answered + 1);
    return (enum auth_result)checks[0].result;
}

/* Valid until the next call. */
static const char *guess(unsigned number)
{
    static char text[16];

    snprintf(text, sizeof(text), "guess%u", number);
    return text;
}

/* ---- what happens on a helper, in which order ---- */

static const char secret[] = "right";
static _Atomic int copies; /* of the secret that were wiped */
static _Atomic int copies_when_told;
static _Atomic unsigned hashes_when_told; /* checks[0]'s answer */

static void count_copy(const void *bytes, size_t length)
{
    if (length == BASIC_PASSWORD_MAX + 1 && memcmp(bytes, secret, sizeof(secret)) == 0)
        copies++;
}

void __real_explicit_bzero(void *bytes, size_t length);
void __wrap_explicit_bzero(void *bytes, size_t length);
void __wrap_explicit_bzero(void *bytes, size_t length)
{
    count_copy(bytes, length);
    __real_explicit_bzero(bytes, length);
}

/* What _FORTIFY_SOURCE makes of it; `room` is the size of what is wiped. */
void __real___explicit_bzero_chk(void *bytes, size_t length, size_t room);
void __wrap___explicit_bzero_chk(void *bytes, size_t length, size_t room);
void __wrap___explicit_bzero_chk(void *bytes, size_t length, size_t room)
{
    count_copy(bytes, length);
    __real___explicit_bzero_chk(bytes, length, room);
}

void __real_letter_post(struct loop *at, struct letter *letter);
void __wrap_letter_post(struct loop *at, struct letter *letter);
void __wrap_letter_post(struct loop *at, struct letter *letter)
{
    copies_when_told = copies;
    if (letter == &checks[0].letter)
        hashes_when_told = hashes();
    __real_letter_post(at, letter);
}

static void the_password_is_wiped_before_anybody_is_told(void **state)
{
    (void)state;
    copies = 0;
    assert_int_equal(ask(1, "alice", secret), AUTH_GRANTED);
    assert_int_equal(copies_when_told, 1);
}

static void right_and_wrong_cost_one_hash(void **state)
{
    (void)state;
    assert_int_equal(ask(1, "alice", "right"), AUTH_GRANTED);
    assert_int_equal(hashes(), 1);
    assert_int_equal(ask(1, "alice", "wrong"), AUTH_WRONG);
    assert_int_equal(hashes(), 2);
    assert_int_equal(ask(1, "nobody", "right"), AUTH_WRONG);
    assert_int_equal(hashes(), 3);
    assert_int_equal(ask(1, "Alice", "right"), AUTH_WRONG); /* case counts */
    assert_int_equal(hashes(), 4);
    assert_int_equal(ask(1, "", ""), AUTH_WRONG);
    assert_int_equal(hashes(), 5);
    assert_int_equal(ask(1, "slow", "right"), AUTH_GRANTED);
    assert_int_equal(hashes(), 6);
}

static void successes_and_guesses_are_remembered(void **state)
{
    (void)state;
    assert_int_equal(ask(1, "alice", "right"), AUTH_GRANTED);
    assert_int_equal(start(1, 2, "alice", "right"), AUTH_GRANTED); /* at once, for anybody */
    assert_int_equal(ask(1, "bob", "right"), AUTH_GRANTED);
    assert_int_equal(hashes(), 2);
    assert_int_equal(ask(1, "bob", "wrong"), AUTH_WRONG);
    for (unsigned i = 0; i < 30; i++)
        assert_int_equal(ask(1, "bob", "wrong"), AUTH_WRONG_AGAIN); /* one guess */
    assert_int_equal(hashes(), 3);
    assert_int_equal(ask(2, "bob", "wrong"), AUTH_WRONG); /* another client's */
    assert_int_equal(hashes(), 4);
    assert_int_equal(ask(1, "bob", "other"), AUTH_WRONG);
    assert_int_equal(hashes(), 5);
}

/* The bytes of name and password are not simply strung together. */
static void the_memory_knows_where_the_name_ends(void **state)
{
    const struct auth_user rows[] = {{"ab", QUICK}, {"a", QUICK}};

    (void)state;
    auth_users_release(users);
    assert_int_equal(auth_users_create(rows, 2, 0, false, &users), 0);
    assert_int_equal(ask(1, "ab", "right"), AUTH_GRANTED);
    assert_int_equal(ask(1, "a", "bright"), AUTH_WRONG);
}

static void a_changed_file_forgets(void **state)
{
    const struct auth_user rows[] = {{"bob", QUICK}, {"alice", SLOW}};

    (void)state;
    assert_int_equal(ask(1, "alice", "right"), AUTH_GRANTED);
    assert_int_equal(ask(1, "bob", "right"), AUTH_GRANTED);
    auth_users_release(users);
    assert_int_equal(auth_users_create(rows, 2, 1, true, &users), 0);
    assert_int_equal(ask(1, "bob", "right"), AUTH_GRANTED);
    assert_int_equal(hashes(), 2);
    assert_int_equal(ask(1, "alice", "right"), AUTH_GRANTED);
    assert_int_equal(hashes(), 3);

    auth_users_release(users);
    assert_int_equal(auth_users_create(rows, 1, 0, false, &users), 0);
    assert_int_equal(ask(1, "alice", "right"), AUTH_WRONG);
}

static void without_users_nobody_enters(void **state)
{
    (void)state;
    auth_users_release(users);
    assert_int_equal(auth_users_create(NULL, 0, 0, false, &users), 0);
    assert_int_equal(ask(1, "alice", "right"), AUTH_WRONG);
    assert_int_equal(hashes(), 0);
}

static void a_nul_is_not_the_end_of_a_password(void **state)
{
    struct basic_credentials credentials = credentials_of("alice", "right");
    struct ip_address client = client_of(1);

    (void)state;
    credentials.password_length = 8;
    assert_int_equal(
        auth_check_start(&checks[0], auth, users, loop, &client, &credentials, on_checked),
        AUTH_WRONG);
}

static void the_eleventh_failure_is_throttled(void **state)
{
    (void)state;
    assert_int_equal(ask(1, "alice", "right"), AUTH_GRANTED);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(ask(1, i % 2 ? "alice" : "nobody", guess(i)), AUTH_WRONG);
    assert_int_equal(hashes(), 11);
    assert_int_equal(ask(1, "alice", guess(1)), AUTH_THROTTLED);
    assert_int_equal(ask(1, "bob", "right"), AUTH_THROTTLED);
    assert_int_equal(ask(1, "alice", "right"), AUTH_GRANTED); /* remembered */
    assert_int_equal(hashes(), 11);
    assert_int_equal(ask(2, "bob", "right"), AUTH_GRANTED); /* another address */
}

static void equal_questions_share_a_hash(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CHECKS; i++)
        assert_int_equal(start(i, 1, "slow", "right"), AUTH_PENDING);
    wait_for(CHECKS);
    for (unsigned i = 0; i < CHECKS; i++)
        assert_int_equal(checks[i].result, AUTH_GRANTED);
    assert_int_equal(hashes(), 1);
}

/* A client that sends one wrong password again and again is misconfigured, and no danger. */
static void equal_failures_count_once_a_client(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(start(i, i < 5 ? 1 : 2, "slow", "wrong"), AUTH_PENDING);
    wait_for(10);
    assert_int_equal(hashes(), 1);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(checks[i].result, i % 5 == 0 ? AUTH_WRONG : AUTH_WRONG_AGAIN);
    for (unsigned i = 0; i < 9; i++) {
        assert_int_equal(ask(1, "slow", "wrong"), AUTH_WRONG_AGAIN);
        assert_int_equal(ask(1, "alice", guess(i)), AUTH_WRONG);
        assert_int_equal(ask(2, "alice", guess(i)), AUTH_WRONG);
    }
    assert_int_equal(ask(1, "alice", guess(9)), AUTH_THROTTLED);
    assert_int_equal(ask(2, "alice", guess(9)), AUTH_THROTTLED);
}

/* Guesses that all came before the first one failed: hashed until the throttle knows. */
static void the_queue_is_bounded_and_throttled(void **state)
{
    unsigned pending = 0, busy = 0, throttled = 0;
    (void)state;
    for (unsigned i = 0; i < CHECKS; i++) {
        enum auth_result result = start(i, 1, "slow", guess(i));

        pending += result == AUTH_PENDING;
        busy += result == AUTH_BUSY;
    }
    assert_int_equal(pending + busy, CHECKS);
    assert_in_range(pending, 256, 300); /* a few were hashed meanwhile */
    wait_for(pending);
    for (unsigned i = 0; i < CHECKS; i++) {
        throttled += checks[i].result == AUTH_THROTTLED;
    }
    assert_in_range(hashes(), 10, 11); /* the second helper had begun */
    assert_int_equal(throttled, pending - hashes());
    assert_int_equal(ask(2, "alice", "right"), AUTH_GRANTED);
}

static char names[250][8];

/* Slow ones, and alice. */
static unsigned use_many_users(void)
{
    struct auth_user rows[ARRAY_LENGTH(names) + 1];
    unsigned count = ARRAY_LENGTH(names);

    for (unsigned i = 0; i < count; i++) {
        snprintf(names[i], sizeof(names[i]), "u%u", i);
        rows[i] = (struct auth_user){names[i], SLOW};
    }
    rows[count] = (struct auth_user){"alice", QUICK};
    auth_users_release(users);
    assert_int_equal(auth_users_create(rows, count + 1, 0, true, &users), 0);
    return count;
}

/* A company behind one address logs in at once; somebody else is next all the same. */
static void assert_is_soon_in(const char *user)
{
    unsigned count = use_many_users();

    for (unsigned i = 1; i <= count; i++)
        assert_int_equal(start(i, 1, names[i - 1], "right"), AUTH_PENDING);
    assert_int_equal(start(0, 2, user, "right"), AUTH_PENDING);
    unsigned since = hashes();
    wait_for(count + 1);
    assert_in_range(hashes_when_told, 1, since + 100); /* a few, on a busy machine more */
    for (unsigned i = 0; i <= count; i++)
        assert_int_equal(checks[i].result, AUTH_GRANTED);
}

static void a_client_has_a_line_of_its_own(void **state)
{
    (void)state;
    assert_is_soon_in("alice");
}

/* It stands in the line of each who asks it. */
static void what_another_asked_first_waits_in_both_lines(void **state)
{
    (void)state;
    assert_is_soon_in("u249");
}

/* One that guesses asks the right password in the end, and is throttled; so does another client,
 * which waits for its turn much longer. */
static void another_clients_guesses_throttle_nobody(void **state)
{
    enum { GUESSES = 20, OTHERS = 60, LAST = GUESSES + OTHERS };

    (void)state;
    use_many_users();
    for (unsigned i = 0; i < GUESSES; i++)
        assert_int_equal(start(i, 1, "u0", guess(i)), AUTH_PENDING);
    for (unsigned i = GUESSES; i < LAST; i++)
        assert_int_equal(start(i, 2, names[i], "right"), AUTH_PENDING);
    assert_int_equal(start(LAST, 1, "u0", "right"), AUTH_PENDING);
    assert_int_equal(start(LAST + 1, 2, "u0", "right"), AUTH_PENDING);
    wait_for(LAST + 2);
    assert_int_equal(checks[LAST].result, AUTH_THROTTLED);
    assert_int_equal(checks[LAST + 1].result, AUTH_GRANTED);
    assert_int_equal(start(LAST, 1, "u0", "right"), AUTH_GRANTED); /* remembered */
}

static void a_full_line_is_no_other_clients(void **state)
{
    (void)state;
    for (unsigned i = 1; i < CHECKS; i++)
        assert_int_not_equal(start(i, 1, "slow", guess(i)), AUTH_GRANTED);
    assert_int_equal(ask(2, "alice", "right"), AUTH_GRANTED);
}

static void whoever_leaves_the_queue_costs_nothing(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(start(i, (uint8_t)i, "slow", guess(i)), AUTH_PENDING);
    }
    for (unsigned i = 0; i < 20; i++)
        auth_check_cancel(&checks[i]);
    assert_int_equal(ask(99, "alice", "right"), AUTH_GRANTED);
    assert_in_range(hashes(), 1, 1 + 2 + 1); /* those that ran already */
}

/* A guess that is being hashed counts though the guesser hung up. */
static void leaving_early_is_no_free_guess(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(start(i, 1, "alice", guess(i)), AUTH_PENDING);
        while (hashes() == i)
            usleep(100);
        auth_check_cancel(&checks[i]);
    }
    assert_int_equal(answered, 0);
    for (unsigned i = 10; ask(1, "alice", guess(i)) != AUTH_THROTTLED; i++)
        assert_true(hashes() < 20);
    assert_in_range(hashes(), 10, 11); /* the tenth may still have been at work */
}

/* The letter is posted, not delivered. */
static void whoever_was_just_answered_may_leave(void **state)
{
    (void)state;
    assert_int_equal(start(1, 1, "alice", "right"), AUTH_PENDING);
    while (start(2, 1, "alice", "right") == AUTH_PENDING) {
        auth_check_cancel(&checks[2]);
        usleep(100);
    }
    auth_check_cancel(&checks[1]);
    auth_check_cancel(&checks[1]);
    assert_int_equal(ask(1, "bob", "right"), AUTH_GRANTED);
    assert_int_equal(answered, 1);
}

/* ---- what the time of an answer tells ---- */

static uint64_t answer_us(uint8_t last, const char *user, const char *password,
                          enum auth_result expected)
{
    uint64_t began_us = clock_monotonic_us();

    assert_int_equal(ask(last, user, password), expected);
    return clock_monotonic_us() - began_us;
}

/* The least of some, which a busy machine makes no less. */
static uint64_t costliest_us(void)
{
    uint64_t least_us = UINT64_MAX;

    for (uint8_t i = 0; i < 5; i++) {
        uint64_t took_us = answer_us((uint8_t)(100 + i), "nobody", guess(i), AUTH_WRONG);

        least_us = took_us < least_us ? took_us : least_us;
    }
    return least_us;
}

static void a_wrong_answer_comes_as_late_as_the_costliest(void **state)
{
    uint64_t least_us = costliest_us() * 9 / 10;

    (void)state;
    for (uint8_t i = 0; i < 5; i++) {
        assert_true(answer_us(i, "alice", "wrong", AUTH_WRONG) >= least_us);
        assert_true(answer_us(i, "alice", "wrong", AUTH_WRONG_AGAIN) >= least_us);
        assert_true(answer_us(i, "nobody", "wrong", AUTH_WRONG) >= least_us);
    }
}

/* Whoever asks the same meanwhile does not see the end of the hash. */
static void a_second_question_is_held_back_from_its_own_start(void **state)
{
    uint64_t least_us = costliest_us() * 9 / 10;
    uint64_t began_us;

    (void)state;
    unsigned before = hashes();
    assert_int_equal(start(1, 1, "alice", "wrong"), AUTH_PENDING);
    while (hashes() == before)
        usleep(100);
    usleep(3000); /* her hash is done, most likely */
    began_us = clock_monotonic_us();
    assert_int_equal(start(2, 2, "alice", "wrong"), AUTH_PENDING);
    answered = 0;
    while (checks[2].auth != NULL)
        assert_int_equal(loop_turn(loop), 0);
    assert_true(clock_monotonic_us() - began_us >= least_us);
}

/* One that repeats what it knows to be wrong has few connections by it; others are held back as
 * before, and so is the client once its answers are out. */
static void few_answers_are_held_back_for_a_client(void **state)
{
    (void)state;
    costliest_us();
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(ask(1, "slow", "wrong"), round == 0 ? AUTH_WRONG : AUTH_WRONG_AGAIN);
        answered = 0;
        for (unsigned i = 1; i <= 16; i++)
            assert_int_equal(start(i, 1, "slow", "wrong"), AUTH_PENDING);
        assert_int_equal(start(17, 1, "slow", "wrong"), AUTH_THROTTLED);
        assert_int_equal(start(18, 2, "slow", "wrong"), AUTH_PENDING);
        auth_check_cancel(&checks[1]);
        assert_int_equal(start(17, 1, "slow", "wrong"), AUTH_PENDING);
        wait_for(16 + 1);
    }
    assert_int_equal(ask(1, "alice", "right"), AUTH_GRANTED);
}

static void whoever_is_held_back_may_leave(void **state)
{
    (void)state;
    costliest_us();
    answered = 0;
    assert_int_equal(start(1, 1, "alice", "wrong"), AUTH_PENDING);
    while (checks[1].auth != NULL && !deadline_is_set(&checks[1].deadline))
        assert_int_equal(loop_turn(loop), 0);
    assert_int_equal(answered, 0);
    auth_check_cancel(&checks[1]);
    assert_int_equal(start(1, 1, "alice", "wrong"), AUTH_PENDING); /* remembered */
    auth_check_cancel(&checks[1]);
    assert_int_equal(ask(1, "alice", "right"), AUTH_GRANTED);
    assert_int_equal(answered, 1);
}

/* ---- many threads ---- */

struct racer {
    pthread_t id;
    struct loop *loop;
    unsigned index, waiting, granted, wrong;
    struct auth_check checks[16];
};

static struct racer *racer_of(struct auth_check *check)
{
    return container_of(check - check->client.bytes[3], struct racer, checks[0]);
}

static void race_checked(struct auth_check *check)
{
    struct racer *racer = racer_of(check);

    racer->waiting--;
    racer->granted += check->result == AUTH_GRANTED;
    racer->wrong += check->result == AUTH_WRONG;
}

static void race_once(struct racer *racer, unsigned round)
{
    for (unsigned i = 0; i < ARRAY_LENGTH(racer->checks); i++) {
        const uint8_t bytes[4] = {10, (uint8_t)round, (uint8_t)racer->index, (uint8_t)i};
        struct ip_address client = ip_address_from_v4(bytes);
        struct basic_credentials credentials =
            credentials_of(i % 2 ? "alice" : "bob", i % 3 ? "right" : "wrong");
        enum auth_result result = auth_check_start(&racer->checks[i], auth, users, racer->loop,
                                                   &client, &credentials, race_checked);

        racer->waiting += result == AUTH_PENDING;
        racer->granted += result == AUTH_GRANTED;
    }
    auth_check_cancel(&racer->checks[round % 16]);
    for (unsigned i = 0; i < 3; i++)
        usleep(200);
    unsigned left = 0;
    for (unsigned i = 0; i < ARRAY_LENGTH(racer->checks); i++)
        left += racer->checks[i].auth != NULL;
    racer->waiting = left;
    while (racer->waiting > 0)
        assert_int_equal(loop_turn(racer->loop), 0);
}

static void *race(void *self)
{
    for (unsigned round = 0; round < 20; round++)
        race_once(self, round);
    return NULL;
}

static void threads_do_not_meet(void **state)
{
    static struct racer racers[THREADS];

    (void)state;
    for (unsigned i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){.index = i};
        assert_int_equal(loop_create(&racers[i].loop), 0);
        assert_int_equal(pthread_create(&racers[i].id, NULL, race, &racers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(racers[i].id, NULL);
        loop_destroy(racers[i].loop);
        assert_in_range(racers[i].granted, 9 * 20, 10 * 20);
        assert_true(racers[i].wrong > 0);
    }
}

#define AUTH_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AUTH_TEST(the_password_is_wiped_before_anybody_is_told),
        AUTH_TEST(right_and_wrong_cost_one_hash),
        AUTH_TEST(successes_and_guesses_are_remembered),
        AUTH_TEST(the_memory_knows_where_the_name_ends),
        AUTH_TEST(a_changed_file_forgets),
        AUTH_TEST(without_users_nobody_enters),
        AUTH_TEST(a_nul_is_not_the_end_of_a_password),
        AUTH_TEST(the_eleventh_failure_is_throttled),
        AUTH_TEST(equal_questions_share_a_hash),
        AUTH_TEST(equal_failures_count_once_a_client),
        AUTH_TEST(the_queue_is_bounded_and_throttled),
        AUTH_TEST(a_client_has_a_line_of_its_own),
        AUTH_TEST(what_another_asked_first_waits_in_both_lines),
        AUTH_TEST(another_clients_guesses_throttle_nobody),
        AUTH_TEST(a_full_line_is_no_other_clients),
        AUTH_TEST(whoever_leaves_the_queue_costs_nothing),
        AUTH_TEST(leaving_early_is_no_free_guess),
        AUTH_TEST(whoever_was_just_answered_may_leave),
        AUTH_TEST(a_wrong_answer_comes_as_late_as_the_costliest),
        AUTH_TEST(a_second_question_is_held_back_from_its_own_start),
        AUTH_TEST(few_answers_are_held_back_for_a_client),
        AUTH_TEST(whoever_is_held_back_may_leave),
        AUTH_TEST(threads_do_not_meet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
