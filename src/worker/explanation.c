/* Goes the same way as a tunnel that is opened: the name is judged and looked up, and each address
 * is judged. Each step is printed with its result. Nothing is dialled.
 *
 * Conditions on the first bytes inside a tunnel stay undecided, unless the question says what those
 * bytes are (`--sni`, `--protocol`).
 */
#include "worker/explanation.h"

#include "access/auth_users.h"
#include "base/escape.h"
#include "config/week_time.h"
#include "tunnel/tunnel_error.h"
#include "worker/snapshot.h"

#include <string.h>

/* How many lines about rules `--all` prints for all steps together. For the running adit the text
 * is made in memory, so it needs a bound. */
enum { RULE_LINES_MAX = 20000 };

static const struct {
    const char *name;
    int exit_status;
} explanation_outcomes[] = {
    [EXPLANATION_ALLOW] = {"allow", 0},
    [EXPLANATION_DENY] = {"deny", 3},
    [EXPLANATION_ASK] = {"ask", 3},
    [EXPLANATION_FAILED] = {"failed", 1},
};
static_assert(ARRAY_LENGTH(explanation_outcomes) == EXPLANATION_OUTCOME_COUNT,
              "a row for every outcome");

const char *explanation_outcome_name(enum explanation_outcome outcome)
{
    return explanation_outcomes[outcome].name;
}

int explanation_exit_status(enum explanation_outcome outcome)
{
    return explanation_outcomes[outcome].exit_status;
}

/* -- words */

/* Prints a word of the question, or a name that may come from a file. It may hold any bytes, so it
 * is escaped. */
static void print_outside(FILE *out, const char *words)
{
    char buffer[1024];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    escape_add(&text, words, strlen(words), sizeof(buffer) - 1, ESCAPE_PLAIN);
    fputs(buffer, out);
}

static void print_named(FILE *out, const char *rule, const char *place)
{
    print_outside(out, rule);
    if (strcmp(rule, place) != 0) {
        fputs(" (", out);
        print_outside(out, place);
        fputc(')', out);
    }
}

static void print_rule(FILE *out, const struct verdict *verdict)
{
    print_named(out, verdict->rule, verdict->place);
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
    const struct policy_source *source = policy_source_of(explanation->snapshot->policy);

    for (size_t i = 0; i < verdict->report_count; i++) {
        const struct policy_rule_source *rule = &source->rules[verdict->reports[i]];

        fputs("report   ", explanation->out);
        print_named(explanation->out, rule->name, rule->place);
        fprintf(explanation->out, " would %s, and is only logged\n",
                rule->is_allow ? "allow" : "deny");
    }
}

static void print_address(FILE *out, const struct ip_address *address)
{
    char buffer[IP_ENDPOINT_TEXT_SIZE];

    fputs(ip_address_text(buffer, address), out);
}

static void print_endpoint(FILE *out, const struct ip_endpoint *endpoint)
{
    char buffer[IP_ENDPOINT_TEXT_SIZE];

    fputs(ip_endpoint_text(buffer, endpoint), out);
}

/* Prints the listener as the configuration writes it, and the endpoint that it is bound to when
 * that is another one. */
static void print_listener(FILE *out, const struct listener *listener)
{
    print_endpoint(out, &listener->written);
    if (ip_endpoint_equals(&listener->bound, &listener->written))
        return;
    fputs(" (", out);
    print_endpoint(out, &listener->bound);
    fputc(')', out);
}

static void print_policy(const struct explanation *explanation, bool is_running)
{
    const char *path = explanation->snapshot->config->path;

    fputs(is_running ? "policy   of the running adit: " : "policy   ", explanation->out);
    print_outside(explanation->out,
                  path != NULL ? path
                  : is_running
                      ? "the built-in one"
                      : "the built-in one (-c FILE: the file's, -s PATH: the running adit's)");
    fputc('\n', explanation->out);
}

static void print_question(const struct explanation *explanation, const struct listener *listener)
{
    const struct question *question = &explanation->question;
    const char *const *words = question->words;
    const struct policy_facts *facts = &explanation->judgement.facts;
    FILE *out = explanation->out;
    char buffer[AUTHORITY_TEXT_SIZE];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    authority_print(&text, &question->target);
    fprintf(out, "target   %s\nclient   ", buffer);
    print_address(out, &question->client);
    fputs(", user ", out);
    print_outside(out, words[QUESTION_USER] != NULL ? words[QUESTION_USER] : "nobody");
    fputs(", at listener ", out);
    print_listener(out, listener);
    if (explanation->judgement.has_time)
        fprintf(out, ", %s %02u:%02u", week_day_name(facts->weekday), facts->minute / 60u,
                facts->minute % 60u);
    if (facts->is_inside_known)
        fprintf(out, ", %s%s%s inside", facts->protocol, facts->sni != NULL ? " for " : "",
                facts->sni != NULL ? facts->sni : "");
    fputc('\n', out);
}

