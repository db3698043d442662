/* front/front_login: what is known at once, what comes later, and what never comes. */
#include "front/front_login.h"

#include "loop/loop.h"
#include "tunnel/tunnel_env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

/* ---- access/auth.h ---- */

static struct {
    enum auth_result answer;
    struct auth_check *check; /* under way */
    unsigned started;
} auth;

enum auth_result auth_check_start(struct auth_check *check, struct auth *unused,
                                  struct auth_users *users, struct loop *loop,
                                  const struct ip_address *client,
                                  const struct basic_credentials *credentials,
                                  void (*on_checked)(struct auth_check *))
{
    auth.started++;
    check->on_checked = on_checked;
    auth.check = auth.answer == AUTH_PENDING ? check : NULL;
    return auth.answer;
}

void auth_check_cancel(struct auth_check *check)
{
    if (auth.check == check)
        auth.check = NULL;
}

/* ---- the tests ---- */

struct fixture {
    struct tunnel_env env;
    struct front_login login;
};

static unsigned known;

static void count_known(struct front_login *login)
{
    known++;
}

static void set_up(struct fixture *fixture, enum auth_result answer)
{
    static char nobody_looks_inside;

    memset(fixture, 0, sizeof(*fixture));
    memset(&auth, 0, sizeof(auth));
    auth.answer = answer;
    known = 0;
    fixture->env.users = (struct auth_users *)&nobody_looks_inside;
    assert_int_equal(loop_create(&fixture->env.loop), 0);
}

static void tear_down(struct fixture *fixture)
{
    front_login_cancel(&fixture->login);
    front_login_cancel(&fixture->login);
    assert_null(auth.check);
    assert_false(deadline_is_set(&fixture->login.patience));
    loop_destroy(fixture->env.loop);
}

static bool start(struct fixture *fixture, const char *user, size_t password_length,
                  enum tunnel_error error)
{
    static const struct ip_address client = {.family = IP_V4, .bytes = {127, 0, 0, 1}};
    struct basic_credentials credentials = {.user_length = strlen(user),
                                            .password_length = password_length};
    const struct front_offer offer = {.credentials = &credentials, .error = error};

    strcpy(credentials.user, user);
    memset(credentials.password, 'x', password_length);
    return front_login_start(&fixture->login, &fixture->env, &client, &offer, count_known);
}

static void test_without_users_nobody_is_asked(void **state)
{
    struct fixture fixture;

    set_up(&fixture, AUTH_WRONG);
    assert_true(front_login_is_needed(&fixture.env));
    assert_true(start(&fixture, "alice", 5, TUNNEL_ERROR_NONE));
    fixture.env.users = NULL;
    assert_false(front_login_is_needed(&fixture.env));
    assert_true(start(&fixture, "alice", 5, TUNNEL_ERROR_NONE));
    assert_int_equal(fixture.login.error, TUNNEL_ERROR_NONE);
    assert_null(front_login_user(&fixture.login));
    assert_int_equal(auth.started, 1);
    tear_down(&fixture);
}

static void test_what_is_known_at_once(void **state)
{
    static const struct {
        enum auth_result answer;
        enum tunnel_error error;
        bool is_long_told; /* that bcrypt does not take all of a password */
    } rows[] = {
        {AUTH_GRANTED, TUNNEL_ERROR_NONE, false},
        {AUTH_WRONG, TUNNEL_ERROR_AUTH_WRONG, true},
        {AUTH_WRONG_AGAIN, TUNNEL_ERROR_AUTH_WRONG_AGAIN, false},
        {AUTH_THROTTLED, TUNNEL_ERROR_AUTH_THROTTLED, false},
        {AUTH_BUSY, TUNNEL_ERROR_AUTH_BUSY, false},
    };
    struct fixture fixture;

    for (size_t i = 0; i < 2 * ARRAY_LENGTH(rows); i++) {
        bool is_long = i % 2 == 1;

        set_up(&fixture, rows[i / 2].answer);
        assert_true(start(&fixture, "alice", is_long ? 73 : 72, TUNNEL_ERROR_NONE));
        assert_int_equal(fixture.login.error, rows[i / 2].error);
        assert_int_equal(fixture.login.details != NULL, is_long && rows[i / 2].is_long_told);
        assert_string_equal(front_login_user(&fixture.login), "alice");
        assert_false(deadline_is_set(&fixture.login.patience));
        assert_int_equal(known, 0);
        tear_down(&fixture);
    }
}

static void test_what_can_not_be_checked(void **state)
{
    struct fixture fixture;

    set_up(&fixture, AUTH_GRANTED);
    assert_true(start(&fixture, "alice", 0, TUNNEL_ERROR_AUTH_LONG_PASSWORD));
    assert_int_equal(fixture.login.error, TUNNEL_ERROR_AUTH_LONG_PASSWORD);
    assert_string_equal(front_login_user(&fixture.login), "alice");
    tear_down(&fixture);

    set_up(&fixture, AUTH_GRANTED);
    assert_true(start(&fixture, "", 0, TUNNEL_ERROR_AUTH_SCHEME));
    assert_int_equal(fixture.login.error, TUNNEL_ERROR_AUTH_SCHEME);
    assert_null(front_login_user(&fixture.login));
    assert_int_equal(auth.started, 0);
    tear_down(&fixture);
}

static void test_an_answer_that_comes_later(void **state)
{
    struct fixture fixture;

    set_up(&fixture, AUTH_PENDING);
    assert_false(start(&fixture, "alice", 5, TUNNEL_ERROR_NONE));
    assert_true(deadline_is_set(&fixture.login.patience));
    struct auth_check *check = auth.check;
    auth.check = NULL;
    check->result = AUTH_WRONG;
    check->on_checked(check);
    assert_int_equal(known, 1);
    assert_int_equal(fixture.login.error, TUNNEL_ERROR_AUTH_WRONG);
    assert_false(deadline_is_set(&fixture.login.patience));
    tear_down(&fixture);
}

static void test_an_answer_that_does_not_come(void **state)
{
    struct fixture fixture;

    set_up(&fixture, AUTH_PENDING);
    assert_false(start(&fixture, "alice", 5, TUNNEL_ERROR_NONE));
    assert_int_equal(fixture.login.patience.at_ms, loop_now_ms(fixture.env.loop) + 10000);
    fixture.login.patience.on_passed(&fixture.login.patience);
    assert_int_equal(known, 1);
    assert_null(auth.check);
    assert_int_equal(fixture.login.error, TUNNEL_ERROR_AUTH_BUSY);
    tear_down(&fixture);
}

static void test_nobody_waits_any_more(void **state)
{
    struct fixture fixture;

    set_up(&fixture, AUTH_PENDING);
    assert_false(start(&fixture, "alice", 5, TUNNEL_ERROR_NONE));
    tear_down(&fixture);
    assert_int_equal(known, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_users_nobody_is_asked),
        cmocka_unit_test(test_what_is_known_at_once),
        cmocka_unit_test(test_what_can_not_be_checked),
        cmocka_unit_test(test_an_answer_that_comes_later),
        cmocka_unit_test(test_an_answer_that_does_not_come),
        cmocka_unit_test(test_nobody_waits_any_more),
    };
    return cmocka_run_group_tests_name("front/front_login", tests, NULL, NULL);
}
