/* Prints a trace while it happens. The first line of the answer says whether the trace was granted;
 * each line after it is a step, or says how many steps were lost. Values may contain what clients
 * sent, so they are escaped. Output is flushed after each line.
 */
#include "cli/trace.h"

#include "admin/control_request.h"
#include "admin/json.h"
#include "base/escape.h"
#include "base/text.h"
#include "system/say.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

/* No line is that long (observe/trace.h), even when it is escaped. */
enum { TRACE_CELL_SIZE = 8192 };

static bool trace_find(const char *line, size_t length, const char *name, char *value)
{
    return json_find(line, length, name, value, TRACE_CELL_SIZE);
}

/* Returns whether it was a tunnel's last step. */
static bool trace_print_step(const char *line, size_t length)
{
    static const char *const names[] = {"time", "id", "client", "target", "what"};
    char value[TRACE_CELL_SIZE] = "";
    char cell[TRACE_CELL_SIZE];

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        struct text text;

        text_init(&text, cell, sizeof(cell));
        if (trace_find(line, length, names[i], value))
            escape_add(&text, value, strlen(value), sizeof(cell) - 1, ESCAPE_PLAIN);
        printf("%s%s", i > 0 ? " " : "", cell);
    }
    putchar('\n');
    return strcmp(value, "closed") == 0;
}

static bool trace_print(const char *line, size_t length)
{
    char count[TRACE_CELL_SIZE];

    if (!trace_find(line, length, "lost", count))
        return trace_print_step(line, length);
    printf("%s lines were lost: read faster, or trace less\n", count);
    return false;
}

/* Reads the first line; returns false when the trace was refused. Afterwards reading has no time
 * limit, since the next step may come at any time. */
static bool trace_begin(int fd, const char *line, size_t length)
{
    const struct timeval forever = {.tv_sec = 0};
    char why[TRACE_CELL_SIZE];

    if (control_answer_is_ok(line, length) &&
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof(forever)) == 0)
        return true;
    bool is_told = trace_find(line, length, "error", why);
    fprintf(stderr, "adit: refused: %s\n",
            is_told ? why : "the answer can't be read; is that the same version of adit?");
    return false;
}

/* Writes out what was printed. Says at once why that failed, because the stream only remembers that
 * it did. It is no error when the reader of a pipe has gone. */
static bool trace_flush(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    if (errno != EPIPE)
        say("can't write to stdout: %s", strerror(errno));
    clearerr(stdout);
    return false;
}

int trace_show(int fd, bool is_of_one)
{
    char lines[TRACE_CELL_SIZE];
    size_t have = 0;
    bool has_begun = false;
    bool is_last = false;
    ssize_t count;

    while ((count = recv(fd, lines + have, sizeof(lines) - have, 0)) > 0) {
        size_t at = 0;

        have += (size_t)count;
        for (const char *end; (end = memchr(lines + at, '\n', have - at)) != NULL;) {
            size_t length = (size_t)(end - (lines + at));

            if (has_begun)
                is_last = trace_print(lines + at, length);
            else if (!(has_begun = trace_begin(fd, lines + at, length)))
                return 1;
            at += length + 1;
        }
        memmove(lines, lines + at, have -= at);
        if (!trace_flush())
            return 1;
    }
    if (is_last && is_of_one)
        return 0;
    fprintf(stderr, "adit: the trace ended: %s\n",
            count < 0 ? strerror(errno) : "adit ended it, or itself");
    return 1;
}
