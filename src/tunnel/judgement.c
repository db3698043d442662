/* What policy is asked about a tunnel, and how its answer reads to a client and in the log. */
#include "tunnel/judgement.h"

#include "base/text.h"
#include "net/local_address.h"
#include "policy/policy.h"
#include "tunnel/tunnel_env.h"
#include "tunnel/tunnel_state.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { REPORTS_SIZE = 256 }; /* of rule names in a log line */

/* ---- facts ---- */

static void tell_time(struct policy_facts *facts)
{
    struct timespec now;
    struct tm local;

    clock_gettime(CLOCK_REALTIME, &now);
    if (localtime_r(&now.tv_sec, &local) == NULL)
        return;
    facts->weekday = (uint8_t)local.tm_wday;
    facts->minute = (uint16_t)(local.tm_hour * 60 + local.tm_min);
}

/* ---- reports ---- */

/* Those of the last evaluation count: facts that come later add and remove. For want of memory they
 * are not told. */
static void note_reports(struct tunnel *tunnel, const struct verdict *verdict)
{
    const struct policy_source *source = policy_rules(tunnel->rules->policy);
    char buffer[REPORTS_SIZE];
    struct text names;

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

/* What is inside a tunnel is not looked at yet: it is "unknown" and has no SNI. */
struct verdict judgement_of(struct tunnel *tunnel, const struct ip_address *address)
{
    const struct tunnel_env *env = tunnel->env;
    const struct authority *authority = &tunnel->opening->authority;
    struct verdict verdict;
    struct policy_facts facts = {
        .client = &tunnel->client.address,
        .user = tunnel_user(tunnel),
        .listener = tunnel->listener < env->listener_count
                        ? &env->listeners_written[tunnel->listener]
                        : NULL,
        .host = authority->address.family == IP_NONE ? authority->host : NULL,
        .host_length = authority->host_length,
        .address = address,
        .port = authority->port,
        /* What is inside is not known yet: a rule that asks for it stays undecided, and undecided
         * is denied. */
    };

    if (address != NULL && policy_needs_local_check(tunnel->rules->policy, authority->port))
        facts.is_local_address = local_address_contains(address);
    if (policy_needs_time(tunnel->rules->policy))
        tell_time(&facts);
    policy_evaluate(tunnel->rules->policy, &facts, &verdict);
    note_reports(tunnel, &verdict);
    return verdict;
}

/* ---- words ---- */

enum tunnel_error judgement_error(const struct verdict *verdict)
{
    if (verdict->reason == POLICY_LOOP)
        return TUNNEL_ERROR_LOOP;
    if (verdict->reason == POLICY_SPECIAL)
        return TUNNEL_ERROR_ADDRESS_PROHIBITED;
    return verdict->action == POLICY_ASK ? TUNNEL_ERROR_AUTH_REQUIRED : TUNNEL_ERROR_DENIED;
}

/* A rule's name, or `line N`: clients need not know what the files are called. */
static void add_rule(struct text *out, const struct verdict *verdict)
{
    const char *line = strrchr(verdict->place, ':');

    if (line != NULL && strcmp(verdict->rule, verdict->place) == 0) {
        text_add(out, "line ");
        text_add(out, line + 1);
    } else {
        text_add(out, "rule ");
        text_add(out, verdict->rule);
    }
}

void judgement_print(struct text *out, const struct verdict *verdict)
{
    text_add(out, tunnel_error_row(judgement_error(verdict))->text);
    if (verdict->reason == POLICY_DEFAULT) {
        text_add(out, ": no rule allows this; ask whoever runs this proxy");
    } else if (verdict->reason != POLICY_LOOP) {
        text_add(out, " (");
        add_rule(out, verdict);
        text_add(out, ")");
    }
}
