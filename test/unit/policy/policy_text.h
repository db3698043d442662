/* Policies and facts for tests, from text in the words of the language; the real parser stands
 * above policy/ and has tests of its own. Any mistake fails the test.
 */
#ifndef POLICY_TEXT_H
#define POLICY_TEXT_H

#include "policy/policy.h"

enum {
    POLICY_TEXT_RULES = 32,
    POLICY_TEXT_CONDITIONS = 128,
    POLICY_TEXT_VALUES = 512,
    POLICY_TEXT_LISTS = 4,
    POLICY_TEXT_SIZE = 4096,
};

/* Has the lists corp { 10.0.0.0/8, *.corp.example }, ads { ads.example, *.ads.example,
 * 198.51.100.0/24 } and wide { 8.0.0.0/6, 10.1.0.0/16 }, and the group @ops { alice, bob }. */
struct policy_text {
    struct policy_source source;
    struct policy_rule_source rules[POLICY_TEXT_RULES];
    struct policy_condition conditions[POLICY_TEXT_CONDITIONS];
    struct policy_value values[POLICY_TEXT_VALUES];
    struct policy_list lists[POLICY_TEXT_LISTS];
    size_t condition_count, value_count;
    char text[POLICY_TEXT_SIZE];
    char names[POLICY_TEXT_RULES][16]; /* "rule 1" */
    struct policy *policy;
};

/* Rules with `;` between them. A `users` in front says that there is a users file. Listeners, up to
 * four, with blanks between them. */
void policy_text_compile(struct policy_text *text, const char *rules, const char *listeners);
void policy_text_finish(struct policy_text *text);

/* Facts: `from ADDRESS` (else 127.0.0.1), `user NAME`, `to HOST:PORT` or `to LITERAL:PORT`,
 * `at ADDRESS` (what a name resolved to), `local`, `on LISTENER`, `time 1-08:00` (0 is Sunday),
 * `inside PROTOCOL SNI JA4` (- for none), `sni NAME` and `protocol WORD` while the inside is not
 * known. */
struct facts_text {
    struct policy_facts facts;
    struct ip_address client;
    struct ip_address address;
    struct ip_endpoint listener;
    char text[1024];
};

void facts_text_parse(struct facts_text *text, const char *facts);

#endif
