/* The command line: what is accepted, and that every refusal says what was wrong and what is right.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/options.h"
#include "cli/options_help.h"

#include <errno.h>
#include <string.h>

enum { WORDS_MAX = 16 };

/* Parses a command line split at its blanks (a word "''" is the empty one). */
static int parse(const char *line, struct options *ret_options, char message[OPTIONS_MESSAGE_SIZE])
{
    static char copy[256];
    char *words[WORDS_MAX];
    size_t count = 0;
    struct text text;

    text_init(&text, message, OPTIONS_MESSAGE_SIZE);
    strcpy(copy, line);
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
        words[count++] = strcmp(word, "''") == 0 ? copy + strlen(line) : word;
    return options_parse(count, words, ret_options, &text);
}

static void expect_ok(const char *line, struct options *ret_options)
{
    char message[OPTIONS_MESSAGE_SIZE];

    if (parse(line, ret_options, message) != 0)
        fail_msg("%s: %s", line, message);
}

static void test_nothing_runs_on_loopback(void **state)
{
    struct options options;
    char address[IP_ENDPOINT_TEXT_SIZE];
    struct text text;

    expect_ok("", &options);
    assert_int_equal(options.command, COMMAND_RUN);
    assert_int_equal(options.command_line.listeners.count, 1);
    text_init(&text, address, sizeof(address));
    ip_endpoint_print(&text, &options.command_line.listeners.all[0].written);
    assert_string_equal(address, "127.0.0.1:10800");
    assert_int_equal(options.command_line.workers, 0);
    assert_null(options.command_line.control_path);
    assert_null(options.command_line.config_path);
}

static void test_options_of_run(void **state)
{
    struct options options;

    expect_ok("-l 127.0.0.1:0 -l[::1]:8080 -w 3 -s /run/a --from 10.0.0.0/8 --from=fd00::/8",
              &options);
    assert_int_equal(options.command_line.listeners.count, 2);
    assert_int_equal(options.command_line.listeners.all[0].written.port, 0);
    assert_int_equal(options.command_line.listeners.all[1].written.port, 8080);
    assert_int_equal(options.command_line.listeners.all[1].written.address.family, IP_V6);
    assert_int_equal(options.command_line.workers, 3);
    assert_string_equal(options.command_line.control_path, "/run/a");
    assert_int_equal(options.command_line.from_count, 2);
    assert_int_equal(options.command_line.from[0].prefix_length, 8);
    assert_int_equal(options.command_line.from[1].address.family, IP_V6);
    expect_ok("-w 1 -w 256", &options);
    assert_int_equal(options.command_line.workers, 256);
    expect_ok("--from 192.0.2.7", &options);
    assert_int_equal(options.command_line.from[0].prefix_length, 32);
}

static const struct listener *admin_of(const struct options *options)
{
    return listener_set_first(&options->command_line.listeners, LISTENER_ADMIN);
}

static void test_the_admin_page(void **state)
{
    struct options options;

    expect_ok("", &options);
    assert_null(admin_of(&options));
    assert_false(options.command_line.is_admin_off);
    expect_ok("-a [::1]:0", &options);
    assert_non_null(admin_of(&options));
    assert_int_equal(admin_of(&options)->written.address.family, IP_V6);
    expect_ok("-a 127.0.0.1:1 -a 127.0.0.1:2", &options);
    assert_int_equal(admin_of(&options)->written.port, 2);
    expect_ok("-a 127.0.0.1:1 -a off", &options);
    assert_null(admin_of(&options));
    assert_true(options.command_line.is_admin_off);
}

static void test_options_stand_anywhere(void **state)
{
    static const char *const lines[] = {"stats -s x", "-s x stats", "-sx stats", "-s x -- stats"};
    struct options options;

    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        expect_ok(lines[i], &options);
        assert_int_equal(options.command, COMMAND_STATS);
        assert_string_equal(options.command_line.control_path, "x");
    }
}

