/* A tunnel's way: authenticate whoever offers credentials, judge the name, resolve, judge each
 * address, wait for room, dial, have the front-end answer, relay, account. Callbacks only record
 * what happened and call the driver, tunnel_drive; it looks at the state and does the next step;
 * move_to alone changes the state, along allowed edges. What a step sets going before the relay
 * (a hash, a lookup, a dial) is in opening.c; what policy is asked and how its answer reads, in
 * judgement.c.
 */
#include "tunnel/tunnel.h"

#include "base/text.h"
#include "loop/slab.h"
#include "net/room.h"
#include "net/stream.h"
#include "observe/counters.h"
#include "tunnel/opening.h"
#include "tunnel/relief.h"
#include "tunnel/tunnel_env.h"
#include "tunnel/tunnel_filter.h"
#include "tunnel/tunnel_log.h"
#include "tunnel/tunnel_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EDGE(state) (1u << (state))

static const uint8_t edges[] = {
    [TUNNEL_AUTHENTICATING] = EDGE(TUNNEL_JUDGING) | EDGE(TUNNEL_CLOSED),
    [TUNNEL_JUDGING] = EDGE(TUNNEL_RESOLVING) | EDGE(TUNNEL_CLOSED),
    [TUNNEL_RESOLVING] = EDGE(TUNNEL_QUEUED) | EDGE(TUNNEL_CLOSED),
    [TUNNEL_QUEUED] = EDGE(TUNNEL_DIALLING) | EDGE(TUNNEL_CLOSED),
    [TUNNEL_DIALLING] = EDGE(TUNNEL_ESTABLISHED) | EDGE(TUNNEL_CLOSED),
    [TUNNEL_ESTABLISHED] = EDGE(TUNNEL_RELAYING) | EDGE(TUNNEL_CLOSED),
    [TUNNEL_RELAYING] = EDGE(TUNNEL_CLOSED),
    [TUNNEL_CLOSED] = 0,
};
static_assert(ARRAY_LENGTH(edges) == TUNNEL_STATE_COUNT, "edges for every state");

static void move_to(struct tunnel *tunnel, enum tunnel_state state)
{
    REQUIRE(edges[tunnel->state] & EDGE(state));
    tunnel->state = (uint8_t)state;
}

/* ---- the end of a way that led nowhere ---- */

static void tunnel_free(struct garbage *garbage)
{
    struct tunnel *tunnel = container_of(garbage, struct tunnel, garbage);

    tunnel_rules_release(tunnel->rules);
    if (tunnel->extras != NULL) {
        free(tunnel->extras->user);
        free(tunnel->extras->reports);
        slab_give(tunnel->extras);
    }
    slab_give(tunnel);
}

struct extras *tunnel_extras(struct tunnel *tunnel)
{
    if (tunnel->extras == NULL)
        tunnel->extras = slab_take(loop_slab(tunnel->env->loop), sizeof(*tunnel->extras));
    return tunnel->extras;
}

/* ---- limits ---- */

/* A pass that only counts need not be kept: it is like any other. */
static bool keep_pass(struct tunnel *tunnel, const struct limit_pass *pass)
{
    tunnel->is_counted = true;
    if (limit_pass_is_plain(pass))
        return true;
    if (tunnel_extras(tunnel) == NULL)
        return false;
    tunnel->extras->limit_pass = *pass;
    return true;
}

static void leave_limits(struct tunnel *tunnel)
{
    struct limit_pass plain = {.limits = tunnel->env->limits};
    bool is_plain = tunnel->extras == NULL || limit_pass_is_plain(&tunnel->extras->limit_pass);

    if (tunnel->is_counted)
        limits_leave(is_plain ? &plain : &tunnel->extras->limit_pass,
                     loop_now_ms(tunnel->env->loop));
    tunnel->is_counted = false;
}

static struct throttle *throttle_of(const struct tunnel *tunnel)
{
    return tunnel->extras != NULL ? tunnel->extras->limit_pass.throttle : NULL;
}

