/* What can be judged only when everything is read: references, the command line's word, warnings,
 * and that this is no open proxy by accident.
 */
#include "config/builder.h"

#include "config/suggest.h"
#include "config/time_zone.h"
#include "policy/name_set.h"
#include "policy/network_set.h"

#include <string.h>

enum { MESSAGE_MAX = 256, SMTP_PORT = 25 };

/* -- references */

static bool endpoint_equals(const struct ip_endpoint *a, const struct ip_endpoint *b)
{
    return a->port == b->port && ip_address_equals(&a->address, &b->address);
}

static void check_listener(struct config_builder *builder, const struct reference *reference)
{
    const struct listener_draft *listeners = builder->listeners.items;

    for (size_t i = 0; i < builder->listeners.count; i++)
        if (endpoint_equals(&listeners[i].endpoint, &reference->listener))
            return;
    builder_error(builder, &reference->place,
                  "there is no such listener: write it as in its `listen` statement", NULL);
}

static void report_unknown_list(struct config_builder *builder, const struct list_draft *unknown,
                                const struct config_place *place)
{
    static const char *const keywords[] = {"any", "special", "private", "loopback", "localhost"};
    const struct list_draft *lists = builder->owner->lists.items;
    const char *similar = NULL;
    char buffer[MESSAGE_MAX];
    struct text message;

    for (size_t i = 0; i < ARRAY_LENGTH(keywords) && similar == NULL; i++)
        if (suggest_is_similar(keywords[i], unknown->name))
            similar = keywords[i];
    for (size_t i = 0; i < builder->owner->lists.count && similar == NULL; i++)
        if (lists[i].is_defined && suggest_is_similar(lists[i].name, unknown->name))
            similar = lists[i].name;
    text_init(&message, buffer, sizeof(buffer));
    if (similar != NULL)
        suggest_name(&message, similar);
    builder_error(builder, place, "there is no list '", unknown->name, "'",
                  similar != NULL ? buffer : "; a host name with a single label is quoted", NULL);
}

static void check_references(struct config_builder *builder)
{
    const struct reference *references = builder->references.items;
    const struct list_draft *lists = builder->owner->lists.items;

    for (size_t i = 0; i < builder->references.count; i++) {
        const struct reference *reference = &references[i];

        if (reference->is_listener) {
            check_listener(builder, reference);
            continue;
        }
        const struct list_draft *list = &lists[reference->list];
        if (!list->is_defined)
            report_unknown_list(builder, list, &reference->place);
        else if (reference->needs_addresses && name_set_count(list->names) > 0)
            builder_error(builder, &reference->place, "the list '", list->name,
                          "' holds host names, and this condition takes addresses only", NULL);
    }
}

static void check_groups(struct config_builder *builder)
{
    const struct group_draft *groups = builder->owner->groups.items;

    for (size_t i = 0; i < builder->owner->groups.count; i++) {
        const char *similar = NULL;
        char buffer[MESSAGE_MAX];
        struct text message;

        if (groups[i].is_defined)
            continue;
        for (size_t j = 0; j < builder->owner->groups.count; j++)
            if (groups[j].is_defined && suggest_is_similar(groups[j].name, groups[i].name))
                similar = groups[j].name;
        text_init(&message, buffer, sizeof(buffer));
        if (similar != NULL)
            suggest_name(&message, similar);
        builder_error(builder, &groups[i].place, "there is no group '", groups[i].name, "'", buffer,
                      NULL);
    }
}

/* -- never an open proxy by accident */

static const struct policy_condition *find_condition(const struct policy_rule_source *rule,
                                                     enum policy_condition_kind kind)
{
    for (size_t i = 0; i < rule->condition_count; i++)
        if (rule->conditions[i].kind == kind)
            return &rule->conditions[i];
    return NULL;
}

/* `listener` conditions alone can keep a rule from a listener. */
static bool may_apply(const struct policy_rule_source *rule, const struct ip_endpoint *listener)
{
    for (size_t i = 0; i < rule->condition_count; i++) {
        const struct policy_condition *condition = &rule->conditions[i];
        bool is_named = false;

        if (condition->kind != POLICY_LISTENER)
            continue;
        for (size_t j = 0; j < condition->value_count; j++)
            is_named |= endpoint_equals(&condition->values[j].listener, listener);
        if (is_named == condition->is_negated)
            return false;
    }
    return true;
}

/* Says which clients or users it is for; `not` says only for which it is not. */
static bool names_who(const struct policy_rule_source *rule)
{
    for (size_t i = 0; i < rule->condition_count; i++) {
        const struct policy_condition *condition = &rule->conditions[i];

        if ((condition->kind == POLICY_FROM || condition->kind == POLICY_USER) &&
            !condition->is_negated)
            return true;
    }
    return false;
}

