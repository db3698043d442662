/* Rules: from words to conditions. The condition decides which kinds of value a word may be
 * (`takes`). The form of the word decides which of them it is: an address, `*.suffix`, `.domain`, a
 * quoted or dotted name, or a bare word, which is a keyword or else the name of a list.
 */
#include "config/builder.h"

#include "base/ascii.h"
#include "config/list_entry.h"
#include "config/week_time.h"

#include <string.h>

enum takes_bits {
    TAKES_ANY = 1 << 0,
    TAKES_SPECIAL = 1 << 1,
    TAKES_PRIVATE = 1 << 2,
    TAKES_LOOPBACK = 1 << 3,
    TAKES_NETWORK = 1 << 4,
    TAKES_NAME = 1 << 5,
    TAKES_LIST = 1 << 6,
};

/* The conditions whose values are hosts. */
static const struct {
    const char *name;
    unsigned takes;
    const char *wanted;
} host_conditions[POLICY_CONDITION_COUNT] = {
    [POLICY_FROM] = {"from",
                     TAKES_ANY | TAKES_PRIVATE | TAKES_LOOPBACK | TAKES_NETWORK | TAKES_LIST,
                     "any, loopback, private, a CIDR block, an address or a list of those"},
    [POLICY_TO] =
        {"to",
         TAKES_ANY | TAKES_SPECIAL | TAKES_PRIVATE | TAKES_LOOPBACK | TAKES_NETWORK | TAKES_NAME |
             TAKES_LIST,
         "any, special, private, loopback, a host name, *.suffix, .domain, a CIDR block, an "
         "address or a list"},
    [POLICY_ADDRESS] = {"address",
                        TAKES_SPECIAL | TAKES_PRIVATE | TAKES_LOOPBACK | TAKES_NETWORK | TAKES_LIST,
                        "special, private, loopback, a CIDR block, an address or a list of those"},
    [POLICY_SNI] = {"sni", TAKES_NAME | TAKES_LIST, "a host name, *.suffix, .domain or a list"},
};

static const struct {
    const char *word;
    unsigned bit;
    enum policy_value_kind kind;
} host_keywords[] = {
    {"any", TAKES_ANY, POLICY_VALUE_ANY},
    {"special", TAKES_SPECIAL, POLICY_VALUE_SPECIAL},
    {"private", TAKES_PRIVATE, POLICY_VALUE_PRIVATE},
    {"loopback", TAKES_LOOPBACK, POLICY_VALUE_LOOPBACK},
};

unsigned build_keyword_takers(const char *word)
{
    unsigned takers = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(host_keywords); i++)
        for (size_t kind = 0; kind < POLICY_CONDITION_COUNT; kind++)
            if (strcmp(word, host_keywords[i].word) == 0 &&
                (host_conditions[kind].takes & host_keywords[i].bit))
                takers |= 1U << kind;
    return takers;
}

const char *build_wanted(enum policy_condition_kind kind)
{
    REQUIRE(host_conditions[kind].wanted != NULL);
    return host_conditions[kind].wanted;
}

/* Returns false when there is no memory. */
static bool add_reference(struct config_builder *builder, const struct reference *reference)
{
    struct reference *added =
        vector_push(&builder->draft->arena, &builder->references, sizeof(*added));

    if (added != NULL)
        *added = *reference;
    return added != NULL;
}

/* Reports a word of a kind that the condition does not take, and says what it does take. */
static void condition_refuse(struct config_builder *builder, enum policy_condition_kind kind,
                             const struct config_word *word)
{
    builder_error(builder, &word->place, "'", word->text, "' does not go with `",
                  host_conditions[kind].name, "`: write ", host_conditions[kind].wanted, NULL);
}

/* True for a bare word: one that is no address and has no dot, and so is a keyword or a list. */
/* A keyword that the condition does not take is an error and not a list's name. A list need not be
 * known yet, so a reference to it is noted and checked at the end. */
