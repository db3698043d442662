/* system/say: a line reaches a reader who takes a moment, and nobody waits for one who does not
 * read.
 */
#include "system/say.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static int pipe_fds[2];
static int stderr_fd;
static int waited_ms;
static bool is_reader_slow;

int __real_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);

/* Does not wait. A slow reader reads when somebody would. */
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    char bytes[4096];
    int ready = __real_poll(fds, count, 0);

    if (ready > 0 || timeout_ms == 0)
        return ready;
    waited_ms += timeout_ms;
    while (is_reader_slow && read(pipe_fds[0], bytes, sizeof(bytes)) > 0)
        ;
    return __real_poll(fds, count, 0);
}

static int set_up(void **state)
{
    const char byte = '.';

    (void)state;
    waited_ms = 0;
    stderr_fd = dup(STDERR_FILENO);
    if (stderr_fd < 0 || pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC) < 0)
        return -1;
    while (write(pipe_fds[1], &byte, 1) == 1)
        ; /* until it is full */
    return dup2(pipe_fds[1], STDERR_FILENO) < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    dup2(stderr_fd, STDERR_FILENO);
    close(stderr_fd);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    return 0;
}

static void test_a_slow_reader_has_the_line(void **state)
{
    static const char line[] = "adit: hello\n";
    char bytes[64];

    (void)state;
    is_reader_slow = true;
    say("%s", "hello");
    assert_int_equal(read(pipe_fds[0], bytes, sizeof(bytes)), (ssize_t)strlen(line));
    assert_memory_equal(bytes, line, strlen(line));
    assert_in_range(waited_ms, 1, 1000);
}

static void test_names_of_files_move_no_cursor(void **state)
{
    static const char line[] = "adit: can't read caf\\xe9\\u001b[2J\\u202e\n";
    char bytes[64];

    (void)state;
    is_reader_slow = true;
    say("can't read %s", "caf\xe9\x1b[2J\u202e");
    assert_int_equal(read(pipe_fds[0], bytes, sizeof(bytes)), (ssize_t)strlen(line));
    assert_memory_equal(bytes, line, strlen(line));
}

static void test_many_lines_wait_once(void **state)
{
    (void)state;
    is_reader_slow = false;
    say_lines("a\n");
    int once_ms = waited_ms;
    waited_ms = 0;
    say_lines("a\nb\nc\nd\ne\nf\ng\nh\n");
    assert_int_equal(waited_ms, once_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_slow_reader_has_the_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names_of_files_move_no_cursor, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_lines_wait_once, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
