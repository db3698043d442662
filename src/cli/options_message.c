/* A message names the word, what is wrong with it and what would be right. Words come from a
 * person, but may hold anything: they are quoted, escaped and cut. For a word that is unknown, the
 * message proposes the known one that is nearest to it.
 */
#include "cli/options_message.h"

#include "base/escape.h"
#include "cli/options_table.h"
#include "config/suggest.h"

#include <errno.h>
#include <string.h>

enum { WORD_QUOTED_MAX = 80 };

static void message_quote(struct text *out, const char *word)
{
    text_add_char(out, '\'');
    escape_add(out, word, strlen(word), WORD_QUOTED_MAX, ESCAPE_PLAIN);
    text_add_char(out, '\'');
}

int options_fail(struct text *message, const char *before, const char *word, const char *after)
{
    text_add(message, before);
    text_add_char(message, ' ');
    message_quote(message, word);
    text_add(message, after);
    return -EINVAL;
}

/* Whether `word` is the short form that an option without one would have: who writes `-f` probably
 * means `--from`. */
static bool option_is_short_form(const char *word, const char *name)
{
    return word[0] == '-' && word[1] == name[2] && word[2] == '\0';
}

static int message_fail_unknown(struct text *message, const char *what, const char *word,
                                const char *meant)
{
    options_fail(message, what, word, "");
    if (meant != NULL)
        suggest_name(message, meant);
    else
        text_add(message, "; see 'adit --help'");
    return -EINVAL;
}

int options_fail_unknown_option(struct text *message, const char *word)
{
    struct suggestion suggestion;

    suggestion_init(&suggestion, word);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const char *name = option_last_name(option_row_at((enum option)i));

        if (strncmp(name, "--", 2) != 0)
            continue;
        if (option_is_short_form(word, name))
            return message_fail_unknown(message, "unknown option", word, name);
        suggestion_try(&suggestion, name);
    }
    return message_fail_unknown(message, "unknown option", word, suggestion.nearest);
}

int options_fail_unknown_command(struct text *message, const char *word)
{
    struct suggestion suggestion;

    suggestion_init(&suggestion, word);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        suggestion_try(&suggestion, command_row_at((enum command)i)->word);
    return message_fail_unknown(message, "unknown command", word, suggestion.nearest);
}
