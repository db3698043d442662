/* The way of a tunnel (tunnel/tunnel.c) without the tunnel: judge the name, look it up, judge each
 * address, and say what became of each step. Nothing is dialled.
 *
 * Where several addresses are denied, the client is told of a loop, or else of the first: here,
 * too. What only the first bytes in a tunnel could tell stays unknown, unless it was said what they
 * are.
 */
#include "daemon/explanation.h"

#include "daemon/snapshot.h"
#include "net/local_address.h"
#include "tunnel/auth_users.h"
#include "tunnel/tunnel_error.h"

#include <string.h>
#include <time.h>

static const struct {
    const char *name;
    int exit_status;
} outcomes[] = {
    [EXPLANATION_ALLOW] = {"allow", 0},
    [EXPLANATION_DENY] = {"deny", 3},
    [EXPLANATION_ASK] = {"ask", 3},
    [EXPLANATION_FAILED] = {"failed", 1},
};
static_assert(ARRAY_LENGTH(outcomes) == EXPLANATION_OUTCOME_COUNT, "a row for every outcome");

const char *explanation_outcome_name(enum explanation_outcome outcome)
{
    return outcomes[outcome].name;
}

int explanation_exit_status(enum explanation_outcome outcome)
{
    return outcomes[outcome].exit_status;
}

/* -- words */

static void print_rule(FILE *out, const struct verdict *verdict)
{
    fputs(verdict->rule, out);
    if (verdict->rule_index != POLICY_NO_RULE && strcmp(verdict->rule, verdict->place) != 0)
        fprintf(out, " (%s)", verdict->place);
}

static enum tunnel_error error_of(const struct verdict *verdict)
{
    if (verdict->reason == POLICY_LOOP)
        return TUNNEL_ERROR_LOOP;
    if (verdict->reason == POLICY_SPECIAL)
        return TUNNEL_ERROR_ADDRESS_PROHIBITED;
    return verdict->action == POLICY_ASK ? TUNNEL_ERROR_AUTH_REQUIRED : TUNNEL_ERROR_DENIED;
}

static void print_verdict(FILE *out, const struct verdict *verdict)
{
    switch (verdict->action) {
    case POLICY_ALLOW:
        fputs("allow by rule ", out);
        break;
    case POLICY_CONTINUE:
        fputs("undecided; may be allowed by rule ", out);
        break;
    case POLICY_ASK:
        fputs("asks for a password, for rule ", out);
        break;
    case POLICY_DENY:
    case POLICY_ACTION_COUNT:
        fputs(verdict->reason == POLICY_LOOP      ? "deny, for it is adit itself: rule "
              : verdict->reason == POLICY_SPECIAL ? "deny: a special-purpose address, which must "
                                                    "be named to be reached; not by rule "
                                                  : "deny by rule ",
              out);
        break;
    }
    print_rule(out, verdict);
    fputc('\n', out);
}

static void print_reports(const struct explanation *explanation, const struct verdict *verdict)
{
    const struct policy_source *source = policy_rules(explanation->snapshot->policy);

    for (size_t i = 0; i < verdict->report_count; i++) {
        const struct policy_rule_source *rule = &source->rules[verdict->reports[i]];

        fprintf(explanation->out, "report   %s (%s) would %s, and is only logged\n", rule->name,
                rule->place, rule->is_allow ? "allow" : "deny");
    }
}

static void print_address(FILE *out, const struct ip_address *address)
{
    char buffer[IP_ENDPOINT_TEXT_SIZE];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    ip_address_print(&text, address);
    fputs(buffer, out);
}

static void print_question(const struct explanation *explanation)
{
    const struct options_question *question = &explanation->question;
    FILE *out = explanation->out;
    char buffer[AUTHORITY_TEXT_SIZE];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    authority_print(&text, &question->target);
    fprintf(out, "target   %s\nclient   ", buffer);
    print_address(out, &question->client);
    text_init(&text, buffer, sizeof(buffer));
    ip_endpoint_print(&text, explanation->facts.listener);
    fprintf(out, ", user %s, at listener %s", question->user != NULL ? question->user : "nobody",
            buffer);
    if (question->has_sni)
        fprintf(out, ", TLS for %s inside", question->sni.host);
    fputc('\n', out);
}

