/* config/list_file: entries, comments, errors. */
#include "config/list_file.h"

#include "base/ip_address.h"
#include "policy/name_set.h"
#include "policy/network_set.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { OUTPUT_SIZE = 64 * 1024 };

struct lists {
    struct list_file file;
    struct name_set *names;
    struct network_set *networks;
    char output[OUTPUT_SIZE];
};

static int set_up(void **state)
{
    struct lists *lists = calloc(1, sizeof(*lists));

    assert_int_equal(name_set_create(&lists->names), 0);
    assert_int_equal(network_set_create(&lists->networks), 0);
    lists->file.path = "ads";
    *state = lists;
    return 0;
}

static int tear_down(void **state)
{
    struct lists *lists = *state;

    name_set_destroy(lists->names);
    network_set_destroy(lists->networks);
    free(lists);
    return 0;
}

static int parse(struct lists *lists, const char *text, size_t length)
{
    struct diagnostics *diagnostics = diagnostics_create();
    struct text out;
    int error =
        list_file_parse(&lists->file, text, length, diagnostics, lists->names, lists->networks);

    text_init(&out, lists->output, sizeof(lists->output));
    diagnostics_sort(diagnostics);
    diagnostics_print(diagnostics, &out);
    diagnostics_destroy(diagnostics);
    return error;
}

static bool has_name(const struct lists *lists, const char *name)
{
    return name_set_contains(lists->names, name, strlen(name));
}

static bool has_address(const struct lists *lists, const char *text)
{
    struct ip_address address;

    assert_int_equal(ip_address_parse(text, strlen(text), &address), 0);
    return network_set_contains(lists->networks, &address);
}

static void takes_entries(void **state)
{
    static const char text[] =
        "\xef\xbb\xbf# ads\n\nA.Example.\n  *.b.example\t# all\r\n\xef\xbb\xbfintranet\n"
        "192.0.2.0/24\n2001:db8::1\n1and1.example#no blank\n::ffff:10.0.0.1";
    struct lists *lists = *state;

    assert_int_equal(parse(lists, text, sizeof(text) - 1), 0);
    assert_string_equal(lists->output, "");
    assert_int_equal(name_set_count(lists->names), 4);
    assert_int_equal(network_set_count(lists->networks), 3);
    assert_true(has_name(lists, "a.example"));
    assert_true(has_name(lists, "x.y.b.example"));
    assert_false(has_name(lists, "b.example"));
    assert_true(has_name(lists, "intranet"));
    assert_true(has_name(lists, "1and1.example"));
    assert_true(has_address(lists, "192.0.2.7"));
    assert_true(has_address(lists, "2001:db8::1"));
    assert_true(has_address(lists, "10.0.0.1"));
    assert_false(has_address(lists, "10.0.0.2"));
}

/* Real lists begin like these. */
static void takes_hosts_format(void **state)
{
    static const char text[] =
        "# Title: hosts\n127.0.0.1 localhost\n127.0.0.1 localhost.localdomain\n"
        "255.255.255.255 broadcasthost\n::1 ip6-localhost ip6-loopback\nfe80::1%lo0 localhost\n"
        "ff02::1 ip6-allnodes\n0.0.0.0 0.0.0.0\n\n"
        "0.0.0.0 A.example # one\r\n127.0.0.1\tb.example  c.example\n::1 d.example\n";
    struct lists *lists = *state;

    assert_int_equal(parse(lists, text, sizeof(text) - 1), 0);
    assert_string_equal(lists->output, "");
    assert_int_equal(name_set_count(lists->names), 4);
    assert_int_equal(network_set_count(lists->networks), 0);
    assert_int_equal(lists->file.entry_counts[LIST_FILE_HOSTS], 4);
    assert_true(has_name(lists, "a.example"));
    assert_true(has_name(lists, "c.example"));
    assert_false(has_name(lists, "x.a.example"));
    assert_false(has_name(lists, "localhost"));
}

static void leaves_out_the_machines_own_names_however_spelt(void **state)
{
    static const char text[] =
        "127.0.0.1 Localhost localhost. LOCALHOST.\n127.0.0.1 LocalHost.LocalDomain.\n"
        "255.255.255.255 BroadcastHost\nff02::1 IP6-allnodes.\n::1 ip6-Loopback\n"
        "0.0.0.0 local.example localhosts\n";
    struct lists *lists = *state;

    assert_int_equal(parse(lists, text, sizeof(text) - 1), 0);
    assert_string_equal(lists->output, "");
    assert_int_equal(name_set_count(lists->names), 2);
    assert_false(has_name(lists, "localhost"));
    assert_true(has_name(lists, "localhosts"));
    assert_true(has_name(lists, "local.example"));
}

