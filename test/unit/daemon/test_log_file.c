/* daemon/log_file: what is said of a log that can't be opened. */
#include "daemon/log_file.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

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
        {"/none/log", -ENOENT, "/none/log: No such file or directory; make its folder"},
        {"/root/log", -EACCES, "give the file and its folder to the user that adit runs as"},
        {"/run/socket", -ENXIO, "it is a socket"},
        {"/tmp", -EISDIR, "name a file in it"},
        {"/log", -EROFS, "Read-only file system; name another file"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char buffer[512];
        struct text text;

        text_init(&text, buffer, sizeof(buffer));
        log_file_explain(&text, rows[i].path, rows[i].error);
        if (strstr(buffer, rows[i].words) == NULL)
            fail_msg("%s", buffer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_says_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
