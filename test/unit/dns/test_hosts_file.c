/* dns/hosts_file: names and aliases, both families, the file's order, the limits. */
#include "dns/hosts_file.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char small_file[] = "# comment\n"
                                 "127.0.0.1\tlocalhost\n"
                                 "::1 localhost ip6-localhost # here too\n"
                                 "192.0.2.1 One.Example one ONE-alias\r\n"
                                 "192.0.2.2 one.example\n"
                                 "2001:db8::1 one.example\n"
                                 "::ffff:192.0.2.3 mapped.example\n"
                                 "  192.0.2.4   indented.example#comment\n"
                                 "192.0.2.5 dotted.example.\n"
                                 "192.0.2.256 bad.example\n"
                                 "192.0.2.6\n"
                                 "#192.0.2.7 commented.example\n"
                                 "fe80::1%lo0 zone.example\n"
                                 "192.0.2.8 . last.example";

/* "no": not in the file; else the addresses. */
static void expect(const struct hosts_file *hosts, const char *name, enum ip_family family,
                   const char *expected)
{
    struct ip_address addresses[16];
    size_t count = 77;
    char buffer[1024];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    if (!hosts_file_lookup(hosts, name, strlen(name), family, addresses, 16, &count)) {
        assert_int_equal(count, 77);
        assert_string_equal("no", expected);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            text_add_char(&text, ' ');
        ip_address_print(&text, &addresses[i]);
    }
    assert_string_equal(buffer, expected);
}

static void finds_names_and_aliases(void **state)
{
    static const struct {
        const char *name;
        const char *v4;
        const char *v6;
    } rows[] = {
        {"localhost", "127.0.0.1", "::1"},
        {"ip6-localhost", "", "::1"},
        {"one.example", "192.0.2.1 192.0.2.2", "2001:db8::1"},
        {"one", "192.0.2.1", ""},
        {"one-alias", "192.0.2.1", ""},
        {"mapped.example", "192.0.2.3", ""},
        {"indented.example", "192.0.2.4", ""},
        {"dotted.example", "192.0.2.5", ""},
        {"last.example", "192.0.2.8", ""},
        {"bad.example", "no", "no"},
        {"commented.example", "no", "no"},
        {"zone.example", "no", "no"},
        {"comment", "no", "no"},
        {"one.exampl", "no", "no"},
        {"192.0.2.6", "no", "no"},
    };
    struct hosts_file *hosts;

    assert_int_equal(hosts_file_parse(small_file, strlen(small_file), &hosts), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        expect(hosts, rows[i].name, IP_V4, rows[i].v4);
        expect(hosts, rows[i].name, IP_V6, rows[i].v6);
    }
    hosts_file_destroy(hosts);
}

static void reads_over_a_byte_order_mark(void **state)
{
    static const char text[] = "\xef\xbb\xbf"
                               "0.0.0.0 first.example\r\n";
    struct hosts_file *hosts;

    assert_int_equal(hosts_file_parse(text, sizeof(text) - 1, &hosts), 0);
    expect(hosts, "first.example", IP_V4, "0.0.0.0");
    hosts_file_destroy(hosts);
}

/* Whatever the cut, what is found is a prefix's truth, and nothing is read beyond (ASan). */
static void reads_every_prefix(void **state)
{
    for (size_t length = 0; length <= strlen(small_file); length++) {
        char *copy = malloc(length + 1);
        struct hosts_file *hosts;

        memcpy(copy, small_file, length);
        assert_int_equal(hosts_file_parse(copy, length, &hosts), 0);
        expect(hosts, "commented.example", IP_V4, "no");
        hosts_file_destroy(hosts);
        free(copy);
    }
    hosts_file_destroy(NULL);
}