static void takes_adblock_format(void **state)
{
    static const char text[] = "[Adblock Plus 2.0]\n! Title: ads\n!#if env\n||A.example^\n"
                               "||*.b.example^ ! below\n||192.0.2.1^\n";
    struct lists *lists = *state;

    assert_int_equal(parse(lists, text, sizeof(text) - 1), 0);
    assert_string_equal(lists->output, "");
    assert_int_equal(lists->file.entry_counts[LIST_FILE_ADBLOCK], 3);
    assert_true(has_name(lists, "a.example"));
    assert_true(has_name(lists, "x.a.example"));
    assert_false(has_name(lists, "b.example"));
    assert_true(has_name(lists, "x.b.example"));
    assert_true(has_address(lists, "192.0.2.1"));
}

static void takes_every_comment(void **state)
{
    static const char text[] =
        "; Spamhaus DROP\n192.0.2.0/24 ; SBL1\n198.51.100.0/24;SBL2\n"
        "! note\na.example;see b\n192.0.2.9;\na.example ! note\n.b.example # note\n## note\n"
        "0.0.0.0 c.example ; note\n||d.example^ # note\n";
    struct lists *lists = *state;

    assert_int_equal(parse(lists, text, sizeof(text) - 1), 0);
    assert_string_equal(lists->output, "");
    assert_int_equal(lists->file.entry_counts[LIST_FILE_PLAIN], 6);
    assert_int_equal(lists->file.entry_counts[LIST_FILE_HOSTS], 1);
    assert_int_equal(lists->file.entry_counts[LIST_FILE_ADBLOCK], 1);
    assert_true(has_name(lists, "b.example"));
    assert_true(has_name(lists, "x.b.example"));
}

static void skips_lines_when_lenient(void **state)
{
    static const char text[] = "a.example\nb c\n@@||d.example^\n0.0.0.0 e..f g.example\n";
    static const char page[] = "<html>\n<body>\n";
    struct lists *lists = *state;

    lists->file.is_lenient = true;
    assert_int_equal(parse(lists, text, sizeof(text) - 1), 0);
    assert_string_equal(lists->output,
                        "ads:2:3: warning: one entry a line: something follows the first; what "
                        "is no entry is skipped, here and in 2 more lines\n    b c\n      ^\n");
    assert_int_equal(lists->file.skipped_count, 3);
    assert_true(has_name(lists, "a.example"));
    assert_true(has_name(lists, "g.example"));
    assert_false(has_name(lists, "d.example"));

    lists->file = (struct list_file){.path = "ads", .is_lenient = true};
    assert_int_equal(parse(lists, page, sizeof(page) - 1), -EINVAL);
    assert_non_null(strstr(lists->output, "error: '<html>' is not a host name"));
    assert_non_null(strstr(lists->output, "no other line is an entry: is this a list?"));
}

static void counts_lines_and_not_names(void **state)
{
    static const char text[] = "0.0.0.0 a.example b!x c.example\n0.0.0.0 d!x e!x f.example\n";
    static const char one[] = "0.0.0.0 a.example b!x c!x\n";
    struct lists *lists = *state;

    lists->file.is_lenient = true;
    assert_int_equal(parse(lists, text, sizeof(text) - 1), 0);
    assert_int_equal(lists->file.entry_counts[LIST_FILE_HOSTS], 3);
    assert_int_equal(lists->file.skipped_count, 2);
    assert_non_null(
        strstr(lists->output, "; what is no entry is skipped, here and in 1 more line\n"));

    lists->file = (struct list_file){.path = "ads", .is_lenient = true};
    assert_int_equal(parse(lists, one, sizeof(one) - 1), 0);
    assert_int_equal(lists->file.skipped_count, 1);
    assert_non_null(strstr(lists->output, "; what is no entry is skipped\n"));
}