static bool parse_bare(struct config_builder *builder, enum policy_condition_kind kind,
                       const struct config_word *word, struct policy_value *value)
{
    unsigned takes = host_conditions[kind].takes;

    for (size_t i = 0; i < ARRAY_LENGTH(host_keywords); i++) {
        if (strcmp(word->text, host_keywords[i].word) != 0)
            continue;
        value->kind = host_keywords[i].kind;
        if (!(takes & host_keywords[i].bit))
            condition_refuse(builder, kind, word);
        return takes & host_keywords[i].bit;
    }
    if (strcmp(word->text, "localhost") == 0) {
        if (!(takes & TAKES_NAME))
            condition_refuse(builder, kind, word);
        value->kind = POLICY_VALUE_NAME;
        value->text = word->text;
        return takes & TAKES_NAME;
    }
    if (!lexer_is_plain(word->text)) {
        condition_refuse(builder, kind, word);
        return false;
    }
    if (!build_find_list(builder, word, &value->index))
        return false;
    ((struct list_draft *)builder->draft->lists.items)[value->index].is_used = true;
    value->kind = POLICY_VALUE_LIST;
    const struct reference reference = {
        .what = REFERENCE_LIST, .kind = kind, .index = value->index, .place = word->place};
    return add_reference(builder, &reference);
}

size_t build_entry_values(struct config_builder *builder, const struct list_entry *entry,
                          struct policy_value ret_values[2])
{
    size_t count = 0;

    if (entry->kind == LIST_ENTRY_NETWORK) {
        ret_values[0].kind = POLICY_VALUE_NETWORK;
        ret_values[0].network = entry->network;
        return 1;
    }
    const char *text =
        arena_copy(&builder->draft->arena, entry->authority.host, entry->authority.host_length);
    if (text == NULL)
        return 0;
    if (entry->kind != LIST_ENTRY_SUFFIX)
        ret_values[count++] = (struct policy_value){.kind = POLICY_VALUE_NAME, .text = text};
    if (entry->kind != LIST_ENTRY_NAME)
        ret_values[count++] = (struct policy_value){.kind = POLICY_VALUE_SUFFIX, .text = text};
    return count;
}

/* Returns how many values the word makes; 0 means an error, which was reported. */
static size_t condition_parse_host(struct config_builder *builder, enum policy_condition_kind kind,
                                   const struct config_word *word, struct policy_value *value)
{
    unsigned takes = host_conditions[kind].takes;
    struct list_entry entry;
    char buffer[DIAGNOSTIC_MESSAGE_SIZE];
    struct text message;
    bool is_bare = !word->is_quoted;

    for (size_t i = 0; i < word->length; i++)
        is_bare &= strchr(".:/*", word->text[i]) == NULL;
    if (is_bare)
        return parse_bare(builder, kind, word, value);
    text_init(&message, buffer, sizeof(buffer));
    if (list_entry_parse(word->text, word->length, &entry, &message) < 0) {
        builder_error(builder, &word->place, buffer, NULL);
        return 0;
    }
    if (!(takes & (entry.kind == LIST_ENTRY_NETWORK ? TAKES_NETWORK : TAKES_NAME))) {
        condition_refuse(builder, kind, word);
        return 0;
    }
    return build_entry_values(builder, &entry, value);
}

bool build_user(struct config_builder *builder, const struct config_word *word)
{
    if (word->length == 0 || strchr(word->text, ':') != NULL) {
        builder_error(builder, &word->place, "'", word->text,
                      "' is no user name: it is empty or has a colon", NULL);
        return false;
    }
    struct config_word *named =
        vector_push(&builder->draft->arena, &builder->user_words, sizeof(*named));
    if (named != NULL)
        *named = *word;
    return named != NULL;
}

static bool parse_user(struct config_builder *builder, const struct config_word *word,
                       struct policy_value *value)
{
    if (!word->is_quoted && strcmp(word->text, "any") == 0) {
        value->kind = POLICY_VALUE_ANY;
        return true;
    }
    if (!word->is_quoted && word->text[0] == '@') {
        value->kind = POLICY_VALUE_GROUP;
        if (!build_find_group(builder, word, 1, &value->index))
            return false;
        ((struct group_draft *)builder->draft->groups.items)[value->index].is_used = true;
        const struct reference reference = {.what = REFERENCE_GROUP,
                                            .kind = POLICY_USER,
                                            .index = value->index,
                                            .place = word->place};
        return add_reference(builder, &reference);
    }
    if (!build_user(builder, word))
        return false;
    value->kind = POLICY_VALUE_USER;
    value->text = word->text;
    return true;
}