/* -- each rule */

static void write_bytes(void *self, const char *bytes, size_t length)
{
    fwrite(bytes, 1, length, self);
}

/* Prints one rule, and whether it is true of the target; if it is not, the condition that says so.
 */
static void print_finding(const struct explanation *explanation, uint32_t number)
{
    static const char *const truths[] = {
        [POLICY_FALSE] = "false:", [POLICY_UNKNOWN] = "undecided:", [POLICY_TRUE] = "true"};
    const struct judgement *judgement = &explanation->judgement;
    const struct policy_rule_source *rule = &policy_source_of(judgement->policy)->rules[number];
    struct policy_finding finding;
    FILE *out = explanation->out;

    policy_examine(judgement->policy, &judgement->facts, number, &finding);
    fprintf(out, "  rule   %s%s ", rule->is_report ? "report " : "",
            rule->is_allow ? "allow" : "deny");
    print_named(out, rule->name, rule->place);
    fprintf(out, ": %s", truths[finding.truth]);
    if (finding.condition != NULL)
        config_print_condition(explanation->snapshot->config, finding.condition, write_bytes, out);
    if (finding.is_short)
        fprintf(out, "%s a special-purpose address, which must be named to be reached",
                finding.truth == POLICY_TRUE ? " but for" : ", and");
}

static void print_rules(struct explanation *explanation, const struct verdict *verdict)
{
    size_t count = policy_source_of(explanation->judgement.policy)->rule_count;
    bool is_decided = verdict->action != POLICY_CONTINUE && verdict->reason == POLICY_RULE;

    for (uint32_t i = 0; explanation->question.words[QUESTION_ALL] != NULL && i < count; i++) {
        if (explanation->rule_lines++ == RULE_LINES_MAX)
            fputs("  rule   the rest is left out\n", explanation->out);
        if (explanation->rule_lines > RULE_LINES_MAX)
            return;
        print_finding(explanation, i);
        fputs(i == verdict->rule_index                ? "  <- this one\n"
              : is_decided && i > verdict->rule_index ? "  (not reached)\n"
                                                      : "\n",
              explanation->out);
    }
}

/* -- judging */

static void print_step(struct explanation *explanation, const struct verdict *verdict)
{
    print_verdict(explanation->out, verdict);
    print_reports(explanation, verdict);
    print_rules(explanation, verdict);
}

static void explanation_judged(void *self, const struct ip_address *address,
                               const struct verdict *verdict)
{
    struct explanation *explanation = self;

    fputs("address  ", explanation->out);
    print_address(explanation->out, address);
    fputs(": ", explanation->out);
    print_step(explanation, verdict);
}

/* -- the end of it */

static enum explanation_outcome print_conclusion(const struct explanation *explanation)
{
    const struct judgement *judgement = &explanation->judgement;
    FILE *out = explanation->out;

    if (judgement->allowed_count > 0) {
        fputs("verdict: allow (200) by rule ", out);
        print_rule(out, &judgement->allowed);
        fputc('\n', out);
        return EXPLANATION_ALLOW;
    }
    const struct tunnel_error_row *row = tunnel_error_row(judgement_error(judgement));
    if (!judgement->is_denied) {
        char buffer[192];
        struct text reason;

        text_init(&reason, buffer, sizeof(buffer));
        judgement_print(&reason, judgement);
        fprintf(out, "verdict: the lookup failed (%u), %s: %s\n", row->status, row->token, buffer);
        return EXPLANATION_FAILED;
    }
    bool is_ask = judgement->denied.action == POLICY_ASK;
    fprintf(out, "verdict: %s (%u), %s: rule ", is_ask ? "ask" : "deny", row->status, row->token);
    print_rule(out, &judgement->denied);
    fputc('\n', out);
    return is_ask ? EXPLANATION_ASK : EXPLANATION_DENY;
}

static void explanation_conclude(struct explanation *explanation)
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
    judgement_of_answer(&explanation->judgement, answer, explanation_judged, explanation);
    if (judgement_is_complete(&explanation->judgement))
        explanation_conclude(explanation);
}

