/* Prints lines of the supervisor, and of a worker that can't start. They have no log thread that
 * could wait for a slow reader.
 *
 * stderr may be a pipe that nobody reads, and a supervisor that hangs in write() can't drain. So it
 * polls first: a pipe that polls writable has room for PIPE_BUF bytes, which is more than a line. A
 * terminal that another process is writing to at the moment, most likely the worker's log, polls
 * unwritable, so it waits for a moment. A line that finds no room even then is lost. stderr is
 * never made non-blocking, because other processes share it.
 */
#include "system/say.h"

#include "base/escape.h"

#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    TEXT_MAX_BYTES = 3900
}; /* 64 listeners in a start line; with a prefix below PIPE_BUF, 4096 */

enum { SAY_PATIENCE_MS = 100 };

/* Returns false when the line found no room. */
static bool say_line(const char *prefix, const char *text, size_t text_length, int patience_ms)
{
    struct pollfd stderr_ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    char line[TEXT_MAX_BYTES + 16];
    int length = snprintf(line, sizeof(line), "%s%.*s\n", prefix, (int)text_length, text);

    if (length < 0 || poll(&stderr_ready, 1, patience_ms) != 1 || !(stderr_ready.revents & POLLOUT))
        return false;
    /* There is nobody to tell that a line can't be written. */
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)length);
    (void)ignored;
    return true;
}

void say_lines(const char *lines)
{
    bool is_read = true;

    while (*lines != '\0') {
        size_t length = strcspn(lines, "\n");
        size_t shown = length < TEXT_MAX_BYTES ? length : TEXT_MAX_BYTES - 1;

        is_read = say_line("", lines, shown, is_read ? SAY_PATIENCE_MS : 0);
        lines += length + (lines[length] == '\n');
    }
}

/* Escapes the text, because names of files and words of a command line in it may hold any byte. */
static void write_escaped(const char *prefix, const char *format, va_list arguments)
{
    char raw[TEXT_MAX_BYTES];
    char escaped[TEXT_MAX_BYTES];
    struct text text;

    vsnprintf(raw, sizeof(raw), format, arguments);
    text_init(&text, escaped, sizeof(escaped));
    for (const char *at = raw; *at != '\0';) {
        size_t length = strcspn(at, "\n");

        if (length == 0)
            text_add_char(&text, *at++); /* the start line has two */
        else
            escape_add(&text, at, length, sizeof(escaped), ESCAPE_PLAIN);
        at += length;
    }
    (void)say_line(prefix, escaped, text.length, SAY_PATIENCE_MS);
}

void say(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    write_escaped("adit: ", format, arguments);
    va_end(arguments);
}

void say_plainly(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    write_escaped("", format, arguments);
    va_end(arguments);
}