static void refuses_the_rest(void **state)
{
    static const struct {
        const char *text;
        const char *output;
    } rows[] = {
        {"a.example\n10.0.0.1/8\n", "ads:2:1: error: '10.0.0.1/8' has bits set behind the prefix; "
                                    "write 10.0.0.0/8\n    10.0.0.1/8\n    ^~~~~~~~~~\n"},
        {"a.example, b.example\n", "ads:1:12: error: one entry a line: something follows"},
        {"a.example;b.example\n", "ads:1:1: error: 'a.example;b.example' is not a host name"},
        {"fd00::1;fd00::2\n", "ads:1:1: error: 'fd00::1;fd00::2' is not an IPv6 address"},
        {"192.0.2.1; 192.0.2.2;\n", "ads:1:12: error: one entry a line"},
        {"10.0.0.1 a.example\n", "ads:1:10: error: in a list, a line of a hosts file begins with"},
        {"0.0.0.0 a.example 1.2.3.4\n", "ads:1:19: error: one entry a line: an address follows"},
        {"0.0.0.0 a..b\n", "ads:1:9: error: 'a..b' is not a host name"},
        {"10.0.0.0/8 a.example\n", "ads:1:12: error: one entry a line"},
        {"@@||a.example^\n", "ads:1:1: error: an exception can't stand in a list"},
        {"||a.example^$third-party\n", "ads:1:1: error: of adblock's rules a list takes ||ex"},
        {"||a.example\n", "ads:1:1: error: of adblock's rules a list takes ||example.com^"},
        {"||a.example/x^\n", "ads:1:3: error: 'a.example/x' is neither"},
        {"a.example##.ad > div\n", "ads:1:1: error: a rule for a part of a page"},
        {"a.example#@#.ad\n", "ads:1:1: error: a rule for a part of a page"},
        {"[::1]\n", "ads:1:1: error: '[::1]' has brackets"},
        {"127.1\n", "ads:1:1: error: '127.1' looks like a number"},
        {"http://a.example/\n", "ads:1:1: error: 'http://a.example/' is a URL"},
        {"a..b\n", "ads:1:1: error: 'a..b' is not a host name"},
        {"\x1b[2J\xc2\x9b.x\n", "ads:1:1: error: '\\u001b[2J\\u009b.x' is not ASCII"},
        {"a\xe2\x80\xae.x\xe2\x80\xa8\n", "ads:1:1: error: 'a\\u202e.x\\u2028' is not ASCII"},
        {"\x9b\xff.x\n", "ads:1:1: error: '\\x9b\\xff.x' is not ASCII"},
    };
    struct lists *lists = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        assert_int_equal(parse(lists, rows[i].text, strlen(rows[i].text)), -EINVAL);
        if (strncmp(lists->output, rows[i].output, strlen(rows[i].output)) != 0)
            fail_msg("%s: %s", rows[i].text, lists->output);
    }
    assert_int_equal(parse(lists, "a\0b\n", 4), -EINVAL);
    assert_non_null(strstr(lists->output, "'a\\u0000b' is not a host name"));
}

/* The caret marks what an escape has become, and stands under it. */
static void shows_what_could_move_a_cursor(void **state)
{
    static const char text[] = "\t\xe2\x80\xae \xc2\x9b\xff\n";
    struct lists *lists = *state;

    assert_int_equal(parse(lists, text, sizeof(text) - 1), -EINVAL);
    assert_non_null(strstr(lists->output, "\n    \t\\u202e \\u009b\\xff\n    \t"));
    for (const char *at = lists->output; *at != '\0'; at++)
        assert_true((*at >= ' ' && *at < 0x7f) || *at == '\n' || *at == '\t');
}

static void bounds_what_it_says(void **state)
{
    enum { LINES = 1000 };
    struct lists *lists = *state;
    char text[LINES * 3];

    for (size_t i = 0; i < LINES; i++)
        memcpy(text + i * 3, "..\n", 3);
    assert_int_equal(parse(lists, text, sizeof(text)), -EINVAL);
    assert_non_null(strstr(lists->output, "ads:20:1: error"));
    assert_null(strstr(lists->output, "ads:22:1: error"));
    assert_non_null(
        strstr(lists->output, "ads:21:1: error: from here on, 980 lines have what is no entry\n"));
}

/* All of it in the order of the lines, and again lines are counted. */
static void says_last_how_many_more_there_are(void **state)
{
    enum { NAMES = 25 };
    struct lists *lists = *state;
    char text[512] = "0.0.0.0";

    for (size_t i = 0; i < NAMES; i++)
        strcat(text, " a!b");
    strcat(text, "\na.example\nb!c\n");
    assert_int_equal(parse(lists, text, strlen(text)), -EINVAL);
    const char *last = strstr(lists->output, "from here on, 2 lines have what is no entry\n");
    assert_non_null(last);
    assert_null(strstr(last, "is not a host name"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(takes_entries, set_up, tear_down),
        cmocka_unit_test_setup_teardown(takes_hosts_format, set_up, tear_down),
        cmocka_unit_test_setup_teardown(leaves_out_the_machines_own_names_however_spelt, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(takes_adblock_format, set_up, tear_down),
        cmocka_unit_test_setup_teardown(takes_every_comment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(skips_lines_when_lenient, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counts_lines_and_not_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_the_rest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shows_what_could_move_a_cursor, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bounds_what_it_says, set_up, tear_down),
        cmocka_unit_test_setup_teardown(says_last_how_many_more_there_are, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