static void test_help_and_version(void **state)
{
    static const struct {
        const char *line;
        enum command topic;
    } rows[] = {
        {"--help", COMMAND_RUN},
        {"help", COMMAND_RUN},
        {"help stats", COMMAND_STATS},
        {"stats --help", COMMAND_STATS},
        {"--help drain", COMMAND_DRAIN},
        {"help help", COMMAND_HELP},
        {"-h", COMMAND_RUN},
        {"stats -h", COMMAND_STATS},
        {"check x -h", COMMAND_CHECK},
        {"check -h x", COMMAND_CHECK},
        {"check -c x y --help", COMMAND_CHECK},
        {"explain a.example:443 -h", COMMAND_EXPLAIN},
        {"explain a.example -h", COMMAND_EXPLAIN},
        {"explain -c x -s y a.example:443 -h", COMMAND_EXPLAIN},
        {"kill 4m08bq7e4g00e --help", COMMAND_KILL},
        {"kill a b c d -h", COMMAND_KILL},
        {"ps x -h", COMMAND_PS},
        {"stats -w 2 -h", COMMAND_STATS},
        {"--print -h", COMMAND_RUN},
        {"-c x --from 10.0.0.0/8 -h", COMMAND_RUN},
        {"help stats -h", COMMAND_STATS},
        {"help stats now -h", COMMAND_STATS},
        {"help -h", COMMAND_RUN},
        {"-h stats --foo", COMMAND_STATS},
        {"stats -h -w 0", COMMAND_STATS},
        {"stats -h -s", COMMAND_STATS},
        {"stats -h --help=x", COMMAND_STATS},
    };
    static const char *const of_version[] = {
        "--version",     "-V",         "check x -V",
        "check x y -V",  "explain -V", "kill a b c -V",
        "stats -w 2 -V", "--print -V", "-c x --from 10.0.0.0/8 --version",
        "-V -x",
    };
    struct options options;

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        expect_ok(rows[i].line, &options);
        assert_int_equal(options.command, COMMAND_HELP);
        assert_int_equal(options.topic, rows[i].topic);
        assert_false(options.is_version_asked);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(of_version); i++) {
        expect_ok(of_version[i], &options);
        assert_true(options.is_version_asked);
    }
}

static void test_a_configuration(void **state)
{
    struct options options;

    expect_ok("-c adit.conf -w 2", &options);
    assert_string_equal(options.command_line.config_path, "adit.conf");
    assert_int_equal(options.command_line.listeners.count, 0);
    expect_ok("-l 127.0.0.1:0 -c adit.conf", &options);
    assert_int_equal(options.command_line.listeners.count, 1);
    expect_ok("check --print -c x", &options);
    assert_int_equal(options.command, COMMAND_CHECK);
    assert_true(options.is_print_asked);
    expect_ok("check x", &options);
    assert_string_equal(options.command_line.config_path, "x");
    assert_int_equal(options.command_line.listeners.count, 0);
    expect_ok("reload -s /x", &options);
    assert_int_equal(options.command, COMMAND_RELOAD);
    expect_ok("reload -c x", &options);
    assert_string_equal(options.command_line.config_path, "x");
}

static void test_a_question(void **state)
{
    struct options options;
    struct question *question = &options.question;
    char address[IP_ENDPOINT_TEXT_SIZE];
    struct text text;

    expect_ok("explain WWW.Example.com.:443", &options);
    assert_int_equal(options.command, COMMAND_EXPLAIN);
    assert_string_equal(question->target.host, "www.example.com");
    assert_int_equal(question->target.port, 443);
    assert_null(question->words[QUESTION_USER]);
    assert_null(question->words[QUESTION_SNI]);
    assert_true(ip_address_is_loopback(&question->client));
    expect_ok("explain [::1]:22 -u alice -f 10.1.2.3 --sni Git.Example -c f", &options);
    assert_int_equal(question->target.address.family, IP_V6);
    assert_string_equal(question->words[QUESTION_USER], "alice");
    assert_string_equal(question->sni.host, "git.example");
    text_init(&text, address, sizeof(address));
    ip_address_print(&text, &question->client);
    assert_string_equal(address, "10.1.2.3");
}