static void respects_the_callers_limit(void **state)
{
    static const char text[] = "192.0.2.1 a\n192.0.2.2 a\n192.0.2.3 a\n";
    struct ip_address addresses[2];
    struct hosts_file *hosts;
    size_t count;

    assert_int_equal(hosts_file_parse(text, strlen(text), &hosts), 0);
    assert_true(hosts_file_lookup(hosts, "a", 1, IP_V4, addresses, 2, &count));
    assert_int_equal(count, 2);
    assert_int_equal(addresses[1].bytes[3], 2);
    hosts_file_destroy(hosts);
}

/* -- large files */

/* A million names, each blocked in both families, as people's lists do. */
static void takes_lists_of_a_million_names(void **state)
{
    enum { NAMES = 1000000, LINE_MAX_LENGTH = 48 };
    char *text = malloc((size_t)NAMES * LINE_MAX_LENGTH);
    size_t length = 0;
    struct hosts_file *hosts;
    char name[32];

    for (unsigned i = 0; i < NAMES; i += 2)
        length += (size_t)sprintf(text + length, "0.0.0.0 Name%u.test\n:: Name%u.test\n", i, i);
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    assert_int_equal(hosts_file_parse(text, length, &hosts), 0);
    /* Nothing but the entries and their index. (A sanitizer's malloc counts nothing.) */
    size_t taken = mallinfo2().uordblks + mallinfo2().hblkhd - before;
    assert_in_range(taken, 0, (size_t)NAMES * 12 + 65536);
    assert_int_equal(hosts_file_first_line_left_out(hosts), 0);
    for (unsigned i = 0; i < NAMES; i += 1998) {
        snprintf(name, sizeof(name), "name%u.test", i);
        expect(hosts, name, IP_V4, "0.0.0.0");
        expect(hosts, name, IP_V6, "::");
    }
    expect(hosts, "name999998.test", IP_V6, "::");
    expect(hosts, "name1.test", IP_V6, "no");
    expect(hosts, "name1000000.test", IP_V6, "no");
    hosts_file_destroy(hosts);
    free(text);
}

/* Whatever order addresses come in, each line has its own. */
static void shares_addresses(void **state)
{
    static const char order[] = "0112034056012345543210010101";
    char text[1024];
    char name[8];
    char address[16];
    size_t length = 0;
    struct hosts_file *hosts;

    for (size_t i = 0; order[i] != '\0'; i++)
        length += (size_t)sprintf(text + length, "192.0.2.%c n%zu\n", order[i], i);
    assert_int_equal(hosts_file_parse(text, length, &hosts), 0);
    for (size_t i = 0; order[i] != '\0'; i++) {
        snprintf(name, sizeof(name), "n%zu", i);
        snprintf(address, sizeof(address), "192.0.2.%c", order[i]);
        expect(hosts, name, IP_V4, address);
    }
    hosts_file_destroy(hosts);
}

static void says_what_is_beyond_its_bound(void **state)
{
    size_t size = HOSTS_FILE_SIZE_MAX + 1000;
    char *text = malloc(size);
    struct hosts_file *hosts;

    memset(text, ' ', size);
    memcpy(text, "::1 a\n", 6);
    memcpy(text + HOSTS_FILE_SIZE_MAX - 12, "\n::1 b\n::1 beyond\n::1 c\n", 24);
    assert_int_equal(hosts_file_parse(text, size, &hosts), 0);
    assert_int_equal(hosts_file_first_line_left_out(hosts), 4);
    expect(hosts, "a", IP_V6, "::1");
    expect(hosts, "b", IP_V6, "::1");
    expect(hosts, "beyond", IP_V6, "no");
    expect(hosts, "c", IP_V6, "no");
    hosts_file_destroy(hosts);
    /* Up to the bound, nothing is left out; one byte more may belong to a name. */
    assert_int_equal(hosts_file_parse(text, HOSTS_FILE_SIZE_MAX - 5, &hosts), 0);
    assert_int_equal(hosts_file_first_line_left_out(hosts), 0);
    hosts_file_destroy(hosts);
    free(text);
}

