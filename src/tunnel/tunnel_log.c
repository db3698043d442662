/* Turns the facts of a tunnel into records of the access log, and its outcomes into counters.
 *
 * A tunnel that opened gets two lines: tunnel_log_open and tunnel_log_close. A tunnel that never
 * opened gets one: tunnel_log_refused or tunnel_log_cancelled. A request for which no tunnel was
 * made gets one as well: tunnel_refuse, tunnel_abandon or tunnel_reject. Each of them also counts
 * the outcome, so the log and the metrics agree.
 *
 * The same record describes a tunnel that is still open, for `ps` and for filters
 * (tunnel_log_record).
 */
#include "tunnel/tunnel_log.h"

#include "observe/access_log.h"
#include "observe/counters.h"
#include "observe/talkers.h"
#include "policy/policy.h"
#include "tunnel/judgement.h"
#include "tunnel/opening.h"
#include "tunnel/tunnel_env.h"
#include "tunnel/tunnel_filter.h"

#include <string.h>

enum { KIB = 1024 };

/* The facts that every record of a tunnel has. The caller sets what its event adds: status, error,
 * bytes or duration. */
static struct access_record record_of(const struct tunnel *tunnel, enum access_event event)
{
    const struct tunnel_env *env = tunnel->env;

    return (struct access_record){
        .event = event,
        .id = tunnel->id,
        .client = tunnel->client,
        .listener = tunnel_env_listener(env, tunnel->listener_slot),
        .front = tunnel->way->name,
        .http = tunnel->way->http,
        .user = tunnel_user(tunnel),
        .target = tunnel->target,
        .target_length = tunnel->target_length,
        .address = tunnel->address.address.family == IP_NONE ? NULL : &tunnel->address,
        .verdict = policy_action_name(POLICY_ALLOW),
        .rule = tunnel->rule,
        .report = tunnel_reports(tunnel),
        .status = 0,
        .error = NULL,
        .reason = NULL,
        .dns_ms = tunnel->dns_ms,
        .dial_ms = tunnel->dial_ms,
        .up_bytes = 0,
        .down_bytes = 0,
        .duration_ms = 0,
        .closed_by = 0,
    };
}

/* Counts the two waits that the line tells of, in the histograms. A negative time means that there
 * was no such wait. */
static void observe_waits(struct counters *counters, const struct access_record *record)
{
    if (record->dns_ms >= 0)
        counters_observe(counters, HISTOGRAM_DNS, (uint64_t)record->dns_ms);
    if (record->dial_ms >= 0)
        counters_observe(counters, HISTOGRAM_DIAL, (uint64_t)record->dial_ms);
}

static void observe_close(struct counters *counters, const struct access_record *record)
{
    counters_observe(counters, HISTOGRAM_TUNNEL, record->duration_ms);
    counters_observe(counters, HISTOGRAM_TUNNEL_UP, record->up_bytes);
    counters_observe(counters, HISTOGRAM_TUNNEL_DOWN, record->down_bytes);
}

/* The time since the request came, not only since the relay began. Contract: the tunnel is relayed
 * or was. */
static uint64_t age_ms(const struct tunnel *tunnel)
{
    return loop_now_ms(tunnel->env->loop) - tunnel->relay.started_ms + tunnel->opening_ms;
}

static void count_reports(struct tunnel *tunnel)
{
    if (tunnel_reports(tunnel) != NULL)
        counter_add(tunnel->env->counters, COUNTER_TUNNELS_REPORTED, 1);
}

void tunnel_log_open(struct tunnel *tunnel)
{
    struct access_record record = record_of(tunnel, ACCESS_OPEN);

    record.status = 200;
    access_log_write(tunnel->env->log, tunnel->env->events, &record);
    counters_add_of_front(tunnel->env->counters, tunnel->way->front,
                          FRONT_COUNTER_TUNNELS_ESTABLISHED);
    counter_add(tunnel->env->counters, COUNTER_TUNNELS_OPEN, 1);
    observe_waits(tunnel->env->counters, &record);
    count_reports(tunnel);
}

/* Counts bytes for the user and the host. A client that gave no user name is known by its
 * address. */
static void tunnel_log_tell(struct tunnel *tunnel, uint64_t bytes)
{
    const char *user = tunnel_user(tunnel);
    char address[IP_ENDPOINT_TEXT_SIZE];
    size_t host_length;
    const char *host = tunnel_host(tunnel->target, tunnel->target_length, &host_length);
    size_t user_length;

    if (user == NULL) {
        user_length = ip_address_put(address, &tunnel->client.address);
        user = address;
    } else {
        user_length = strlen(user);
    }
    talkers_add(tunnel->env->talkers, user, user_length, host, host_length, bytes);
}

/* Tells the bytes that moved since the last call: whole KiB, and with the last call the remainder
 * as well. told_kib counts modulo 2^32, therefore the difference is taken in 32 bits; it is right
 * as long as less than 4 TiB moved in between. */
