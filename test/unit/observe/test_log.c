/* The log's rings and writer: order, drops, sinks that hang, fail and heal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "observe/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { RING_SIZE = 65536, READ_SIZE = 1 << 24, PATIENCE_MS = 10000 };

/* A reader of the log's pipe: all that came, as one string. */
struct reader {
    int fd;
    char *bytes;
    size_t length;
};

static void reader_init(struct reader *reader, int fd)
{
    reader->fd = fd;
    reader->bytes = malloc(READ_SIZE);
    reader->length = 0;
    assert_non_null(reader->bytes);
    reader->bytes[0] = '\0';
}

static void reader_finish(struct reader *reader)
{
    close(reader->fd);
    free(reader->bytes);
}

/* Reads once; false at the end or after PATIENCE_MS of nothing. */
static bool reader_read(struct reader *reader)
{
    struct pollfd input = {.fd = reader->fd, .events = POLLIN};
    if (poll(&input, 1, PATIENCE_MS) <= 0)
        return false;
    ssize_t count =
        read(reader->fd, reader->bytes + reader->length, READ_SIZE - 1 - reader->length);
    if (count <= 0)
        return false;
    reader->length += (size_t)count;
    reader->bytes[reader->length] = '\0';
    return true;
}

static void reader_wait_for(struct reader *reader, const char *string)
{
    while (strstr(reader->bytes, string) == NULL)
        assert_true(reader_read(reader));
}

static struct log *start_log(int fd, size_t rings, size_t ring_size)
{
    struct log *log;
    assert_int_equal(log_create(fd, rings, ring_size, &log), 0);
    assert_int_equal(log_start(log), 0);
    return log;
}

static void write_text(struct log *log, size_t ring, const char *line)
{
    log_write(log_ring_at(log, ring), line, strlen(line));
}

static void test_first_line_arrives_unasked(void **state)
{
    int ends[2];
    struct reader reader;
    assert_int_equal(pipe(ends), 0);
    reader_init(&reader, ends[0]);
    struct log *log = start_log(ends[1], 1, RING_SIZE);
    for (int i = 0; i < 3; i++) {
        char line[32];
        snprintf(line, sizeof line, "line %d", i);
        write_text(log, 0, line);
        reader_wait_for(&reader, line); /* nothing else makes the writer write */
        usleep(20000);                  /* it sleeps again */
    }
    assert_string_equal(reader.bytes, "line 0\nline 1\nline 2\n");
    log_finish(log, 1000);
    log_destroy(log);
    close(ends[1]);
    reader_finish(&reader);
}

/* ---- thousands of lines of several threads ---- */

enum { PRODUCERS = 4, LINES_EACH = 20000 };

struct producer {
    struct log *log;
    size_t ring;
};

static void *produce(void *self)
{
    struct producer *producer = self;
    for (int i = 0; i < LINES_EACH; i++) {
        char line[128];
        /* Lengths differ, so that lines fall across the ring's end at every offset. */
        int length = snprintf(line, sizeof line, "%zu %d %.*s", producer->ring, i, i % 61,
                              "0123456789012345678901234567890123456789012345678901234567890");
        log_write(log_ring_at(producer->log, producer->ring), line, (size_t)length);
        if (i % 100 == 0)
            usleep(100);
    }
    return NULL;
}

/* Every line is whole, and of each ring the numbers rise; what is missing was counted. */
static void check_produced(const struct reader *reader, uint64_t dropped)
{
    int next[PRODUCERS] = {0};
    uint64_t missing = 0, reported = 0;
    for (char *line = reader->bytes; *line != '\0';) {
        char *end = strchr(line, '\n');
        assert_non_null(end);
        *end = '\0';
        size_t ring;
        int number, offset = 0;
        char *report = strstr(line, "dropped=");
        if (report != NULL) {
            reported += strtoull(report + 8, NULL, 10);
        } else {
            assert_int_equal(sscanf(line, "%zu %d %n", &ring, &number, &offset), 2);
            assert_in_range(ring, 0, PRODUCERS - 1);
            assert_int_equal(strlen(line + offset), number % 61);
            assert_true(number >= next[ring]);
            missing += (uint64_t)(number - next[ring]);
            next[ring] = number + 1;
        }
        line = end + 1;
    }
    for (int i = 0; i < PRODUCERS; i++)
        missing += (uint64_t)(LINES_EACH - next[i]);
    assert_int_equal(missing, dropped);
    assert_int_equal(reported, dropped);
}

static void *read_to_the_end(void *self)
{
    while (reader_read(self)) {
    }
    return NULL;
}

