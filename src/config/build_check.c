/* Checks that need the whole configuration: references to lists, groups and listeners; the options
 * of the command line; warnings about the whole; and that it does not make an open proxy by
 * accident.
 */
#include "config/builder.h"

#include "config/suggest.h"
#include "policy/name_set.h"
#include "policy/network_set.h"

#include <string.h>

static bool takes_names(enum policy_condition_kind kind)
{
    return kind == POLICY_TO || kind == POLICY_SNI;
}

/* -- references: each check returns whether the reference is good; a bad one is reported once */

/* True when adit will listen there: because the file says so, because the command line does in its
 * place, or because neither names a listener and this is the default one. */
static bool is_listener(const struct config_builder *builder, const struct ip_endpoint *endpoint)
{
    const struct listener_set *listeners = &builder->draft->config.listeners;
    const struct listener_draft *drafts = builder->listeners.items;
    const struct listener instead = listener_default(LISTENER_TUNNELS);

    for (size_t i = 0; i < builder->listeners.count; i++)
        if (ip_endpoint_equals(&drafts[i].listener.written, endpoint))
            return true;
    if (listener_set_find(listeners, LISTENER_TUNNELS, endpoint) != NULL)
        return true;
    return builder->listeners.count == 0 && ip_endpoint_equals(&instead.written, endpoint);
}

static bool check_listener(struct config_builder *builder, const struct reference *reference)
{
    if (is_listener(builder, &reference->listener))
        return true;
    builder_error(builder, &reference->place,
                  "there is no such listener: write it as in its `listen` statement", NULL);
    return false;
}

/* Suggests what the unknown list may have been. When a list and a keyword are equally near, the
 * list is suggested. `any` never is: following a wrong guess must not open everything. */
static void suggest_list(struct text *out, const struct config_builder *builder,
                         const char *unknown, enum policy_condition_kind kind)
{
    static const char *const keywords[] = {"special", "private", "loopback"};
    const struct list_draft *lists = builder->draft->lists.items;
    struct suggestion suggestion;

    suggestion_init(&suggestion, unknown);
    for (size_t i = 0; i < builder->draft->lists.count; i++)
        if (lists[i].is_begun && (takes_names(kind) || name_set_count(lists[i].names) == 0))
            suggestion_try(&suggestion, lists[i].name);
    for (size_t i = 0; i < ARRAY_LENGTH(keywords); i++)
        if (build_keyword_takers(keywords[i]) & 1U << kind)
            suggestion_try(&suggestion, keywords[i]);
    if (takes_names(kind))
        suggestion_try(&suggestion, "localhost");
    suggestion_print(out, &suggestion);
}

static void report_unknown_list(struct config_builder *builder, const struct list_draft *unknown,
                                const struct reference *reference)
{
    char buffer[DIAGNOSTIC_MESSAGE_SIZE];
    struct text message;

    text_init(&message, buffer, sizeof(buffer));
    suggest_list(&message, builder, unknown->name, reference->kind);
    if (message.length == 0 && takes_names(reference->kind)) {
        text_add(&message, "; a host name with a single label is quoted");
    } else if (message.length == 0) {
        text_add(&message, "; write ");
        text_add(&message, build_wanted(reference->kind));
    }
    builder_error(builder, &reference->place, "there is no list '", unknown->name, "'", buffer,
                  NULL);
}

static bool check_list(struct config_builder *builder, const struct reference *reference)
{
    const struct list_draft *lists = builder->draft->lists.items;
    const struct list_draft *list = &lists[reference->index];

    if (list->is_defined && (takes_names(reference->kind) || name_set_count(list->names) == 0))
        return !list->is_bad && list->unended_count == 0;
    if (list->is_defined)
        builder_error(builder, &reference->place, "the list '", list->name,
                      "' holds host names, and this condition takes addresses only", NULL);
    else if (!list->is_begun) /* otherwise its statement has an error, which was reported */
        report_unknown_list(builder, list, reference);
    return false;
}

static bool check_group(struct config_builder *builder, const struct reference *reference)
{
    struct group_draft *groups = builder->draft->groups.items;
    struct group_draft *group = &groups[reference->index];
    struct suggestion suggestion;
    char buffer[DIAGNOSTIC_MESSAGE_SIZE];
    struct text message;

    if (group->is_defined || group->is_begun || group->is_missed)
        return group->is_defined;
    group->is_missed = true;
    suggestion_init(&suggestion, group->name);
    for (size_t i = 0; i < builder->draft->groups.count; i++)
        if (groups[i].is_begun)
            suggestion_try(&suggestion, groups[i].name);
    text_init(&message, buffer, sizeof(buffer));
    suggestion_print(&message, &suggestion);
    builder_error(builder, &reference->place, "there is no group '", group->name, "'", buffer,
                  NULL);
    return false;
}

static bool check_reference(struct config_builder *builder, const struct reference *reference)
{
    switch (reference->what) {
    case REFERENCE_LIST:
        return check_list(builder, reference);
    case REFERENCE_GROUP:
        return check_group(builder, reference);
    default:
        return check_listener(builder, reference);
    }
}