static void tell_talkers(struct tunnel *tunnel, bool is_last)
{
    uint64_t bytes =
        relay_bytes(&tunnel->relay, RELAY_CLIENT) + relay_bytes(&tunnel->relay, RELAY_TARGET);
    uint32_t kib = (uint32_t)(bytes / KIB);
    uint64_t fresh = (uint64_t)(uint32_t)(kib - tunnel->told_kib) * KIB;

    fresh += is_last ? bytes % KIB : 0;
    tunnel->told_kib = kib;
    if (fresh > 0)
        tunnel_log_tell(tunnel, fresh);
}

void tunnel_tell_talkers(struct tunnel_env *env)
{
    enum talkers_state state = talkers_state(env->talkers);

    if (state == TALKERS_OFF)
        return;
    for (struct list *link = env->tunnels.next; link != &env->tunnels; link = link->next) {
        struct tunnel *tunnel = container_of(link, struct tunnel, link);

        if (state == TALKERS_ON)
            tell_talkers(tunnel, false);
        else /* the bytes that moved before somebody wanted to know are not told */
            tunnel->told_kib = (uint32_t)((relay_bytes(&tunnel->relay, RELAY_CLIENT) +
                                           relay_bytes(&tunnel->relay, RELAY_TARGET)) /
                                          KIB);
    }
    talkers_begin(env->talkers);
}

void tunnel_log_close(struct tunnel *tunnel, enum closed_by closed_by)
{
    struct access_record record = record_of(tunnel, ACCESS_CLOSE);

    record.up_bytes = relay_bytes(&tunnel->relay, RELAY_CLIENT);
    record.down_bytes = relay_bytes(&tunnel->relay, RELAY_TARGET);
    record.duration_ms = age_ms(tunnel);
    record.closed_by = closed_by;
    access_log_write(tunnel->env->log, tunnel->env->events, &record);
    if (talkers_state(tunnel->env->talkers) != TALKERS_OFF)
        tell_talkers(tunnel, true);
    counter_subtract(tunnel->env->counters, COUNTER_TUNNELS_OPEN, 1);
    observe_close(tunnel->env->counters, &record);
}

/* Describes a tunnel that is being opened. There is no verdict before TUNNEL_QUEUED, since the
 * addresses are judged until then. */
static struct access_record tunnel_log_opening(const struct tunnel *tunnel)
{
    struct access_record record = record_of(tunnel, ACCESS_OPEN);

    record.duration_ms = loop_now_ms(tunnel->env->loop) - opening_began_ms(tunnel);
    if (tunnel->state < TUNNEL_QUEUED) {
        record.verdict = NULL;
        record.rule = NULL;
        record.report = NULL;
    }
    return record;
}

static struct access_record tunnel_log_relaying(const struct tunnel *tunnel)
{
    struct access_record record = record_of(tunnel, ACCESS_OPEN);

    record.up_bytes = relay_bytes(&tunnel->relay, RELAY_CLIENT);
    record.down_bytes = relay_bytes(&tunnel->relay, RELAY_TARGET);
    record.duration_ms = age_ms(tunnel);
    return record;
}

struct access_record tunnel_log_record(const struct tunnel *tunnel)
{
    struct access_record record =
        tunnel->state == TUNNEL_RELAYING ? tunnel_log_relaying(tunnel) : tunnel_log_opening(tunnel);

    record.state = tunnel_state_name(tunnel);
    return record;
}

static void tunnel_visit_among(const struct list *tunnels, const struct tunnel_filter *filter,
                               void (*visit)(void *self, const struct access_record *record),
                               void *self)
{
    for (const struct list *link = tunnels->next; link != tunnels; link = link->next) {
        const struct tunnel *tunnel = container_of(link, struct tunnel, link);
        const struct access_record record = tunnel_log_record(tunnel);

        if (tunnel_filter_matches(filter, &record))
            visit(self, &record);
    }
}

void tunnel_visit(struct tunnel_env *env, const struct tunnel_filter *filter,
                  void (*visit)(void *self, const struct access_record *record), void *self)
{
    tunnel_visit_among(&env->tunnels, filter, visit, self);
    tunnel_visit_among(&env->openings, filter, visit, self);
}

/* The client was asked to log in. This is no denial: the first request of every browser ends so,
 * and one with a scheme like Negotiate, too. */
static bool is_question(enum tunnel_error error)
{
    return error == TUNNEL_ERROR_AUTH_REQUIRED || error == TUNNEL_ERROR_AUTH_SCHEME;
}

/* A guess that failed. fail2ban bans a client by the number of these lines. A wrong password that a
 * program sends again and again (AUTH_WRONG_AGAIN) is one guess, so it is not among them. */
static bool is_auth_failure(enum tunnel_error error)
{
    return error == TUNNEL_ERROR_AUTH_WRONG || error == TUNNEL_ERROR_AUTH_LONG_PASSWORD;
}

/* Which of the counters of the front-end counts this error: asked, denied or failed. */
static enum front_counter outcome_of(enum tunnel_error error)
{
    if (is_question(error))
        return FRONT_COUNTER_TUNNELS_ASKED;
    bool is_denied = error_is_denial(error) || is_auth_failure(error) ||
                     error == TUNNEL_ERROR_AUTH_WRONG_AGAIN || error == TUNNEL_ERROR_AUTH_THROTTLED;
    return is_denied ? FRONT_COUNTER_TUNNELS_DENIED : FRONT_COUNTER_TUNNELS_FAILED;
}

