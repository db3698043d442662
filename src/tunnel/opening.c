/* What is under way while a tunnel opens: a hash, a lookup, a place in line, a dial. Each callback
 * records what happened in `struct opening` and calls the driver (tunnel.c), which decides.
 *
 * The surprise: A and AAAA are answered apart, so a tunnel may already dial one family's addresses
 * while the other's are still being looked up; every address is judged when it comes, in whichever
 * state, and only then handed to the dial. No SYN leaves for an address that was not judged.
 */
#include "tunnel/opening.h"

#include "base/text.h"
#include "net/stream.h"
#include "tunnel/judgement.h"
#include "tunnel/tunnel_env.h"
#include "tunnel/tunnel_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A state has a deadline, the wait for a hash, too. */
static const uint64_t auth_wait_ms = 10 * 1000;

/* Of a longer one it looks at the beginning only. */
static const size_t bcrypt_password_max = 72;

enum { REPORTS_SIZE = 256 }; /* of rule names in a log line */

/* ---- authentication ---- */

static void on_authenticated(struct auth_check *check)
{
    struct opening *opening = container_of(check, struct opening, auth_check);

    opening->auth_result = (enum auth_result)check->result;
    tunnel_drive(opening->tunnel);
}

static bool remember_user(struct tunnel *tunnel, const char *user)
{
    if (tunnel_extras(tunnel) == NULL)
        return false;
    tunnel->extras->user = strdup(user);
    return tunnel->extras->user != NULL;
}

void opening_authenticate(struct tunnel *tunnel, const struct tunnel_request *request)
{
    struct tunnel_env *env = tunnel->env;
    struct opening *opening = tunnel->opening;
    const struct basic_credentials *credentials = request->credentials;

    opening->auth_error = request->auth_error;
    opening->is_password_long = credentials->password_length > bcrypt_password_max;
    if (opening->auth_error != TUNNEL_ERROR_NONE && credentials->user_length == 0)
        return;
    if (!remember_user(tunnel, credentials->user))
        opening->auth_error = TUNNEL_ERROR_AUTH_BUSY;
    if (opening->auth_error != TUNNEL_ERROR_NONE)
        return;
    deadline_set(env->loop, &opening->queue_deadline, loop_now_ms(env->loop) + auth_wait_ms);
    opening->auth_result = auth_check_start(&opening->auth_check, env->auth, env->users, env->loop,
                                            &tunnel->client.address, credentials, on_authenticated);
}

/* ---- judging ---- */

