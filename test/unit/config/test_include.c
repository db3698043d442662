/* config/: what can't be read: an `include` by a pattern whose matches can't be known, and where
 * `control` may stand for all that is known. */
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int glob_error;
static char glob_pattern[256]; /* of the last */
static const char *text;       /* of every file but lists, which can't be read */

static int read_file(struct config_reader *reader, const char *path, size_t size_max,
                     const char **ret_bytes, size_t *ret_length)
{
    if (strstr(path, "list") != NULL)
        return -EACCES;
    *ret_bytes = text;
    *ret_length = strlen(text);
    return 0;
}

static int glob_files(struct config_reader *reader, const char *pattern,
                      void (*add)(void *self, const char *path), void *self)
{
    snprintf(glob_pattern, sizeof(glob_pattern), "%s", pattern);
    return glob_error;
}

static int read_variable(struct config_reader *reader, const char *name, const char **ret_value)
{
    return -ENOENT;
}

static struct config_reader reader = {read_file, glob_files, read_variable};

/* False: it is bad. */
static bool parse(const char *path, char *output, size_t size)
{
    struct diagnostics *diagnostics = NULL;
    struct config *config = NULL;
    struct text said;

    text_init(&said, output, size);
    int error = config_parse(&reader, path, NULL, &config, &diagnostics);
    assert_true(error == 0 || error == -EINVAL);
    diagnostics_print(diagnostics, &said);
    diagnostics_destroy(diagnostics);
    config_destroy(config);
    return error == 0;
}

static void says_what_can_not_be_looked_for(void **state)
{
    static const struct {
        int error;
        const char *message;
        bool is_good;
    } rows[] = {
        {0, "", true},
        {-ENOENT,
         "warning: '/site[1]/conf.d/*' includes nothing: its folder is not there; make it, even if "
         "it stays empty, or take this line out\n",
         true},
        {-EACCES,
         "error: can't look for '/site[1]/conf.d/*': no permission to look into one of its "
         "folders\n",
         false},
        {-ENOTDIR,
         "error: can't look for '/site[1]/conf.d/*': one of its folders is a file, or a link to "
         "nothing\n",
         false},
        {-EIO, "error: can't look for '/site[1]/conf.d/*': one of its folders can't be read\n",
         false},
    };
    char output[4096];

    text = "include \"conf.d/*\"\nallow from loopback port 443\n";
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        glob_error = rows[i].error;
        assert_int_equal(parse("/site[1]/a.conf", output, sizeof(output)), rows[i].is_good);
        /* Signs of the folder's own name are no pattern. */
        assert_string_equal(glob_pattern, "/site\\[1]/conf.d/*");
        assert_non_null(strstr(output, rows[i].message));
        assert_int_equal(output[0] == '\0', rows[i].error == 0);
    }
    assert_true(parse("/back\\a?*/a.conf", output, sizeof(output)) == false);
    assert_string_equal(glob_pattern, "/back\\\\a\\?\\*/conf.d/*");
    glob_error = 0;
}

#define RULES "allow from loopback port 443\n"

/* What is read of it says nothing about `control`, or says that there is none. */
static void takes_no_socket_for_granted(void **state)
{
    static const struct {
        const char *text;
        int error;
        const char *found;
    } rows[] = {
        {RULES, 0, ""},
        {RULES "control \"/c\"\n", 0, "/c"},
        {"xyzzy\ncontrol \"/c\"\n", 0, "/c"},
        {RULES "log \"/l\ncontrol \"/c\"\n", 0, "/c"},
        /* Mistakes that can't be about it, and words that are not it. */
        {RULES "allow to nonsense\n", 0, ""},
        {RULES "list l file \"list\"\n", 0, ""},
        {RULES "users file \"list\"\n", 0, ""},
        {RULES "limit streams 0\nlisten x\n", 0, ""},
        {RULES "list control { a.example }\ngroup g { control }\n", 0, ""},
        {RULES "#control \"/c\"\n", 0, ""},
        /* And such that can. */
        {"", -EINVAL, ""},
        {"#control \"/c\"\n", -EINVAL, ""},
        {RULES "control\n", -EINVAL, ""},
        {RULES "control \"\"\n", -EINVAL, ""},
        {RULES "contrl \"/c\"\n", -EINVAL, ""},
        {RULES "Control \"/c\"\n", -EINVAL, ""},
        {RULES "control: \"/c\"\n", -EINVAL, ""},
        {RULES "${KX} \"/c\"\n", -EINVAL, ""},
        {RULES "include \"${KX}/c.conf\"\n", -EINVAL, ""},
        {RULES "include \"list\"\n", -EINVAL, ""},
        {RULES "include \"/a.conf\"\n", -EINVAL, ""}, /* itself */
        {RULES "list l { a.example,\ncontrol \"/c\"\n", -EINVAL, ""},
        {RULES "list l { a.example,\ncontrol \"/c\"\n}\n", -EINVAL, ""},
        {RULES "group g {\ncontrol \"/c\"\n" RULES, -EINVAL, ""},
        {RULES "listen 127.0.0.1:1 {\ncontrol \"/c\"\n}\n", -EINVAL, ""},
        {"allow from loopback port 443,\ncontrol \"/c\"\n", -EINVAL, ""},
        {RULES "deny time mon,\ncontrol /c\n", -EINVAL, ""},
        {RULES "resolver 127.0.0.1,\ncontrol \"/c\"\n", -EINVAL, ""},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char path[CONFIG_CONTROL_PATH_MAX + 1];
        struct text found;

        text_init(&found, path, sizeof(path));
        text = rows[i].text;
        int error = config_find_control(&reader, "/a.conf", &found);
        if (error != rows[i].error || strcmp(path, rows[i].found) != 0)
            fail_msg("%s: %d '%s'", rows[i].text, error, path);
    }
}

static void takes_no_socket_for_granted_without_an_include(void **state)
{
    static const int errors[] = {-EACCES, -ENOTDIR, -ENOENT, -EIO};
    char path[CONFIG_CONTROL_PATH_MAX + 1];
    struct text found;

    text_init(&found, path, sizeof(path));
    text = RULES "include \"conf.d/*\"\n";
    assert_int_equal(config_find_control(&reader, "/a.conf", &found), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(errors); i++) {
        glob_error = errors[i];
        assert_int_equal(config_find_control(&reader, "/a.conf", &found), -EINVAL);
    }
    glob_error = 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_can_not_be_looked_for),
        cmocka_unit_test(takes_no_socket_for_granted),
        cmocka_unit_test(takes_no_socket_for_granted_without_an_include),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