/* Writes and counts a refusal. `record` says what was asked for; event, status, error and reason
 * are set here. */
static void log_refused(struct tunnel_env *env, const struct tunnel_way *way,
                        struct access_record *record, enum tunnel_error error, const char *reason)
{
    const struct tunnel_error_row *row = tunnel_error_row(error);
    struct counters *counters = env->counters;

    record->event = is_auth_failure(error) ? ACCESS_AUTH_FAILURE : ACCESS_DENY;
    if (error_is_denial(error)) {
        record->verdict = policy_action_name(POLICY_DENY);
        counters_add_denied(counters, record->rule != NULL ? record->rule : "none");
    }
    if (is_auth_failure(error))
        counter_add(counters, COUNTER_AUTH_FAILURES, 1);
    record->status = row->status;
    record->error = row->token;
    record->reason = reason;
    access_log_write(env->log, env->events, record);
    counters_add_of_front(counters, way->front, outcome_of(error));
    counters_add_error(counters, error);
    observe_waits(counters, record);
}

void tunnel_log_refused(struct tunnel *tunnel, enum tunnel_error error, const char *reason)
{
    struct access_record record = record_of(tunnel, ACCESS_DENY);

    if (is_question(error)) {
        record.verdict = policy_action_name(POLICY_ASK);
        record.report = NULL; /* the request that answers the question will be reported */
    } else {
        count_reports(tunnel);
    }
    log_refused(tunnel->env, tunnel->way, &record, error, reason);
}

static void log_cancelled(struct tunnel_env *env, const struct tunnel_way *way,
                          struct access_record *record)
{
    record->reason = "the client left before the tunnel was open";
    access_log_write(env->log, env->events, record);
    counters_add_of_front(env->counters, way->front, FRONT_COUNTER_TUNNELS_CANCELLED);
    observe_waits(env->counters, record);
}

void tunnel_log_cancelled(struct tunnel *tunnel)
{
    struct access_record record = record_of(tunnel, ACCESS_DENY);

    log_cancelled(tunnel->env, tunnel->way, &record);
}

/* ---- requests without a tunnel ---- */

/* Describes a request for which there is no tunnel. The record refers to `target`, which gets the
 * text of the target and must live as long as the record. */
static struct access_record record_of_request(struct tunnel_env *env,
                                              const struct tunnel_request *request,
                                              char target[AUTHORITY_TEXT_SIZE])
{
    return (struct access_record){
        .event = ACCESS_DENY,
        .id = access_ids_take(&env->ids),
        .client = request->client,
        .listener = tunnel_env_listener(env, request->listener_slot),
        .front = request->way->name,
        .http = request->way->http,
        .user = request->user,
        .target = request->authority != NULL ? target : NULL,
        .target_length = request->authority != NULL ? authority_put(target, request->authority) : 0,
        .dns_ms = -1,
        .dial_ms = -1,
    };
}

void tunnel_refuse(struct tunnel_env *env, const struct tunnel_request *request,
                   enum tunnel_error error, const char *details)
{
    char target[AUTHORITY_TEXT_SIZE];
    struct access_record record = record_of_request(env, request, target);

    if (is_question(error))
        record.verdict = policy_action_name(POLICY_ASK);
    log_refused(env, request->way, &record, error,
                details != NULL ? details : tunnel_error_row(error)->text);
}

void tunnel_abandon(struct tunnel_env *env, const struct tunnel_request *request)
{
    char target[AUTHORITY_TEXT_SIZE];
    struct access_record record = record_of_request(env, request, target);

    log_cancelled(env, request->way, &record);
}

void tunnel_reject(struct tunnel_env *env, const struct tunnel_rejection *rejection)
{
    const struct tunnel_error_row *row = tunnel_error_row(rejection->error);
    struct access_record record = {
        .event = ACCESS_DENY,
        .id = access_ids_take(&env->ids),
        .client = rejection->client,
        .listener = tunnel_env_listener(env, rejection->listener_slot),
        .front = rejection->way->name,
        .http = rejection->way->http,
        .target = rejection->target,
        .target_length = rejection->target_length,
        .status = row->status,
        .error = row->token,
        .reason = rejection->details != NULL ? rejection->details : row->text,
        .dns_ms = -1,
        .dial_ms = -1,
    };

    access_log_write(env->log, env->events, &record);
    counter_add(env->counters, COUNTER_REQUESTS_REFUSED, 1);
    counters_add_error(env->counters, rejection->error);
}

/* There was no memory to make the tunnel. The request was in order, but nothing was decided about
 * it, so it is logged like one that was rejected. */
void tunnel_turn_away(struct tunnel_env *env, const struct tunnel_request *request,
                      enum tunnel_error error)
{
    const struct tunnel_rejection rejection = {
        .way = request->way,
        .client = request->client,
        .listener_slot = request->listener_slot,
        .target = request->authority->host,
        .target_length = request->authority->host_length,
        .error = error,
    };

    tunnel_reject(env, &rejection);
}
