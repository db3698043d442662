/* Opens a tunnel, from the request to the answer: judge the name, resolve it, judge each address,
 * wait for room, dial, and let the front-end answer. There is one function per state
 * (opening_step_...), and one driver, opening_drive, which calls the one of the state that the
 * tunnel is in until nothing is left to do at once. Whatever takes time (a lookup, a place in line,
 * a dial) ends in a callback, which only records what happened in `struct opening` and calls the
 * driver.
 *
 * The surprise: A and AAAA are answered apart, so a tunnel may already dial one family's addresses
 * while the other's are still being looked up; every address is judged when it comes, in whichever
 * state, and only then handed to the dial. No SYN leaves for an address that was not judged.
 */
#include "tunnel/opening.h"

#include "access/dial_gate.h"
#include "base/text.h"
#include "dns/resolver.h"
#include "net/dialer.h"
#include "net/stream.h"
#include "tunnel/judgement.h"
#include "tunnel/tunnel_env.h"
#include "tunnel/tunnel_log.h"
#include "tunnel/tunnel_state.h"
#include "tunnel/tunnel_trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Which members are valid in which state (TUNNEL_...). The struct exists from JUDGING on; a member
 * is zero or -1 until the state of its step. It is freed once the tunnel is closed, or once it
 * relays and no gate of the relay (relay_gate.h) has to decide any more. While a gate has to
 * decide, nothing is under way, and what was judged and asked for is still valid. */
struct opening {
    /* From the beginning. */
    struct tunnel *tunnel;
    uint64_t began_ms;
    struct authority authority;
    size_t early_length;
    char *early;       /* NULL: none */
    struct dial *dial; /* collects addresses from RESOLVING on, and dials from DIALLING on */

    /* From JUDGING on. */
    struct judgement judgement;

    /* From RESOLVING on: one family's answer may come as late as in ESTABLISHED. */
    struct resolver_query query;
    bool is_asked;
    int64_t dns_began_ms; /* -1: nothing was asked */

    /* From QUEUED on: the deadline of the line, and whether it has passed. */
    struct deadline queue_deadline;
    bool is_queue_over;
    struct dial_pass pass; /* held until the dial is over */
    bool is_entered;
    int64_t dial_began_ms; /* -1: not yet */
    uint64_t dial_deadline_ms;

    /* In DIALLING: the result of the dial, valid once is_dialled. */
    bool is_dialled;
    int dial_error;
    struct stream *target; /* until the relay takes it */
};
static_assert(sizeof(struct opening) <= SLAB_LARGEST, "a slab takes it");

enum { REPORTS_SIZE = 256 }; /* of rule names in a log line */

static void opening_drive(struct tunnel *tunnel);

/* ---- refusals ---- */

/* Makes this verdict the one that the log tells: its rule, and the report rules that are true with
 * it. When there is no memory for the reports, the log line goes without them. */
static void opening_note(struct tunnel *tunnel, const struct verdict *verdict)
{
    const struct policy_source *source = policy_source_of(tunnel->policy->compiled);
    char buffer[REPORTS_SIZE];
    struct text names;

    tunnel->rule = verdict->rule;
    if (tunnel->extras != NULL) {
        free(tunnel->extras->reports);
        tunnel->extras->reports = NULL;
    }
    if (verdict->report_count == 0)
        return;
    text_init(&names, buffer, sizeof(buffer));
    for (size_t i = 0; i < verdict->report_count; i++) {
        text_add(&names, i > 0 ? "," : "");
        text_add(&names, source->rules[verdict->reports[i]].name);
    }
    if (tunnel_extras(tunnel) != NULL)
        tunnel->extras->reports = strdup(buffer);
}

/* Records how long the lookup and the dial have taken so far, so that the line of a refusal or of a
 * client that left tells these times as well. A time that is already known stays as it is. */
