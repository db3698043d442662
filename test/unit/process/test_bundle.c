/* What was read from files comes out of the bundle as it went in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "process/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/adit-unit-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *bytes, size_t length)
{
    FILE *file = fopen(path_of(name), "w");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    char command[160];

    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command);
}

struct found {
    char names[256];
};

static void add_found(void *self, const char *path)
{
    struct found *found = self;

    strcat(found->names, strrchr(path, '/') + 1);
    strcat(found->names, " ");
}

static void expect_file(struct config_reader *reader, const char *name, const char *bytes,
                        size_t length)
{
    const char *read;
    size_t read_length;

    assert_int_equal(reader->read(reader, path_of(name), 1000000, &read, &read_length), 0);
    assert_int_equal(read_length, length);
    assert_memory_equal(read, bytes, length);
}

static void expect_variables(struct config_reader *reader)
{
    const char *value;

    assert_int_equal(reader->environment(reader, "ADIT_TEST_SET", &value), 0);
    assert_string_equal(value, "a b");
    assert_int_equal(reader->environment(reader, "ADIT_TEST_EMPTY", &value), 0);
    assert_string_equal(value, "");
    assert_int_equal(reader->environment(reader, "ADIT_TEST_UNSET", &value), -ENOENT);
}

static void test_files_and_globs_come_out_as_they_went_in(void **state)
{
    static char large[300001];
    struct bundle_recorder recorder;
    struct bundle bundle;
    struct found first = {""};
    struct found second = {""};
    const char *bytes;
    size_t length;

    memset(large, 'x', sizeof(large));
    write_file("a.conf", "one", 3);
    write_file("b.conf", "", 0);
    write_file("large", large, sizeof(large));
    bundle_recorder_init(&recorder, BUNDLE_RELOAD_PATIENCE_MS);
    expect_file(&recorder.reader, "a.conf", "one", 3);
    expect_file(&recorder.reader, "b.conf", "", 0);
    expect_file(&recorder.reader, "large", large, sizeof(large));
    assert_int_equal(recorder.reader.glob(&recorder.reader, path_of("*.conf"), add_found, &first),
                     0);
    assert_int_equal(recorder.reader.glob(&recorder.reader, path_of("*.none"), add_found, &first),
                     0);
    setenv("ADIT_TEST_SET", "a b", 1);
    setenv("ADIT_TEST_EMPTY", "", 1);
    unsetenv("ADIT_TEST_UNSET");
    for (int i = 0; i < 3; i++)
        expect_variables(&recorder.reader);
    int fd = bundle_create(&recorder, "extra", 5);
    assert_true(fd >= 0);
    bundle_recorder_finish(&recorder);
    setenv("ADIT_TEST_SET", "changed", 1);
    setenv("ADIT_TEST_UNSET", "set", 1);

    write_file("a.conf", "changed", 7);
    assert_int_equal(bundle_open(fd, &bundle), 0);
    close(fd);
    expect_file(&bundle.reader, "a.conf", "one", 3);
    expect_file(&bundle.reader, "b.conf", "", 0);
    expect_file(&bundle.reader, "large", large, sizeof(large));
    assert_int_equal(bundle.reader.glob(&bundle.reader, path_of("*.conf"), add_found, &second), 0);
    expect_variables(&bundle.reader);
    assert_string_equal(first.names, second.names);
    assert_int_equal(strlen(second.names), strlen("a.conf b.conf "));
    assert_int_equal(bundle.reader.glob(&bundle.reader, path_of("*.none"), add_found, &second), 0);
    assert_memory_equal(bundle_extra(&bundle, &length), "extra", 5);
    assert_int_equal(length, 5);
    assert_int_equal(bundle.reader.read(&bundle.reader, path_of("c"), 9, &bytes, &length), -ENOENT);
    assert_int_equal(bundle.reader.read(&bundle.reader, path_of("large"), 9, &bytes, &length),
                     -EFBIG);
    bundle_close(&bundle);
}

static int poll_timeout_ms;

/* Time passes at once. */
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    poll_timeout_ms = timeout_ms;
    assert_int_equal(count, 1);
    assert_int_equal(fds[0].events, POLLIN);
    return 0;
}

static void test_what_can_not_be_read(void **state)
{
    struct bundle_recorder recorder;
    const char *bytes;
    size_t length;

    write_file("ten", "0123456789", 10);
    assert_int_equal(mkdir(path_of("folder"), 0700), 0);
    assert_int_equal(mkfifo(path_of("pipe"), 0600), 0);
    bundle_recorder_init(&recorder, BUNDLE_RELOAD_PATIENCE_MS);
    struct config_reader *reader = &recorder.reader;
    assert_int_equal(reader->read(reader, path_of("none"), 10, &bytes, &length), -ENOENT);
    assert_int_equal(reader->read(reader, path_of("folder"), 10, &bytes, &length), -EISDIR);
    assert_int_equal(reader->read(reader, path_of("ten"), 9, &bytes, &length), -EFBIG);
    assert_int_equal(reader->read(reader, path_of("ten"), 10, &bytes, &length), 0);
    assert_int_equal(reader->read(reader, "/dev/zero", 100000, &bytes, &length), -EFBIG);
    /* A named pipe that nobody writes to does not hang. */
    assert_int_equal(reader->read(reader, path_of("pipe"), 10, &bytes, &length), -ENODATA);
    int writer = open(path_of("pipe"), O_RDWR | O_CLOEXEC);
    assert_true(writer >= 0);
    /* Nor does one whose writer is at it for too long. */
    assert_int_equal(reader->read(reader, path_of("pipe"), 10, &bytes, &length), -ETIMEDOUT);
    assert_int_equal(poll_timeout_ms, 1000);
    /* Who has waited in vain waits no second time, be it for another file. */
    assert_int_equal(reader->read(reader, path_of("pipe"), 10, &bytes, &length), -ETIMEDOUT);
    assert_int_equal(poll_timeout_ms, 0);
    close(writer);
    /* What is no pipe may be empty. */
    assert_int_equal(reader->read(reader, "/dev/null", 10, &bytes, &length), 0);
    assert_int_equal(length, 0);
    bundle_recorder_finish(&recorder);
}

static void test_a_bundle_can_not_be_changed(void **state)
{
    struct bundle_recorder recorder;

    bundle_recorder_init(&recorder, BUNDLE_RELOAD_PATIENCE_MS);
    int fd = bundle_create(&recorder, "", 0);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
    bundle_recorder_finish(&recorder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_files_and_globs_come_out_as_they_went_in, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_can_not_be_read, set_up, tear_down),
        cmocka_unit_test(test_a_bundle_can_not_be_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