static uint64_t run_producers(size_t ring_size)
{
    int ends[2];
    struct reader reader;
    struct producer producers[PRODUCERS];
    pthread_t threads[PRODUCERS], reader_thread;
    assert_int_equal(pipe(ends), 0);
    reader_init(&reader, ends[0]);
    struct log *log = start_log(ends[1], PRODUCERS, ring_size);
    assert_int_equal(pthread_create(&reader_thread, NULL, read_to_the_end, &reader), 0);
    for (size_t i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){.log = log, .ring = i};
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
    }
    for (size_t i = 0; i < PRODUCERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    log_finish(log, PATIENCE_MS);
    close(ends[1]);
    assert_int_equal(pthread_join(reader_thread, NULL), 0);
    uint64_t dropped = log_dropped(log);
    check_produced(&reader, dropped);
    log_destroy(log);
    reader_finish(&reader);
    return dropped;
}

static void test_lines_of_threads_are_whole_and_in_order(void **state)
{
    assert_int_equal(run_producers(1 << 21), 0); /* all lines of a thread fit */
}

static void test_small_rings_lose_only_what_they_count(void **state)
{
    (void)run_producers(4096);
}

/* ---- sinks that hang ---- */

static void fill_pipe(int fd)
{
    char filling[4096];
    memset(filling, '-', sizeof filling);
    int flags = fcntl(fd, F_GETFL);
    assert_int_equal(fcntl(fd, F_SETFL, flags | O_NONBLOCK), 0);
    while (write(fd, filling, sizeof filling) > 0) {
    }
    assert_int_equal(fcntl(fd, F_SETFL, flags), 0);
}

/* Writes lines until `lines` have been dropped. */
static void overflow(struct log *log, uint64_t lines)
{
    char line[1000];
    memset(line, 'x', sizeof line);
    uint64_t before = log_dropped(log);
    for (int i = 0; i < 10000 && log_dropped(log) < before + lines; i++)
        log_write(log_ring_at(log, 0), line, sizeof line);
    assert_int_equal(log_dropped(log), before + lines);
}

/* `is_nonblocking`: somebody else made the shared descriptor so; EAGAIN must not lose anything. */
static void check_hanging_pipe(bool is_nonblocking)
{
    int ends[2];
    struct reader reader;
    assert_int_equal(pipe(ends), 0);
    reader_init(&reader, ends[0]);
    fill_pipe(ends[1]);
    if (is_nonblocking)
        assert_int_equal(fcntl(ends[1], F_SETFL, O_WRONLY | O_NONBLOCK), 0);
    int flags = fcntl(ends[1], F_GETFL);
    struct log *log = start_log(ends[1], 1, 1 << 18);
    write_text(log, 0, "before");
    overflow(log, 7); /* returns: the producer never hangs */
    assert_int_equal(fcntl(ends[1], F_GETFL), flags);
    reader_wait_for(&reader, "dropped=7\n");
    assert_non_null(strstr(reader.bytes, "-before\nxxx"));
    write_text(log, 0, "after");
    reader_wait_for(&reader, "\nafter\n");
    log_finish(log, 1000);
    assert_int_equal(log_dropped(log), 7);
    log_destroy(log);
    close(ends[1]);
    reader_finish(&reader);
}

static void test_hanging_pipe_drops_counts_and_resumes(void **state)
{
    check_hanging_pipe(false);
}

static void test_hanging_nonblocking_pipe_is_no_different(void **state)
{
    check_hanging_pipe(true);
}

static void test_finish_gives_up_on_a_sink_that_hangs(void **state)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fill_pipe(ends[1]);
    struct log *log = start_log(ends[1], 1, RING_SIZE);
    write_text(log, 0, "one");
    write_text(log, 0, "two");
    log_finish(log, 50);
    assert_int_equal(log_dropped(log), 2);
    log_destroy(log);
    close(ends[0]);
    close(ends[1]);
}

/* ---- sinks that fail ---- */

static void test_full_disk_heals(void **state)
{
    char bytes[8192] = "";
    int fd = memfd_create("log", MFD_ALLOW_SEALING);
    int full = open("/dev/full", O_WRONLY);
    int sink = dup(full);
    assert_true(fd >= 0 && full >= 0 && sink >= 0);
    struct log *log = start_log(sink, 1, 4096);
    write_text(log, 0, "kept"); /* ENOSPC: stays where it is */
    overflow(log, 3);
    assert_int_equal(dup2(fd, sink), sink); /* room again */
    for (int i = 0; i < 1000 && strstr(bytes, "dropped=3\n") == NULL; i++) {
        usleep(10000);
        assert_true(pread(fd, bytes, sizeof bytes - 1, 0) >= 0);
    }
    assert_int_equal(strncmp(bytes, "kept\nxxx", 8), 0);
    assert_non_null(strstr(bytes, "dropped=3\n"));
    log_finish(log, 1000);
    log_destroy(log);
    close(sink);
    close(full);
    close(fd);
}