static void leaves_out_long_names(void **state)
{
    char text[1000];
    char name[300];
    struct hosts_file *hosts;

    memset(name, 'a', sizeof(name));
    name[254] = '\0';
    snprintf(text, sizeof(text), "::1 %s %s\n", name, name + 1);
    assert_int_equal(hosts_file_parse(text, strlen(text), &hosts), 0);
    expect(hosts, name, IP_V6, "no");
    expect(hosts, name + 1, IP_V6, "::1");
    hosts_file_destroy(hosts);
}

static void finds_the_full_name_of_a_machine(void **state)
{
    static const struct {
        const char *text;
        const char *full; /* NULL: none */
    } rows[] = {
        {"127.0.0.1 localhost\n127.0.1.1\tbox.corp.example box\n", "box.corp.example"},
        {"127.0.1.1 box box.corp.example", "box.corp.example"},
        {"::1 BOX Box.Corp.Example. box.other.example # box.x\n", "Box.Corp.Example."},
        {"10.0.0.1 evil.example box\n", NULL},
        {"10.0.0.1 boxer.example box\n", NULL},
        {"10.0.0.1 box. box\n", NULL},
        {"10.0.0.1 box.corp.example\n10.0.0.1 box\n", NULL}, /* maybe another machine's */
        {"# 10.0.0.1 box.corp.example box\n", NULL},
        {"box box.corp.example\n", NULL}, /* no address stands before it */
        {"", NULL},
    };
    char full[64];

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const char *text = rows[i].text;
        bool is_found =
            hosts_file_find_own_name(text, strlen(text), "box", HOSTS_OWN_FULL, full, sizeof(full));

        if (is_found != (rows[i].full != NULL) || (is_found && strcmp(full, rows[i].full) != 0))
            fail_msg("%s: %s", text, is_found ? full : "none");
    }
    assert_false(hosts_file_find_own_name("::1 box.abc box", 15, "box", HOSTS_OWN_FULL, full, 7));
    assert_true(hosts_file_find_own_name("::1 box.abc box", 15, "box", HOSTS_OWN_FULL, full, 8));
}

static void finds_the_first_name_of_a_machine(void **state)
{
    static const struct {
        const char *text;
        const char *first; /* NULL: none */
    } rows[] = {
        {"127.0.0.1 localhost\n10.0.0.5\tdash.corp.example box\n", "dash.corp.example"},
        {"::1 Dash.Corp.Example. other.example BOX # z.example\n", "Dash.Corp.Example."},
        {"127.0.0.1 localhost.localdomain localhost box\n10.0.0.5 dash.example box\n",
         "dash.example"},
        {"10.0.0.5 box dash.corp.example\n", NULL}, /* not the first */
        {"10.0.0.5 dash box\n", NULL},
        {"10.0.0.5 dash.corp.example boxer\n", NULL},
        {"10.0.0.5 dash.corp.example\n10.0.0.5 box\n", NULL},
        {"# 10.0.0.5 dash.corp.example box\n", NULL},
        {"dash.corp.example box\n", NULL},
        {"", NULL},
    };
    char first[64];

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const char *text = rows[i].text;
        bool is_found = hosts_file_find_own_name(text, strlen(text), "box", HOSTS_OWN_FIRST, first,
                                                 sizeof(first));

        if (is_found != (rows[i].first != NULL) || (is_found && strcmp(first, rows[i].first) != 0))
            fail_msg("%s: %s", text, is_found ? first : "none");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_full_name_of_a_machine),
        cmocka_unit_test(finds_the_first_name_of_a_machine),
        cmocka_unit_test(finds_names_and_aliases),
        cmocka_unit_test(reads_every_prefix),
        cmocka_unit_test(reads_over_a_byte_order_mark),
        cmocka_unit_test(respects_the_callers_limit),
        cmocka_unit_test(takes_lists_of_a_million_names),
        cmocka_unit_test(shares_addresses),
        cmocka_unit_test(says_what_is_beyond_its_bound),
        cmocka_unit_test(leaves_out_long_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
