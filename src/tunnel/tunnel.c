/* A tunnel's life, its states, and what other modules call. A tunnel is made (tunnel_open), opened
 * (opening.c takes it from state to state until it is established), relayed (relay.c), accounted
 * (tunnel_log.c) and closed. What the policy is asked, and how its answer reads, is in judgement.c.
 *
 * Only tunnel_move_to changes the state, and only along the edges of tunnel_rows. While it is being
 * opened a tunnel is in the list `openings` of its thread, and once it is relayed in the list
 * `tunnels`.
 *
 * The surprise: a tunnel that is closed is freed only at the end of the loop's turn, since events
 * of this turn may still refer to it (loop_free_later).
 */
#include "tunnel/tunnel.h"

#include "loop/slab.h"
#include "net/stream.h"
#include "tunnel/opening.h"
#include "tunnel/relief.h"
#include "tunnel/tunnel_env.h"
#include "tunnel/tunnel_filter.h"
#include "tunnel/tunnel_log.h"
#include "tunnel/tunnel_state.h"
#include "tunnel/tunnel_trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct state_row tunnel_rows[] = {
    [TUNNEL_JUDGING] = {"judging", STATE_BIT(TUNNEL_RESOLVING) | STATE_BIT(TUNNEL_CLOSED)},
    [TUNNEL_RESOLVING] = {"resolving", STATE_BIT(TUNNEL_QUEUED) | STATE_BIT(TUNNEL_CLOSED)},
    [TUNNEL_QUEUED] = {"queued", STATE_BIT(TUNNEL_DIALLING) | STATE_BIT(TUNNEL_CLOSED)},
    [TUNNEL_DIALLING] = {"dialling", STATE_BIT(TUNNEL_ESTABLISHED) | STATE_BIT(TUNNEL_CLOSED)},
    [TUNNEL_ESTABLISHED] = {"established", STATE_BIT(TUNNEL_RELAYING) | STATE_BIT(TUNNEL_CLOSED)},
    [TUNNEL_RELAYING] = {"relaying", STATE_BIT(TUNNEL_CLOSED)},
    [TUNNEL_CLOSED] = {"closed", 0},
};
static_assert(ARRAY_LENGTH(tunnel_rows) == TUNNEL_STATE_COUNT, "a row for every state");

static const struct state_table tunnel_states = {"tunnel", tunnel_rows, TUNNEL_STATE_COUNT};

void tunnel_move_to(struct tunnel *tunnel, enum tunnel_state state)
{
    state_move(&tunnel_states, &tunnel->state, state, tunnel->id);
    if (tunnel_is_traced(tunnel))
        tunnel_trace_state(tunnel);
}

void tunnel_concern_enter(struct state_concern *concern, const struct tunnel *tunnel)
{
    state_concern_enter(concern, &tunnel_states, &tunnel->state, tunnel->id);
}

const char *tunnel_state_name(const struct tunnel *tunnel)
{
    return state_name(&tunnel_states, tunnel->state);
}

/* ---- life ---- */

static void tunnel_free(struct garbage *garbage)
{
    struct tunnel *tunnel = container_of(garbage, struct tunnel, garbage);

    tunnel_policy_release(tunnel->policy);
    if (tunnel->extras != NULL) {
        free(tunnel->extras->user);
        free(tunnel->extras->reports);
        slab_give(tunnel->extras);
    }
    slab_give(tunnel);
}

/* Most tunnels have neither a user nor throttles nor reports, so what these need is allocated
 * apart. Returns NULL when there is no memory. */
struct extras *tunnel_extras(struct tunnel *tunnel)
{
    if (tunnel->extras == NULL)
        tunnel->extras = slab_take(loop_slab(tunnel->env->loop), sizeof(*tunnel->extras));
    return tunnel->extras;
}

/* ---- limits ---- */

/* Keeps what limits_leave needs later. A pass that only counts the tunnel is the same for every
 * tunnel, so it is made again when it is needed. Returns false when there is no memory. */
static bool tunnel_keep_pass(struct tunnel *tunnel, const struct limit_pass *pass)
{
    tunnel->is_counted = true;
    if (limit_pass_is_plain(pass))
        return true;
    if (tunnel_extras(tunnel) == NULL)
        return false;
    tunnel->extras->limit_pass = *pass;
    return true;
}