/* Waits until what the log began with ends in a line that has this; once. */
static void wait_for_warning(int fd, const char *expected)
{
    char bytes[16384] = "";
    const char *found = NULL;

    for (int i = 0; i < PATIENCE_MS / 10 && found == NULL; i++) {
        usleep(10000);
        assert_true(pread(fd, bytes, sizeof bytes - 1, 0) >= 0);
        found = strstr(bytes, expected);
    }
    if (found == NULL)
        fail_msg("no %s in %s", expected, bytes);
    assert_null(strstr(found + 1, expected));
    assert_ptr_equal(strchr(found, '\n'), bytes + strlen(bytes) - 1);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
}

/* The sink can't say it. */
static void test_stderr_tells_of_a_sink_that_fails(void **state)
{
    int fd = memfd_create("stderr", 0);
    struct log *log = start_log(fd, 1, 4096);

    log_set_sink(log, open("/dev/full", O_WRONLY), "/var/log/full.log");
    write_text(log, 0, "kept");
    wait_for_warning(fd, " level=warning message=\"can't write the log /var/log/full.log: "
                         "No space left on device; lines wait for it, and are lost when they are "
                         "too many\"\n");
    overflow(log, 3);
    log_finish(log, 1000);
    wait_for_warning(fd, "lines that waited for it are lost\" dropped=");
    assert_true(log_dropped(log) > 3);
    log_destroy(log);
    close(fd);
}

static void test_stderr_tells_of_a_sink_that_hangs(void **state)
{
    int fd = memfd_create("stderr", 0);
    struct log *log = start_log(fd, 1, RING_SIZE);
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    fill_pipe(ends[1]);
    log_set_sink(log, ends[1], "/run/log.pipe");
    write_text(log, 0, "one");
    wait_for_warning(fd, "/run/log.pipe: nobody reads it; lines wait");
    write_text(log, 0, "two");
    log_finish(log, 50);
    wait_for_warning(fd, "/run/log.pipe: nobody reads it; lines that waited for it are lost\" "
                         "dropped=2\n");
    log_destroy(log);
    close(ends[0]);
    close(fd);
}

static void test_no_reader_is_survived(void **state)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct log *log = start_log(ends[1], 1, 4096);
    close(ends[0]);
    write_text(log, 0, "EPIPE");
    usleep(20000);
    overflow(log, 2);
    log_finish(log, PATIENCE_MS); /* does not wait: the sink said no */
    assert_true(log_dropped(log) >= 5);
    log_destroy(log);
    close(ends[1]);
}

/* ---- lines ---- */

static void assert_file(int fd, const char *expected)
{
    char bytes[16384];
    ssize_t length = pread(fd, bytes, sizeof bytes - 1, 0);
    assert_true(length >= 0);
    bytes[length] = '\0';
    assert_string_equal(bytes, expected);
}

static void test_long_lines_are_cut(void **state)
{
    char line[LOG_LINE_MAX + 100], expected[LOG_LINE_MAX + 8];
    struct log *log;
    int fd = memfd_create("log", 0);
    memset(line, 'x', sizeof line);
    memset(expected, 'x', sizeof expected);
    memcpy(expected + LOG_LINE_MAX - 1, "\nnext\n", 7);
    assert_int_equal(log_create(fd, 1, 8192, &log), 0);
    log_write(log_ring_at(log, 0), line, sizeof line);
    write_text(log, 0, "next");
    log_finish(log, 1000); /* a log that was not started is written by the caller */
    assert_int_equal(log_dropped(log), 0);
    log_destroy(log);
    assert_file(fd, expected);
    close(fd);
}

/* The log's clock, moved on by a test. */
static int64_t clock_skew_s;

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = __real_clock_gettime(clock, now);
    now->tv_sec += clock_skew_s;
    return result;
}

static size_t read_messages(int fd, char *bytes, size_t size)
{
    ssize_t length = pread(fd, bytes, size - 1, 0);
    assert_true(length >= 0);
    bytes[length] = '\0';
    size_t lines = 0;
    for (ssize_t i = 0; i < length; i++)
        lines += bytes[i] == '\n';
    return lines;
}

