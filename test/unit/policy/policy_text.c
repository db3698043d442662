/* Words with blanks between them; a value that ends in a comma is followed by another one. */
#include "policy_text.h"

#include "policy/name_set.h"
#include "policy/network_set.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const condition_words[] = {
    [POLICY_FROM] = "from",       [POLICY_USER] = "user",         [POLICY_TO] = "to",
    [POLICY_ADDRESS] = "address", [POLICY_PORT] = "port",         [POLICY_LISTENER] = "listener",
    [POLICY_TIME] = "time",       [POLICY_PROTOCOL] = "protocol", [POLICY_SNI] = "sni",
    [POLICY_JA4] = "ja4",
};
static_assert(ARRAY_LENGTH(condition_words) == POLICY_CONDITION_COUNT, "a word for each");

static const char *const list_names[] = {"corp", "ads", "wide"};
static const char *const list_entries[][4] = {
    {"10.0.0.0/8", "*.corp.example", "db.*.corp.test"},
    {"ads.example", "*.ads.example", "198.51.100.0/24"},
    {"8.0.0.0/6", "10.1.0.0/16"},
};
static const char *const ops[] = {"alice", "bob"};
static const struct policy_group groups[] = {{.name = "ops", .users = ops, .user_count = 2}};

/* -- values */

static void parse_address(const char *word, struct ip_address *ret_address)
{
    if (!word || ip_address_parse(word, strlen(word), ret_address) < 0)
        fail_msg("not an address: %s", word ? word : "");
}

static void parse_endpoint(const char *word, struct ip_endpoint *ret_endpoint)
{
    if (!word || ip_endpoint_parse(word, strlen(word), ret_endpoint) < 0)
        fail_msg("not an endpoint: %s", word ? word : "");
}

static void parse_user(struct policy_value *value, const char *word)
{
    value->kind = strcmp(word, "@ops") == 0 ? POLICY_VALUE_GROUP : POLICY_VALUE_USER;
    if (value->kind == POLICY_VALUE_USER)
        value->text = word;
}

static void parse_ports(struct policy_value *value, const char *word)
{
    unsigned first, last;
    int count = sscanf(word, "%u-%u", &first, &last);

    if (count < 1)
        fail_msg("not a port: %s", word);
    value->kind = POLICY_VALUE_PORTS;
    value->ports.first = (uint16_t)first;
    value->ports.last = (uint16_t)(count == 2 ? last : first);
}

/* DAYS-BITS/08:00-18:00, the days as digits: 12345/22:00-06:00 */
static void parse_time(struct policy_value *value, const char *word)
{
    unsigned from_hour, from_minute, to_hour, to_minute;

    value->kind = POLICY_VALUE_TIME;
    for (; *word && *word != '/'; word++)
        value->time.days |= (uint8_t)(1u << (*word - '0'));
    if (sscanf(word, "/%u:%u-%u:%u", &from_hour, &from_minute, &to_hour, &to_minute) != 4)
        fail_msg("not a time: %s", word);
    value->time.first_minute = (uint16_t)(from_hour * 60 + from_minute);
    value->time.end_minute = (uint16_t)(to_hour * 60 + to_minute);
}

static bool parse_list(struct policy_value *value, const char *word)
{
    for (size_t i = 0; i < ARRAY_LENGTH(list_names); i++) {
        if (strcmp(word, list_names[i]) == 0) {
            value->kind = POLICY_VALUE_LIST;
            value->index = i;
            return true;
        }
    }
    return false;
}

static void parse_target(struct policy_value *value, const char *word)
{
    if (strcmp(word, "any") == 0)
        value->kind = POLICY_VALUE_ANY;
    else if (strcmp(word, "special") == 0)
        value->kind = POLICY_VALUE_SPECIAL;
    else if (strcmp(word, "private") == 0)
        value->kind = POLICY_VALUE_PRIVATE;
    else if (strcmp(word, "loopback") == 0)
        value->kind = POLICY_VALUE_LOOPBACK;
    else if (parse_list(value, word))
        return;
    else if (ip_network_parse(word, strlen(word), &value->network) == 0)
        value->kind = POLICY_VALUE_NETWORK;
    else {
        value->kind = word[0] == '*' ? POLICY_VALUE_SUFFIX : POLICY_VALUE_NAME;
        value->text = word[0] == '*' ? word + 2 : word;
    }
}

