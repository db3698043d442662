/* Warnings: what is no error, but hardly intended. Each kind of warning is given once, for the
 * first place, with the number of further ones. Nothing is said about a rule that has an error.
 */
#include "config/builder.h"

#include "config/rule_cover.h"
#include "config/suggest.h"
#include "config/time_zone.h"
#include "config/users_file.h"
#include "policy/name_set.h"
#include "policy/network_set.h"

#include <stdarg.h>
#include <string.h>

enum {
    SMTP_PORT = 25,
};

enum warning {
    WARNING_INSIDE,
    WARNING_SMTP,
    WARNING_LOCALHOST,
    WARNING_TIME_ZONE,
    WARNING_NO_USERS,
    WARNING_UNKNOWN_USER,
    WARNING_NEVER,
    WARNING_VOID,
    WARNING_NOT_COMPARED,
    WARNING_SAME_NAME,
    WARNING_UNUSED_LIST,
    WARNING_EMPTY_LIST,
    WARNING_UNUSED_GROUP,
    WARNING_EMPTY_GROUP,
    WARNING_EMPTY_USERS,
    WARNING_COUNT,
};

struct tally {
    size_t count;
    struct config_place place;
    char message[DIAGNOSTIC_MESSAGE_SIZE];
};

struct warnings {
    struct config_builder *builder;
    struct tally tallies[WARNING_COUNT];
};

/* The pieces up to NULL are joined to make the message. Only the first message of a kind is kept.
 */
static void warnings_add(struct warnings *warnings, enum warning kind,
                         const struct config_place *place, ...) __attribute__((sentinel));

static void warnings_add(struct warnings *warnings, enum warning kind,
                         const struct config_place *place, ...)
{
    struct tally *tally = &warnings->tallies[kind];
    struct text message;
    va_list pieces;

    if (tally->count++ > 0)
        return;
    tally->place = *place;
    text_init(&message, tally->message, sizeof(tally->message));
    va_start(pieces, place);
    for (const char *piece = va_arg(pieces, const char *); piece != NULL;
         piece = va_arg(pieces, const char *))
        text_add(&message, piece);
    va_end(pieces);
}

static void warnings_say(struct warnings *warnings)
{
    for (size_t i = 0; i < WARNING_COUNT; i++) {
        const struct tally *tally = &warnings->tallies[i];
        char buffer[32];
        struct text more;

        text_init(&more, buffer, sizeof(buffer));
        if (tally->count > 1) {
            text_add(&more, " (and ");
            text_add_decimal(&more, tally->count - 1);
            text_add(&more, " more)");
        }
        if (tally->count > 0)
            builder_warn(warnings->builder, &tally->place, tally->message, buffer, NULL);
    }
}

/* -- single rules */

static const struct policy_condition *find_condition(const struct policy_rule_source *rule,
                                                     enum policy_condition_kind kind)
{
    for (size_t i = 0; i < rule->condition_count; i++)
        if (rule->conditions[i].kind == kind)
            return &rule->conditions[i];
    return NULL;
}

static bool has_port(const struct policy_condition *condition, uint16_t port)
{
    for (size_t i = 0; i < condition->value_count; i++)
        if (port >= condition->values[i].ports.first && port <= condition->values[i].ports.last)
            return !condition->is_negated;
    return condition->is_negated;
}

static bool reaches_smtp(const struct policy_rule_source *rule)
{
    for (size_t i = 0; i < rule->condition_count; i++)
        if (rule->conditions[i].kind == POLICY_PORT && !has_port(&rule->conditions[i], SMTP_PORT))
            return false;
    return true;
}

/* `allow to localhost` can't come true: it matches the name, but does not reach the loopback
 * address behind it. */
static bool allows_only_localhost(const struct policy_rule_source *rule)
{
    const struct policy_condition *to = find_condition(rule, POLICY_TO);

    if (to == NULL || to->value_count == 0 || to->is_negated ||
        find_condition(rule, POLICY_ADDRESS) != NULL)
        return false;
    for (size_t i = 0; i < to->value_count; i++)
        if (to->values[i].kind != POLICY_VALUE_NAME || strcmp(to->values[i].text, "localhost") != 0)
            return false;
    return true;
}