/* A rule with a bad reference is marked, so that no warning about the rule follows the error. */
static void check_references(struct config_builder *builder)
{
    const struct reference *references = builder->references.items;
    struct rule_draft *rules = builder->draft->rules.items;

    for (size_t i = 0; i < builder->references.count; i++)
        if (!check_reference(builder, &references[i]) && references[i].rule > 0)
            rules[references[i].rule - 1].is_bad = true;
}

/* -- never an open proxy by accident */

/* Whether the rule may apply to clients of this listener. Only its `listener` conditions can
 * exclude that; all others are taken as possibly true. */
static bool may_apply(const struct policy_rule_source *rule, const struct ip_endpoint *listener)
{
    for (size_t i = 0; i < rule->condition_count; i++) {
        const struct policy_condition *condition = &rule->conditions[i];
        bool is_named = false;

        if (condition->kind != POLICY_LISTENER)
            continue;
        for (size_t j = 0; j < condition->value_count; j++)
            is_named |= ip_endpoint_equals(&condition->values[j].listener, listener);
        if (is_named == condition->is_negated)
            return false;
    }
    return true;
}

/* True when the rule says which clients or users it is for. A condition with `not` does not count:
 * it only says for whom the rule is not. */
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

/* Refuses a listener beyond loopback when a rule that may apply there allows without saying whom,
 * or when no rule allows anything there. */
