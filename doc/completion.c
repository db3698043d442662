/* Prints the completion of a shell, made from the table of commands and options, so that it can't
 * disagree with the program. Runs at build time only.
 *
 *     completion bash | zsh | fish
 *
 * All three do the same: before a command its name and the options of running adit, behind it its
 * own options; files where a file is named, and nothing where only the user knows the word.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
#define COMMAND(suffix, word, operand, summary, manual) COMMAND_##suffix,
#define OPTION(suffix, name, operand, commands, summary, manual)
#include "cli/command.def"
#undef OPTION
#undef COMMAND
    COMMAND_COUNT,
};

enum {
#define COMMAND(suffix, word, operand, summary, manual) FOR_##suffix = 1 << COMMAND_##suffix,
#define OPTION(suffix, name, operand, commands, summary, manual)
#include "cli/command.def"
#undef OPTION
#undef COMMAND
    FOR_ALL = (1 << COMMAND_COUNT) - 1,
};

struct row {
    const char *name;
    const char *operand;
    unsigned commands; /* of an option */
    const char *summary;
};

static const struct row commands[] = {
#define COMMAND(suffix, word, operand, summary, manual) {word, operand, 0, summary},
#define OPTION(suffix, name, operand, commands, summary, manual)
#include "cli/command.def"
#undef OPTION
#undef COMMAND
};

static const struct row options[] = {
#define COMMAND(suffix, word, operand, summary, manual)
#define OPTION(suffix, name, operand, commands, summary, manual) {name, operand, commands, summary},
#include "cli/command.def"
#undef OPTION
#undef COMMAND
};

enum { OPTION_COUNT = sizeof(options) / sizeof(options[0]), NAME_MAX_BYTES = 32 };

/* -- what the tables say */

static bool goes_with(const struct row *option, unsigned command)
{
    return option->commands >> command & 1;
}

static bool takes_file(const struct row *row)
{
    return strcmp(row->operand, "FILE") == 0 || strcmp(row->operand, "[FILE]") == 0 ||
           strcmp(row->operand, "PATH") == 0;
}

static bool takes_command(const struct row *row)
{
    return strcmp(row->operand, "[COMMAND]") == 0;
}

/* `-h` and `--help` of `-h, --help`. */
struct names {
    char texts[2][NAME_MAX_BYTES];
    unsigned count;
};

static struct names names_of(const struct row *option)
{
    const char *comma = strchr(option->name, ',');
    struct names names = {.count = 0};

    if (comma != NULL)
        snprintf(names.texts[names.count++], NAME_MAX_BYTES, "%.*s", (int)(comma - option->name),
                 option->name);
    snprintf(names.texts[names.count++], NAME_MAX_BYTES, "%s",
             comma != NULL ? comma + 2 : option->name);
    return names;
}

/* Between single quotes, `before` in front of each character of `special`. */
static void print_quoted(const char *text, const char *special, const char *before)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            printf("'\\''");
            continue;
        }
        if (strchr(special, *text) != NULL)
            printf("%s", before);
        putchar(*text);
    }
}

static void print_names(const char *before, const struct row *option, const char *behind)
{
    struct names names = names_of(option);

    for (unsigned i = 0; i < names.count; i++)
        printf("%s%s%s", before, names.texts[i], behind);
}

static void print_command_words(void)
{
    for (unsigned i = 0; i < COMMAND_COUNT; i++)
        if (commands[i].name[0] != '\0')
            printf("%s ", commands[i].name);
}

/* Options with an operand that is a file, or that is none, each behind a bar. */
static void print_options_with_operand(bool is_file)
{
    for (unsigned i = 0; i < OPTION_COUNT; i++)
        if (options[i].operand[0] != '\0' && takes_file(&options[i]) == is_file)
            print_names(" | ", &options[i], "");
}

/* Finds the command among the words, in bash and zsh alike, but not in an option's operand, as in
 * `-s stats`; `word` is how the loop calls word i. Readline breaks words at `=`, too: `--sni=stats`
 * are three, and the loop passes over the first of them. */
