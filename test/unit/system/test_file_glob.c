/* system/file_glob: what matches, and that nothing is lost where it can't be known. */
#include "system/file_glob.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOBODY = 65534 };

static char folder[] = "/tmp/adit-glob-XXXXXX";

static int set_up(void **state)
{
    static const char script[] =
        "cd %s && chmod 755 . && mkdir conf.d 'site[1]' x x/y x/z empty x/z/sub && "
        "touch conf.d/a.conf conf.d/b.conf conf.d/.hidden.conf conf.d/b.txt 'site[1]/a.conf' "
        "'conf[1].inc' conf1.inc 'back\\slash' x/y/a.conf x/z/a.conf x/README file x/y/sub && "
        "ln -s nowhere dangling && ln -s conf.d linked && ln -s loop loop && ln -s gone x/link";
    char command[1024];

    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(command, sizeof(command), script, folder);
    return system(command);
}

static int tear_down(void **state)
{
    char command[160];

    snprintf(command, sizeof(command), "chmod -R u+rwx %s; rm -r %s", folder, folder);
    return system(command);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The error, or the sorted paths in the folder, a blank behind each. */
static int look_for(const char *pattern, char ret_found[256])
{
    struct file_paths paths = {0};
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", folder, pattern);
    int error = file_glob(path, &paths);
    if (paths.count > 0)
        qsort(paths.items, paths.count, sizeof(paths.items[0]), compare);
    ret_found[0] = '\0';
    for (size_t i = 0; i < paths.count; i++) {
        strcat(ret_found, paths.items[i] + strlen(folder) + 1);
        strcat(ret_found, " ");
    }
    file_paths_free(&paths);
    return error;
}

struct row {
    const char *pattern;
    int error;
    const char *found;
};

static void check(const struct row *rows, size_t count)
{
    char found[256];

    for (size_t i = 0; i < count; i++) {
        int error = look_for(rows[i].pattern, found);

        if (error != rows[i].error || strcmp(found, rows[i].found) != 0)
            fail_msg("%s: %d '%s'", rows[i].pattern, error, found);
    }
}

static void finds_what_matches(void **state)
{
    static const struct row rows[] = {
        {"conf.d/*.conf", 0, "conf.d/a.conf conf.d/b.conf "},
        {"conf.d//[a].????", 0, "conf.d/a.conf "},
        {"conf.d/.h*", 0, "conf.d/.hidden.conf "},
        {"linked/b*", 0, "linked/b.conf linked/b.txt "},
        {"x/*/a.conf", 0, "x/y/a.conf x/z/a.conf "},
        {"x/?/*.conf", 0, "x/y/a.conf x/z/a.conf "},
        {"x/[z]/a.conf", 0, "x/z/a.conf "},
        {"empty/*", 0, ""},
        {"empty/.*", 0, ""},
        {"x/*/none.d/*.conf", 0, ""},
        /* Called like that, and a pattern. */
        {"conf[1].inc", 0, "conf[1].inc "},
        {"conf[12].inc", 0, "conf1.inc "},
        {"conf\\[1\\].inc", 0, "conf[1].inc "},
        {"conf\\[1].*", 0, "conf[1].inc "},
        {"site\\[1\\]/*.conf", 0, "site[1]/a.conf "},
        {"back\\\\*", 0, "back\\slash "},
    };

    check(rows, ARRAY_LENGTH(rows));
}

static void takes_nothing_for_empty_that_is_not(void **state)
{
    static const struct row rows[] = {
        {"none.d/*.conf", -ENOENT, ""},   {"none.d/sub/*.conf", -ENOENT, ""},
        {"none.d/*/a.conf", -ENOENT, ""}, {"dangling/*.conf", -ENOTDIR, ""},
        {"file/*.conf", -ENOTDIR, ""},    {"file/sub/*.conf", -ENOTDIR, ""},
        {"loop/*.conf", -ELOOP, ""},      {"x/*/sub/*.conf", -ENOTDIR, ""},
        {"x/*/sub/a.conf", -ENOTDIR, ""},
    };
    char pattern[5000];
    char found[256];
    struct file_paths paths;

    check(rows, ARRAY_LENGTH(rows));
    memset(pattern, '*', sizeof(pattern) - 1);
    pattern[sizeof(pattern) - 1] = '\0';
    assert_int_equal(file_glob(pattern, &paths), -ENAMETOOLONG);
    assert_int_equal(look_for("x/*", found), 0);
}

/* Somebody to whom a folder is closed. */
static void tells_what_it_may_not_look_into(void **state)
{
    static const struct row closed[] = {
        {"conf.d/*.conf", -EACCES, ""}, {"conf.d/sub/*.conf", -EACCES, ""},
        {"x/*/a.conf", -EACCES, ""},    {"x/*/*.conf", -EACCES, ""},
        {"x/*/sub/*", -EACCES, ""},
    };
    static const struct row half_closed[] = {
        {"x/*/a.conf", -EACCES, ""}, /* its names can be read, and nothing behind them */
        {"conf.d/*.conf", -EACCES, ""},
    };
    static const char *const modes[] = {"chmod 0 %s/conf.d %s/x/y",
                                        "chmod 444 %s/x; chmod 111 %s/conf.d"};
    char command[160];
    uid_t user = geteuid();

    for (size_t i = 0; i < ARRAY_LENGTH(modes); i++) {
        snprintf(command, sizeof(command), modes[i], folder, folder);
        assert_int_equal(system(command), 0);
        assert_int_equal(user == 0 ? seteuid(NOBODY) : 0, 0);
        check(i == 0 ? closed : half_closed,
              i == 0 ? ARRAY_LENGTH(closed) : ARRAY_LENGTH(half_closed));
        assert_int_equal(seteuid(user), 0);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finds_what_matches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(takes_nothing_for_empty_that_is_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tells_what_it_may_not_look_into, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