static void tunnel_close(struct tunnel *tunnel)
{
    move_to(tunnel, TUNNEL_CLOSED);
    opening_free(tunnel);
    leave_limits(tunnel);
    list_remove(&tunnel->link);
    loop_free_later(tunnel->env->loop, &tunnel->garbage, tunnel_free);
}

/* What it has waited for so far, in vain or not, is told as well. */
static void note_waits(struct tunnel *tunnel)
{
    const struct opening *opening = tunnel->opening;
    int64_t now_ms = (int64_t)loop_now_ms(tunnel->env->loop);

    if (tunnel->dns_ms < 0 && opening->dns_began_ms >= 0)
        tunnel->dns_ms = (int32_t)(now_ms - opening->dns_began_ms);
    if (tunnel->dial_ms < 0 && opening->dial_began_ms >= 0)
        tunnel->dial_ms = (int32_t)(now_ms - opening->dial_began_ms);
}

static void refuse_with(struct tunnel *tunnel, enum tunnel_error error, const char *details,
                        const char *phrase)
{
    const struct tunnel_ops *ops = tunnel->opening->ops;
    void *self = tunnel->opening->self;
    struct tunnel_refusal refusal = {
        .error = error,
        .rcode = error == TUNNEL_ERROR_NXDOMAIN ? "NXDOMAIN" : NULL,
        .details = details != NULL ? details : tunnel_error_row(error)->text,
        .phrase = phrase,
    };

    note_waits(tunnel);
    tunnel_log_refused(tunnel, error, refusal.details);
    tunnel_close(tunnel);
    ops->refused(self, &refusal);
}

static void refuse(struct tunnel *tunnel, enum tunnel_error error, const char *details)
{
    refuse_with(tunnel, error, details, NULL);
}

/* Nothing may be dialled. */
static void refuse_by_judgement(struct tunnel *tunnel)
{
    const struct judgement *judgement = &tunnel->opening->judgement;
    enum tunnel_error error = judgement_error(judgement);
    char details_buffer[448];
    char phrase_buffer[448];
    struct text details;
    struct text phrase;

    if (judgement->is_denied)
        opening_note(tunnel, &judgement->denied);
    text_init(&details, details_buffer, sizeof(details_buffer));
    judgement_print(&details, judgement);
    text_init(&phrase, phrase_buffer, sizeof(phrase_buffer));
    judgement_print_phrase(&phrase, judgement);
    refuse_with(tunnel, error, details_buffer, phrase_buffer);
}

static void target_ignored(struct stream *stream, void *observer)
{
    /* Between the dial and the relay; what happened stands in stream->ready. */
    (void)stream;
    (void)observer;
}

static void established(struct tunnel *tunnel)
{
    struct opening *opening = tunnel->opening;

    stream_observe(opening->target, target_ignored, NULL);
    stream_want(opening->target, 0);
    move_to(tunnel, TUNNEL_ESTABLISHED);
    opening->ops->established(opening->self);
}

/* ---- the driver: one function a state; true when there may be more to do at once ---- */

/* Who offers credentials must have the right ones, whether a rule asks for them or not. */
static bool step_authenticating(struct tunnel *tunnel)
{
    static const enum tunnel_error errors[] = {
        [AUTH_GRANTED] = TUNNEL_ERROR_NONE,
        [AUTH_WRONG] = TUNNEL_ERROR_AUTH_WRONG,
        [AUTH_WRONG_AGAIN] = TUNNEL_ERROR_AUTH_WRONG_AGAIN,
        [AUTH_THROTTLED] = TUNNEL_ERROR_AUTH_THROTTLED,
        [AUTH_BUSY] = TUNNEL_ERROR_AUTH_BUSY,
        [AUTH_PENDING] = TUNNEL_ERROR_AUTH_BUSY, /* for too long */
    };
    static_assert(ARRAY_LENGTH(errors) == AUTH_RESULT_COUNT, "an error a result");
    static const char cut[] = "the user name or the password is wrong (bcrypt takes only the first "
                              "72 bytes of a password, and this one is longer)";
    const struct opening *opening = tunnel->opening;

    if (opening->auth_result == AUTH_PENDING && !opening->is_queue_over)
        return false;
    enum tunnel_error error = opening->auth_error != TUNNEL_ERROR_NONE
                                  ? opening->auth_error
                                  : errors[opening->auth_result];
    if (error != TUNNEL_ERROR_NONE) {
        bool is_cut = error == TUNNEL_ERROR_AUTH_WRONG && opening->is_password_long;

        refuse(tunnel, error, is_cut ? cut : NULL);
        return false;
    }
    if (!opening->ops->admitted(opening->self)) {
        refuse(tunnel, TUNNEL_ERROR_FULL, NULL);
        return false;
    }
    deadline_cancel(tunnel->env->loop, &tunnel->opening->queue_deadline);
    move_to(tunnel, TUNNEL_JUDGING);
    return true;
}