void opening_note_waits(struct tunnel *tunnel)
{
    const struct opening *opening = tunnel->opening;
    int64_t now_ms = (int64_t)loop_now_ms(tunnel->env->loop);

    if (tunnel->dns_ms < 0 && opening->dns_began_ms >= 0)
        tunnel->dns_ms = (int32_t)(now_ms - opening->dns_began_ms);
    if (tunnel->dial_ms < 0 && opening->dial_began_ms >= 0)
        tunnel->dial_ms = (int32_t)(now_ms - opening->dial_began_ms);
}

static void opening_refuse_with(struct tunnel *tunnel, enum tunnel_error error, const char *details,
                                const char *phrase)
{
    const struct tunnel_way *way = tunnel->way;
    void *self = tunnel->self;
    struct tunnel_refusal refusal = {
        .error = error,
        .rcode = error == TUNNEL_ERROR_NXDOMAIN ? "NXDOMAIN" : NULL,
        .details = details != NULL ? details : tunnel_error_row(error)->text,
        .phrase = phrase,
    };

    opening_note_waits(tunnel);
    if (tunnel_is_traced(tunnel))
        tunnel_trace_refused(tunnel, error);
    tunnel_log_refused(tunnel, error, refusal.details);
    tunnel_close(tunnel);
    way->refused(self, &refusal);
}

void opening_refuse(struct tunnel *tunnel, enum tunnel_error error, const char *details)
{
    opening_refuse_with(tunnel, error, details, NULL);
}

/* Refuses because no address may be dialled: all were denied, or the name could not be resolved.
 * `phrase` tells the same as `details`, in ASCII. */
static void opening_refuse_by_judgement(struct tunnel *tunnel)
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
    opening_refuse_with(tunnel, error, details_buffer, phrase_buffer);
}

/* ---- judging ---- */

/* Gathers the facts and judges the name, if the target has one. Returns false when the name is
 * denied. */
static bool opening_judge_name(struct tunnel *tunnel)
{
    const struct tunnel_env *env = tunnel->env;
    struct opening *opening = tunnel->opening;

    judgement_begin(&opening->judgement, tunnel->policy->compiled, &tunnel->client.address,
                    tunnel_user(tunnel), tunnel_env_listener(env, tunnel->listener_slot),
                    &opening->authority);
    if (!judgement_has_name(&opening->judgement))
        return true;
    struct verdict verdict = judgement_of_name(&opening->judgement);
    if (tunnel_is_traced(tunnel))
        tunnel_trace_verdict(tunnel, NULL, &verdict);
    opening_note(tunnel, &verdict);
    return !opening->judgement.is_denied;
}

/* An address of the target became known and was judged. Only an allowed one goes to the dial. Until
 * it is known which address the dial connects to, the log tells the verdict on the first allowed
 * one. */
static void opening_judged(void *self, const struct ip_address *address,
                           const struct verdict *verdict)
{
    struct tunnel *tunnel = self;
    struct opening *opening = tunnel->opening;

    if (tunnel_is_traced(tunnel))
        tunnel_trace_verdict(tunnel, address, verdict);
    if (verdict->action != POLICY_ALLOW)
        return;
    if (opening->judgement.allowed_count == 1)
        opening_note(tunnel, verdict);
    dial_add(opening->dial, address);
}

static void opening_refuse_by_limit(struct tunnel *tunnel, enum limit limit)
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
    static_assert(ARRAY_LENGTH(errors) == LIMIT_COUNT, "an error per limit");
    char buffer[192];
    struct text details;

    text_init(&details, buffer, sizeof(buffer));
    text_add(&details, tunnel_error_row(errors[limit])->text);
    text_add(&details, " (");
    text_add(&details, limit_name(limit));
    text_add_char(&details, ')');
    opening_refuse(tunnel, errors[limit], buffer);
}

/* Counts the tunnel towards the limits from here on: a request that policy denies by its name alone
 * never counts. Returns false when a limit refused the tunnel, which is closed then. */