static bool parse_ports(struct config_builder *builder, const struct config_word *word,
                        struct policy_value *value)
{
    const char *dash = strchr(word->text, '-');
    size_t first_length = dash != NULL ? (size_t)(dash - word->text) : word->length;
    uint16_t first = 0;
    uint16_t last = 0;
    bool is_good = ip_port_parse(word->text, first_length, &first) == 0;

    last = first;
    if (dash != NULL)
        is_good &= ip_port_parse(dash + 1, word->length - first_length - 1, &last) == 0;
    if (!is_good || first == 0 || last == 0) {
        builder_error(builder, &word->place, "'", word->text,
                      "' is no port: write a number from 1 to 65535, or two as in 8000-8099", NULL);
        return false;
    }
    if (first > last) {
        builder_error(builder, &word->place, "the range ", word->text,
                      " runs backwards: the smaller port comes first", NULL);
        return false;
    }
    value->kind = POLICY_VALUE_PORTS;
    value->ports.first = first;
    value->ports.last = last;
    return true;
}

static bool parse_listener(struct config_builder *builder, const struct config_word *word,
                           struct policy_value *value)
{
    if (ip_endpoint_parse(word->text, word->length, &value->listener) < 0) {
        builder_error(builder, &word->place, "'", word->text,
                      "' is no listener: write it as in its `listen` statement", NULL);
        return false;
    }
    value->kind = POLICY_VALUE_LISTENER;
    const struct reference reference = {.what = REFERENCE_LISTENER,
                                        .kind = POLICY_LISTENER,
                                        .listener = value->listener,
                                        .place = word->place};
    return add_reference(builder, &reference);
}

static bool parse_word(struct config_builder *builder, const struct config_word *word,
                       struct policy_value *value)
{
    if (!lexer_is_plain(word->text)) {
        builder_error(builder, &word->place, "'", word->text,
                      "': write a word of letters, digits and -", NULL);
        return false;
    }
    value->kind = POLICY_VALUE_WORD;
    value->text = word->text;
    return true;
}

/* -- time */

/* Reads `Mon` or `Fri-Mon`. */
static bool parse_days(const char *text, size_t length, uint8_t *ret_days)
{
    const char *dash = memchr(text, '-', length);
    size_t first_length = dash != NULL ? (size_t)(dash - text) : length;
    int first = week_day_parse(text, first_length);
    int last = first;

    if (dash != NULL)
        last = week_day_parse(dash + 1, length - first_length - 1);
    if (first < 0 || last < 0)
        return false;
    *ret_days = 0;
    for (int day = first;; day = (day + 1) % DAYS_OF_WEEK) {
        *ret_days |= (uint8_t)(1U << day);
        if (day == last)
            return true;
    }
}

static bool parse_hours(const char *text, size_t length, struct policy_value *value)
{
    enum { HOURS_LENGTH = 11 }; /* 08:00-18:00 */

    return length == HOURS_LENGTH && text[5] == '-' &&
           day_minute_parse(text, &value->time.first_minute) &&
           day_minute_parse(text + 6, &value->time.end_minute) &&
           value->time.first_minute != value->time.end_minute &&
           value->time.first_minute < MINUTES_OF_DAY && value->time.end_minute > 0;
}

/* Reads days and hours: two words, of which the second one is optional. */
static bool parse_time(struct config_builder *builder, const struct config_word *words,
                       struct policy_value *value)
{
    const struct config_word *hours = words[1].text != NULL ? &words[1] : NULL;