static void refuse_by_limit(struct tunnel *tunnel, enum limit limit)
{
    static const enum tunnel_error errors[] = {
        [LIMIT_NONE] = TUNNEL_ERROR_NONE,
        [LIMIT_TUNNELS] = TUNNEL_ERROR_LIMIT_TUNNELS,
        [LIMIT_TUNNELS_PER_USER] = TUNNEL_ERROR_LIMIT_OWN_TUNNELS,
        [LIMIT_TUNNELS_PER_CLIENT] = TUNNEL_ERROR_LIMIT_OWN_TUNNELS,
        [LIMIT_RATE_PER_USER] = TUNNEL_ERROR_LIMIT_OWN_RATE,
        [LIMIT_RATE_PER_CLIENT] = TUNNEL_ERROR_LIMIT_OWN_RATE,
        [LIMIT_MEMORY] = TUNNEL_ERROR_NO_RESOURCES,
    };
    static_assert(ARRAY_LENGTH(errors) == LIMIT_COUNT, "an error a limit");
    char buffer[192];
    struct text details;

    text_init(&details, buffer, sizeof(buffer));
    text_add(&details, tunnel_error_row(errors[limit])->text);
    text_add(&details, " (");
    text_add(&details, limit_name(limit));
    text_add_char(&details, ')');
    refuse(tunnel, errors[limit], buffer);
}

/* Counted from here on: what policy denies at once is no tunnel. False: refused. */
static bool enter_limits(struct tunnel *tunnel)
{
    const struct tunnel_env *env = tunnel->env;

    if (env->limits == NULL)
        return true;
    struct limit_pass pass;
    enum limit limit = limits_enter(env->limits, &env->limit_values, &tunnel->client.address,
                                    tunnel_user(tunnel), loop_now_ms(env->loop), &pass);
    if (limit == LIMIT_NONE && !keep_pass(tunnel, &pass)) {
        tunnel->is_counted = false;
        limits_leave(&pass, loop_now_ms(env->loop));
        limit = LIMIT_MEMORY;
    }
    if (limit != LIMIT_NONE)
        refuse_by_limit(tunnel, limit);
    return limit == LIMIT_NONE;
}

static bool step_judging(struct tunnel *tunnel)
{
    if (!opening_judge_name(tunnel)) {
        refuse_by_judgement(tunnel);
        return false;
    }
    if (!enter_limits(tunnel))
        return false;
    move_to(tunnel, TUNNEL_RESOLVING);
    return true;
}

static bool step_resolving(struct tunnel *tunnel)
{
    struct opening *opening = tunnel->opening;

    if (!opening->is_asked && !opening_resolve(tunnel)) {
        refuse(tunnel, TUNNEL_ERROR_NO_RESOURCES, NULL);
        return false;
    }
    if (opening->judgement.allowed_count > 0) {
        int error = opening_enter_gate(tunnel);

        if (error < 0)
            refuse(tunnel,
                   error == -EAGAIN ? TUNNEL_ERROR_CLIENT_DIAL_LIMIT : TUNNEL_ERROR_NO_RESOURCES,
                   NULL);
        else
            move_to(tunnel, TUNNEL_QUEUED);
        return error == 0;
    }
    if (judgement_is_complete(&opening->judgement))
        refuse_by_judgement(tunnel);
    return false;
}