static void explain_name(struct explanation *explanation)
{
    struct verdict verdict = judgement_of_name(&explanation->judgement);

    fprintf(explanation->out, "name     %s: ", explanation->question.target.host);
    print_step(explanation, &verdict);
    if (explanation->judgement.is_denied) {
        explanation_conclude(explanation);
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

/* Returns the listener that the question names, or the first one when it names none; NULL when adit
 * does not listen there. A listener is found by either endpoint, as written or as bound, since the
 * system may have chosen the port. */
static const struct listener *find_listener(const struct explanation *explanation)
{
    const struct question *question = &explanation->question;
    const struct listener_set *listeners = &explanation->snapshot->listeners;

    for (size_t i = 0; i < listener_set_count(listeners, LISTENER_TUNNELS); i++) {
        const struct listener *listener = &listeners->all[i];

        if ((question->words[QUESTION_LISTENER] == NULL ||
             ip_endpoint_equals(&listener->written, &question->listener) ||
             ip_endpoint_equals(&listener->bound, &question->listener)))
            return listener;
    }
    return NULL;
}

static void explanation_begin(struct explanation *explanation, const struct listener *listener)
{
    const struct question *question = &explanation->question;
    const char *const *words = question->words;
    const struct snapshot *snapshot = explanation->snapshot;
    struct judgement *judgement = &explanation->judgement;

    judgement_begin(judgement, snapshot->policy, &question->client,
                    snapshot->users != NULL ? words[QUESTION_USER] : NULL, listener,
                    &question->target);
    if (words[QUESTION_TIME] != NULL)
        judgement_set_time(judgement, question->weekday, question->minute);
    if (words[QUESTION_SNI] != NULL || words[QUESTION_PROTOCOL] != NULL)
        judgement_set_inside(judgement,
                             words[QUESTION_PROTOCOL] != NULL ? words[QUESTION_PROTOCOL] : "tls",
                             words[QUESTION_SNI] != NULL ? question->sni.host : NULL);
}

/* A client that offers credentials is only served if they are right, whatever the rules say. So a
 * user who is not in the users file ends the explanation here: returns false after it has said so.
 */
static bool check_user(const struct explanation *explanation)
{
    const struct auth_users *users = explanation->snapshot->users;
    const char *user = explanation->question.words[QUESTION_USER];

    if (user == NULL)
        return true;
    if (users == NULL) {
        fputs("user     no `users` file is set: credentials are ignored\n", explanation->out);
        return true;
    }
    if (auth_users_find(users, user, strlen(user)) != NULL)
        return true;
    const struct tunnel_error_row *row = tunnel_error_row(TUNNEL_ERROR_AUTH_WRONG);
    fputs("user     ", explanation->out);
    print_outside(explanation->out, user);
    fprintf(explanation->out, " is not in the users file\nverdict: ask (%u), %s: %s\n", row->status,
            row->token, row->text);
    return false;
}

static void fail_listener(struct explanation *explanation)
{
    const struct listener_set *listeners = &explanation->snapshot->listeners;
    const char *before = "verdict: adit does not listen at ";

    fputs(before, explanation->out);
    print_endpoint(explanation->out, &explanation->question.listener);
    before = "; it listens at ";
    for (size_t i = 0; i < listener_set_count(listeners, LISTENER_TUNNELS); i++) {
        fputs(before, explanation->out);
        print_listener(explanation->out, &listeners->all[i]);
        before = ", ";
    }
    fputc('\n', explanation->out);
    explanation->ended(explanation, EXPLANATION_FAILED);
}

void explanation_start(struct explanation *explanation, const struct question *question,
                       const struct snapshot *snapshot, bool is_running, struct resolver *resolver,
                       FILE *out, void (*ended)(struct explanation *, enum explanation_outcome))
{
    *explanation = (struct explanation){.question = *question,
                                        .snapshot = snapshot,
                                        .resolver = resolver,
                                        .out = out,
                                        .ended = ended};
    const struct listener *listener = find_listener(explanation);

    print_policy(explanation, is_running);
    if (listener == NULL) {
        fail_listener(explanation);
        return;
    }
    explanation_begin(explanation, listener);
    print_question(explanation, listener);
    if (!check_user(explanation)) {
        ended(explanation, EXPLANATION_ASK);
    } else if (judgement_has_name(&explanation->judgement)) {
        explain_name(explanation);
    } else {
        judgement_of_literal(&explanation->judgement, &explanation->question.target.address,
                             explanation_judged, explanation);
        explanation_conclude(explanation);
    }
}

void explanation_end_lookup(struct explanation *explanation)
{
    explanation_cancel(explanation);
    judgement_give_up(&explanation->judgement);
    fputs("lookup   no further answer within `resolver timeout`\n", explanation->out);
    explanation_conclude(explanation);
}

void explanation_cancel(struct explanation *explanation)
{
    if (explanation->is_asking)
        resolver_cancel(&explanation->query);
    explanation->is_asking = false;
}