static void test_refusals_say_what_is_right(void **state)
{
    static const struct {
        const char *line;
        const char *message;
    } rows[] = {
        {"-x", "unknown option '-x'; see 'adit --help'"},
        {"-p", "unknown option '-p'; did you mean '--print'?"},
        {"--foo", "unknown option '--foo'; see 'adit --help'"},
        {"--hepl", "unknown option '--hepl'; did you mean '--help'?"},
        {"--form 10.0.0.0/8", "unknown option '--form'; did you mean '--from'?"},
        {"--fromage", "unknown option '--fromage'; see 'adit --help'"},
        {"-c", "option '-c' lacks its operand; write -c FILE"},
        {"-c ''", "-c '': a file name is needed"},
        {"-c a -c b", "configuration 'b': a second file; use include in the first"},
        {"check a -c b", "configuration 'a': a second file; use include in the first"},
        {"-c a --from 10.0.0.0/8", "--from does not go with -c; write a rule into the file, as in: "
                                   "allow from 10.0.0.0/8 to any"},
        {"check -l 127.0.0.1:1", "option '-l' does not go with 'check'; see 'adit --help'"},
        {"--print", "option '--print' needs a command; see 'adit --help'"},
        {"check x y", "unexpected operand 'y'; see 'adit --help'"},
        {"stat", "unknown command 'stat'; did you mean 'stats'?"},
        {"relaod", "unknown command 'relaod'; did you mean 'reload'?"},
        {"''", "unknown command ''; see 'adit --help'"},
        {"-", "unknown command '-'; see 'adit --help'"},
        {"-- -l", "unknown command '-l'; see 'adit --help'"},
        {"help flood", "unknown command 'flood'; see 'adit --help'"},
        {"stats now", "unexpected operand 'now'; see 'adit --help'"},
        {"help stats now", "unexpected operand 'now'; see 'adit --help'"},
        {"stats -w 2", "option '-w' does not go with 'stats'; see 'adit --help'"},
        {"check x y z", "unexpected operand 'y'; see 'adit --help'"},
        {"--help=x", "option '--help=x' takes no operand"},
        {"-w 0 --help", "-w '0': write a number of threads from 1 to 256"},
        {"--foo --version", "unknown option '--foo'; see 'adit --help'"},
        {"stat --help", "unknown command 'stat'; did you mean 'stats'?"},
        {"stat --help --foo", "unknown command 'stat'; did you mean 'stats'?"},
        {"help flood -h", "unknown command 'flood'; see 'adit --help'"},
        {"-l", "option '-l' lacks its operand; write -l ADDR:PORT"},
        {"-l 10800", "-l '10800': ADDR and PORT are both needed; write 127.0.0.1:10800"},
        {"-l :80", "-l ':80': ADDR is missing; write 127.0.0.1:10800, or 0.0.0.0:10800 for every "
                   "address"},
        {"-l localhost:80", "-l 'localhost:80': ADDR must be an IP address, not a name; write "
                            "127.0.0.1:10800 or [::1]:10800"},
        {"-l ::1", "-l '::1': an IPv6 address needs brackets and a port; write [::1]:10800"},
        {"-l [::1]", "-l '[::1]': write an IP address and a port from 0 to 65535, as in "
                     "127.0.0.1:10800 or [::1]:10800"},
        {"-l 127.0.0.1:65536", "-l '127.0.0.1:65536': write an IP address and a port from 0 to "
                               "65535, as in 127.0.0.1:10800 or [::1]:10800"},
        {"-l 127.0.0.1:1 -l 127.0.0.1:1", "-l '127.0.0.1:1' is given twice"},
        {"kill --user alice --user bob", "--user 'bob' is the second one; it takes one"},
        {"ps --client 10.0.0.1 --client=10.0.0.2",
         "--client '10.0.0.2' is the second one; it takes one"},
        {"ps --min-bytes 1 --min-bytes 2", "--min-bytes '2' is the second one; it takes one"},
        {"-a on", "-a 'on': not an address and a port; write 127.0.0.1:10801, or off"},
        {"check -a off", "option '-a' does not go with 'check'; see 'adit --help'"},
        {"-w 0", "-w '0': write a number of threads from 1 to 256"},
        {"-w 257", "-w '257': write a number of threads from 1 to 256"},
        {"-w 99999999999999999999", "-w '99999999999999999999': write a number of threads from 1 "
                                    "to 256"},
        {"-w 2x", "-w '2x': write a number of threads from 1 to 256"},
        {"-w ''", "-w '': write a number of threads from 1 to 256"},
        {"-s ''", "-s '': write the path of the control socket"},
        {"--from 10.1.2.3/8", "--from '10.1.2.3/8': bits are set behind the prefix; write "
                              "10.0.0.0/8"},
        {"--from fd00::1/8", "--from 'fd00::1/8': bits are set behind the prefix; write fd00::/8"},
        {"--from ::ffff:10.0.0.1/104", "--from '::ffff:10.0.0.1/104': bits are set behind the "
                                       "prefix"},
        {"--from 10/8", "--from '10/8': not a network; write 10.0.0.0/8, fd00::/8 or a single "
                        "address"},
        {"--from any", "--from 'any': write 0.0.0.0/0 (and ::/0) for everybody"},
        {"--from=", "--from '': not a network; write 10.0.0.0/8, fd00::/8 or a single address"},
        {"\x1b[2J", "unknown command '\\u001b[2J'; see 'adit --help'"},
    };
    struct options options;
    char message[OPTIONS_MESSAGE_SIZE];

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        assert_int_equal(parse(rows[i].line, &options, message), -EINVAL);
        assert_string_equal(message, rows[i].message);
    }
}