static bool opening_enter_limits(struct tunnel *tunnel)
{
    enum limit limit = tunnel_enter_limits(tunnel);

    if (limit != LIMIT_NONE)
        opening_refuse_by_limit(tunnel, limit);
    return limit == LIMIT_NONE;
}

static bool opening_step_judging(struct tunnel *tunnel)
{
    if (!opening_judge_name(tunnel)) {
        opening_refuse_by_judgement(tunnel);
        return false;
    }
    if (!opening_enter_limits(tunnel))
        return false;
    tunnel_move_to(tunnel, TUNNEL_RESOLVING);
    return true;
}

/* ---- resolving ---- */

static void opening_answered(struct resolver_query *query, const struct resolver_answer *answer)
{
    struct opening *opening = container_of(query, struct opening, query);
    struct tunnel *tunnel = opening->tunnel;

    if (tunnel_is_traced(tunnel))
        tunnel_trace_answer(tunnel, answer);
    judgement_of_answer(&opening->judgement, answer, opening_judged, tunnel);
    dial_family_done(opening->dial, answer->family);
    opening_drive(tunnel);
}

/* Asks for the addresses of the target. Each is judged and offered to the dial when it comes; the
 * address of a literal target is, before this function returns. Returns false when the question
 * could not be asked, which means that there was no memory for it. */
static bool opening_resolve(struct tunnel *tunnel)
{
    struct opening *opening = tunnel->opening;
    const struct authority *authority = &opening->authority;

    opening->is_asked = true;
    if (!judgement_has_name(&opening->judgement)) {
        judgement_of_literal(&opening->judgement, &authority->address, opening_judged, tunnel);
        dial_family_done(opening->dial, IP_V6);
        dial_family_done(opening->dial, IP_V4);
        return true;
    }
    opening->dns_began_ms = (int64_t)loop_now_ms(tunnel->env->loop);
    if (resolver_ask(tunnel->env->resolver, &opening->query, authority->host,
                     &tunnel->client.address, opening_answered) == 0)
        return true;
    opening->dns_began_ms = -1;
    return false;
}

static void opening_entered(struct dial_pass *pass)
{
    struct opening *opening = container_of(pass, struct opening, pass);

    opening->is_entered = true;
    opening_drive(opening->tunnel);
}

/* Enters the line of those who want to dial; the time in it counts as dialling. Returns 0, -EAGAIN
 * when the client already has too many in line, or another negative errno. */
static int opening_enter_line(struct tunnel *tunnel)
{
    struct opening *opening = tunnel->opening;
    struct loop *loop = tunnel->env->loop;
    uint64_t now_ms = loop_now_ms(loop);

    if (opening->dns_began_ms >= 0)
        tunnel->dns_ms = (int32_t)((int64_t)now_ms - opening->dns_began_ms);
    opening->dial_deadline_ms = now_ms + tunnel->env->timeouts.dial_ms;
    int error = dial_gate_enter(tunnel->env->dial_gate, &opening->pass, loop,
                                &tunnel->client.address, opening_entered);
    if (error == 0)
        opening->is_entered = true;
    else if (error == -EINPROGRESS)
        deadline_set(loop, &opening->queue_deadline, opening->dial_deadline_ms);
    else
        return error;
    opening->dial_began_ms = (int64_t)now_ms;
    return 0;
}

static bool opening_step_resolving(struct tunnel *tunnel)
{
    struct opening *opening = tunnel->opening;

    if (!opening->is_asked && !opening_resolve(tunnel)) {
        opening_refuse(tunnel, TUNNEL_ERROR_NO_RESOURCES, NULL);
        return false;
    }
    if (opening->judgement.allowed_count > 0) {
        int error = opening_enter_line(tunnel);

        if (error < 0)
            opening_refuse(tunnel,
                           error == -EAGAIN ? TUNNEL_ERROR_CLIENT_DIAL_LIMIT
                                            : TUNNEL_ERROR_NO_RESOURCES,
                           NULL);
        else
            tunnel_move_to(tunnel, TUNNEL_QUEUED);
        return error == 0;
    }
    if (judgement_is_complete(&opening->judgement))
        opening_refuse_by_judgement(tunnel);
    return false;
}

