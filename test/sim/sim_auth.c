/* access/auth.h on the loop's deadlines: alice's password is "right", the answer comes in its time.
 * One check at a time. */
#include "sim_auth.h"

#include "sim_internal.h"

#include <string.h>

static uint64_t delay_ms;
static struct deadline deadline;
static struct auth_check *waiting;

void sim_auth_script(uint64_t answer_delay_ms)
{
    delay_ms = answer_delay_ms;
    waiting = NULL;
}

struct auth_users *sim_auth_users(void)
{
    static char nobody_looks_inside;

    return (struct auth_users *)&nobody_looks_inside;
}

bool sim_auth_is_waiting(void)
{
    return waiting != NULL;
}

static void answer(struct deadline *passed)
{
    struct auth_check *check = waiting;

    (void)passed;
    waiting = NULL;
    check->auth = NULL;
    check->on_checked(check);
}

enum auth_result auth_check_start(struct auth_check *check, struct auth *auth,
                                  struct auth_users *users, struct loop *loop,
                                  const struct ip_address *client,
                                  const struct basic_credentials *credentials,
                                  void (*on_checked)(struct auth_check *))
{
    bool is_right =
        strcmp(credentials->user, "alice") == 0 && strcmp(credentials->password, "right") == 0;

    SIM_CHECK(waiting == NULL, "two checks at once");
    SIM_CHECK(users == sim_auth_users(), "checked against no users");
    *check = (struct auth_check){.result = is_right ? AUTH_GRANTED : AUTH_WRONG, .loop = loop};
    if (delay_ms == 0)
        return (enum auth_result)check->result;
    check->on_checked = on_checked;
    check->auth = (struct auth *)sim_auth_users(); /* under way */
    waiting = check;
    deadline_init(&deadline, answer);
    deadline_set(loop, &deadline, loop_now_ms(loop) + delay_ms);
    return AUTH_PENDING;
}

void auth_check_cancel(struct auth_check *check)
{
    if (check->auth == NULL)
        return;
    SIM_CHECK(waiting == check, "a check was cancelled that is not under way");
    deadline_cancel(check->loop, &deadline);
    waiting = NULL;
    check->auth = NULL;
}
