/* config/config_sources: lists and users that `admin` goes by. (The rest is test_config.c's.) */
#include "config/config_sources.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#define RULE "allow from loopback port 443\n"
#define USER "a:$5$ab$5ydlOaPxAq0VpamGFK.BZgHF7HlR0erJsH.F7VB19f0\n"

static const char *text; /* of the configuration */
static bool is_emptied;

static int read_file(struct config_reader *reader, const char *path, size_t size_max,
                     const char **ret_bytes, size_t *ret_length)
{
    if (strcmp(path, "/etc/adit.conf") == 0)
        *ret_bytes = text;
    else if (is_emptied)
        *ret_bytes = "#\n";
    else
        *ret_bytes = strcmp(path, "/etc/users") == 0 ? USER : "192.0.2.1\n";
    *ret_length = strlen(*ret_bytes);
    return 0;
}

static int glob_files(struct config_reader *reader, const char *pattern,
                      void (*add)(void *self, const char *path), void *self)
{
    return 0;
}

static int read_variable(struct config_reader *reader, const char *name, const char **ret_value)
{
    return -ENOENT;
}

static struct config *parse(void)
{
    struct config_reader reader = {read_file, glob_files, read_variable};
    struct diagnostics *diagnostics = NULL;
    struct config *config = NULL;

    assert_int_equal(config_parse(&reader, "/etc/adit.conf", NULL, &config, &diagnostics), 0);
    diagnostics_destroy(diagnostics);
    return config;
}

static void tells_what_admin_goes_by(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } rows[] = {
        {"list l file \"l\"\nadmin 127.0.0.1:1 from l\n" RULE,
         "/etc/l: warning: nothing is in it any more, it had 1 entry; the list 'l' is used by "
         "admin\n"},
        {"list l file \"l\"\nadmin 127.0.0.1:1 from l, loopback\ndeny from l\n" RULE,
         "/etc/l: warning: nothing is in it any more, it had 1 entry; the list 'l' is used by rule "
         "adit.conf:3, and by admin\n"},
        {"users file \"users\"\nadmin 127.0.0.1:1 user any\n" RULE,
         "/etc/users: warning: nothing is in it any more, it had 1 user; nobody can log in, and "
         "users are named by admin\n"},
        {"users file \"users\"\nadmin 127.0.0.1:1\n" RULE,
         "/etc/users: warning: nothing is in it any more, it had 1 user; nobody can log in, and "
         "users are named by no rule\n"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct config_sources *before = NULL;
        struct diagnostics *diagnostics = diagnostics_create();
        char output[2048];
        struct text said;

        text = rows[i].text;
        is_emptied = false;
        struct config *config = parse();
        assert_int_equal(config_sources_create(config, &before), 0);
        config_destroy(config);
        is_emptied = true;
        config = parse();
        config_sources_compare(before, config, diagnostics);
        text_init(&said, output, sizeof(output));
        diagnostics_print(diagnostics, &said);
        assert_string_equal(output, rows[i].message);
        diagnostics_destroy(diagnostics);
        config_sources_destroy(before);
        config_destroy(config);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_admin_goes_by),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