/* Asks for the tunnel's place within the limits. LIMIT_NONE means that it has one, and tunnel_close
 * will give it back. */
enum limit tunnel_enter_limits(struct tunnel *tunnel)
{
    const struct tunnel_env *env = tunnel->env;

    if (env->limits == NULL)
        return LIMIT_NONE;
    struct limit_pass pass;
    enum limit limit = limits_enter(env->limits, &env->limit_values, &tunnel->client.address,
                                    tunnel_user(tunnel), loop_now_ms(env->loop), &pass);
    if (limit == LIMIT_NONE && !tunnel_keep_pass(tunnel, &pass)) {
        tunnel->is_counted = false;
        limits_leave(&pass, loop_now_ms(env->loop));
        limit = LIMIT_MEMORY;
    }
    return limit;
}

static void tunnel_leave_limits(struct tunnel *tunnel)
{
    struct limit_pass plain = {.limits = tunnel->env->limits};
    bool is_plain = tunnel->extras == NULL || limit_pass_is_plain(&tunnel->extras->limit_pass);

    if (tunnel->is_counted)
        limits_leave(is_plain ? &plain : &tunnel->extras->limit_pass,
                     loop_now_ms(tunnel->env->loop));
    tunnel->is_counted = false;
}

static struct throttle *tunnel_throttle(const struct tunnel *tunnel)
{
    return tunnel->extras != NULL ? tunnel->extras->limit_pass.throttle : NULL;
}

/* ---- the end ---- */

void tunnel_close(struct tunnel *tunnel)
{
    tunnel_move_to(tunnel, TUNNEL_CLOSED);
    opening_free(tunnel);
    tunnel_leave_limits(tunnel);
    list_remove(&tunnel->link);
    loop_free_later(tunnel->env->loop, &tunnel->garbage, tunnel_free);
}

/* ---- the outside ---- */

/* Returns false when there is no memory. */
static bool tunnel_keep_user(struct tunnel *tunnel, const char *user)
{
    if (user == NULL)
        return true;
    if (tunnel_extras(tunnel) == NULL)
        return false;
    tunnel->extras->user = strdup(user);
    return tunnel->extras->user != NULL;
}

static struct tunnel *tunnel_create(struct tunnel_env *env, const struct tunnel_request *request,
                                    void *self)
{
    char target[AUTHORITY_TEXT_SIZE];
    size_t target_length = authority_put(target, request->authority);
    struct tunnel *tunnel =
        slab_take(loop_slab(env->loop), offsetof(struct tunnel, target) + target_length + 1);
    if (tunnel == NULL)
        return NULL;
    list_init(&tunnel->link);
    tunnel->env = env;
    tunnel->way = request->way;
    tunnel->self = self;
    tunnel->policy = tunnel_policy_hold(env->policy);
    tunnel->client = request->client;
    tunnel->listener_slot = (uint16_t)request->listener_slot;
    tunnel->dns_ms = -1;
    tunnel->dial_ms = -1;
    memcpy(tunnel->target, target, target_length);
    tunnel->target_length = (uint16_t)target_length;
    if (!tunnel_keep_user(tunnel, request->user) || !opening_create(tunnel, request)) {
        tunnel_free(&tunnel->garbage);
        return NULL;
    }
    tunnel->id = access_ids_take(&env->ids);
    list_append(&env->openings, &tunnel->link);
    if (tunnel_is_traced(tunnel))
        tunnel_trace_state(tunnel);
    return tunnel;
}

/* A client that is refused is told by request->way->refused, possibly before this returns;
 * *ret_tunnel is NULL then. */
void tunnel_open(struct tunnel_env *env, const struct tunnel_request *request, void *self,
                 struct tunnel **ret_tunnel)
{
    struct tunnel *tunnel = tunnel_create(env, request, self);

    *ret_tunnel = NULL;
    if (tunnel == NULL) {
        const struct tunnel_refusal refusal = {
            .error = TUNNEL_ERROR_NO_RESOURCES,
            .details = tunnel_error_row(TUNNEL_ERROR_NO_RESOURCES)->text};

        tunnel_turn_away(env, request, refusal.error);
        request->way->refused(self, &refusal);
        return;
    }
    opening_start(tunnel);
    if (tunnel->state != TUNNEL_CLOSED)
        *ret_tunnel = tunnel;
}