static void check_open_listener(struct config_builder *builder, const struct ip_endpoint *listener,
                                const struct config_place *place)
{
    const struct rule_draft *rules = builder->owner->rules.items;
    char name[IP_ENDPOINT_TEXT_SIZE];
    struct text text;
    bool is_any_allowed = false;

    text_init(&text, name, sizeof(name));
    ip_endpoint_print(&text, listener);
    for (size_t i = 0; i < builder->owner->rules.count; i++) {
        const struct policy_rule_source *rule = &rules[i].source;

        if (!rule->is_allow || rule->is_report || !may_apply(rule, listener))
            continue;
        is_any_allowed = true;
        if (!names_who(rule))
            builder_error(builder, &rules[i].place, "refusing to listen on ", name,
                          ", which is not loopback: this rule does not say for whom it is; add "
                          "`from 10.0.0.0/8` or `user any`, or `from any` when everybody is meant",
                          NULL);
    }
    if (!is_any_allowed && diagnostics_error_count(builder->diagnostics) == 0)
        builder_error(
            builder, place, "refusing to listen on ", name,
            ", which is not loopback: nothing says who may use the proxy; add a rule like "
            "`allow from 10.0.0.0/8` (without -c: --from 10.0.0.0/8)",
            NULL);
}

static void take_listeners(struct config_builder *builder, const struct config_overrides *overrides)
{
    static const uint8_t loopback[4] = {127, 0, 0, 1};
    struct config *config = &builder->owner->config;
    const struct listener_draft *drafts = builder->listeners.items;
    bool is_overridden = overrides->listener_count > 0;

    config->listener_count = is_overridden ? overrides->listener_count : builder->listeners.count;
    REQUIRE(config->listener_count <= CONFIG_LISTENERS_MAX);
    for (size_t i = 0; i < config->listener_count; i++) {
        config->listeners[i] = is_overridden ? overrides->listeners[i] : drafts[i].endpoint;
        if (!ip_address_is_loopback(&config->listeners[i].address))
            check_open_listener(builder, &config->listeners[i],
                                is_overridden ? NULL : &drafts[i].place);
    }
    if (config->listener_count > 0)
        return;
    config->listeners[0] = (struct ip_endpoint){ip_address_from_v4(loopback), 10800};
    config->listener_count = 1;
}

/* -- warnings */

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

/* A deny of port 25 for everybody. */
static bool denies_smtp(const struct policy_rule_source *rule)
{
    return !rule->is_allow && !rule->is_report && rule->condition_count == 1 &&
           rule->conditions[0].kind == POLICY_PORT && has_port(&rule->conditions[0], SMTP_PORT);
}

/* `allow to localhost` can't come true: the name is matched, but never the address behind it. */
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

/* Whether it warned: the hours are those of another place then. */
static bool warn_of_time(struct config_builder *builder, const struct rule_draft *rule)
{
    const char *zone;

    if (find_condition(&rule->source, POLICY_TIME) == NULL ||
        builder->reader->environment(builder->reader, "TZ", &zone) < 0 ||
        time_zone_is_known(builder->reader, zone))
        return false;
    builder_warn(builder, &rule->place, "the environment's TZ is '", zone,
                 "', which is no time zone here: `time` goes by UTC; write it as in Europe/Berlin, "
                 "and install the zones (tzdata)",
                 NULL);
    return true;
}

static void warn_of_rules(struct config_builder *builder)
{
    const struct rule_draft *rules = builder->owner->rules.items;
    bool is_smtp_denied = false;
    bool is_any_allowed = false;
    bool is_zone_bad = false;

    for (size_t i = 0; i < builder->owner->rules.count; i++) {
        const struct policy_rule_source *rule = &rules[i].source;
        bool is_allowing = rule->is_allow && !rule->is_report;

        is_any_allowed |= is_allowing;
        is_smtp_denied |= denies_smtp(rule);
        if (is_allowing && !is_smtp_denied && reaches_smtp(rule))
            builder_warn(builder, &rules[i].place,
                         "this rule reaches port 25 (mail): spammers look "
                         "for that; name ports, or write `deny port 25` in front",
                         NULL);
        if (is_allowing && allows_only_localhost(rule))
            builder_warn(builder, &rules[i].place,
                         "localhost is a name here, and an allow by name never reaches a loopback "
                         "address; write `to loopback`",
                         NULL);
        is_zone_bad = is_zone_bad || warn_of_time(builder, &rules[i]);
        if (builder->users_place.line == 0 && find_condition(rule, POLICY_USER) != NULL)
            builder_warn(builder, &rules[i].place,
                         "this rule names users, but there is no `users` "
                         "statement to check them with",
                         NULL);
    }
    if (!is_any_allowed && diagnostics_error_count(builder->diagnostics) == 0)
        diagnostics_add(builder->diagnostics, true, NULL,
                        "no rule allows anything: every request will be denied");
}

/* -- putting it together */

