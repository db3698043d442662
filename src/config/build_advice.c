/* Advice for a word that stands where a condition or a comma belongs: what to write instead.
 *
 * The form of the word shows which conditions would take it: a number is a port, an `@` a group, a
 * dot a host name. Lists have priority over the words of the language. Since a list may be defined
 * further down, a stray word is only noted while the files are read, and reported when all of them
 * are known.
 */
#include "config/builder.h"

#include "policy/name_set.h"

#include <errno.h>
#include <string.h>

enum { WORD_MAX = 160 };

enum {
    NETWORK_TAKERS = 1U << POLICY_FROM | 1U << POLICY_TO | 1U << POLICY_ADDRESS,
    NAME_TAKERS = 1U << POLICY_TO | 1U << POLICY_SNI,
    USER_TAKERS = 1U << POLICY_USER,
    PORT_TAKERS = 1U << POLICY_PORT,
    ENDPOINT_TAKERS = 1U << POLICY_TO | 1U << POLICY_LISTENER, /* `to` says why it takes no port */
    WORD_TAKERS = USER_TAKERS | 1U << POLICY_TIME | 1U << POLICY_PROTOCOL | 1U << POLICY_JA4,
};

void build_stray(struct config_builder *builder, const struct config_place *place,
                 bool is_behind_value, const struct suggestion *keyword, const char *expected)
{
    struct arena *arena = &builder->draft->arena;
    struct stray *stray = vector_push(arena, &builder->strays, sizeof(*stray));
    char word[WORD_MAX];
    struct text source;

    if (stray == NULL)
        return;
    text_init(&source, word, sizeof(word));
    diagnostics_add_source(&source, place);
    *stray = (struct stray){
        .place = *place,
        .word = arena_copy(arena, word, source.length),
        .before = builder->words_before[0],
        .kind = builder->condition_kind,
        .is_behind_value = is_behind_value,
        .keyword = {.nearest = keyword->nearest, .edits = keyword->edits},
        .expected = arena_copy(arena, expected, strlen(expected)),
    };
}

/* -- what takes a word */

/* Returns NULL when there is no list of that name. */
static const struct list_draft *find_list(const struct config_builder *builder, const char *name)
{
    const struct list_draft *lists = builder->draft->lists.items;

    for (size_t i = 0; i < builder->draft->lists.count; i++)
        if (lists[i].is_begun && strcmp(lists[i].name, name) == 0)
            return &lists[i];
    return NULL;
}

static bool is_group(const struct config_builder *builder, const char *name)
{
    const struct group_draft *groups = builder->draft->groups.items;

    for (size_t i = 0; i < builder->draft->groups.count; i++)
        if (groups[i].is_begun && strcmp(groups[i].name, name) == 0)
            return true;
    return false;
}

/* A list that holds names is of no use in `from` or `address`, which take addresses only. */
static unsigned list_takers(const struct list_draft *list)
{
    return name_set_count(list->names) > 0 ? NAME_TAKERS : NAME_TAKERS | NETWORK_TAKERS;
}

/* True for digits and dashes: a port or a range of ports. */
static bool is_of_digits(const char *word)
{
    for (; *word != '\0'; word++)
        if (strchr("0123456789-", *word) == NULL)
            return false;
    return true;
}

/* Returns the conditions (a bit for each) that take a word of this form; 0 when it is a bare word
 * that nothing knows. */
static unsigned find_takers(const struct config_builder *builder, const char *word)
{
    const struct list_draft *list = find_list(builder, word);
    struct ip_network network;
    struct ip_endpoint endpoint;

    if (word[0] != '"' && strchr(word, '@') != NULL)
        return USER_TAKERS;
    if (is_of_digits(word))
        return PORT_TAKERS;
    if (ip_network_parse(word, strlen(word), &network) != -EINVAL)
        return NETWORK_TAKERS;
    if (ip_endpoint_parse(word, strlen(word), &endpoint) == 0)
        return ENDPOINT_TAKERS;
    if (list != NULL)
        return list_takers(list);
    if (word[0] == '"' || strchr(word, '.') != NULL || strcmp(word, "localhost") == 0)
        return NAME_TAKERS;
    return build_keyword_takers(word);
}

/* -- what is said */

