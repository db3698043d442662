/* config/rule_cover by what it is for: random policies in which a rule is said never to decide, and
 * random requests, which it must not decide. And what it may cost.
 */
#include "base/hash.h"
#include "config/config.h"
#include "policy/policy.h"
#include "policy/special_address.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POLICIES = 8000, REQUESTS = 200, TEXT_SIZE = 4096, OUTPUT_SIZE = 65536 };

static uint64_t counter;

static size_t choose(size_t count)
{
    static const struct hash_seed seed = {{5, 7}};

    counter++;
    return hash_bytes(&seed, &counter, sizeof(counter)) % count;
}

#define CHOOSE(array) ((array)[choose(ARRAY_LENGTH(array))])

/* -- policies */

static const char *const conditions[] = {
    "from 10.0.0.0/8",
    "from 10.1.0.0/16, loopback",
    "from any",
    "from private",
    "user alice",
    "user any",
    "user @ops",
    "user not alice, bob",
    "user not alice",
    "to a.example",
    "to .a.example",
    "to *.example",
    "to *.a.example",
    "to b.*.example",
    "to *.*.example",
    "to any",
    "to any, special",
    "to special",
    "to 10.0.0.0/8",
    "to few",
    "to many",
    "to not few",
    "to not a.example",
    "to 1.1.1.1, private",
    "address private",
    "address special",
    "address loopback",
    "address 10.1.0.0/16",
    "port 443",
    "port 1-442, 443-65535",
    "port 80-443",
    "not port 443",
    "time Mon-Fri",
    "time Tue 08:00-18:00",
    "time 22:00-06:00",
    "time not Sat",
    "listener 127.0.0.1:1",
    "listener 127.0.0.1:1, 127.0.0.1:2",
    /* turned round, and unions */
    "from not 10.0.0.0/8",
    "from not private",
    "from not lan",
    "from lan",
    "from 0.0.0.0/0, ::/0",
    "from 10.0.0.0/9, 10.128.0.0/9",
    "from 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7",
    "user not @ops",
    "user not carol",
    "to not *.example",
    "to not b.*.example, 10.0.0.0/8",
    "to not many",
    "to not names",
    "to names",
    "to x.test, *.c.example",
    "to not 10.0.0.0/8",
    "to not private",
    "to not special",
    "to not 64:ff9b::/96",
    "to not 0.0.0.0/0",
    "to 64:ff9b::/96",
    "to not 64:ff9b::a01:1",
    "to 10.1.0.1",
    "to 0.0.0.0/0, ::/0",
    "to lan",
    "address not private",
    "address not 10.1.0.0/16",
    "address not special",
    "address 0.0.0.0/0, ::/0",
    "address 8.8.8.8",
    "port not 80-443",
    "port 1-65535",
    "port not 22, 8080",
    "time not Mon-Fri",
    "time not 22:00-06:00",
    "time Sat-Sun, Fri 23:00-05:00",
    "time Sun-Sat",
    "time 01:00-02:00",
    "listener not 127.0.0.1:1",
    "listener 127.0.0.1:2",
    "protocol tls",
    "protocol not tls",
    "protocol not http, ssh",
    "sni *.example",
    "sni not *.example",
    "sni b.a.example",
};

static const char head[] = "listen 127.0.0.1:1\nlisten 127.0.0.1:2\nusers file \"users\"\n"
                           "group ops { alice, bob }\n"
                           "list few { a.example, 10.1.0.0/16 }\n"
                           "list many { .a.example, *.example, 10.0.0.0/8 }\n"
                           "list lan { 10.0.0.0/8, 127.0.0.0/8 }\n"
                           "list names { b.*.example, other.test }\n";
enum { HEAD_LINES = 8 };

/* Of the kind of another, most often: those have to do with each other. */
static const char *choose_condition(const char *like)
{
    const char *condition = CHOOSE(conditions);

    for (size_t i = 0; i < 100 && strncmp(condition, like, strnlen(like, 2)) != 0 && choose(8) > 0;
         i++)
        condition = CHOOSE(conditions);
    return condition;
}

static void make_text(struct text *text)
{
    static const char *const verdicts[] = {"allow", "deny", "allow", "deny", "report deny"};
    size_t rules = 2 + choose(5);
    const char *like = choose(2) ? CHOOSE(conditions) : "";

    text_add(text, head);
    for (size_t i = 0; i < rules; i++) {
        size_t count = choose(3);

        text_add(text, CHOOSE(verdicts));
        for (size_t c = 0; c < count; c++) {
            text_add_char(text, ' ');
            text_add(text, choose_condition(like));
        }
        text_add_char(text, '\n');
    }
}

struct text_reader {
    struct config_reader reader;
    const char *text;
};