static void test_refusals_of_explain(void **state)
{
    static const struct {
        const char *line;
        const char *message;
    } rows[] = {
        {"explain", "explain lacks its operand; write adit explain example.com:443"},
        {"explain example.com",
         "target 'example.com': the target has no port: write host:port, as in "
         "example.com:443"},
        {"explain -f x a.example:1", "-f 'x': not an IP address; write 192.0.2.7 or fd00::7"},
        {"explain -u '' a.example:1", "-u '': a user name is needed"},
        {"explain --sni 1.2.3.4 a.example:1", "--sni '1.2.3.4': not a host name"},
        {"explain --sni a:b a.example:1", "--sni 'a:b': not a host name"},
        {"explain --listener 80 a.example:1",
         "--listener '80': not a listener; write it as in its `listen`: 127.0.0.1:10800 or "
         "[::1]:10800"},
        {"explain --time Sat a.example:1",
         "--time 'Sat': not a day and a time; write 'Sat 23:30', local time"},
        {"explain --time Sat,24:00 a.example:1",
         "--time 'Sat,24:00': not a day and a time; write 'Sat 23:30', local time"},
        {"explain --protocol a,b a.example:1",
         "--protocol 'a,b': not a protocol; write it as in a rule: tls, http"},
        {"explain -c f -s s a.example:1", "-s asks the running adit, -c a file; write one of them"},
        {"explain a.example:1 b.example:2", "unexpected operand 'b.example:2'; see 'adit --help'"},
    };
    struct options options;
    char message[OPTIONS_MESSAGE_SIZE];

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        assert_int_equal(parse(rows[i].line, &options, message), -EINVAL);
        assert_string_equal(message, rows[i].message);
    }
}