/* Adds "`from a` or `to a`", with one part for each condition among `takers`. */
static void add_conditions(struct text *out, const char *before, unsigned takers, const char *word)
{
    static const struct {
        enum policy_condition_kind kind;
        const char *name;
    } advised[] = {
        {POLICY_FROM, "from"}, {POLICY_USER, "user"}, {POLICY_TO, "to"}, {POLICY_PORT, "port"}};

    for (size_t i = 0; i < ARRAY_LENGTH(advised); i++) {
        if (!(takers & 1U << advised[i].kind))
            continue;
        text_add(out, before);
        text_add_char(out, '`');
        text_add(out, advised[i].name);
        text_add_char(out, ' ');
        text_add(out, word);
        text_add_char(out, '`');
        before = " or ";
    }
}

/* Returns false when no condition is known to take the word. A second condition of the kind that is
 * already there is not advised: both would have to be true, so it would narrow the first one. */
static bool advise_value(struct text *out, const struct stray *stray, unsigned takers)
{
    unsigned kind = stray->is_behind_value ? 1U << stray->kind : 0;
    bool goes_on = takers & kind;

    if (goes_on)
        text_add(out, "; put a comma in front of it");
    if (!goes_on || stray->kind != POLICY_LISTENER) /* an address with a port behind `listener` is
                                                       hardly meant as a target */
        add_conditions(out, goes_on ? ", or write " : "; write ", takers & ~kind, stray->word);
    return takers != 0;
}

/* Catches `to list ads`, `user group ops` and `list ads`. A rule names a list or a group without
 * saying which of the two it is, but it must say what it is used for. */
static bool advise_definition(struct text *out, const struct config_builder *builder,
                              const struct stray *stray)
{
    const char *word = stray->is_behind_value ? stray->before : stray->word;
    bool is_list_word =
        word != NULL && strcmp(word, "list") == 0 && find_list(builder, word) == NULL;
    bool is_group_word = word != NULL && strcmp(word, "group") == 0;

    if (!stray->is_behind_value && is_list_word)
        text_add(out, "; write `to` and the list's name");
    else if (!stray->is_behind_value && is_group_word)
        text_add(out, "; write `user @` and the group's name");
    else if (is_list_word && (1U << stray->kind & (NETWORK_TAKERS | NAME_TAKERS)))
        text_add(out, "; leave out `list`: its name alone is enough");
    else if (is_group_word && stray->kind == POLICY_USER && is_group(builder, stray->word))
        text_add(out, "; leave out `group`, and put an @ in front of it");
    else
        return false;
    return true;
}

/* Suggests a list whose name is near to the word. When a list and a word of the language are
 * equally near, the list is suggested. */
static bool advise_near_list(struct text *out, const struct config_builder *builder,
                             const struct stray *stray)
{
    const struct list_draft *lists = builder->draft->lists.items;
    struct suggestion suggestion;

    suggestion_init(&suggestion, stray->word);
    for (size_t i = 0; i < builder->draft->lists.count; i++)
        if (lists[i].is_begun)
            suggestion_try(&suggestion, lists[i].name);
    if (suggestion.nearest == NULL || stray->keyword.edits < suggestion.edits)
        return false;
    unsigned takers = list_takers(find_list(builder, suggestion.nearest));
    if (stray->is_behind_value && (takers & 1U << stray->kind)) {
        text_add(out, "; did you mean the list '");
        text_add(out, suggestion.nearest);
        text_add(out, "', with a comma in front of it?");
    } else {
        add_conditions(out, "; did you mean ", takers, suggestion.nearest);
        text_add_char(out, '?');
    }
    return true;
}

static void advise(struct text *out, const struct config_builder *builder,
                   const struct stray *stray)
{
    unsigned takers = find_takers(builder, stray->word);
    unsigned kind = stray->is_behind_value ? 1U << stray->kind : 0;

    /* A user may have the name of a host or of a list. */
    if (takers != 0 && (kind & USER_TAKERS) && !(takers & (PORT_TAKERS | 1U << POLICY_ADDRESS)))
        takers |= USER_TAKERS;
    if (advise_definition(out, builder, stray) || advise_value(out, stray, takers) ||
        advise_near_list(out, builder, stray))
        return;
    if (stray->keyword.nearest != NULL) {
        suggestion_print(out, &stray->keyword);
    } else if (!advise_value(out, stray, kind & WORD_TAKERS)) {
        text_add(out, "; expected ");
        text_add(out, stray->expected);
    }
}

void build_report_strays(struct config_builder *builder)
{
    const struct stray *strays = builder->strays.items;

    for (size_t i = 0; i < builder->strays.count; i++) {
        char buffer[DIAGNOSTIC_MESSAGE_SIZE];
        struct text advice;

        text_init(&advice, buffer, sizeof(buffer));
        advise(&advice, builder, &strays[i]);
        builder_error(builder, &strays[i].place, "unexpected '", strays[i].word, "'", buffer, NULL);
    }
}