/* ---- dialling ---- */

/* Each address may have been allowed by another rule, so the verdict on the dialled one is the one
 * to tell. With only one allowed address it was noted when it came. */
static void opening_note_dialled(struct tunnel *tunnel, const struct ip_endpoint *endpoint)
{
    struct judgement *judgement = &tunnel->opening->judgement;

    tunnel->address = *endpoint;
    if (judgement->allowed_count == 1 || endpoint->address.family == IP_NONE)
        return;
    struct verdict verdict = judgement_recall(judgement, &endpoint->address);
    opening_note(tunnel, &verdict);
}

static void opening_dialled(void *self, const struct dial_result *result)
{
    struct tunnel *tunnel = self;
    struct opening *opening = tunnel->opening;

    opening->is_dialled = true;
    opening->dial_error = result->error;
    opening->target = result->stream;
    opening_note_dialled(tunnel, &result->endpoint);
    opening_drive(tunnel);
}

static bool opening_step_queued(struct tunnel *tunnel)
{
    struct opening *opening = tunnel->opening;

    if (opening->is_entered) {
        deadline_cancel(tunnel->env->loop, &opening->queue_deadline);
        tunnel_move_to(tunnel, TUNNEL_DIALLING);
        if (tunnel_is_traced(tunnel))
            dial_observe(opening->dial, tunnel_trace_attempt);
        dial_start(opening->dial, opening->dial_deadline_ms);
        return true;
    }
    if (opening->is_queue_over)
        opening_refuse(tunnel, TUNNEL_ERROR_DIAL_TIMEOUT, NULL);
    return false;
}

static void opening_target_ignored(struct stream *stream, void *self)
{
    /* Between the dial and the relay no code acts on events; they stay recorded in stream->ready,
     * where the relay finds them. */
    (void)stream;
    (void)self;
}

static void opening_established(struct tunnel *tunnel)
{
    struct opening *opening = tunnel->opening;

    stream_observe(opening->target, opening_target_ignored, NULL);
    stream_want(opening->target, 0);
    tunnel_move_to(tunnel, TUNNEL_ESTABLISHED);
    tunnel->way->established(tunnel->self);
}

/* `localhost` with the proxy's port may have one address that is the proxy, and one where nothing
 * listens. Then the client is told of the loop, which is the cause, and not of the failed dial. */
static void opening_refuse_undialled(struct tunnel *tunnel)
{
    const struct opening *opening = tunnel->opening;

    if (opening->judgement.is_denied && opening->judgement.denied.reason == POLICY_LOOP) {
        tunnel->address = (struct ip_endpoint){0}; /* it is not what is refused */
        opening_refuse_by_judgement(tunnel);
    } else {
        opening_refuse(tunnel, tunnel_error_from_errno(opening->dial_error), NULL);
    }
}

static bool opening_step_dialling(struct tunnel *tunnel)
{
    struct opening *opening = tunnel->opening;

    if (!opening->is_dialled)
        return false;
    tunnel->dial_ms = (int32_t)((int64_t)loop_now_ms(tunnel->env->loop) - opening->dial_began_ms);
    dial_gate_leave(tunnel->env->dial_gate, &opening->pass);
    if (opening->dial_error == 0)
        opening_established(tunnel);
    else
        opening_refuse_undialled(tunnel);
    return false;
}

/* ---- the driver ---- */

/* Calls the step of the tunnel's state until nothing is left to do at once; a step returns true
 * when there may be more. A callback that comes from within a step finds is_driving set and only
 * records what happened. The tunnel may be refused, and thus closed, when this returns. */