/* -- judging */

static struct verdict judge(struct explanation *explanation, const struct ip_address *address)
{
    const struct policy *policy = explanation->snapshot->policy;
    struct policy_facts *facts = &explanation->facts;
    struct verdict verdict;

    facts->address = address;
    facts->is_local_address = address != NULL && policy_needs_local_check(policy, facts->port) &&
                              local_address_contains(address);
    policy_evaluate(policy, facts, &verdict);
    return verdict;
}

static void offer_address(struct explanation *explanation, const struct ip_address *address)
{
    struct verdict verdict = judge(explanation, address);

    fputs("address  ", explanation->out);
    print_address(explanation->out, address);
    fputs(": ", explanation->out);
    print_verdict(explanation->out, &verdict);
    print_reports(explanation, &verdict);
    if (verdict.action == POLICY_ALLOW) {
        if (!explanation->is_allowed)
            explanation->allowed = verdict;
        explanation->is_allowed = true;
        return;
    }
    if (!explanation->is_denied || verdict.reason == POLICY_LOOP)
        explanation->denied = verdict;
    explanation->is_denied = true;
}

/* -- the end of it */

static bool has_status(const struct explanation *explanation, enum resolver_status status)
{
    return explanation->statuses[0] == status || explanation->statuses[1] == status;
}

/* Why there is no address to be judged. */
static enum tunnel_error lookup_error(const struct explanation *explanation)
{
    if (has_status(explanation, RESOLVER_NXDOMAIN))
        return TUNNEL_ERROR_NXDOMAIN;
    if (has_status(explanation, RESOLVER_TIMEOUT))
        return TUNNEL_ERROR_DNS_TIMEOUT;
    if (has_status(explanation, RESOLVER_SERVFAIL) || has_status(explanation, RESOLVER_FAILED))
        return TUNNEL_ERROR_DNS_FAILURE;
    return TUNNEL_ERROR_NO_ADDRESS;
}

static enum explanation_outcome print_denied(const struct explanation *explanation)
{
    const struct verdict *denied = &explanation->denied;
    const struct tunnel_error_row *row = tunnel_error_row(error_of(denied));
    bool is_ask = denied->action == POLICY_ASK;

    fprintf(explanation->out, "verdict: %s (%u), %s: rule ", is_ask ? "ask" : "deny", row->status,
            row->token);
    print_rule(explanation->out, denied);
    fputc('\n', explanation->out);
    return is_ask ? EXPLANATION_ASK : EXPLANATION_DENY;
}

static enum explanation_outcome print_conclusion(const struct explanation *explanation)
{
    FILE *out = explanation->out;

    if (explanation->is_allowed) {
        fputs("verdict: allow (200) by rule ", out);
        print_rule(out, &explanation->allowed);
        fputc('\n', out);
        return EXPLANATION_ALLOW;
    }
    if (explanation->is_denied)
        return print_denied(explanation);
    const struct tunnel_error_row *row = tunnel_error_row(lookup_error(explanation));
    fprintf(out, "verdict: the lookup failed (%u), %s: %s\n", row->status, row->token, row->text);
    return EXPLANATION_FAILED;
}

static void conclude(struct explanation *explanation)
{
    explanation->ended(explanation, print_conclusion(explanation));
}

/* -- the lookup */