static void finish_policy(struct config_builder *builder)
{
    struct config_owner *owner = builder->owner;
    struct policy_source *policy = &owner->config.policy;
    const struct rule_draft *rule_drafts = owner->rules.items;
    const struct list_draft *list_drafts = owner->lists.items;
    const struct group_draft *group_drafts = owner->groups.items;
    struct policy_rule_source *rules =
        arena_allocate(&owner->arena, owner->rules.count * sizeof(*rules));
    struct policy_list *lists = arena_allocate(&owner->arena, owner->lists.count * sizeof(*lists));
    struct policy_group *groups =
        arena_allocate(&owner->arena, owner->groups.count * sizeof(*groups));

    if (rules == NULL || lists == NULL || groups == NULL)
        return;
    for (size_t i = 0; i < owner->rules.count; i++)
        rules[i] = rule_drafts[i].source;
    for (size_t i = 0; i < owner->lists.count; i++) {
        lists[i].name = list_drafts[i].name;
        lists[i].names = name_set_count(list_drafts[i].names) > 0 ? list_drafts[i].names : NULL;
        lists[i].networks =
            network_set_count(list_drafts[i].networks) > 0 ? list_drafts[i].networks : NULL;
    }
    for (size_t i = 0; i < owner->groups.count; i++)
        groups[i] = (struct policy_group){group_drafts[i].name, group_drafts[i].users.items,
                                          group_drafts[i].users.count};
    *policy = (struct policy_source){
        .rules = rules,
        .rule_count = owner->rules.count,
        .lists = lists,
        .list_count = owner->lists.count,
        .groups = groups,
        .group_count = owner->groups.count,
        .has_users = builder->users_place.line > 0,
    };
}

/* A wildcard address that takes in the other one is left for the kernel to find, and so is a page
 * that nobody asked for: adit then runs without it. */
static void check_admin(struct config_builder *builder, bool is_option)
{
    const struct config *config = &builder->owner->config;

    if (!config->has_admin)
        return;
    for (size_t i = 0; i < config->listener_count && !config->is_admin_built_in; i++)
        if (config->admin.port != 0 && endpoint_equals(&config->listeners[i], &config->admin))
            builder_error(
                builder, is_option ? NULL : &builder->admin_place, is_option ? "-a: " : "",
                "the admin page needs an address of its own: clients come to this one", NULL);
    if (config->admin_users.value_count > 0 && builder->users_place.line == 0 &&
        diagnostics_error_count(builder->diagnostics) == 0)
        builder_warn(builder, &builder->admin_place,
                     "nobody can open the admin page: `user` needs a `users` file", NULL);
}

/* Nobody means an empty file: it was emptied, or is not written yet. */
static void check_emptiness(struct config_builder *builder)
{
    const struct config_source *sources = builder->owner->sources.items;
    const struct config_place place = {.file = builder->paths[0]};
    size_t count = 0;

    for (size_t i = 0; i < builder->owner->sources.count; i++)
        if (sources[i].kind == CONFIG_SOURCE_STATEMENTS)
            count += sources[i].count;
    if (builder->file_count > 0 && count == 0 && diagnostics_error_count(builder->diagnostics) == 0)
        builder_error(
            builder, &place,
            "there is no statement in it, and everything would be denied; write rules, as "
            "in `allow from loopback`, or run without -c",
            NULL);
}

void build_finish(struct config_builder *builder, const struct config_overrides *overrides)
{
    struct config *config = &builder->owner->config;

    if (builder->owner->arena.is_exhausted)
        return;
    check_emptiness(builder);
    check_references(builder);
    check_groups(builder);
    take_listeners(builder, overrides);
    if (builder->depth == 0 && builder->file_count > 0)
        warn_of_rules(builder);
    config->workers = overrides->workers;
    if (overrides->control_path != NULL)
        config->control_path = overrides->control_path;
    config->is_admin_built_in = builder->depth == 0 && builder->file_count == 0;
    if (overrides->admin != NULL || overrides->is_admin_off) {
        config->is_admin_built_in = false;
        config->has_admin = overrides->admin != NULL;
    }
    if (overrides->admin != NULL)
        config->admin = *overrides->admin;
    if (overrides->admin != NULL && config->admin_users.value_count == 0 &&
        config->admin_from.value_count == 0 && !ip_address_is_loopback(&config->admin.address))
        builder_error(
            builder, NULL,
            "-a: the admin page beyond loopback needs a password, or to know for whom it is: write "
            "`admin ADDR:PORT from 10.0.0.0/8`, or `admin ADDR:PORT user "
            "@group` and a `users` file into the configuration",
            NULL);
    check_admin(builder, overrides->admin != NULL);
    build_name_rules(builder);
    finish_policy(builder);
    config->sources = builder->owner->sources.items;
    config->source_count = builder->owner->sources.count;
}