static void warn_of_time(struct warnings *warnings, const struct rule_draft *rule)
{
    struct config_reader *reader = warnings->builder->reader;
    const char *zone;

    if (find_condition(&rule->source, POLICY_TIME) == NULL)
        return;
    if (reader->environment(reader, "TZ", &zone) < 0) {
        if (!time_zone_of_machine_is_known(reader))
            warnings_add(
                warnings, WARNING_TIME_ZONE, &rule->place,
                "/etc/localtime is no time zone, or leads to none: `time` goes by UTC; install "
                "the zones (tzdata), or set TZ=UTC in adit's environment if that is right",
                NULL);
        return;
    }
    if (time_zone_is_known(reader, zone))
        return;
    warnings_add(
        warnings, WARNING_TIME_ZONE, &rule->place, "the environment's TZ is '", zone,
        "', which is no time zone here: `time` goes by UTC; write it as in Europe/Berlin, and "
        "install the zones (tzdata)",
        NULL);
}

static void warn_of_rule(struct warnings *warnings, const struct rule_draft *rule)
{
    const struct policy_rule_source *source = &rule->source;
    bool is_allowing = source->is_allow && !source->is_report;

    if (rule->inside_place.line > 0)
        warnings_add(
            warnings, WARNING_INSIDE, &rule->inside_place,
            "this waits for a later version: what runs inside a tunnel is not looked at yet", NULL);
    if (is_allowing && allows_only_localhost(source))
        warnings_add(
            warnings, WARNING_LOCALHOST, &rule->place,
            "localhost is a name here, and an allow by name never reaches a loopback address; "
            "write `to loopback`",
            NULL);
    if (warnings->tallies[WARNING_TIME_ZONE].count == 0)
        warn_of_time(warnings, rule);
    if (warnings->builder->users_place.line == 0 && find_condition(source, POLICY_USER) != NULL)
        warnings_add(warnings, WARNING_NO_USERS, &rule->place,
                     "this rule names users, but there is no `users` statement to check them with",
                     NULL);
}

static void warn_of_rules(struct warnings *warnings)
{
    const struct vector *rules = &warnings->builder->draft->rules;
    const struct rule_draft *drafts = rules->items;

    for (size_t i = 0; i < rules->count; i++)
        if (!drafts[i].is_bad)
            warn_of_rule(warnings, &drafts[i]);
}

/* -- rules among themselves */

/* Returns the last rule that allows something in special-purpose space; 0 also when there is none.
 */
static size_t find_last_special(const struct rule_cover *cover, const struct vector *rules)
{
    const struct rule_draft *drafts = rules->items;
    size_t last = 0;

    for (size_t i = 0; i < rules->count; i++)
        if (drafts[i].source.is_allow && !drafts[i].source.is_report &&
            rule_names_special(cover, &drafts[i].source))
            last = i;
    return last;
}

struct comparison {
    struct rule_cover cover;
    const struct vector *rules;
    size_t last_special;
    struct covered_condition smtp; /* `port 25` */
};

/* True when the rule at `first` leaves nothing to decide for the one at `second`; with `also`,
 * nothing that meets this condition. */
static bool leaves_nothing(struct comparison *comparison, size_t first, size_t second,
                           const struct covered_condition *also)
{
    struct rule_cover *cover = &comparison->cover;
    const struct rule_draft *drafts = comparison->rules->items;
    const struct policy_rule_source *early = &drafts[first].source;
    const struct policy_rule_source *late = &drafts[second].source;

    if (drafts[first].is_bad || early->is_report || !rule_cover_has(cover, first, second, also))
        return false;
    if (!early->is_allow || rule_cover_has_special(cover, early, late))
        return true;
    if (rule_names_special(cover, late))
        return false;
    /* An allow leaves only special-purpose addresses. Another allow that does not name them does
     * not reach them either, and a deny changes nothing when no rule behind it allows them. */
    return late->is_allow || (!late->is_report && comparison->last_special <= second);
}

