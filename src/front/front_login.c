/* Finds out who asks. The answer of auth comes at once (a success that is remembered, or a queue
 * that is full), or later by a letter. If it does not come within the time that a check may take,
 * the check is cancelled and the client is told that there are too many.
 */
#include "front/front_login.h"

#include "tunnel/tunnel_env.h"

#include <string.h>

/* Every wait has an end, and so has the wait for a password to be hashed. */
static const uint64_t login_wait_ms = 10 * 1000;

/* bcrypt ignores what follows in a longer password; the client is told so when it is wrong. */
static const size_t bcrypt_password_max = 72;

bool front_login_is_needed(const struct tunnel_env *env)
{
    return env->users != NULL;
}

const char *front_login_user(const struct front_login *login)
{
    return login->has_user ? login->user : NULL;
}

/* A client that offers credentials must have the right ones, whether a rule asks for them or
 * not. */
static void front_login_conclude(struct front_login *login, enum auth_result result)
{
    static const enum tunnel_error errors[] = {
        [AUTH_GRANTED] = TUNNEL_ERROR_NONE,
        [AUTH_WRONG] = TUNNEL_ERROR_AUTH_WRONG,
        [AUTH_WRONG_AGAIN] = TUNNEL_ERROR_AUTH_WRONG_AGAIN,
        [AUTH_THROTTLED] = TUNNEL_ERROR_AUTH_THROTTLED,
        [AUTH_BUSY] = TUNNEL_ERROR_AUTH_BUSY,
        [AUTH_PENDING] = TUNNEL_ERROR_AUTH_BUSY, /* there was no answer in time */
    };
    static_assert(ARRAY_LENGTH(errors) == AUTH_RESULT_COUNT, "an error per result");
    static const char cut[] = "the user name or the password is wrong (bcrypt takes only the first "
                              "72 bytes of a password, and this one is longer)";

    deadline_cancel(login->loop, &login->patience);
    login->error = errors[result];
    if (result == AUTH_WRONG && login->is_password_long)
        login->details = cut;
}

static void front_login_checked(struct auth_check *check)
{
    struct front_login *login = container_of(check, struct front_login, check);

    front_login_conclude(login, (enum auth_result)check->result);
    login->on_known(login);
}

static void front_login_passed(struct deadline *deadline)
{
    struct front_login *login = container_of(deadline, struct front_login, patience);

    auth_check_cancel(&login->check);
    front_login_conclude(login, AUTH_PENDING);
    login->on_known(login);
}

bool front_login_start(struct front_login *login, const struct tunnel_env *env,
                       const struct ip_address *client, const struct front_offer *offer,
                       void (*on_known)(struct front_login *login))
{
    const struct basic_credentials *credentials = offer->credentials;

    login->loop = env->loop;
    login->on_known = on_known;
    deadline_init(&login->patience, front_login_passed);
    login->error = offer->error;
    login->details = NULL;
    login->has_user = false;
    if (!front_login_is_needed(env)) {
        login->error = TUNNEL_ERROR_NONE;
        return true;
    }
    login->is_password_long = credentials->password_length > bcrypt_password_max;
    login->has_user = offer->error == TUNNEL_ERROR_NONE || credentials->user_length > 0;
    if (login->has_user)
        memcpy(login->user, credentials->user, credentials->user_length + 1);
    if (offer->error != TUNNEL_ERROR_NONE)
        return true;
    deadline_set(env->loop, &login->patience, loop_now_ms(env->loop) + login_wait_ms);
    enum auth_result result = auth_check_start(&login->check, env->auth, env->users, env->loop,
                                               client, credentials, front_login_checked);
    if (result == AUTH_PENDING)
        return false;
    front_login_conclude(login, result);
    return true;
}

void front_login_cancel(struct front_login *login)
{
    auth_check_cancel(&login->check);
    if (login->loop != NULL)
        deadline_cancel(login->loop, &login->patience);
}