static bool step_queued(struct tunnel *tunnel)
{
    struct opening *opening = tunnel->opening;

    if (opening->is_entered) {
        deadline_cancel(tunnel->env->loop, &opening->queue_deadline);
        move_to(tunnel, TUNNEL_DIALLING);
        dial_start(opening->dial, opening->dial_deadline_ms);
        return true;
    }
    if (opening->is_queue_over)
        refuse(tunnel, TUNNEL_ERROR_DIAL_TIMEOUT, NULL);
    return false;
}

/* `localhost` with the proxy's port has an address that is the proxy and one where nobody is: what
 * the client must know is the loop. */
static void refuse_undialled(struct tunnel *tunnel)
{
    const struct opening *opening = tunnel->opening;

    if (opening->judgement.is_denied && opening->judgement.denied.reason == POLICY_LOOP) {
        tunnel->address = (struct ip_endpoint){0}; /* it is not what is refused */
        refuse_by_judgement(tunnel);
    } else {
        refuse(tunnel, tunnel_error_from_errno(opening->dial_error), NULL);
    }
}

static bool step_dialling(struct tunnel *tunnel)
{
    struct opening *opening = tunnel->opening;

    if (!opening->is_dialled)
        return false;
    tunnel->dial_ms = (int32_t)((int64_t)loop_now_ms(tunnel->env->loop) - opening->dial_began_ms);
    dial_gate_leave(tunnel->env->dial_gate, &opening->pass);
    if (opening->dial_error == 0)
        established(tunnel);
    else
        refuse_undialled(tunnel);
    return false;
}

void tunnel_drive(struct tunnel *tunnel)
{
    bool is_more = true;

    if (tunnel->is_driving)
        return;
    tunnel->is_driving = true;
    while (is_more) {
        switch ((enum tunnel_state)tunnel->state) {
        case TUNNEL_AUTHENTICATING:
            is_more = step_authenticating(tunnel);
            break;
        case TUNNEL_JUDGING:
            is_more = step_judging(tunnel);
            break;
        case TUNNEL_RESOLVING:
            is_more = step_resolving(tunnel);
            break;
        case TUNNEL_QUEUED:
            is_more = step_queued(tunnel);
            break;
        case TUNNEL_DIALLING:
            is_more = step_dialling(tunnel);
            break;
        default:
            is_more = false;
        }
    }
    tunnel->is_driving = false;
}

/* ---- the outside ---- */

static struct tunnel *tunnel_create(struct tunnel_env *env, const struct tunnel_request *request,
                                    const struct tunnel_ops *ops, void *self)
{
    char target[AUTHORITY_TEXT_SIZE];
    size_t target_length = authority_put(target, request->authority);
    struct tunnel *tunnel =
        slab_take(loop_slab(env->loop), offsetof(struct tunnel, target) + target_length + 1);
    if (tunnel == NULL)
        return NULL;
    list_init(&tunnel->link);
    tunnel->env = env;
    tunnel->rules = tunnel_rules_hold(env->rules);
    tunnel->client = request->client;
    tunnel->listener = (uint16_t)request->listener;
    tunnel->dns_ms = -1;
    tunnel->dial_ms = -1;
    REQUIRE(strlen(request->http) < sizeof(tunnel->http));
    memcpy(tunnel->http, request->http, strlen(request->http));
    memcpy(tunnel->target, target, target_length);
    tunnel->target_length = (uint16_t)target_length;
    tunnel->opening = opening_create(tunnel, request, ops, self);
    if (tunnel->opening == NULL || !opening_keep_early(tunnel->opening, request)) {
        opening_free(tunnel);
        tunnel_free(&tunnel->garbage);
        return NULL;
    }
    tunnel->id = access_ids_take(&env->ids);
    return tunnel;
}