/* Returns the first rule that leaves nothing to this one, or this one when there is none. */
static size_t find_decider(struct comparison *comparison, size_t rule,
                           const struct covered_condition *also)
{
    size_t first = 0;

    while (first < rule && !leaves_nothing(comparison, first, rule, also))
        first++;
    return first;
}

static void compare_rule(struct warnings *warnings, struct comparison *comparison, size_t at)
{
    const struct rule_draft *drafts = comparison->rules->items;
    const struct policy_rule_source *rule = &drafts[at].source;
    size_t first;

    if (rule_cover_is_void(&comparison->cover, at)) {
        warnings_add(
            warnings, WARNING_VOID, &drafts[at].place,
            "this rule can never decide: nothing meets all of its conditions; write alternatives "
            "with a comma between them, as in `port 80, 443`",
            NULL);
        return;
    }
    first = find_decider(comparison, at, NULL);
    if (first < at)
        warnings_add(
            warnings, WARNING_NEVER, &drafts[at].place,
            "this rule can never decide: ", drafts[first].source.place,
            " comes first, and matches all that it does; move it in front, or leave it out", NULL);
    else if (rule->is_allow && !rule->is_report && reaches_smtp(rule) &&
             find_decider(comparison, at, &comparison->smtp) == at &&
             comparison->cover.steps_left > 0)
        warnings_add(
            warnings, WARNING_SMTP, &drafts[at].place,
            "this rule reaches port 25 (mail): spammers look for that; name ports, or write `deny "
            "port 25` in front",
            NULL);
}

static void compare_rules(struct warnings *warnings)
{
    static const struct policy_value smtp_value = {.kind = POLICY_VALUE_PORTS,
                                                   .ports = {SMTP_PORT, SMTP_PORT}};
    static const struct policy_condition smtp = {
        .kind = POLICY_PORT, .values = &smtp_value, .value_count = 1};
    struct config_draft *draft = warnings->builder->draft;
    const struct rule_draft *drafts = draft->rules.items;
    const struct config_place place = {.file = warnings->builder->paths[0]};
    struct comparison comparison = {.rules = &draft->rules};
    struct rule_cover *cover = &comparison.cover;
    bool is_ready = rule_cover_init(cover, draft) == 0;

    rule_cover_add(cover, &smtp, &comparison.smtp);
    comparison.last_special = find_last_special(cover, &draft->rules);
    for (size_t i = 0; is_ready && i < draft->rules.count && cover->steps_left > 0; i++)
        if (!drafts[i].is_bad)
            compare_rule(warnings, &comparison, i);
    if (cover->is_cut)
        warnings_add(
            warnings, WARNING_NOT_COMPARED, &place,
            "not all of its rules were compared with each other, since there are too many: some "
            "may never decide of which nothing is said",
            NULL);
    draft->arena.is_exhausted |= cover->arena.is_exhausted;
    rule_cover_finish(cover);
}

static const struct rule_draft *find_named(const struct vector *rules, const char *name)
{
    const struct rule_draft *drafts = rules->items;
    size_t i = 0;

    while (!drafts[i].is_named || strcmp(drafts[i].source.name, name) != 0)
        i++;
    return &drafts[i];
}

static void warn_of_names(struct warnings *warnings)
{
    const struct vector *rules = &warnings->builder->draft->rules;
    const struct rule_draft *drafts = rules->items;
    struct name_set *names = NULL;
    int error = name_set_create(&names);

    for (size_t i = 0; i < rules->count && error == 0; i++) {
        const char *name = drafts[i].source.name;

        if (!drafts[i].is_named || drafts[i].is_bad)
            continue;
        if (name_set_contains(names, name, strlen(name)))
            warnings_add(warnings, WARNING_SAME_NAME, &drafts[i].place, "'", name,
                         "' is also the name of ", find_named(rules, name)->source.place,
                         ": log and metrics take both for one; give it a name of its own", NULL);
        error = name_set_add(names, name, strlen(name), false);
    }
    if (error < 0)
        warnings->builder->draft->arena.is_exhausted = true;
    name_set_destroy(names);
}

