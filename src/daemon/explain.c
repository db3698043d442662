/* The way of a tunnel (tunnel/tunnel.c) without the tunnel: judge the name, look it up in a loop of
 * our own, judge each address, and say what became of each step. Nothing is dialled.
 *
 * Where several addresses are denied, the client is told of a loop, or else of the first: here,
 * too. What only the first bytes in a tunnel could tell stays unknown, unless --sni says what they
 * are.
 */
#include "daemon/explain.h"

#include "daemon/check.h"
#include "daemon/file_text.h"
#include "daemon/file_watch.h"
#include "daemon/say.h"
#include "daemon/snapshot.h"
#include "dns/resolver.h"
#include "loop/loop.h"
#include "net/local_address.h"
#include "policy/policy.h"
#include "tunnel/auth_users.h"
#include "tunnel/tunnel_error.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_ALLOWED = 0, EXIT_FAILED = 1, EXIT_DENIED = 3, FAMILIES = 2 };

struct explanation {
    const struct options_question *question;
    const struct snapshot *snapshot;
    struct policy_facts facts;
    struct loop *loop;
    struct resolver *resolver;
    struct resolver_query query;
    bool is_running;
    unsigned answered;
    enum resolver_status statuses[FAMILIES];
    bool is_allowed;
    bool is_denied;
    struct verdict allowed; /* the first */
    struct verdict denied;  /* the one that the client is told of */
};

/* -- words */

static void print_rule(const struct verdict *verdict)
{
    printf("%s", verdict->rule);
    if (verdict->rule_index != POLICY_NO_RULE && strcmp(verdict->rule, verdict->place) != 0)
        printf(" (%s)", verdict->place);
}

static enum tunnel_error error_of(const struct verdict *verdict)
{
    if (verdict->reason == POLICY_LOOP)
        return TUNNEL_ERROR_LOOP;
    if (verdict->reason == POLICY_SPECIAL)
        return TUNNEL_ERROR_ADDRESS_PROHIBITED;
    return verdict->action == POLICY_ASK ? TUNNEL_ERROR_AUTH_REQUIRED : TUNNEL_ERROR_DENIED;
}

static void print_verdict(const struct verdict *verdict)
{
    switch (verdict->action) {
    case POLICY_ALLOW:
        printf("allow by rule ");
        break;
    case POLICY_CONTINUE:
        printf("undecided; may be allowed by rule ");
        break;
    case POLICY_ASK:
        printf("asks for a password, for rule ");
        break;
    case POLICY_DENY:
    case POLICY_ACTION_COUNT:
        printf(verdict->reason == POLICY_LOOP      ? "deny, for it is adit itself: rule "
               : verdict->reason == POLICY_SPECIAL ? "deny: a special-purpose address, which must "
                                                     "be named to be reached; not by rule "
                                                   : "deny by rule ");
        break;
    }
    print_rule(verdict);
    putchar('\n');
}

static void print_reports(const struct explanation *explanation, const struct verdict *verdict)
{
    const struct policy_source *source = policy_rules(explanation->snapshot->policy);

    for (size_t i = 0; i < verdict->report_count; i++) {
        const struct policy_rule_source *rule = &source->rules[verdict->reports[i]];

        printf("report   %s (%s) would %s, and is only logged\n", rule->name, rule->place,
               rule->is_allow ? "allow" : "deny");
    }
}

static void print_address(const struct ip_address *address)
{
    char buffer[IP_ENDPOINT_TEXT_SIZE];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    ip_address_print(&text, address);
    printf("%s", buffer);
}