/* For want of memory there is no tunnel that could refuse. */
static void refuse_without_tunnel(struct tunnel_env *env, const struct tunnel_request *request,
                                  const struct tunnel_ops *ops, void *self, enum tunnel_error error)
{
    struct tunnel_rejection rejection = {
        .client = request->client,
        .listener = request->listener,
        .http = request->http,
        .target = request->authority->host,
        .target_length = request->authority->host_length,
        .error = error,
    };
    struct tunnel_refusal refusal = {.error = error, .details = tunnel_error_row(error)->text};

    tunnel_reject(env, &rejection);
    ops->refused(self, &refusal);
}

void tunnel_open(struct tunnel_env *env, const struct tunnel_request *request,
                 const struct tunnel_ops *ops, void *self, struct tunnel **ret_tunnel)
{
    *ret_tunnel = NULL;
    if (env->is_draining) {
        refuse_without_tunnel(env, request, ops, self, TUNNEL_ERROR_DRAINING);
        return;
    }
    struct tunnel *tunnel = tunnel_create(env, request, ops, self);
    if (tunnel == NULL) {
        refuse_without_tunnel(env, request, ops, self, TUNNEL_ERROR_NO_RESOURCES);
        return;
    }
    if (env->users != NULL && request->credentials != NULL)
        opening_authenticate(tunnel, request);
    tunnel_drive(tunnel);
    if (tunnel->state != TUNNEL_CLOSED)
        *ret_tunnel = tunnel;
}

void tunnel_cancel(struct tunnel *tunnel)
{
    note_waits(tunnel);
    tunnel_log_cancelled(tunnel);
    tunnel_close(tunnel);
}

void tunnel_displace(struct tunnel *tunnel)
{
    REQUIRE(tunnel->state == TUNNEL_AUTHENTICATING);
    refuse(tunnel, TUNNEL_ERROR_FULL, NULL);
}

static void relay_ended(struct relay *relay, enum closed_by closed_by)
{
    struct tunnel *tunnel = container_of(relay, struct tunnel, relay);

    tunnel_log_close(tunnel, closed_by);
    room_give_back(tunnel->env->room);
    counter_subtract(tunnel->env->counters, COUNTER_CONNECTIONS_OPEN, 1);
    tunnel_close(tunnel);
}

void tunnel_end(struct tunnel *tunnel, enum closed_by closed_by)
{
    relay_stop(&tunnel->relay, true);
    relay_ended(&tunnel->relay, closed_by);
}

void tunnel_relay(struct tunnel *tunnel, struct stream *client)
{
    struct opening *opening = tunnel->opening;
    struct tunnel_env *env = tunnel->env;
    struct stream *target = opening->target;

    opening->target = NULL;
    tunnel->opening_ms = (uint32_t)(loop_now_ms(env->loop) - opening->began_ms);
    move_to(tunnel, TUNNEL_RELAYING);
    list_append(&env->tunnels, &tunnel->link);
    tunnel_log_open(tunnel);
    relief_watch(env->relief);
    int error = relay_start(&tunnel->relay, env, throttle_of(tunnel), client, target,
                            opening->early, opening->early_length, relay_ended);
    if (error < 0) {
        stream_close(client, true);
        stream_close(target, true);
        relay_ended(&tunnel->relay, CLOSED_BY_NO_MEMORY);
        return;
    }
    opening_free(tunnel);
}

void tunnel_close_all(struct tunnel_env *env)
{
    while (!list_is_empty(&env->tunnels)) {
        struct tunnel *tunnel = container_of(env->tunnels.next, struct tunnel, link);

        relay_stop(&tunnel->relay, false);
        relay_ended(&tunnel->relay, CLOSED_BY_DRAINED);
    }
}

size_t tunnel_kill(struct tunnel_env *env, const struct tunnel_filter *filter, size_t max)
{
    size_t count = 0;

    for (struct list *link = env->tunnels.next; link != &env->tunnels && count < max;) {
        struct tunnel *tunnel = container_of(link, struct tunnel, link);
        const struct access_record record = tunnel_log_record(tunnel);

        link = link->next; /* ending unlinks */
        if (!tunnel_filter_matches(filter, &record))
            continue;
        tunnel_end(tunnel, CLOSED_BY_KILLED);
        count++;
    }
    return count;
}