/* -- lists, groups, users */

/* Mostly, a file has not been fetched or filled yet, or that has failed. */
static void warn_of_empty(struct warnings *warnings)
{
    const struct config_draft *draft = warnings->builder->draft;
    const struct list_draft *lists = draft->lists.items;
    const struct group_draft *groups = draft->groups.items;

    for (size_t i = 0; i < draft->lists.count; i++)
        if (lists[i].is_used && name_set_count(lists[i].names) == 0 &&
            network_set_count(lists[i].networks) == 0)
            warnings_add(warnings, WARNING_EMPTY_LIST, &lists[i].place, "the list '", lists[i].name,
                         "' is empty, and matches nothing", NULL);
    for (size_t i = 0; i < draft->groups.count; i++)
        if (groups[i].is_used && groups[i].users.count == 0)
            warnings_add(warnings, WARNING_EMPTY_GROUP, &groups[i].place, "the group '",
                         groups[i].name, "' is empty, and matches nobody", NULL);
    if (draft->users != NULL && users_file_count(draft->users) == 0)
        warnings_add(warnings, WARNING_EMPTY_USERS, &warnings->builder->users_place,
                     "the users file is empty: nobody can log in", NULL);
}

static void warn_of_unused(struct warnings *warnings)
{
    const struct config_draft *draft = warnings->builder->draft;
    const struct list_draft *lists = draft->lists.items;
    const struct group_draft *groups = draft->groups.items;

    for (size_t i = 0; i < draft->lists.count; i++)
        if (!lists[i].is_used)
            warnings_add(warnings, WARNING_UNUSED_LIST, &lists[i].place, "no rule uses the list '",
                         lists[i].name, "'", NULL);
    for (size_t i = 0; i < draft->groups.count; i++)
        if (!groups[i].is_used)
            warnings_add(warnings, WARNING_UNUSED_GROUP, &groups[i].place,
                         "no rule uses the group '", groups[i].name, "'", NULL);
}

static void suggest_user(struct text *out, const struct users_file *users, const char *name)
{
    struct suggestion suggestion;

    suggestion_init(&suggestion, name);
    for (size_t i = 0; i < users_file_count(users); i++)
        suggestion_try(&suggestion, users_file_at(users, i)->name);
    suggestion_print(out, &suggestion);
}

static void warn_of_users(struct warnings *warnings)
{
    const struct users_file *users = warnings->builder->draft->users;
    const struct config_word *words = warnings->builder->user_words.items;

    for (size_t i = 0; i < warnings->builder->user_words.count && users != NULL; i++) {
        bool is_first = warnings->tallies[WARNING_UNKNOWN_USER].count == 0;
        char buffer[DIAGNOSTIC_MESSAGE_SIZE];
        struct text hint;

        if (users_file_count(users) == 0 || /* an empty users file has its own warning */
            users_file_find(users, words[i].text, words[i].length) != NULL)
            continue;
        text_init(&hint, buffer, sizeof(buffer));
        if (is_first)
            suggest_user(&hint, users, words[i].text);
        warnings_add(warnings, WARNING_UNKNOWN_USER, &words[i].place, "the users file has no '",
                     words[i].text, "'", buffer, NULL);
    }
}

void build_warn(struct config_builder *builder)
{
    struct warnings warnings = {.builder = builder};
    bool is_good = diagnostics_error_count(builder->diagnostics) == 0;

    warn_of_rules(&warnings);
    compare_rules(&warnings);
    warn_of_names(&warnings);
    warn_of_users(&warnings);
    if (is_good) { /* after an error, the use of a list or its content may be just what was not
                      understood */
        warn_of_unused(&warnings);
        warn_of_empty(&warnings);
    }
    warnings_say(&warnings);
}