static void test_refusals_of_ps_and_kill(void **state)
{
    static const struct {
        const char *line;
        const char *message;
    } rows[] = {
        {"kill", "kill which? write adit kill ID, as 'adit ps' shows it, or --user USER, --host "
                 "HOST, --client ADDR or --rule RULE"},
        {"kill a b", "unexpected operand 'b'; see 'adit --help'"},
        {"trace a b", "unexpected operand 'b'; see 'adit --help'"},
        {"trace I", "id 'I': write it as 'adit ps' shows it"},
        {"trace --user a", "option '--user' does not go with 'trace'; see 'adit --help'"},
        {"kill I", "id 'I': write it as 'adit ps' shows it"},
        {"kill 12345678901234", "id '12345678901234': write it as 'adit ps' shows it"},
        {"kill --json a", "option '--json' does not go with 'kill'; see 'adit --help'"},
        {"ps a", "unexpected operand 'a'; see 'adit --help'"},
        {"ps --user ''", "--user '': a user name of 1 to 255 bytes is needed"},
        {"ps --min-bytes 1x", "--min-bytes '1x': write bytes, as in 500, 64k or 10MB"},
        {"ps --host *",
         "--host '*': not a host; write example.com, *.example.com, .example.com or 192.0.2.7"},
        {"kill --host a:1",
         "--host 'a:1': not a host; write example.com, *.example.com, .example.com or "
         "192.0.2.7"},
    };
    struct options options;
    char message[OPTIONS_MESSAGE_SIZE];

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        assert_int_equal(parse(rows[i].line, &options, message), -EINVAL);
        assert_string_equal(message, rows[i].message);
    }
}

static void test_long_words_are_cut(void **state)
{
    char word[1024];
    char *words[] = {word};
    char message[OPTIONS_MESSAGE_SIZE];
    struct options options;
    struct text text;

    memset(word, 'a', sizeof(word));
    word[sizeof(word) - 1] = '\0';
    text_init(&text, message, sizeof(message));
    assert_int_equal(options_parse(1, words, &options, &text), -EINVAL);
    assert_false(text.is_truncated);
    assert_non_null(strstr(message, "aaa...'; see"));
}

static void test_too_many(void **state)
{
    static char addresses[COMMAND_LINE_FROM_MAX + 1][32];
    char *words[COMMAND_LINE_FROM_MAX + 1];
    char message[OPTIONS_MESSAGE_SIZE];
    struct options options;
    struct text text;

    for (size_t i = 0; i < COMMAND_LINE_FROM_MAX + 1; i++) {
        strcpy(addresses[i], "-l127.0.0.1:0");
        words[i] = addresses[i];
    }
    text_init(&text, message, sizeof(message));
    assert_int_equal(options_parse(LISTENERS_MAX, words, &options, &text), 0);
    assert_int_equal(options_parse(LISTENERS_MAX + 1, words, &options, &text), -EINVAL);
    for (size_t i = 0; i < COMMAND_LINE_FROM_MAX + 1; i++)
        strcpy(addresses[i], "--from=10.0.0.0/8");
    assert_int_equal(options_parse(COMMAND_LINE_FROM_MAX, words, &options, &text), 0);
    assert_int_equal(options_parse(COMMAND_LINE_FROM_MAX + 1, words, &options, &text), -EINVAL);
}

static void test_which_tunnels(void **state)
{
    struct options options;

    expect_ok("ps --json --user alice --host *.Example.com --min-bytes 64k", &options);
    assert_true(options.is_json_asked);
    assert_string_equal(options.tunnels.user, "alice");
    assert_string_equal(options.tunnels.host, "*.Example.com");
    assert_int_equal(options.tunnels.min_bytes, 65536);
    expect_ok("kill 4n0g2b", &options);
    assert_int_equal(options.command, COMMAND_KILL);
    assert_string_equal(options.tunnels.id, "4n0g2b");
    expect_ok("kill --host=::1 -s /x", &options);
    assert_null(options.tunnels.id);
    assert_string_equal(options.tunnels.host, "::1");
    expect_ok("kill --client 10.0.0.0/8 --rule web", &options);
    assert_string_equal(options.tunnels.client, "10.0.0.0/8");
    assert_string_equal(options.tunnels.rule, "web");
    expect_ok("ps --sort bytes", &options);
    assert_int_equal(options.sort, SORT_BYTES);
    assert_false(options.is_sort_reversed);
    expect_ok("ps --sort=-user", &options);
    assert_int_equal(options.sort, SORT_USER);
    assert_true(options.is_sort_reversed);
    expect_ok("ps", &options);
    assert_false(options.is_json_asked);
    assert_int_equal(options.sort, SORT_AGE);
}