void tunnel_cancel(struct tunnel *tunnel)
{
    opening_note_waits(tunnel);
    if (tunnel_is_traced(tunnel))
        tunnel_trace_cancelled(tunnel);
    tunnel_log_cancelled(tunnel);
    tunnel_close(tunnel);
}

static void tunnel_relay_ended(struct relay *relay, enum closed_by closed_by)
{
    struct tunnel *tunnel = container_of(relay, struct tunnel, relay);

    if (tunnel_is_traced(tunnel))
        tunnel_trace_ended(tunnel, closed_by);
    tunnel_log_close(tunnel, closed_by);
    tunnel_close(tunnel);
    tunnel->way->ended(tunnel->self);
}

/* The relay's gate let the bytes pass: nothing of the opening is needed any more. */
static void tunnel_passed(struct relay *relay)
{
    opening_free(container_of(relay, struct tunnel, relay));
}

void tunnel_end(struct tunnel *tunnel, enum closed_by closed_by)
{
    relay_stop(&tunnel->relay, true);
    tunnel_relay_ended(&tunnel->relay, closed_by);
}

/* Takes `client`. A gate still needs what the opening knows, so the opening is freed only when
 * there is no gate; otherwise it is only stopped, and tunnel_passed or tunnel_close frees it. */
void tunnel_relay(struct tunnel *tunnel, struct stream *client, void *self)
{
    struct tunnel_env *env = tunnel->env;
    struct relay_plan plan = {
        .ends = {client},
        .throttle = tunnel_throttle(tunnel),
        .on_passed = tunnel_passed,
        .on_ended = tunnel_relay_ended,
    };

    tunnel->self = self;
    tunnel->opening_ms = (uint32_t)(loop_now_ms(env->loop) - opening_began_ms(tunnel));
    opening_hand_over(tunnel, &plan);
    tunnel_move_to(tunnel, TUNNEL_RELAYING);
    list_remove(&tunnel->link);
    list_append(&env->tunnels, &tunnel->link);
    tunnel_log_open(tunnel);
    relief_watch(env->relief);
    int error = relay_start(&tunnel->relay, env, &plan);
    if (error < 0) {
        stream_close(plan.ends[RELAY_CLIENT], true);
        stream_close(plan.ends[RELAY_TARGET], true);
        tunnel_relay_ended(&tunnel->relay, CLOSED_BY_NO_MEMORY);
        return;
    }
    if (plan.gate == NULL)
        opening_free(tunnel);
    else
        opening_stop(tunnel);
}

void tunnel_close_all(struct tunnel_env *env)
{
    while (!list_is_empty(&env->tunnels)) {
        struct tunnel *tunnel = container_of(env->tunnels.next, struct tunnel, link);

        relay_stop(&tunnel->relay, false);
        tunnel_relay_ended(&tunnel->relay, CLOSED_BY_DRAINED);
    }
}

/* A tunnel that is being opened is refused. In ESTABLISHED its success is being written, for
 * five seconds at most; that can't be taken back, so such a tunnel is left alone and false is
 * returned. */
static bool tunnel_kill_one(struct tunnel *tunnel)
{
    if (tunnel->state == TUNNEL_ESTABLISHED)
        return false;
    if (tunnel->state == TUNNEL_RELAYING)
        tunnel_end(tunnel, CLOSED_BY_KILLED);
    else
        opening_refuse(tunnel, TUNNEL_ERROR_KILLED, NULL);
    return true;
}

static size_t tunnel_kill_among(struct list *tunnels, const struct tunnel_filter *filter,
                                size_t max)
{
    size_t count = 0;

    for (struct list *link = tunnels->next; link != tunnels && count < max;) {
        struct tunnel *tunnel = container_of(link, struct tunnel, link);
        const struct access_record record = tunnel_log_record(tunnel);

        link = link->next; /* ending unlinks */
        if (tunnel_filter_matches(filter, &record))
            count += tunnel_kill_one(tunnel);
    }
    return count;
}

size_t tunnel_kill(struct tunnel_env *env, const struct tunnel_filter *filter, size_t max)
{
    size_t count = tunnel_kill_among(&env->tunnels, filter, max);

    return count + tunnel_kill_among(&env->openings, filter, max - count);
}
