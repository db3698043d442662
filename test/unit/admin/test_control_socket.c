/* The control socket file: private, replaced when stale, left alone when alive or not ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/control_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/adit-unit-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/sock", folder);
    return 0;
}

static int remove_folder(void **state)
{
    return rmdir(folder);
}

static void test_it_is_private(void **state)
{
    struct control_socket control;
    struct stat about;

    mode_t old = umask(0);
    assert_int_equal(control_socket_open(path, &control), 0);
    assert_int_equal(umask(old), 0);
    assert_int_equal(lstat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    int fd = control_socket_connect(path);
    assert_true(fd >= 0);
    close(fd);
    control_socket_close(&control);
    assert_int_equal(control.fd, -1);
    assert_int_equal(access(path, F_OK), -1);
    control_socket_close(&control);
}

static void test_a_living_one_is_left_alone(void **state)
{
    struct control_socket control;
    struct control_socket other = {.fd = -1};

    assert_int_equal(control_socket_open(path, &control), 0);
    assert_int_equal(control_socket_open(path, &other), -EADDRINUSE);
    assert_int_equal(other.fd, -1);
    int fd = control_socket_connect(path);
    assert_true(fd >= 0);
    close(fd);
    control_socket_close(&control);
}

static void test_a_stale_one_is_replaced(void **state)
{
    struct control_socket dead;
    struct control_socket control;

    assert_int_equal(control_socket_open(path, &dead), 0);
    close(dead.fd);
    assert_int_equal(control_socket_connect(path), -ECONNREFUSED);
    assert_int_equal(control_socket_open(path, &control), 0);
    int fd = control_socket_connect(path);
    assert_true(fd >= 0);
    close(fd);
    control_socket_close(&control);
}

/* Two that started at once: the earlier one lost its file, and leaves the later one's alone. */
static void test_the_file_of_another_is_left_alone(void **state)
{
    struct control_socket earlier;
    struct control_socket later;

    assert_int_equal(control_socket_open(path, &earlier), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(control_socket_open(path, &later), 0);
    control_socket_close(&earlier);
    int fd = control_socket_connect(path);
    assert_true(fd >= 0);
    close(fd);
    control_socket_close(&later);
}

static void test_another_kind_of_file_is_left_alone(void **state)
{
    struct control_socket control = {.fd = -1};
    int fd = open(path, O_CREAT | O_WRONLY, 0600);

    close(fd);
    assert_int_equal(control_socket_open(path, &control), -EEXIST);
    assert_int_equal(unlink(path), 0);
}

static void test_long_paths(void **state)
{
    struct control_socket control = {.fd = -1};
    char name[CONTROL_PATH_SIZE + 1];

    memset(name, 'x', sizeof(name));
    name[CONTROL_PATH_SIZE] = '\0';
    assert_int_equal(control_socket_open(name, &control), -ENAMETOOLONG);
    assert_int_equal(control_socket_connect(name), -ENAMETOOLONG);
}

static void test_default_path(void **state)
{
    char buffer[64];
    struct text out;

    setenv("XDG_RUNTIME_DIR", "/run/user/1", 1);
    text_init(&out, buffer, sizeof(buffer));
    control_path_default(&out);
    assert_string_equal(buffer, "/run/user/1/adit.sock");
    setenv("XDG_RUNTIME_DIR", "relative", 1);
    text_init(&out, buffer, sizeof(buffer));
    control_path_default(&out);
    assert_string_equal(buffer, "/run/adit/adit.sock");
    unsetenv("XDG_RUNTIME_DIR");
    text_init(&out, buffer, sizeof(buffer));
    control_path_default(&out);
    assert_string_equal(buffer, "/run/adit/adit.sock");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_private),
        cmocka_unit_test(test_a_living_one_is_left_alone),
        cmocka_unit_test(test_a_stale_one_is_replaced),
        cmocka_unit_test(test_the_file_of_another_is_left_alone),
        cmocka_unit_test(test_another_kind_of_file_is_left_alone),
        cmocka_unit_test(test_long_paths),
        cmocka_unit_test(test_default_path),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