static void check_open_listener(struct config_builder *builder, const struct ip_endpoint *listener,
                                const struct config_place *place)
{
    const struct rule_draft *rules = builder->draft->rules.items;
    char buffer[IP_ENDPOINT_TEXT_SIZE];
    const char *name = ip_endpoint_text(buffer, listener);
    bool is_any_allowed = false;

    for (size_t i = 0; i < builder->draft->rules.count; i++) {
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

static void build_take_listener(struct config_builder *builder, const struct listener *listener,
                                const struct config_place *place)
{
    listener_set_add(&builder->draft->config.listeners, listener);
    if (!ip_address_is_loopback(&listener->written.address))
        check_open_listener(builder, &listener->written, place);
}

static void build_take_listeners(struct config_builder *builder, const struct listener_set *named)
{
    struct listener_set *listeners = &builder->draft->config.listeners;
    const struct listener_draft *drafts = builder->listeners.items;
    const struct listener instead = listener_default(LISTENER_TUNNELS);

    size_t named_count = listener_set_count(named, LISTENER_TUNNELS);

    for (size_t i = 0; i < named_count; i++)
        build_take_listener(builder, &named->all[i], NULL);
    for (size_t i = 0; i < builder->listeners.count && named_count == 0; i++)
        build_take_listener(builder, &drafts[i].listener, &drafts[i].place);
    if (listeners->count == 0)
        listener_set_add(listeners, &instead);
}

static void build_take_admin(struct config_builder *builder, const struct listener_set *named,
                             bool is_off)
{
    struct config *config = &builder->draft->config;
    const struct listener *named_admin = listener_set_first(named, LISTENER_ADMIN);
    const struct listener admin =
        named_admin != NULL ? *named_admin : listener_of(LISTENER_ADMIN, &builder->admin);

    config->is_admin_built_in =
        builder->depth == 0 && builder->file_count == 0 && named_admin == NULL && !is_off;
    if (named_admin != NULL || (builder->has_admin && !is_off))
        listener_set_add(&config->listeners, &admin);
}

/* -- warnings about the whole configuration */

static void warn_of_silence(struct config_builder *builder)
{
    const struct rule_draft *rules = builder->draft->rules.items;

    for (size_t i = 0; i < builder->draft->rules.count; i++)
        if (rules[i].source.is_allow && !rules[i].source.is_report)
            return;
    if (diagnostics_error_count(builder->diagnostics) == 0)
        builder_warn(builder, NULL, "no rule allows anything: every request will be denied", NULL);
}

/* -- putting it together */

static void finish_policy(struct config_builder *builder)
{
    struct config_draft *draft = builder->draft;
    struct policy_source *policy = &draft->config.policy;
    const struct rule_draft *rule_drafts = draft->rules.items;
    const struct list_draft *list_drafts = draft->lists.items;
    const struct group_draft *group_drafts = draft->groups.items;
    struct policy_rule_source *rules =
        arena_allocate(&draft->arena, draft->rules.count * sizeof(*rules));
    struct policy_list *lists = arena_allocate(&draft->arena, draft->lists.count * sizeof(*lists));
    struct policy_group *groups =
        arena_allocate(&draft->arena, draft->groups.count * sizeof(*groups));

    if (rules == NULL || lists == NULL || groups == NULL)
        return;
    for (size_t i = 0; i < draft->rules.count; i++)
        rules[i] = rule_drafts[i].source;
    for (size_t i = 0; i < draft->lists.count; i++) {
        lists[i].name = list_drafts[i].name;
        lists[i].names = name_set_count(list_drafts[i].names) > 0 ? list_drafts[i].names : NULL;
        lists[i].networks =
            network_set_count(list_drafts[i].networks) > 0 ? list_drafts[i].networks : NULL;
    }
    for (size_t i = 0; i < draft->groups.count; i++)
        groups[i] = (struct policy_group){group_drafts[i].name, group_drafts[i].users.items,
                                          group_drafts[i].users.count};
    *policy = (struct policy_source){
        .rules = rules,
        .rule_count = draft->rules.count,
        .lists = lists,
        .list_count = draft->lists.count,
        .groups = groups,
        .group_count = draft->groups.count,
        .has_users = builder->users_place.line > 0,
    };
}

static void note_whole(void *self, const struct ip_network *network)
{
    bool *is_whole = self;

    *is_whole |= network->prefix_length == 0;
}

static bool is_everybody(const struct config_draft *draft)
{
    const struct policy_condition *from = &draft->config.admin_from;
    const struct list_draft *lists = draft->lists.items;
    bool is_whole = false;

    for (size_t i = 0; i < from->value_count; i++) {
        const struct policy_value *value = &from->values[i];

        if (value->kind == POLICY_VALUE_LIST)
            network_set_visit(lists[value->index].networks, note_whole, &is_whole);
        else if (value->kind == POLICY_VALUE_NETWORK)
            note_whole(&is_whole, &value->network);
        is_whole |= value->kind == POLICY_VALUE_ANY;
    }
    return is_whole;
}

/* An admin page beyond loopback needs users or a `from` that is not everybody. This is judged at
 * the end, because `-a` may have replaced the address in the file and because the lists that `from`
 * names are known only now. */
static void check_admin_access(struct config_builder *builder, bool is_option)
{
    const struct config *config = &builder->draft->config;
    const struct listener *admin = listener_set_first(&config->listeners, LISTENER_ADMIN);

    if (admin == NULL || ip_address_is_loopback(&admin->written.address) ||
        config->admin_users.value_count > 0)
        return;
    if (builder->admin_from_place.line > 0) {
        if (is_everybody(builder->draft))
            builder_error(builder, &builder->admin_from_place,
                          "the admin page beyond loopback is not for everybody: name fewer, or add "
                          "`user @group` and a `users` file",
                          NULL);
    } else if (is_option) {
        builder_error(builder, NULL,
                      "-a: the admin page beyond loopback needs a password, or to know for whom it "
                      "is: write `admin ADDR:PORT from 10.0.0.0/8`, or `admin ADDR:PORT user "
                      "@group` and a `users` file into the configuration",
                      NULL);
    } else {
        builder_error(builder, &builder->admin_address_place,
                      "the admin page beyond loopback needs a password, or to know for whom it is: "
                      "add `user @group` and a `users` file, or `from 10.0.0.0/8`",
                      NULL);
    }
}

/* Reports an admin page on the address of a tunnel listener. A wildcard address that covers the
 * other one is left to the kernel, which refuses it at bind(2). A built-in admin page is not
 * checked at all: when its port is busy, adit runs without it. */
static void check_admin(struct config_builder *builder, bool is_option)
{
    const struct config *config = &builder->draft->config;
    const struct listener *admin = listener_set_first(&config->listeners, LISTENER_ADMIN);

    if (admin == NULL)
        return;
    if (!config->is_admin_built_in && admin->written.port != 0 &&
        listener_set_find(&config->listeners, LISTENER_TUNNELS, &admin->written) != NULL)
        builder_error(builder, is_option ? NULL : &builder->admin_place, is_option ? "-a: " : "",
                      "the admin page needs an address of its own: clients come to this one", NULL);
    if (config->admin_users.value_count > 0 && builder->users_place.line == 0 &&
        diagnostics_error_count(builder->diagnostics) == 0)
        builder_warn(builder, &builder->admin_place,
                     "nobody can open the admin page: `user` needs a `users` file", NULL);
}

/* A configuration without any statement is an error: nobody wants one, so the file was emptied by
 * accident or is not written yet. */
static void check_emptiness(struct config_builder *builder)
{
    const struct config_source *sources = builder->draft->sources.items;
    const struct config_place place = {.file = builder->paths[0]};
    size_t count = 0;

    for (size_t i = 0; i < builder->draft->sources.count; i++)
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
    static const struct listener_set nothing;
    struct config *config = &builder->draft->config;
    const struct listener_set *named =
        overrides->listeners != NULL ? overrides->listeners : &nothing;
    bool is_admin_named = listener_set_first(named, LISTENER_ADMIN) != NULL;

    if (builder->draft->arena.is_exhausted)
        return;
    build_report_strays(builder);
    check_emptiness(builder);
    build_take_listeners(builder, named);
    check_references(builder);
    config->workers = overrides->workers;
    if (overrides->control_path != NULL)
        config->control_path = overrides->control_path;
    build_take_admin(builder, named, overrides->is_admin_off);
    check_admin_access(builder, is_admin_named);
    check_admin(builder, is_admin_named);
    build_name_rules(builder);
    if (builder->depth == 0 && builder->file_count > 0) {
        warn_of_silence(builder);
        build_warn(builder);
    }
    finish_policy(builder);
    config->sources = builder->draft->sources.items;
    config->source_count = builder->draft->sources.count;
}