    value->kind = POLICY_VALUE_TIME;
    value->time.days = (1U << DAYS_OF_WEEK) - 1;
    value->time.first_minute = 0;
    value->time.end_minute = MINUTES_OF_DAY;
    if (hours == NULL && ascii_is_digit(words[0].text[0])) {
        hours = &words[0];
    } else if (!parse_days(words[0].text, words[0].length, &value->time.days)) {
        builder_error(builder, &words[0].place, "'", words[0].text,
                      "': write days as in Mon-Fri or Sat, and hours as in 08:00-18:00", NULL);
        return false;
    }
    if (hours != NULL && !parse_hours(hours->text, hours->length, value)) {
        builder_error(builder, &hours->place, "'", hours->text,
                      "': write hours as in 08:00-18:00 (24:00 is the end of a day)", NULL);
        return false;
    }
    return true;
}

/* -- conditions and rules */

static size_t parse_value(struct config_builder *builder, enum policy_condition_kind kind,
                          const struct config_word *word, struct policy_value *value)
{
    switch (kind) {
    case POLICY_USER:
        return parse_user(builder, word, value);
    case POLICY_PORT:
        return parse_ports(builder, word, value);
    case POLICY_LISTENER:
        return parse_listener(builder, word, value);
    case POLICY_TIME:
        return parse_time(builder, word, value);
    case POLICY_PROTOCOL:
    case POLICY_JA4:
        return parse_word(builder, word, value);
    default:
        return condition_parse_host(builder, kind, word, value);
    }
}

static bool parse_values(struct config_builder *builder, enum policy_condition_kind kind,
                         const struct vector *values, struct policy_condition *condition)
{
    const struct config_word *words = values->items;
    size_t step = kind == POLICY_TIME ? 2 : 1;
    struct policy_value *parsed = /* a word makes at most two values */
        arena_allocate(&builder->draft->arena, 2 * values->count * sizeof(*parsed));

    if (parsed == NULL)
        return false;
    condition->kind = kind;
    condition->values = parsed;
    for (size_t i = 0; i < values->count; i += step)
        condition->value_count +=
            parse_value(builder, kind, &words[i], &parsed[condition->value_count]);
    return condition->value_count > 0;
}

bool build_values(struct config_builder *builder, enum policy_condition_kind kind,
                  const struct vector *words, struct policy_condition *ret_condition)
{
    return parse_values(builder, kind, words, ret_condition);
}

void build_begin_rule(struct config_builder *builder)
{
    builder->conditions = (struct vector){0};
    builder->inside_place.line = 0;
    builder->rule_errors = diagnostics_error_count(builder->diagnostics);
    builder->rule_references = builder->references.count;
}

void build_condition(struct config_builder *builder, enum policy_condition_kind kind,
                     bool is_negated, const struct vector *values)
{
    struct policy_condition *condition =
        vector_push(&builder->draft->arena, &builder->conditions, sizeof(*condition));
    const struct config_word *words = values->items;

    if (condition == NULL)
        return;
    condition->is_negated = is_negated;
    if (!parse_values(builder, kind, values, condition))
        return; /* an error was reported, so this rule is never used */
    if ((kind == POLICY_PROTOCOL || kind == POLICY_SNI || kind == POLICY_JA4) &&
        builder->inside_place.line == 0)
        builder->inside_place = words[0].place;
}

void build_rule(struct config_builder *builder, const struct config_place *place, bool is_report,
                bool is_allow, const struct config_word *name)
{
    struct config_draft *draft = builder->draft;
    struct rule_draft *rule = vector_push(&draft->arena, &draft->rules, sizeof(*rule));

    if (rule == NULL)
        return;
    for (size_t i = builder->rule_references; i < builder->references.count; i++)
        ((struct reference *)builder->references.items)[i].rule = draft->rules.count;
    if (name != NULL)
        build_check_name(builder, name);
    rule->place = *place;
    rule->is_named = name != NULL && !build_is_reserved_name(name->text);
    rule->is_bad = diagnostics_error_count(builder->diagnostics) > builder->rule_errors;
    rule->inside_place = builder->inside_place;
    rule->source = (struct policy_rule_source){
        .is_allow = is_allow,
        .is_report = is_report,
        .name = name != NULL ? name->text : NULL, /* NULL: build_name_rules finds one later */
        .conditions = builder->conditions.items,
        .condition_count = builder->conditions.count,
    };
}