static void on_answer(struct resolver_query *query, const struct resolver_answer *answer)
{
    struct explanation *explanation = container_of(query, struct explanation, query);
    FILE *out = explanation->out;

    fprintf(out, "lookup   %s: ", answer->family == IP_V4 ? "A" : "AAAA");
    if (answer->status != RESOLVER_OK)
        fputs(resolver_status_name(answer->status), out);
    for (size_t i = 0; i < answer->count; i++) {
        fputs(i > 0 ? ", " : "", out);
        print_address(out, &answer->addresses[i]);
    }
    fputc('\n', out);
    for (size_t i = 0; i < answer->count; i++)
        offer_address(explanation, &answer->addresses[i]);
    explanation->statuses[explanation->answered_count++] = answer->status;
    if (explanation->answered_count == ARRAY_LENGTH(explanation->statuses))
        conclude(explanation);
}

static void explain_name(struct explanation *explanation)
{
    struct verdict verdict = judge(explanation, NULL);

    fprintf(explanation->out, "name     %s: ", explanation->question.target.host);
    print_verdict(explanation->out, &verdict);
    if (verdict.action != POLICY_CONTINUE) {
        print_reports(explanation, &verdict);
        explanation->is_denied = true;
        explanation->denied = verdict;
        conclude(explanation);
        return;
    }
    int error =
        resolver_ask(explanation->resolver, &explanation->query, explanation->question.target.host,
                     &explanation->question.client, on_answer);
    explanation->is_asking = error == 0;
    if (error < 0) {
        fprintf(explanation->out, "verdict: can't look it up: %s\n", strerror(-error));
        explanation->ended(explanation, EXPLANATION_FAILED);
    }
}

static void tell_time(struct policy_facts *facts)
{
    time_t now = time(NULL);
    struct tm local;

    if (localtime_r(&now, &local) == NULL)
        return;
    facts->weekday = (uint8_t)local.tm_wday;
    facts->minute = (uint16_t)(local.tm_hour * 60 + local.tm_min);
}

static void fill_facts(struct explanation *explanation)
{
    const struct options_question *question = &explanation->question;
    const struct snapshot *snapshot = explanation->snapshot;
    const struct authority *target = &question->target;
    struct policy_facts *facts = &explanation->facts;

    *facts = (struct policy_facts){
        .client = &question->client,
        .user = snapshot->users != NULL ? question->user : NULL,
        .listener = &snapshot->listeners[0].written,
        .host = target->address.family == IP_NONE ? target->host : NULL,
        .host_length = target->host_length,
        .port = target->port,
        .is_inside_known = question->has_sni,
        .protocol = question->has_sni ? "tls" : NULL,
        .sni = question->has_sni ? question->sni.host : NULL,
    };
    tell_time(facts);
}

/* Whether the user there is may be judged at all. */
static bool check_user(const struct explanation *explanation)
{
    const struct auth_users *users = explanation->snapshot->users;
    const char *user = explanation->question.user;

    if (user == NULL)
        return true;
    if (users == NULL) {
        fputs("user     no `users` file is set: credentials are ignored\n", explanation->out);
        return true;
    }
    if (auth_users_find(users, user, strlen(user)) != NULL)
        return true;
    fprintf(explanation->out,
            "user     %s is not in the users file\n"
            "verdict: ask (407): wrong credentials\n",
            user);
    return false;
}

void explanation_start(struct explanation *explanation, const struct options_question *question,
                       const struct snapshot *snapshot, struct resolver *resolver, FILE *out,
                       void (*ended)(struct explanation *, enum explanation_outcome))
{
    *explanation = (struct explanation){.question = *question,
                                        .snapshot = snapshot,
                                        .resolver = resolver,
                                        .out = out,
                                        .ended = ended};
    fill_facts(explanation);
    print_question(explanation);
    if (!check_user(explanation)) {
        ended(explanation, EXPLANATION_ASK);
    } else if (question->target.address.family == IP_NONE) {
        explain_name(explanation);
    } else {
        offer_address(explanation, &explanation->question.target.address);
        conclude(explanation);
    }
}

void explanation_cancel(struct explanation *explanation)
{
    if (explanation->is_asking)
        resolver_cancel(&explanation->query);
    explanation->is_asking = false;
}