static void print_command_search(const char *word)
{
    printf("        case %s in\n        //", word); /* nothing is called that: bars follow */
    print_options_with_operand(true);
    print_options_with_operand(false);
    printf(" | =)\n            ((i += 1))\n            ;;\n        //");
    for (unsigned i = 0; i < COMMAND_COUNT; i++)
        if (commands[i].name[0] != '\0')
            printf(" | %s", commands[i].name);
    printf(")\n            command=%s\n            break\n            ;;\n        esac\n    done\n", word);
}

/* -- bash */

static void print_bash_case(unsigned command)
{
    printf("    '%s')\n        words='", commands[command].name);
    if (commands[command].name[0] == '\0' || takes_command(&commands[command]))
        print_command_words();
    printf("'\n        options='");
    for (unsigned i = 0; i < OPTION_COUNT; i++)
        if (goes_with(&options[i], command))
            print_names("", &options[i], " ");
    printf("'\n");
    if (takes_file(&commands[command]))
        printf("        files=yes\n");
    printf("        ;;\n");
}

/* A name is one word whatever is in it; one that is quoted already, readline completes by itself. */
static void print_bash_files(void)
{
    printf("_adit_files()\n"
           "{\n"
           "    compopt -o filenames -o default 2>/dev/null\n"
           "    mapfile -t COMPREPLY < <(compgen -f -- \"$1\")\n"
           "}\n");
}

static void print_bash(void)
{
    printf("# bash completion for adit\n");
    print_bash_files();
    printf("_adit()\n"
           "{\n"
           "    local word=${COMP_WORDS[COMP_CWORD]} command='' words='' options='' files='' i\n\n"
           "    COMPREPLY=()\n"
           "    case ${COMP_WORDS[COMP_CWORD - 1]} in\n    //");
    print_options_with_operand(true);
    printf(")\n        _adit_files \"$word\"\n        return\n        ;;\n    =");
    print_options_with_operand(false);
    printf(")\n        return\n        ;;\n    esac\n"
           "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
           "        [ \"${COMP_WORDS[i + 1]}\" != = ] || ((i += 1))\n");
    print_command_search("${COMP_WORDS[i]}");
    printf("    case $command in\n");
    for (unsigned i = 0; i < COMMAND_COUNT; i++)
        print_bash_case(i);
    printf("    esac\n"
           "    case $word in\n"
           "    -*)\n"
           "        words=$options files=\n"
           "        ;;\n"
           "    esac\n"
           "    if [ -n \"$files\" ]; then\n"
           "        _adit_files \"$word\"\n"
           "    else\n"
           "        COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
           "    fi\n"
           "}\n"
           "complete -F _adit adit\n");
}

/* -- zsh */

/* Else zsh offers it only once. */
static bool is_repeatable(const struct row *option)
{
    return strstr(option->summary, "(repeatable)") != NULL;
}

static void print_zsh_spec(const char *name, const struct row *option)
{
    bool is_long = name[1] == '-';

    printf(" \\\n            '%s%s%s[", is_repeatable(option) ? "*" : "", name,
           option->operand[0] == '\0' ? ""
           : is_long                  ? "="
                                      : "+");
    print_quoted(option->summary, "[]\\", "\\");
    printf("]");
    if (option->operand[0] != '\0') {
        printf(":");
        print_quoted(option->operand, ":\\", "\\");
        printf(":%s", takes_file(option) ? "_files" : "");
    }
    printf("'");
}

static void print_zsh_specs(const struct row *option)
{
    struct names names = names_of(option);

    for (unsigned i = 0; i < names.count; i++)
        print_zsh_spec(names.texts[i], option);
}

static void print_zsh_case(unsigned command)
{
    printf("    '%s')\n        _arguments -S", commands[command].name);
    for (unsigned i = 0; i < OPTION_COUNT; i++)
        if (goes_with(&options[i], command))
            print_zsh_specs(&options[i]);
    printf(" \\\n            '1: :_adit_commands'");
    if (takes_command(&commands[command]))
        printf(" \\\n            '2: :_adit_commands'");
    else if (takes_file(&commands[command]))
        printf(" \\\n            '2:file:_files'");
    printf("\n        ;;\n");
}