/* Summaries stand in one column. */
static void test_help_is_aligned(void **state)
{
    char help[OPTIONS_HELP_SIZE];
    struct text text;

    for (int topic = 0; topic < COMMAND_COUNT; topic++) {
        text_init(&text, help, sizeof(help));
        options_help(&text, (enum command)topic);
        for (char *line = strtok(help, "\n"); line != NULL; line = strtok(NULL, "\n")) {
            if (strncmp(line, "  ", 2) != 0 || line[2] == ' ' || strstr(line, "curl") != NULL)
                continue;
            const char *gap = strstr(line + 2, "  ");
            assert_non_null(gap);
            assert_int_equal(gap + strspn(gap, " ") - line, 24);
        }
    }
}

/* No line of it is wider than a terminal, which would break words. */
static void test_help_fits_a_terminal(void **state)
{
    char help[OPTIONS_HELP_SIZE];
    struct text text;

    for (int topic = 0; topic < COMMAND_COUNT; topic++) {
        text_init(&text, help, sizeof(help));
        options_help(&text, (enum command)topic);
        for (char *line = strtok(help, "\n"); line != NULL; line = strtok(NULL, "\n"))
            assert_in_range(strlen(line), 1, 80);
    }
}

static void test_help_names_everything(void **state)
{
    static const char *const names[] = {"-l ADDR:PORT", "-w N",    "-s PATH", "--from CIDR",
                                        "--version",    "  stats", "  drain", "  help [COMMAND]"};
    char help[OPTIONS_HELP_SIZE];
    struct text text;

    text_init(&text, help, sizeof(help));
    options_help(&text, COMMAND_RUN);
    assert_false(text.is_truncated);
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        assert_non_null(strstr(help, names[i]));
    for (int topic = COMMAND_STATS; topic < COMMAND_COUNT; topic++) {
        text_init(&text, help, sizeof(help));
        options_help(&text, (enum command)topic);
        assert_false(text.is_truncated);
        assert_non_null(strstr(help, command_name((enum command)topic)));
        assert_int_equal(strstr(help, "-s PATH") != NULL, topic != COMMAND_HELP);
    }
}

/* -- the check of the whole */

static void test_never_an_open_proxy_by_accident(void **state)
{
    static const struct {
        const char *line;
        int result;
    } rows[] = {
        {"", 0},
        {"-l 127.0.0.9:1", 0},
        {"-l [::1]:1", 0},
        {"-l 0.0.0.0:1", -1},
        {"-l [::]:1", -1},
        {"-l 192.168.0.1:1", -1},
        {"-l 127.0.0.1:1 -l 10.0.0.1:1", -1},
        {"-l 0.0.0.0:1 --from 10.0.0.0/8", 0},
        {"-l 0.0.0.0:1 --from 0.0.0.0/0", 0},
    };
    struct options options;
    char message[OPTIONS_MESSAGE_SIZE];

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct text text;

        expect_ok(rows[i].line, &options);
        text_init(&text, message, sizeof(message));
        assert_int_equal(command_line_check(&options.command_line, &text), rows[i].result);
        assert_int_equal(strstr(message, "--from 10.0.0.0/8") != NULL, rows[i].result != 0);
        assert_false(text.is_truncated);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_runs_on_loopback),
        cmocka_unit_test(test_options_of_run),
        cmocka_unit_test(test_the_admin_page),
        cmocka_unit_test(test_options_stand_anywhere),
        cmocka_unit_test(test_help_and_version),
        cmocka_unit_test(test_a_configuration),
        cmocka_unit_test(test_a_question),
        cmocka_unit_test(test_refusals_say_what_is_right),
        cmocka_unit_test(test_refusals_of_explain),
        cmocka_unit_test(test_refusals_of_ps_and_kill),
        cmocka_unit_test(test_long_words_are_cut),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_which_tunnels),
        cmocka_unit_test(test_help_is_aligned),
        cmocka_unit_test(test_help_fits_a_terminal),
        cmocka_unit_test(test_help_names_everything),
        cmocka_unit_test(test_never_an_open_proxy_by_accident),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