static void parse_value(struct policy_value *value, enum policy_condition_kind kind,
                        const char *word)
{
    if (kind == POLICY_USER && strcmp(word, "any") != 0) {
        parse_user(value, word);
    } else if (kind == POLICY_PORT) {
        parse_ports(value, word);
    } else if (kind == POLICY_TIME) {
        parse_time(value, word);
    } else if (kind == POLICY_LISTENER) {
        value->kind = POLICY_VALUE_LISTENER;
        assert_int_equal(ip_endpoint_parse(word, strlen(word), &value->listener), 0);
    } else if (kind == POLICY_PROTOCOL || kind == POLICY_JA4) {
        value->kind = POLICY_VALUE_WORD;
        value->text = word;
    } else {
        parse_target(value, word);
    }
}

/* -- rules */

static enum policy_condition_kind condition_kind(const char *word)
{
    for (int i = 0; i < POLICY_CONDITION_COUNT; i++) {
        if (strcmp(word, condition_words[i]) == 0)
            return (enum policy_condition_kind)i;
    }
    fail_msg("not a condition: %s", word);
    return POLICY_CONDITION_COUNT;
}

static void parse_condition(struct policy_text *text, char *word, char **rest)
{
    struct policy_condition *condition = &text->conditions[text->condition_count++];
    bool has_more = true;

    if (strcmp(word, "not") == 0) {
        condition->is_negated = true;
        word = strtok_r(NULL, " ", rest);
    }
    condition->kind = condition_kind(word);
    condition->values = &text->values[text->value_count];
    while (has_more) {
        word = strtok_r(NULL, " ", rest);
        assert_non_null(word);
        if (strcmp(word, "not") == 0) {
            condition->is_negated = true;
            continue;
        }
        size_t length = strlen(word);
        has_more = word[length - 1] == ',';
        if (has_more)
            word[length - 1] = '\0';
        assert_true(text->value_count < POLICY_TEXT_VALUES);
        parse_value(&text->values[text->value_count++], condition->kind, word);
        condition->value_count++;
    }
}

static void parse_rule(struct policy_text *text, char *words)
{
    struct policy_rule_source *rule = &text->rules[text->source.rule_count];
    char *name = text->names[text->source.rule_count++];
    char *rest;
    char *word = strtok_r(words, " ", &rest);

    assert_non_null(word);
    snprintf(name, sizeof(text->names[0]), "rule %zu", text->source.rule_count);
    rule->name = name;
    rule->place = name;
    rule->is_report = strcmp(word, "report") == 0;
    if (rule->is_report)
        word = strtok_r(NULL, " ", &rest);
    rule->is_allow = strcmp(word, "allow") == 0;
    if (!rule->is_allow && strcmp(word, "deny") != 0)
        fail_msg("neither allow nor deny: %s", word);
    rule->conditions = &text->conditions[text->condition_count];
    while ((word = strtok_r(NULL, " ", &rest)) != NULL) {
        parse_condition(text, word, &rest);
        rule->condition_count++;
    }
}

static void make_list(struct policy_list *list, size_t index)
{
    struct name_set *names;
    struct network_set *networks;
    struct ip_network network;

    assert_int_equal(name_set_create(&names), 0);
    assert_int_equal(network_set_create(&networks), 0);
    for (size_t i = 0; i < 4 && list_entries[index][i] != NULL; i++) {
        const char *entry = list_entries[index][i];
        bool is_suffix = entry[0] == '*';
        if (ip_network_parse(entry, strlen(entry), &network) == 0)
            assert_int_equal(network_set_add(networks, &network), 0);
        else
            assert_int_equal(name_set_add_host(names, entry + 2 * is_suffix,
                                               strlen(entry) - 2 * is_suffix, is_suffix),
                             0);
    }
    list->name = list_names[index];
    list->names = name_set_count(names) > 0 ? names : NULL;
    list->networks = network_set_count(networks) > 0 ? networks : NULL;
    if (!list->names)
        name_set_destroy(names);
    if (!list->networks)
        network_set_destroy(networks);
}

