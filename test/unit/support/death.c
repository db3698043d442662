/* The child's standard error is a pipe, which is read to its end. */
#include "support/death.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void death_run(int writer, void (*body)(void *self), void *self)
{
    dup2(writer, STDERR_FILENO);
    prctl(PR_SET_DUMPABLE, 0); /* no core file */
    signal(SIGABRT, SIG_DFL);  /* cmocka's fails the test */
    body(self);
    _exit(0);
}

void death_of(void (*body)(void *self), void *self, char words[DEATH_WORDS_SIZE])
{
    size_t length = 0;
    ssize_t count;
    int status;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        death_run(ends[1], body, self);
    close(ends[1]);
    while (length < DEATH_WORDS_SIZE - 1 &&
           (count = read(ends[0], words + length, DEATH_WORDS_SIZE - 1 - length)) > 0)
        length += (size_t)count;
    words[length] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}