static void test_notices_of_a_topic_are_limited(void **state)
{
    char bytes[16384];
    struct log *log;
    int fd = memfd_create("log", 0);
    assert_int_equal(log_create(fd, 2, RING_SIZE, &log), 0);
    for (int i = 0; i < 50; i++)
        log_notice(log_ring_at(log, (size_t)i % 2), LOG_TOPIC_PIPES, "no pipe: %d", i);
    log_notice(log_ring_at(log, 0), LOG_TOPIC_DNS, "another \"topic\"\n");
    log_notice(log_ring_at(log, 0), LOG_TOPIC_GENERAL, "general");
    log_notice(log_ring_at(log, 0), LOG_TOPIC_GENERAL, "general");
    clock_skew_s = 4;
    log_notice(log_ring_at(log, 0), LOG_TOPIC_PIPES, "too early");
    clock_skew_s = 6;
    log_notice(log_ring_at(log, 0), LOG_TOPIC_PIPES, "late");
    clock_skew_s = 0;
    log_finish(log, 1000);
    assert_int_equal(read_messages(fd, bytes, sizeof bytes), 5);
    assert_non_null(strstr(bytes, " message=late held_back=50\n"));
    assert_int_equal(strncmp(bytes, "time=2", 6), 0);
    assert_non_null(strstr(bytes, "Z level=notice message=\"no pipe: 0\"\n"));
    assert_non_null(strstr(bytes, " message=\"another \\\"topic\\\"\\n\"\n"));
    assert_non_null(strstr(bytes, " message=general\n"));
    log_destroy(log);
    close(fd);
}

/* squid's format knows requests only: all else goes where the log began, as logfmt. */
static void test_notices_beside_squids_lines(void **state)
{
    const struct log_style style = {.format = LOG_FORMAT_SQUID, .events = ~0U};
    char bytes[16384];
    struct log *log;
    int first = memfd_create("stderr", 0);
    int second = memfd_create("log", 0);

    assert_int_equal(log_create(first, 1, 4096, &log), 0);
    log_set_style(log, &style);
    log_set_sink(log, dup(second), "access.log");
    log_notice(log_ring_at(log, 0), LOG_TOPIC_GENERAL, "a notice");
    overflow(log, 3);
    log_finish(log, 1000);
    assert_int_equal(read_messages(first, bytes, sizeof bytes), 2);
    assert_non_null(strstr(bytes, " level=notice message=\"a notice\"\n"));
    assert_non_null(strstr(bytes, " dropped=3\n"));
    assert_true(read_messages(second, bytes, sizeof bytes) > 0);
    assert_null(strstr(bytes, "level="));
    log_destroy(log);
    close(first);
    close(second);
}

/* A disk that fills up in the middle of a line, and a new file: there the line is whole. `kept`
 * bytes stay in the old one. */
static void check_torn_line(int file, off_t kept)
{
    const struct rlimit tight = {.rlim_cur = 10, .rlim_max = RLIM_INFINITY};
    struct rlimit before;
    struct reader reader;
    struct stat status = {0};
    struct log *log;
    int ends[2];

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(log_create(file, 1, RING_SIZE, &log), 0);
    write_text(log, 0, "first");
    write_text(log, 0, "the second line");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    assert_int_equal(log_start(log), 0);
    for (int i = 0; i < 1000 && status.st_size != kept; i++) {
        usleep(10000);
        assert_int_equal(fstat(file, &status), 0);
    }
    assert_int_equal(status.st_size, kept);
    reader_init(&reader, ends[0]);
    log_set_sink(log, ends[1], "pipe");
    reader_wait_for(&reader, "line\n");
    assert_string_equal(reader.bytes, "the second line\n");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    log_finish(log, 1000);
    log_destroy(log);
    reader_finish(&reader);
    close(file);
}

static void test_a_torn_line_is_taken_back(void **state)
{
    check_torn_line(memfd_create("log", 0), 6);
}

/* The sink can't shrink. */
static void test_a_torn_line_is_written_anew(void **state)
{
    int file = memfd_create("log", MFD_ALLOW_SEALING);

    assert_int_equal(fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    check_torn_line(file, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_line_arrives_unasked),
        cmocka_unit_test(test_lines_of_threads_are_whole_and_in_order),
        cmocka_unit_test(test_small_rings_lose_only_what_they_count),
        cmocka_unit_test(test_hanging_pipe_drops_counts_and_resumes),
        cmocka_unit_test(test_hanging_nonblocking_pipe_is_no_different),
        cmocka_unit_test(test_finish_gives_up_on_a_sink_that_hangs),
        cmocka_unit_test(test_full_disk_heals),
        cmocka_unit_test(test_stderr_tells_of_a_sink_that_fails),
        cmocka_unit_test(test_stderr_tells_of_a_sink_that_hangs),
        cmocka_unit_test(test_no_reader_is_survived),
        cmocka_unit_test(test_long_lines_are_cut),
        cmocka_unit_test(test_notices_of_a_topic_are_limited),
        cmocka_unit_test(test_notices_beside_squids_lines),
        cmocka_unit_test(test_a_torn_line_is_taken_back),
        cmocka_unit_test(test_a_torn_line_is_written_anew),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
