/* observe/log.h without a writer: the lines stay here, for the checks. */
#include "sim_log.h"

#include "observe/log.h"
#include "observe/logfmt.h"
#include "sim_internal.h"

#include <stdio.h>
#include <string.h>

enum { LINES_MAX = 64 };

static char lines[LINES_MAX][LOG_LINE_MAX];
static unsigned line_count;

void sim_log_reset(void)
{
    line_count = 0;
}

unsigned sim_log_count(const char *part)
{
    unsigned count = 0;

    for (unsigned i = 0; i < line_count; i++)
        count += strstr(lines[i], part) != NULL;
    return count;
}

const char *sim_log_find(const char *part)
{
    for (unsigned i = 0; i < line_count; i++) {
        if (strstr(lines[i], part) != NULL)
            return lines[i];
    }
    return NULL;
}

void sim_log_print(void)
{
    for (unsigned i = 0; i < line_count; i++)
        fprintf(stderr, "  log: %s\n", lines[i]);
}

struct log_ring *sim_log_ring(void)
{
    return (struct log_ring *)lines;
}

void log_write(struct log_ring *ring, const char *line, size_t length)
{
    SIM_CHECK(ring == sim_log_ring(), "a log ring that was not given");
    SIM_CHECK(line_count < LINES_MAX, "too many log lines");
    SIM_CHECK(length < LOG_LINE_MAX, "too long a log line");
    memcpy(lines[line_count], line, length);
    lines[line_count++][length] = 0;
}

void log_notice(struct log_ring *ring, enum log_topic topic, const char *format, ...)
{
    log_write(ring, "notice", 6);
}

struct log_style log_style(const struct log_ring *ring)
{
    return (struct log_style){.format = LOG_FORMAT_LOGFMT, .events = ~0U};
}

struct logfmt_date *log_date(struct log_ring *ring)
{
    static struct logfmt_date date;

    return &date;
}