static void print_zsh(void)
{
    printf("#compdef adit\n"
           "# zsh completion for adit\n"
           "_adit_commands()\n{\n"
           "    local -a commands=(\n");
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        if (commands[i].name[0] == '\0')
            continue;
        printf("        '%s:", commands[i].name);
        print_quoted(commands[i].summary, "", "");
        printf("'\n");
    }
    printf("    )\n    _describe command commands\n}\n\n"
           "_adit()\n{\n"
           "    local command='' i\n\n"
           "    for ((i = 2; i < CURRENT; i++)); do\n");
    print_command_search("${words[i]}");
    printf("    case $command in\n");
    for (unsigned i = 0; i < COMMAND_COUNT; i++)
        print_zsh_case(i);
    printf("    esac\n}\n\n"
           "if [ \"$funcstack[1]\" = _adit ]; then\n    _adit \"$@\"\nelse\n    compdef _adit adit\nfi\n");
}

/* -- fish */

static void print_fish_names(const struct row *option)
{
    struct names names = names_of(option);

    for (unsigned i = 0; i < names.count; i++) {
        bool is_long = names.texts[i][1] == '-';

        printf(" %s %s", is_long ? "-l" : "-s", names.texts[i] + (is_long ? 2 : 1));
    }
}

/* Whether the words so far name this command (`__adit_is ''`: none), but not as an option's operand,
 * for which fish's own __fish_seen_subcommand_from would take `-s stats`. */
static void print_fish_condition(void)
{
    printf("function __adit_is\n"
           "    set -l words (commandline -opc)\n"
           "    set -l command ''\n"
           "    set -l is_operand no\n"
           "    for word in $words[2..-1]\n"
           "        if test $is_operand = yes\n"
           "            set is_operand no\n"
           "            continue\n"
           "        end\n"
           "        switch $word\n"
           "            case");
    for (unsigned i = 0; i < OPTION_COUNT; i++)
        if (options[i].operand[0] != '\0')
            print_names(" '", &options[i], "'");
    printf("\n"
           "                set is_operand yes\n"
           "            case ");
    print_command_words();
    printf("\n"
           "                set command $word\n"
           "                break\n"
           "        end\n"
           "    end\n"
           "    test \"$command\" = \"$argv\"\n"
           "end\n");
}

static void print_fish_rule(unsigned command)
{
    printf("complete -c adit -n \"__adit_is '%s'\"", commands[command].name);
}

static void print_fish_option(unsigned command, const struct row *option)
{
    print_fish_rule(command);
    print_fish_names(option);
    if (option->operand[0] != '\0')
        printf(takes_file(option) ? " -r -F" : " -x");
    printf(" -d '");
    print_quoted(option->summary, "\\", "\\");
    printf("'\n");
}

static void print_fish_operand(unsigned command)
{
    const struct row *row = &commands[command];

    if (takes_file(row)) {
        print_fish_rule(command);
        printf(" -F\n");
    }
    if (!takes_command(row))
        return;
    print_fish_rule(command);
    printf(" -a '");
    print_command_words();
    printf("'\n");
}

static void print_fish(void)
{
    printf("# fish completion for adit\n"
           "complete -c adit -f\n");
    print_fish_condition();
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        if (commands[i].name[0] == '\0')
            continue;
        print_fish_rule(COMMAND_RUN);
        printf(" -a %s -d '", commands[i].name);
        print_quoted(commands[i].summary, "\\", "\\");
        printf("'\n");
    }
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        print_fish_operand(i);
        for (unsigned j = 0; j < OPTION_COUNT; j++)
            if (goes_with(&options[j], i))
                print_fish_option(i, &options[j]);
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *shell;
        void (*print)(void);
    } shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};

    for (size_t i = 0; argc == 2 && i < sizeof(shells) / sizeof(shells[0]); i++) {
        if (strcmp(argv[1], shells[i].shell) != 0)
            continue;
        shells[i].print();
        return fflush(stdout) == 0 ? 0 : 1;
    }
    fprintf(stderr, "usage: completion bash | zsh | fish\n");
    return 2;
}