/* For want of memory the reports are not told. */
void opening_note(struct tunnel *tunnel, const struct verdict *verdict)
{
    const struct policy_source *source = policy_rules(tunnel->rules->policy);
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

bool opening_judge_name(struct tunnel *tunnel)
{
    const struct tunnel_env *env = tunnel->env;
    struct opening *opening = tunnel->opening;
    const struct ip_endpoint *listener =
        tunnel->listener < env->listener_count ? &env->listeners_written[tunnel->listener] : NULL;

    judgement_begin(&opening->judgement, tunnel->rules->policy, &tunnel->client.address,
                    tunnel_user(tunnel), listener, &opening->authority);
    if (opening->authority.address.family != IP_NONE)
        return true;
    struct verdict verdict = judgement_of_name(&opening->judgement);
    opening_note(tunnel, &verdict);
    return !opening->judgement.is_denied;
}

/* An address of the target became known. Until it is known which one is dialled, the first that may
 * be stands for all. */
static void offer_address(struct tunnel *tunnel, const struct ip_address *address)
{
    struct opening *opening = tunnel->opening;
    struct verdict verdict = judgement_of_address(&opening->judgement, address);

    if (verdict.action != POLICY_ALLOW)
        return;
    if (opening->judgement.allowed_count == 1)
        opening_note(tunnel, &verdict);
    dial_add(opening->dial, address);
}

/* ---- resolving ---- */

static void family_answered(struct tunnel *tunnel, enum ip_family family,
                            enum resolver_status status)
{
    judgement_answered(&tunnel->opening->judgement, status);
    dial_family_done(tunnel->opening->dial, family);
}

static void on_answer(struct resolver_query *query, const struct resolver_answer *answer)
{
    struct opening *opening = container_of(query, struct opening, query);
    struct tunnel *tunnel = opening->tunnel;

    for (size_t i = 0; i < answer->count; i++)
        offer_address(tunnel, &answer->addresses[i]);
    family_answered(tunnel, answer->family, answer->status);
    tunnel_drive(tunnel);
}

bool opening_resolve(struct tunnel *tunnel)
{
    struct opening *opening = tunnel->opening;
    const struct authority *authority = &opening->authority;

    opening->is_asked = true;
    if (authority->address.family != IP_NONE) {
        offer_address(tunnel, &authority->address);
        family_answered(tunnel, IP_V6, RESOLVER_OK);
        family_answered(tunnel, IP_V4, RESOLVER_OK);
        return true;
    }
    opening->dns_began_ms = (int64_t)loop_now_ms(tunnel->env->loop);
    if (resolver_ask(tunnel->env->resolver, &opening->query, authority->host,
                     &tunnel->client.address, on_answer) == 0)
        return true;
    opening->dns_began_ms = -1;
    return false;
}

/* ---- dialling ---- */

static void on_entered(struct dial_pass *pass)
{
    struct opening *opening = container_of(pass, struct opening, pass);

    opening->is_entered = true;
    tunnel_drive(opening->tunnel);
}

/* Each address may have another rule. */
static void note_dialled(struct tunnel *tunnel, const struct ip_endpoint *endpoint)
{
    struct judgement *judgement = &tunnel->opening->judgement;

    tunnel->address = *endpoint;
    if (judgement->allowed_count == 1 || endpoint->address.family == IP_NONE)
        return;
    struct verdict verdict = judgement_recall(judgement, &endpoint->address);
    opening_note(tunnel, &verdict);
}

static void on_dialled(void *owner, const struct dial_result *result)
{
    struct tunnel *tunnel = owner;
    struct opening *opening = tunnel->opening;

    opening->is_dialled = true;
    opening->dial_error = result->error;
    opening->target = result->stream;
    note_dialled(tunnel, &result->endpoint);
    tunnel_drive(tunnel);
}

int opening_enter_gate(struct tunnel *tunnel)
{
    struct opening *opening = tunnel->opening;
    struct loop *loop = tunnel->env->loop;
    uint64_t now_ms = loop_now_ms(loop);

    if (opening->dns_began_ms >= 0)
        tunnel->dns_ms = (int32_t)((int64_t)now_ms - opening->dns_began_ms);
    opening->dial_deadline_ms = now_ms + tunnel->env->timeouts.dial_ms;
    int error = dial_gate_enter(tunnel->env->dial_gate, &opening->pass, loop,
                                &tunnel->client.address, on_entered);
    if (error == 0)
        opening->is_entered = true;
    else if (error == -EINPROGRESS)
        deadline_set(loop, &opening->queue_deadline, opening->dial_deadline_ms);
    else
        return error;
    opening->dial_began_ms = (int64_t)now_ms;
    return 0;
}

/* ---- life ---- */

static void queue_passed(struct deadline *deadline)
{
    struct opening *opening = container_of(deadline, struct opening, queue_deadline);

    opening->is_queue_over = true;
    tunnel_drive(opening->tunnel);
}

struct opening *opening_create(struct tunnel *tunnel, const struct tunnel_request *request,
                               const struct tunnel_ops *ops, void *self)
{
    struct loop *loop = tunnel->env->loop;
    struct opening *opening = slab_take(loop_slab(loop), sizeof(*opening));

    if (opening == NULL)
        return NULL;
    if (dial_create(loop, tunnel->env->room, request->authority->port, on_dialled, tunnel,
                    &opening->dial) < 0) {
        slab_give(opening);
        return NULL;
    }
    opening->tunnel = tunnel;
    opening->ops = ops;
    opening->self = self;
    opening->began_ms = loop_now_ms(loop);
    opening->authority = *request->authority;
    opening->dns_began_ms = -1;
    opening->dial_began_ms = -1;
    deadline_init(&opening->queue_deadline, queue_passed);
    return opening;
}

bool opening_keep_early(struct opening *opening, const struct tunnel_request *request)
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

void opening_free(struct tunnel *tunnel)
{
    struct opening *opening = tunnel->opening;

    if (opening == NULL)
        return;
    tunnel->opening = NULL;
    auth_check_cancel(&opening->auth_check);
    if (opening->dns_began_ms >= 0)
        resolver_cancel(&opening->query);
    deadline_cancel(tunnel->env->loop, &opening->queue_deadline);
    if (opening->dial != NULL)
        dial_destroy(opening->dial);
    dial_gate_leave(tunnel->env->dial_gate, &opening->pass);
    if (opening->target != NULL)
        stream_close(opening->target, false);
    if (opening->early != NULL)
        explicit_bzero(opening->early, opening->early_length); /* the next request, maybe */
    free(opening->early);
    slab_give(opening);
}
