/* Asks the policy about one request. The name is judged before anything leaves the machine, then
 * each address that adit would dial; a target that is an address has no name, and only its address
 * is judged.
 *
 * There may be several reasons for a failure, and the client is told one. A loop comes before every
 * other denial, since it says most about what is wrong. Otherwise the first denial counts. A denial
 * comes before a lookup that failed for the other family.
 */
#include "tunnel/judgement.h"

#include "base/listener.h"
#include "base/text.h"
#include "net/local_address.h"

#include <string.h>
#include <time.h>

/* ---- facts ---- */

/* Without a local time the facts stay as they are. Time is read once per request, so all its
 * addresses are judged by the same one. */
static void judgement_tell_time(struct policy_facts *facts)
{
    struct timespec now;
    struct tm local;

    clock_gettime(CLOCK_REALTIME, &now);
    if (localtime_r(&now.tv_sec, &local) == NULL)
        return;
    facts->weekday = (uint8_t)local.tm_wday;
    facts->minute = (uint16_t)(local.tm_hour * 60 + local.tm_min);
}

/* What is inside a tunnel is not known yet: a rule that asks for it stays undecided, and undecided
 * is denied. */
void judgement_begin(struct judgement *judgement, const struct policy *policy,
                     const struct ip_address *client, const char *user,
                     const struct listener *listener, const struct authority *target)
{
    *judgement = (struct judgement){
        .policy = policy,
        .facts =
            {
                .client = client,
                .user = user,
                .host = target->address.family == IP_NONE ? target->host : NULL,
                .host_length = target->host_length,
                .port = target->port,
                .listener = listener != NULL ? &listener->written : NULL,
            },
    };
    judgement->has_time = policy_needs_time(policy);
    if (judgement->has_time)
        judgement_tell_time(&judgement->facts);
}

void judgement_set_time(struct judgement *judgement, uint8_t weekday, uint16_t minute)
{
    judgement->has_time = true;
    judgement->facts.weekday = weekday;
    judgement->facts.minute = minute;
}

void judgement_set_inside(struct judgement *judgement, const char *protocol, const char *sni)
{
    judgement->facts.is_inside_known = true;
    judgement->facts.protocol = protocol;
    judgement->facts.sni = sni;
}

/* ---- verdicts ---- */

bool judgement_has_name(const struct judgement *judgement)
{
    return judgement->facts.host != NULL;
}

static struct verdict judgement_evaluate(struct judgement *judgement,
                                         const struct ip_address *address)
{
    const struct policy *policy = judgement->policy;
    struct policy_facts *facts = &judgement->facts;
    struct verdict verdict;

    facts->address = address;
    facts->is_local_address = address != NULL && policy_needs_local_check(policy, facts->port) &&
                              local_address_contains(address);
    policy_evaluate(policy, facts, &verdict);
    return verdict;
}

/* Evaluates, and remembers the verdict to tell the client when it is not `good`: the first one, or
 * a later one that found a loop. */
static struct verdict judgement_decide(struct judgement *judgement,
                                       const struct ip_address *address, enum policy_action good)
{
    struct verdict verdict = judgement_evaluate(judgement, address);

    if (verdict.action != good) {
        if (!judgement->is_denied || verdict.reason == POLICY_LOOP)
            judgement->denied = verdict;
        judgement->is_denied = true;
    }
    return verdict;
}

struct verdict judgement_of_name(struct judgement *judgement)
{
    return judgement_decide(judgement, NULL, POLICY_CONTINUE);
}

static void judgement_of_address(struct judgement *judgement, const struct ip_address *address,
                                 judgement_tell *tell, void *self)
{
    struct verdict verdict = judgement_decide(judgement, address, POLICY_ALLOW);

    if (verdict.action == POLICY_ALLOW && judgement->allowed_count++ == 0)
        judgement->allowed = verdict;
    tell(self, address, &verdict);
}

/* Contract: each of the family's addresses was judged, if there are any. A literal counts as the
 * answer of both families. */
static void judgement_family_done(struct judgement *judgement, enum resolver_status status)
{
    REQUIRE(!judgement_is_complete(judgement));
    judgement->statuses[judgement->answered_count++] = status;
}

void judgement_of_answer(struct judgement *judgement, const struct resolver_answer *answer,
                         judgement_tell *tell, void *self)
{
    for (size_t i = 0; i < answer->count; i++)
        judgement_of_address(judgement, &answer->addresses[i], tell, self);
    judgement_family_done(judgement, answer->status);
}

void judgement_of_literal(struct judgement *judgement, const struct ip_address *address,
                          judgement_tell *tell, void *self)
{
    judgement_of_address(judgement, address, tell, self);
    judgement_family_done(judgement, RESOLVER_OK);
    judgement_family_done(judgement, RESOLVER_OK);
}