static int read_text(struct config_reader *reader, const char *path, size_t size_max,
                     const char **ret_bytes, size_t *ret_length)
{
    static const char users[] =
        "alice:$2y$05$abcdefghijklmnopqrstuvABCDEFGHIJKLMNOPQRSTUVWXYZabcde\n"
        "bob:$2y$05$abcdefghijklmnopqrstuvABCDEFGHIJKLMNOPQRSTUVWXYZabcde\n";
    const struct text_reader *texts = container_of(reader, struct text_reader, reader);

    *ret_bytes = strcmp(path, "/a") == 0 ? texts->text : users;
    *ret_length = strlen(*ret_bytes);
    return 0;
}

static int no_variable(struct config_reader *reader, const char *name, const char **ret_value)
{
    return -ENOENT;
}

static int no_match(struct config_reader *reader, const char *pattern,
                    void (*add)(void *self, const char *path), void *self)
{
    return 0;
}

/* What is said of it stands in `output`. */
static struct config *parse(const char *text, char *output)
{
    struct text_reader reader = {{.read = read_text, .glob = no_match, .environment = no_variable},
                                 text};
    struct diagnostics *diagnostics = NULL;
    struct config *config = NULL;
    struct text out;

    if (config_parse(&reader.reader, "/a", NULL, &config, &diagnostics) < 0)
        config = NULL;
    text_init(&out, output, OUTPUT_SIZE);
    diagnostics_print(diagnostics, &out);
    diagnostics_destroy(diagnostics);
    if (config == NULL)
        fail_msg("%s%s", text, output);
    return config;
}

/* The next rule that is said never to decide; SIZE_MAX: none. */
static size_t find_next_dead(const char *output, const char **at)
{
    const char *warning = strstr(*at, ": warning: this rule can never decide");
    unsigned line;

    if (warning == NULL)
        return SIZE_MAX;
    *at = warning + 1;
    while (warning > output && warning[-1] != '\n')
        warning--;
    assert_int_equal(sscanf(warning, "/a:%u:", &line), 1);
    return line - HEAD_LINES - 1;
}

static size_t find_dead(const char *output)
{
    const char *at = output;

    return find_next_dead(output, &at);
}

/* -- requests */

static void make_facts(struct policy_facts *facts)
{
    static const char *const hosts[] = {"a.example",     "b.a.example", "b.c.example",
                                        "x.b.a.example", "example",     "other.test"};
    static const struct ip_address addresses[] = {
        {IP_V4, {10, 1, 0, 1}},
        {IP_V4, {10, 2, 0, 1}},
        {IP_V4, {127, 0, 0, 1}},
        {IP_V4, {1, 1, 1, 1}},
        {IP_V4, {8, 8, 8, 8}},
        {IP_V4, {169, 254, 1, 1}},
        {IP_V4, {10, 200, 0, 1}},
        {IP_V4, {192, 168, 0, 1}},
        {IP_V6, {0xfd}},
        {IP_V6, {0x20, 1, 1}},
        {IP_V6, {0, 0x64, 0xff, 0x9b, [12] = 10, 1, 0, 1}},
        {IP_V6, {0, 0x64, 0xff, 0x9b, [12] = 8, 8, 8, 8}}};
    static const char *const protocols[] = {NULL, "tls", "http", "ssh"};
    static const struct ip_endpoint listeners[] = {{{IP_V4, {127, 0, 0, 1}}, 1},
                                                   {{IP_V4, {127, 0, 0, 1}}, 2}};
    static const char *const users[] = {NULL, "alice", "bob", "carol"};
    static const uint16_t ports[] = {22, 80, 443, 8080};
    bool has_name = choose(2);

    memset(facts, 0, sizeof(*facts));
    facts->client = &CHOOSE(addresses);
    facts->user = CHOOSE(users);
    facts->listener = &CHOOSE(listeners);
    facts->port = CHOOSE(ports);
    facts->weekday = (uint8_t)choose(7);
    facts->minute = (uint16_t)choose(1440);
    facts->host = has_name ? CHOOSE(hosts) : NULL;
    facts->host_length = has_name ? strlen(facts->host) : 0;
    if (!has_name || choose(2))
        facts->address = &CHOOSE(addresses);
    facts->is_inside_known = facts->address != NULL && choose(2);
    if (facts->is_inside_known) {
        facts->protocol = CHOOSE(protocols);
        facts->sni = choose(2) ? CHOOSE(hosts) : NULL;
    }
}

/* Where the answer is no either way: behind an allow that does not reach a special-purpose address
 * a deny may be named for it; and such an allow, when nobody knows yet whether the deny in front of
 * it is true. */
