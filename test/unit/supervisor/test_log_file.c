/* supervisor/log_file: what is said of a log that can't be opened. */
#include "supervisor/log_file.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void expect_words(const char *path, int error, const char *words)
{
    char buffer[512];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    log_file_explain(&text, path, error);
    if (strstr(buffer, words) == NULL)
        fail_msg("no %s in %s", words, buffer);
}

static void test_says_what_to_do(void **state)
{
    static const struct {
        const char *path;
        int error;
        const char *words;
    } rows[] = {
        {"/dev/stdout", -EACCES, "/dev/stdout: it belongs to another user"},
        {"/dev/stdout", -EACCES, "write `log stdout`"},
        {"/dev/fd/1", -ENXIO, "write `log stdout`"},
        {"/dev/stderr", -ENXIO, "it is a socket"},
        {"/proc/self/fd/2", -ENXIO, "write `log stderr`"},
        {"/proc/thread-self/fd/1", -EACCES, "write `log stdout`"},
        {"/proc/1/fd/2", -EACCES, "write `log stderr`"},
        {"//dev/./stdout", -EACCES, "write `log stdout`"},
        {"/dev//fd/././2", -EACCES, "write `log stderr`"},
        {"/dev/stdout2", -EACCES, "give the file and its folder"},
        {"/proc/1/fd/3", -EACCES, "give the file and its folder"},
        {"/none/log", -ENOENT, "/none/log: No such file or directory; make its folder"},
        {"/root/log", -EACCES, "give the file and its folder to the user that adit runs as"},
        {"/run/socket", -ENXIO, "it is a socket"},
        {"/tmp", -EISDIR, "name a file in it"},
        {"/log", -EROFS, "Read-only file system; name another file"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        expect_words(rows[i].path, rows[i].error, rows[i].words);
}

/* As images of containers have it. */
static void test_follows_links(void **state)
{
    static const struct {
        const char *target;
        const char *words;
    } rows[] = {
        {"/dev/stdout", "write `log stdout`"},
        {"/proc/1/fd/2", "write `log stderr`"},
        {"one/../two", "give the file and"},
        {"log", "give the file and"}, /* to itself */
    };
    char folder[] = "/tmp/adit-log-XXXXXX";
    char log[64];
    char more[64];

    assert_non_null(mkdtemp(folder));
    snprintf(log, sizeof(log), "%s/log", folder);
    snprintf(more, sizeof(more), "%s/more", folder);
    assert_int_equal(symlink("log", more), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        assert_int_equal(symlink(rows[i].target, log), 0);
        expect_words(log, -EACCES, rows[i].words);
        expect_words(more, -EACCES, rows[i].words);
        assert_int_equal(unlink(log), 0);
    }
    assert_int_equal(unlink(more), 0);
    assert_int_equal(rmdir(folder), 0);
}

/* By whatever name: the file is the same. */
static void test_knows_the_file_behind_a_name(void **state)
{
    char folder[] = "/tmp/adit-log-XXXXXX";
    char pipe[64];
    int before = dup(STDERR_FILENO);

    assert_non_null(mkdtemp(folder));
    snprintf(pipe, sizeof(pipe), "%s/pipe", folder);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    expect_words(pipe, -EACCES, "give the file and its folder");
    int fd = open(pipe, O_RDWR);
    assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
    expect_words(pipe, -EACCES, "write `log stderr`");
    assert_int_equal(dup2(before, STDERR_FILENO), STDERR_FILENO);
    close(fd);
    close(before);
    assert_int_equal(unlink(pipe), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_says_what_to_do),
        cmocka_unit_test(test_follows_links),
        cmocka_unit_test(test_knows_the_file_behind_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
