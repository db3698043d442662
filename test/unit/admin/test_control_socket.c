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

static void expect_places(const char *first, size_t count)
{
    struct control_places places;
    char own[64];

    snprintf(own, sizeof(own), "/run/user/%u/adit.sock", (unsigned)geteuid());
    control_places_init(&places, NULL);
    assert_int_equal(places.count, count);
    assert_string_equal(places.paths[0], first);
    assert_string_equal(places.paths[count - 2], "/run/adit/adit.sock");
    assert_string_equal(places.paths[count - 1], own);
}

static void test_default_places(void **state)
{
    setenv("XDG_RUNTIME_DIR", "/run/somebody", 1);
    expect_places("/run/somebody/adit.sock", 3);
    setenv("XDG_RUNTIME_DIR", "relative", 1);
    expect_places("/run/adit/adit.sock", 2);
    setenv("XDG_RUNTIME_DIR", "/run/adit", 1);
    expect_places("/run/adit/adit.sock", 2);
    unsetenv("XDG_RUNTIME_DIR");
    expect_places("/run/adit/adit.sock", 2);
}

static void test_a_named_place_is_the_only_one(void **state)
{
    struct control_places places;
    char line[CONTROL_WHY_NOT_SIZE];
    const char *found = NULL;
    struct text why_not;

    control_places_init(&places, "/nowhere/sock");
    assert_int_equal(places.count, 1);
    text_init(&why_not, line, sizeof(line));
    assert_int_equal(control_places_connect(&places, &found, &why_not), -ENOENT);
    assert_non_null(strstr(line, "nobody answers at /nowhere/sock: No such file"));
    assert_non_null(strstr(line, "if 'control' was just changed"));
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
        cmocka_unit_test(test_default_places),
        cmocka_unit_test(test_a_named_place_is_the_only_one),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