static bool may_be_named(const struct policy_rule_source *rule, const struct policy_facts *facts,
                         const struct verdict *verdict)
{
    if (rule->is_allow)
        return verdict->reason == POLICY_SPECIAL && !facts->is_inside_known;
    return !rule->is_report && facts->address != NULL && special_address_contains(facts->address);
}

static void check_dead(const struct config *config, size_t dead, const char *text)
{
    const struct policy_rule_source *rule = &config->policy.rules[dead];
    struct policy *policy;

    assert_true(dead < config->policy.rule_count);
    assert_int_equal(policy_compile(&config->policy, NULL, 0, &policy), 0);
    for (size_t i = 0; i < REQUESTS; i++) {
        struct policy_facts facts;
        struct verdict verdict;

        make_facts(&facts);
        policy_evaluate(policy, &facts, &verdict);
        bool is_named = verdict.rule_index == dead && verdict.action != POLICY_CONTINUE;
        for (size_t r = 0; r < verdict.report_count; r++)
            is_named |= verdict.reports[r] == dead;
        if (is_named && !may_be_named(rule, &facts, &verdict))
            fail_msg("rule %zu of\n%s", dead + 1, text);
    }
    policy_destroy(policy);
}

static void what_it_finds_is_true(void **state)
{
    static char output[OUTPUT_SIZE];
    size_t found = 0;

    for (size_t i = 0; i < POLICIES; i++) {
        char buffer[TEXT_SIZE];
        struct text text;

        text_init(&text, buffer, sizeof(buffer));
        make_text(&text);
        struct config *config = parse(buffer, output);
        const char *at = output;
        size_t dead;
        while ((dead = find_next_dead(output, &at)) != SIZE_MAX) {
            check_dead(config, dead, buffer);
            found++;
        }
        config_destroy(config);
    }
    assert_in_range(found, POLICIES / 10, (size_t)2 * POLICIES);
}

/* Thousands of rules that have nothing to do with each other, and conditions of many values: it
 * gives up, and says nothing wrong. (Without a bound this would take minutes.) */
static void gives_up_in_time(void **state)
{
    enum { RULES = 5000, VALUES = 3000 };
    size_t size = (size_t)RULES * 64 + (size_t)VALUES * 64 + 1000;
    char *buffer = malloc(size);
    char *output = malloc(OUTPUT_SIZE);
    struct text text;

    text_init(&text, buffer, size);
    text_add(&text, head);
    for (size_t rule = 0; rule < 2; rule++) {
        text_add(&text, "deny to ");
        for (size_t i = 0; i < VALUES / 2; i++) {
            text_add(&text, i > 0 ? ", n" : "n");
            text_add_decimal(&text, i);
            text_add(&text, rule > 0 ? ".one.test" : ".two.test");
        }
        text_add(&text, "\n");
    }
    for (size_t i = 0; i < RULES; i++) {
        text_add(&text, "deny to n");
        text_add_decimal(&text, i);
        text_add(&text, ".three.test port 443\n");
    }
    assert_false(text.is_truncated);
    struct config *config = parse(buffer, output);
    assert_int_equal(find_dead(output), SIZE_MAX);
    assert_non_null(strstr(output, ": warning: not all of its rules were compared"));
    config_destroy(config);
    free(buffer);
    free(output);
}

/* Rules of an ordinary file, then twice the same. */
static void check_end(size_t rules, const char *front, const char *behind)
{
    size_t size = rules * 128 + 1000;
    char *buffer = malloc(size);
    char *output = malloc(OUTPUT_SIZE);
    struct text text;

    text_init(&text, buffer, size);
    text_add(&text, head);
    for (size_t i = 0; i < rules; i++) {
        text_add(&text, front);
        text_add_decimal(&text, i);
        text_add(&text, behind);
    }
    text_add(&text, "allow from loopback port 80\nallow from loopback port 80\n");
    assert_false(text.is_truncated);
    struct config *config = parse(buffer, output);
    assert_int_equal(find_dead(output), rules + 1);
    assert_null(strstr(output, "not all of its rules"));
    config_destroy(config);
    free(buffer);
    free(output);
}

static void has_time_for_ordinary_files(void **state)
{
    check_end(24, "allow from loopback time Mon-Fri 08:00-18:00 to n", ".test port 443\n");
    check_end(500, "deny time Mon-Fri 08:00-12:00, Mon-Thu 13:00-18:00, Sat 09:00-12:00 to n",
              ".test\n");
    check_end(3000, "deny to n", ".test\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_finds_is_true),
        cmocka_unit_test(gives_up_in_time),
        cmocka_unit_test(has_time_for_ordinary_files),
    };
    return cmocka_run_group_tests_name("config/rule_cover", tests, NULL, NULL);
}
