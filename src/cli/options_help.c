/* The help is made from command.def, as the manual page and the completions are, so that none of
 * them forgets an option. Without a command it shows all commands and the options of the proxy
 * itself; with one it shows what the manual says of it and only the options that go with it.
 */
#include "cli/options_help.h"

#include "cli/options_table.h"

#include <string.h>

/* Adds a line with a name and its operand, and what it is for in a column of its own. */
static void help_add_row(struct text *out, const char *name, const char *operand,
                         const char *summary)
{
    enum { COLUMN = 24 };
    size_t start = out->length;

    text_add(out, "  ");
    text_add(out, name);
    if (operand[0] != '\0') {
        text_add_char(out, ' ');
        text_add(out, operand);
    }
    do
        text_add_char(out, ' ');
    while (out->length < start + COLUMN && !out->is_truncated);
    text_add(out, summary);
    text_add_char(out, '\n');
}

/* Adds a paragraph that is broken at blanks, so that a terminal need not break words. */
static void help_add_paragraph(struct text *out, const char *words)
{
    enum { WIDTH = 80 };
    size_t column = 0;

    while (*words != '\0') {
        const char *blank = strchr(words, ' ');
        size_t length = blank != NULL ? (size_t)(blank - words) : strlen(words);

        if (column > 0) {
            bool is_full = column + 1 + length > WIDTH;

            text_add_char(out, is_full ? '\n' : ' ');
            column = is_full ? 0 : column + 1;
        }
        text_add_bytes(out, words, length);
        column += length;
        words += length + (blank != NULL);
    }
    text_add_char(out, '\n');
}

static void help_add_options(struct text *out, enum command command)
{
    text_add(out, "\noptions:\n");
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = option_row_at((enum option)i);

        if (row->commands & 1U << command)
            help_add_row(out, row->name, row->operand, row->summary);
    }
}

static void help_add_overview(struct text *out)
{
    text_add(out,
             "usage: adit [OPTION...]          run the proxy\n"
             "       adit COMMAND [OPTION...]  look into a configuration, or the running adit\n"
             "\n"
             "adit is an HTTP CONNECT proxy: it opens tunnels. Try it:\n"
             "  curl -v --http1.1 --proxy http://127.0.0.1:10800/ https://example.com/\n"
             "\ncommands:\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (command_row_at((enum command)i)->word[0] != '\0')
            help_add_row(out, command_row_at((enum command)i)->word,
                         command_row_at((enum command)i)->operand,
                         command_row_at((enum command)i)->summary);
    }
    help_add_options(out, COMMAND_RUN);
    text_add(out, "\nexit status: 0 done, 1 it failed, 2 malformed words, 3 explain: denied\n"
                  "See adit(8), adit.conf(5).\n");
}

void options_help(struct text *out, enum command topic)
{
    const struct command_row *row = command_row_at(topic);

    if (topic == COMMAND_RUN) {
        help_add_overview(out);
        return;
    }
    text_add(out, "usage: adit ");
    text_add(out, row->word);
    if (row->operand[0] != '\0') {
        text_add_char(out, ' ');
        text_add(out, row->operand);
    }
    text_add(out, " [OPTION...]\n\n");
    text_add(out, row->word);
    text_add(out, ": ");
    text_add(out, row->summary);
    text_add(out, "\n");
    help_add_paragraph(out, row->manual);
    help_add_options(out, topic);
}
