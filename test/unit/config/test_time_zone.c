/* config/time_zone: the machine's, where the environment has none. */
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

static const char rules[] = "allow from loopback port 443\ndeny time Sat\n";
static const char *configuration;
static bool has_zone;    /* /etc/localtime, which may be a link to nothing */
static const char *zone; /* what it has */
static int zone_error;   /* why it can't be read */

static int read_file(struct config_reader *reader, const char *path, size_t size_max,
                     const char **ret_bytes, size_t *ret_length)
{
    bool is_zone = strcmp(path, "/etc/localtime") == 0;

    *ret_bytes = is_zone ? zone : configuration;
    *ret_length = strlen(*ret_bytes);
    return is_zone ? zone_error : 0;
}

static int glob_files(struct config_reader *reader, const char *pattern,
                      void (*add)(void *self, const char *path), void *self)
{
    if (has_zone && strcmp(pattern, "/etc/localtime") == 0)
        add(self, pattern);
    return 0;
}

static int read_variable(struct config_reader *reader, const char *name, const char **ret_value)
{
    return -ENOENT;
}

static void expect_warning(bool is_expected, size_t row)
{
    struct config_reader reader = {read_file, glob_files, read_variable};
    struct diagnostics *diagnostics = NULL;
    struct config *config = NULL;
    char output[4096];
    struct text text;

    text_init(&text, output, sizeof(output));
    assert_int_equal(config_parse(&reader, "/a.conf", NULL, &config, &diagnostics), 0);
    diagnostics_print(diagnostics, &text);
    if (is_expected ? strstr(output, "/a.conf:2:1: warning: /etc/localtime is no time") == NULL
                    : output[0] != '\0')
        fail_msg("row %zu: %s", row, output);
    diagnostics_destroy(diagnostics);
    config_destroy(config);
}

/* Without the file, UTC is right. */
static void warns_of_a_machine_without_a_time_zone(void **state)
{
    static const struct {
        bool has_zone;
        const char *zone;
        int error;
        bool is_warned;
    } rows[] = {
        {true, "TZif2", 0, false}, {false, "", -ENOENT, false}, {true, "x", 0, true},
        {true, "TZ", 0, true},     {true, "", -ENOENT, true},   {true, "", -EACCES, true},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        has_zone = rows[i].has_zone;
        zone = rows[i].zone;
        zone_error = rows[i].error;
        configuration = rules;
        expect_warning(rows[i].is_warned, i);
        configuration = "allow from loopback port 443\n"; /* nothing goes by it */
        expect_warning(false, i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(warns_of_a_machine_without_a_time_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
