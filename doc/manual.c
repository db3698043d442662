/* Fills in the man page: replaces the lines @SYNOPSIS@, @COMMANDS@, @OPTIONS@, @ERRORS@ and
 * @METRICS@, @SETTINGS@ of the template on stdin by what the tables of the source say, so that the
 * manual can't disagree with the program. Runs at build time only.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* scdoc reads some bytes as markup. */
static void print_plain(const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("*_\\#[<", *text) != NULL)
            putchar('\\');
        putchar(*text);
    }
}

static void print_entry(const char *name, const char *operand)
{
    printf("*");
    print_plain(name);
    printf("*");
    if (operand[0] != '\0') {
        printf(" _");
        print_plain(operand);
        printf("_");
    }
    printf("\n");
}

/* `Summary. Manual text.`, indented below an entry. */
static void print_text(const char *summary, const char *manual)
{
    char first[2] = {summary[0], '\0'};

    if (first[0] >= 'a' && first[0] <= 'z')
        first[0] = (char)(first[0] - 'a' + 'A');
    printf("\t");
    print_plain(first);
    print_plain(summary + 1);
    printf(". ");
    print_plain(manual);
    printf("\n\n");
}

static void print_usage(const char *word, const char *operand)
{
    printf("*adit*");
    if (word[0] != '\0')
        printf(" *%s*", word);
    if (operand[0] != '\0') {
        putchar(' ');
        print_plain(operand);
    }
    printf(" \\[_option_...]\n\n");
}

static void print_synopsis(void)
{
#define COMMAND(suffix, word, operand, summary, manual) print_usage(word, operand);
#define OPTION(suffix, name, operand, commands, summary, manual)
#include "cli/command.def"
#undef OPTION
#undef COMMAND
}

static void print_commands(void)
{
#define COMMAND(suffix, word, operand, summary, manual)                                            \
    print_entry((word)[0] == '\0' ? "adit" : (word), operand);                                     \
    print_text(summary, manual);
#define OPTION(suffix, name, operand, commands, summary, manual)
#include "cli/command.def"
#undef OPTION
#undef COMMAND
}

static void print_options(void)
{
#define COMMAND(suffix, word, operand, summary, manual)
#define OPTION(suffix, name, operand, commands, summary, manual)                                   \
    print_entry(name, operand);                                                                    \
    print_text(summary, manual);
#include "cli/command.def"
#undef OPTION
#undef COMMAND
}

static void print_errors(void)
{
#define TUNNEL_ERROR(suffix, token, status, retry_after_s, text, manual)                           \
    if ((status) >= 400) {                                                                         \
        printf("*%d* ", status);                                                                   \
        print_plain(token);                                                                        \
        printf("\n");                                                                              \
        print_text(text, manual);                                                                  \
    }
#include "tunnel/tunnel_error.def"
#undef TUNNEL_ERROR
}

/* The names of labels like `front="h1",outcome="denied"`. */
static void print_labels(const char *labels)
{
    bool is_name = true;

    for (; *labels != '\0'; labels++) {
        is_name = is_name ? *labels != '=' : *labels == ',';
        if (*labels == ',')
            printf(", ");
        else if (is_name)
            putchar(*labels);
    }
}

/* One entry a name; rows of one name stand together. */
static void print_metric(const char *name, const char *labels, const char *help)
{
    static const char *previous = "";

    if (strcmp(name, previous) == 0)
        return;
    previous = name;
    printf("*");
    print_plain(name);
    printf("*");
    if (labels != NULL) {
        printf(" {");
        print_labels(labels);
        printf("}");
    }
    printf("\n\t");
    print_plain(help);
    printf(".\n\n");
}

static void print_metrics(void)
{
#define COUNTER(suffix, name, labels, help) print_metric(name, labels, help);
#define BY_FRONT(suffix, name, labels, help) print_metric(name, "front=," labels, help);
#define GAUGE(suffix, name, labels, help) print_metric(name, labels, help);
#define HISTOGRAM(suffix, name, labels, scale, help) print_metric(name, labels, help);
#define PROCESS(suffix, name, kind, decimals, help) print_metric(name, NULL, help);
#define LABELLED(suffix, name, label, help) print_metric(name, label, help);
#include "observe/metrics.def"
}

/* With the largest unit that divides it: 1h, not 3600000ms. */
static void print_duration(unsigned long long ms)
{
    static const struct {
        const char *name;
        unsigned long long ms;
    } units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
    size_t i = 0;

    while (units[i].ms > 1 && (ms == 0 || ms % units[i].ms != 0))
        i++;
    printf("%llu%s", ms / units[i].ms, units[i].name);
}

enum setting_kind { DURATION, COUNT_OF, RATE, BANDWIDTH };

static void print_setting(const char *statement, const char *word, const char *per,
                          enum setting_kind kind, const unsigned long long numbers[3],
                          const char *manual)
{
    static const char *const operands[] = {"DURATION", "NUMBER", "NUMBER/s", "SIZE/s"};

    printf("*");
    print_plain(statement);
    printf(" ");
    print_plain(word);
    printf("* _%s_", operands[kind]);
    if (per[0] != '\0')
        printf(" *per %s*", per);
    printf("\n\t");
    print_plain(manual);
    if (kind == DURATION) {
        printf(" Default: ");
        print_duration(numbers[0]);
        printf("; from ");
        print_duration(numbers[1]);
        printf(" to ");
        print_duration(numbers[2]);
        printf(".");
    }
    printf("\n\n");
}

static void print_settings(void)
{
#define SETTING(suffix, field, statement, word, per, kind, initial, min, max, manual)  \
    print_setting(statement, word, per, kind, (const unsigned long long[3]){initial, min, max},    \
                  manual);
#include "config/settings.def"
#undef SETTING
}

int main(void)
{
    static const struct {
        const char *line;
        void (*print)(void);
    } parts[] = {
        {"@SYNOPSIS@\n", print_synopsis}, {"@COMMANDS@\n", print_commands},
        {"@OPTIONS@\n", print_options},   {"@ERRORS@\n", print_errors},
        {"@METRICS@\n", print_metrics},   {"@SETTINGS@\n", print_settings},
    };
    char line[512];

    while (fgets(line, sizeof(line), stdin) != NULL) {
        size_t i = 0;

        while (i < sizeof(parts) / sizeof(parts[0]) && strcmp(line, parts[i].line) != 0)
            i++;
        if (i < sizeof(parts) / sizeof(parts[0]))
            parts[i].print();
        else
            fputs(line, stdout);
    }
    return ferror(stdin) || fflush(stdout) != 0 ? 1 : 0;
}
