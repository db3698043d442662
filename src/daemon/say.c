/* Lines of the supervisor, and of a worker that can't start: they have no log thread to hang for
 * them.
 *
 * stderr may be a pipe that nobody reads, and a supervisor that hangs in write() can't drain. So it
 * looks first: a pipe that polls writable has room for PIPE_BUF bytes, more than a line. A line
 * that finds no room is lost. stderr is never made non-blocking: others share it.
 */
#include "daemon/say.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4000 }; /* 64 listeners in a start line; below PIPE_BUF, 4096 */

static void write_line(char *line, size_t length)
{
    struct pollfd stderr_ready = {.fd = STDERR_FILENO, .events = POLLOUT};

    line[length++] = '\n';
    if (poll(&stderr_ready, 1, 0) != 1 || !(stderr_ready.revents & POLLOUT))
        return;
    /* A line that can't be written has nobody to be told to. */
    ssize_t ignored = write(STDERR_FILENO, line, length);
    (void)ignored;
}

static void say_with_prefix(const char *prefix, const char *format, va_list arguments)
{
    char line[LINE_MAX_BYTES + 1];
    size_t length = strlen(prefix);

    memcpy(line, prefix, length);
    int added = vsnprintf(line + length, LINE_MAX_BYTES - length, format, arguments);
    if (added < 0)
        return;
    length += (size_t)added;
    write_line(line, length < LINE_MAX_BYTES ? length : LINE_MAX_BYTES - 1);
}

void say(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say_with_prefix("adit: ", format, arguments);
    va_end(arguments);
}

void say_plainly(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say_with_prefix("", format, arguments);
    va_end(arguments);
}