static void print_question(const struct explanation *explanation)
{
    const struct options_question *question = explanation->question;
    char buffer[AUTHORITY_TEXT_SIZE];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    authority_print(&text, &question->target);
    printf("target   %s\nclient   ", buffer);
    print_address(&question->client);
    text_init(&text, buffer, sizeof(buffer));
    ip_endpoint_print(&text, explanation->facts.listener);
    printf(", user %s, at listener %s", question->user != NULL ? question->user : "nobody", buffer);
    if (question->has_sni)
        printf(", TLS for %s inside", question->sni.host);
    putchar('\n');
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

    printf("address  ");
    print_address(address);
    printf(": ");
    print_verdict(&verdict);
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

/* -- the lookup */

static void on_answer(struct resolver_query *query, const struct resolver_answer *answer)
{
    struct explanation *explanation = container_of(query, struct explanation, query);

    printf("lookup   %s: ", answer->family == IP_V4 ? "A" : "AAAA");
    if (answer->status != RESOLVER_OK)
        printf("%s", resolver_status_name(answer->status));
    for (size_t i = 0; i < answer->count; i++) {
        printf(i > 0 ? ", " : "");
        print_address(&answer->addresses[i]);
    }
    putchar('\n');
    for (size_t i = 0; i < answer->count; i++)
        offer_address(explanation, &answer->addresses[i]);
    explanation->statuses[explanation->answered++] = answer->status;
    if (explanation->answered == FAMILIES && explanation->is_running)
        loop_stop(explanation->loop);
}

static void use_files(struct explanation *explanation)
{
    const struct config *config = explanation->snapshot->config;

    for (size_t i = 0; i < WATCHED_FILE_COUNT; i++) {
        int fd = watched_file_open((enum watched_file)i);
        struct file_text *text = file_text_read(fd);

        if (fd >= 0)
            close(fd);
        if (text == NULL)
            continue;
        if (i == WATCHED_HOSTS &&
            resolver_set_hosts(explanation->resolver, text->bytes, text->length) < 0)
            say("no memory for /etc/hosts");
        if (i == WATCHED_RESOLV_CONF && !config->has_resolver)
            resolver_set_servers(explanation->resolver, text->bytes, text->length);
        file_text_release(text);
    }
    if (config->has_resolver)
        resolver_use_servers(explanation->resolver, &config->resolver);
}

static int look_up(struct explanation *explanation)
{
    const struct config_values *values = &explanation->snapshot->config->values;
    int error = loop_create(&explanation->loop);

    if (error < 0)
        return error;
    error = resolver_create(explanation->loop, values->dns_timeout_ms, &explanation->resolver);
    if (error == 0) {
        use_files(explanation);
        error = resolver_ask(explanation->resolver, &explanation->query,
                             explanation->question->target.host, on_answer);
        explanation->is_running = true;
        if (error == 0 && explanation->answered < FAMILIES)
            error = loop_run(explanation->loop);
        resolver_destroy(explanation->resolver);
    }
    loop_destroy(explanation->loop);
    return error;
}

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

/* -- the end of it */

static int conclude(const struct explanation *explanation)
{
    if (explanation->is_allowed) {
        printf("verdict: allow (200) by rule ");
        print_rule(&explanation->allowed);
        putchar('\n');
        return EXIT_ALLOWED;
    }
    if (explanation->is_denied) {
        const struct tunnel_error_row *row = tunnel_error_row(error_of(&explanation->denied));

        printf("verdict: %s (%u), %s: rule ",
               explanation->denied.action == POLICY_ASK ? "ask" : "deny", row->status, row->token);
        print_rule(&explanation->denied);
        putchar('\n');
        return EXIT_DENIED;
    }
    const struct tunnel_error_row *row = tunnel_error_row(lookup_error(explanation));
    printf("verdict: the lookup failed (%u), %s: %s\n", row->status, row->token, row->text);
    return EXIT_FAILED;
}

static int explain_name(struct explanation *explanation)
{
    struct verdict verdict = judge(explanation, NULL);

    printf("name     %s: ", explanation->question->target.host);
    print_verdict(&verdict);
    if (verdict.action != POLICY_CONTINUE) {
        print_reports(explanation, &verdict);
        explanation->is_denied = true;
        explanation->denied = verdict;
        return conclude(explanation);
    }
    int error = look_up(explanation);
    if (error < 0) {
        say("can't look it up: %s", strerror(-error));
        return EXIT_FAILED;
    }
    return conclude(explanation);
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
    const struct options_question *question = explanation->question;
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

static int explain(const struct options_question *question, const struct snapshot *snapshot)
{
    struct explanation explanation = {.question = question, .snapshot = snapshot};
    const char *user = question->user;

    fill_facts(&explanation);
    print_question(&explanation);
    if (user != NULL && snapshot->users == NULL) {
        printf("user     no `users` file is set: credentials are ignored\n");
    } else if (user != NULL && auth_users_find(snapshot->users, user, strlen(user)) == NULL) {
        printf("user     %s is not in the users file\n"
               "verdict: ask (407): wrong credentials\n",
               user);
        return EXIT_DENIED;
    }
    if (question->target.address.family == IP_NONE)
        return explain_name(&explanation);
    offer_address(&explanation, &question->target.address);
    return conclude(&explanation);
}

int explain_run(const struct options *options)
{
    struct snapshot_listener listeners[CONFIG_LISTENERS_MAX];
    struct snapshot *snapshot;
    struct config *config;

    if (check_load(options, true, &config) < 0)
        return EXIT_FAILED;
    for (size_t i = 0; i < config->listener_count; i++)
        listeners[i] = (struct snapshot_listener){
            .written = config->listeners[i], .bound = config->listeners[i], .fd = -1};
    int error = snapshot_create(config, listeners, config->listener_count, &snapshot);
    if (error < 0) {
        say("no memory for the configuration");
        return EXIT_FAILED;
    }
    int status = explain(&options->question, snapshot);
    snapshot_release(snapshot);
    return fflush(stdout) == 0 ? status : EXIT_FAILED;
}