static void opening_drive(struct tunnel *tunnel)
{
    struct state_concern concern;
    bool is_more = true;

    if (tunnel->is_driving)
        return;
    tunnel->is_driving = true;
    tunnel_concern_enter(&concern, tunnel);
    while (is_more) {
        switch ((enum tunnel_state)tunnel->state) {
        case TUNNEL_JUDGING:
            is_more = opening_step_judging(tunnel);
            break;
        case TUNNEL_RESOLVING:
            is_more = opening_step_resolving(tunnel);
            break;
        case TUNNEL_QUEUED:
            is_more = opening_step_queued(tunnel);
            break;
        case TUNNEL_DIALLING:
            is_more = opening_step_dialling(tunnel);
            break;
        case TUNNEL_ESTABLISHED: /* it is the front-end's turn */
        case TUNNEL_RELAYING:
        case TUNNEL_CLOSED:
        case TUNNEL_STATE_COUNT:
            is_more = false;
        }
    }
    state_concern_leave(&concern);
    tunnel->is_driving = false;
}

/* ---- life ---- */

static void opening_queue_passed(struct deadline *deadline)
{
    struct opening *opening = container_of(deadline, struct opening, queue_deadline);

    opening->is_queue_over = true;
    opening_drive(opening->tunnel);
}

/* Keeps the bytes that came behind the request head; few clients send any. Returns false when there
 * is no memory. */
static bool opening_keep_early(struct opening *opening, const struct tunnel_request *request)
{
    if (request->early_length == 0)
        return true;
    opening->early = malloc(request->early_length);
    if (opening->early == NULL)
        return false;
    memcpy(opening->early, request->early_bytes, request->early_length);
    opening->early_length = request->early_length;
    return true;
}

bool opening_create(struct tunnel *tunnel, const struct tunnel_request *request)
{
    struct loop *loop = tunnel->env->loop;
    struct opening *opening = slab_take(loop_slab(loop), sizeof(*opening));

    if (opening == NULL)
        return false;
    opening->tunnel = tunnel;
    opening->began_ms = request->began_ms;
    opening->authority = *request->authority;
    opening->dns_began_ms = -1;
    opening->dial_began_ms = -1;
    deadline_init(&opening->queue_deadline, opening_queue_passed);
    tunnel->opening = opening;
    if (dial_create(loop, tunnel->env->room, request->authority->port, opening_dialled, tunnel,
                    &opening->dial) < 0 ||
        !opening_keep_early(opening, request)) {
        opening_free(tunnel);
        return false;
    }
    return true;
}

void opening_start(struct tunnel *tunnel)
{
    opening_drive(tunnel);
}

uint64_t opening_began_ms(const struct tunnel *tunnel)
{
    return tunnel->opening->began_ms;
}

void opening_hand_over(struct tunnel *tunnel, struct relay_plan *plan)
{
    struct opening *opening = tunnel->opening;

    plan->ends[RELAY_TARGET] = opening->target;
    plan->early[RELAY_CLIENT] =
        (struct relay_early){.bytes = opening->early, .length = opening->early_length};
    opening->target = NULL;
}

void opening_stop(struct tunnel *tunnel)
{
    struct opening *opening = tunnel->opening;

    if (opening == NULL)
        return;
    if (opening->dns_began_ms >= 0)
        resolver_cancel(&opening->query);
    deadline_cancel(tunnel->env->loop, &opening->queue_deadline);
    if (opening->dial != NULL)
        dial_destroy(opening->dial);
    opening->dial = NULL;
    dial_gate_leave(tunnel->env->dial_gate, &opening->pass);
    if (opening->target != NULL)
        stream_close(opening->target, false);
    opening->target = NULL;
}

void opening_free(struct tunnel *tunnel)
{
    struct opening *opening = tunnel->opening;

    if (opening == NULL)
        return;
    opening_stop(tunnel);
    tunnel->opening = NULL;
    if (opening->early != NULL)
        explicit_bzero(opening->early, opening->early_length); /* the next request, maybe */
    free(opening->early);
    slab_give(opening);
}