void policy_text_compile(struct policy_text *text, const char *rules, const char *listeners)
{
    struct ip_endpoint endpoints[4];
    size_t endpoint_count = 0;
    char words[128];
    char *rest;

    memset(text, 0, sizeof(*text));
    assert_true(strlen(rules) < sizeof(text->text));
    strcpy(text->text, rules);
    for (size_t i = 0; i < ARRAY_LENGTH(list_names); i++)
        make_list(&text->lists[i], i);
    text->source = (struct policy_source){.rules = text->rules,
                                          .lists = text->lists,
                                          .list_count = ARRAY_LENGTH(list_names),
                                          .groups = groups,
                                          .group_count = ARRAY_LENGTH(groups)};
    for (char *rule = strtok_r(text->text, ";", &rest); rule; rule = strtok_r(NULL, ";", &rest)) {
        rule += strspn(rule, " ");
        if (strncmp(rule, "users", 5) == 0)
            text->source.has_users = true;
        else if (*rule != '\0' && strncmp(rule, "none", 4) != 0)
            parse_rule(text, rule);
    }
    assert_true(strlen(listeners) < sizeof(words));
    strcpy(words, listeners);
    for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        parse_endpoint(word, &endpoints[endpoint_count++]);
    assert_int_equal(policy_compile(&text->source, endpoints, endpoint_count, &text->policy), 0);
}

void policy_text_finish(struct policy_text *text)
{
    policy_destroy(text->policy);
    for (size_t i = 0; i < text->source.list_count; i++) {
        name_set_destroy((struct name_set *)text->lists[i].names);
        network_set_destroy((struct network_set *)text->lists[i].networks);
    }
}

/* -- facts */

static void parse_to(struct facts_text *text, char *word)
{
    struct ip_endpoint endpoint;

    if (ip_endpoint_parse(word, strlen(word), &endpoint) == 0) {
        text->address = endpoint.address;
        text->facts.address = &text->address;
        text->facts.port = endpoint.port;
        return;
    }
    char *colon = strrchr(word, ':');
    assert_non_null(colon);
    *colon = '\0';
    text->facts.host = word;
    text->facts.host_length = strlen(word);
    text->facts.port = (uint16_t)atoi(colon + 1);
}

static const char *inside_word(char **rest)
{
    const char *word = strtok_r(NULL, " ", rest);

    assert_non_null(word);
    return strcmp(word, "-") == 0 ? NULL : word;
}

static void parse_now(struct facts_text *text, const char *word)
{
    unsigned day, hour, minute;

    assert_int_equal(sscanf(word, "%u-%u:%u", &day, &hour, &minute), 3);
    text->facts.weekday = (uint8_t)day;
    text->facts.minute = (uint16_t)(hour * 60 + minute);
}

static void parse_fact(struct facts_text *text, const char *fact, char **rest)
{
    if (strcmp(fact, "from") == 0) {
        parse_address(strtok_r(NULL, " ", rest), &text->client);
    } else if (strcmp(fact, "user") == 0) {
        text->facts.user = strtok_r(NULL, " ", rest);
    } else if (strcmp(fact, "to") == 0) {
        parse_to(text, strtok_r(NULL, " ", rest));
    } else if (strcmp(fact, "at") == 0) {
        parse_address(strtok_r(NULL, " ", rest), &text->address);
        text->facts.address = &text->address;
    } else if (strcmp(fact, "on") == 0) {
        parse_endpoint(strtok_r(NULL, " ", rest), &text->listener);
    } else if (strcmp(fact, "time") == 0) {
        parse_now(text, strtok_r(NULL, " ", rest));
    } else if (strcmp(fact, "local") == 0) {
        text->facts.is_local_address = true;
    } else if (strcmp(fact, "sni") == 0) {
        text->facts.sni = strtok_r(NULL, " ", rest);
    } else if (strcmp(fact, "protocol") == 0) {
        text->facts.protocol = strtok_r(NULL, " ", rest);
    } else if (strcmp(fact, "inside") == 0) {
        text->facts.is_inside_known = true;
        text->facts.protocol = inside_word(rest);
        text->facts.sni = inside_word(rest);
        text->facts.ja4 = inside_word(rest);
    } else {
        fail_msg("not a fact: %s", fact);
    }
}

void facts_text_parse(struct facts_text *text, const char *facts)
{
    char *rest;

    memset(text, 0, sizeof(*text));
    assert_true(strlen(facts) < sizeof(text->text));
    strcpy(text->text, facts);
    parse_address("127.0.0.1", &text->client);
    parse_endpoint("127.0.0.1:10800", &text->listener);
    text->facts.client = &text->client;
    text->facts.listener = &text->listener;
    for (char *word = strtok_r(text->text, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        parse_fact(text, word, &rest);
}