void judgement_give_up(struct judgement *judgement)
{
    while (!judgement_is_complete(judgement))
        judgement_family_done(judgement, RESOLVER_TIMEOUT);
}

struct verdict judgement_recall(struct judgement *judgement, const struct ip_address *address)
{
    return judgement_evaluate(judgement, address);
}

bool judgement_is_complete(const struct judgement *judgement)
{
    return judgement->answered_count == ARRAY_LENGTH(judgement->statuses);
}

/* ---- errors and words ---- */

static bool judgement_has_status(const struct judgement *judgement, enum resolver_status status)
{
    for (size_t i = 0; i < judgement->answered_count; i++)
        if (judgement->statuses[i] == status)
            return true;
    return false;
}

/* Contract: no address was allowed. A status is looked for in both families; NXDOMAIN comes first,
 * because it is about the name and not about one family. */
enum tunnel_error judgement_error(const struct judgement *judgement)
{
    if (judgement->is_denied)
        return verdict_error(&judgement->denied);
    if (judgement_has_status(judgement, RESOLVER_NXDOMAIN))
        return TUNNEL_ERROR_NXDOMAIN;
    if (judgement_has_status(judgement, RESOLVER_TIMEOUT))
        return TUNNEL_ERROR_DNS_TIMEOUT;
    if (judgement_has_status(judgement, RESOLVER_SERVFAIL) ||
        judgement_has_status(judgement, RESOLVER_FAILED))
        return TUNNEL_ERROR_DNS_FAILURE;
    return TUNNEL_ERROR_NO_ADDRESS;
}

enum tunnel_error verdict_error(const struct verdict *verdict)
{
    if (verdict->reason == POLICY_LOOP)
        return TUNNEL_ERROR_LOOP;
    if (verdict->reason == POLICY_SPECIAL)
        return TUNNEL_ERROR_ADDRESS_PROHIBITED;
    return verdict->action == POLICY_ASK ? TUNNEL_ERROR_AUTH_REQUIRED : TUNNEL_ERROR_DENIED;
}

bool error_is_denial(enum tunnel_error error)
{
    return error == TUNNEL_ERROR_LOOP || error == TUNNEL_ERROR_ADDRESS_PROHIBITED ||
           error == TUNNEL_ERROR_DENIED;
}

static bool judgement_is_ascii(const char *text)
{
    while (*text > 0 && *text < 0x7f)
        text++;
    return *text == '\0';
}

/* Adds the rule's name, or `line N` when it has none or when its name can't be written here:
 * clients need not know what the configuration files are called. */
static void verdict_add_rule(struct text *out, const struct verdict *verdict, bool must_be_ascii)
{
    const char *line = strrchr(verdict->place, ':');
    bool is_nameless = strcmp(verdict->rule, verdict->place) == 0;

    if (line != NULL && (is_nameless || (must_be_ascii && !judgement_is_ascii(verdict->rule)))) {
        text_add(out, "line ");
        text_add(out, line + 1);
    } else {
        text_add(out, "rule ");
        text_add(out, verdict->rule);
    }
}

static void verdict_print(struct text *out, const struct verdict *verdict, bool must_be_ascii)
{
    text_add(out, tunnel_error_row(verdict_error(verdict))->text);
    if (verdict->reason == POLICY_DEFAULT) {
        text_add(out, ": no rule allows this; ask whoever runs this proxy");
    } else if (verdict->reason != POLICY_LOOP) {
        text_add(out, " (");
        verdict_add_rule(out, verdict, must_be_ascii);
        text_add(out, ")");
    }
}

static void judgement_print_as(struct text *out, const struct judgement *judgement,
                               bool must_be_ascii)
{
    const struct policy_facts *facts = &judgement->facts;
    enum tunnel_error error = judgement_error(judgement);

    if (judgement->is_denied) {
        verdict_print(out, &judgement->denied, must_be_ascii);
        return;
    }
    text_add(out, tunnel_error_row(error)->text);
    /* A name without a dot works in a browser or shell that adds a search domain. adit adds none,
     * because its own domain could be another one than the client's. For such a name, a name
     * server that only knows whole names says NXDOMAIN, no data, or SERVFAIL. */
    if (error != TUNNEL_ERROR_DNS_TIMEOUT && facts->host != NULL &&
        memchr(facts->host, '.', facts->host_length) == NULL)
        text_add(out, "; a name without a dot is looked up as it is: add its domain");
}

void judgement_print(struct text *out, const struct judgement *judgement)
{
    judgement_print_as(out, judgement, false);
}

void judgement_print_phrase(struct text *out, const struct judgement *judgement)
{
    judgement_print_as(out, judgement, true);
}
