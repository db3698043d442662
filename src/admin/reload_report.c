/* The error that is shown is the first one in the text that a reload has told people. That text
 * holds diagnostics (`FILE:LINE:COL: error: ..`, with the line of the file and a caret below),
 * warnings among them, or a line of adit itself (`adit: can't ..`).
 */
#include "admin/reload_report.h"

#include "base/text.h"

#include <string.h>

static const char own[] = "adit: ";
static const char error_mark[] = ": error: ";
static const char warning_mark[] = "warning: ";

void reload_report_init(struct reload_report *report, uint64_t wall_ms)
{
    *report = (struct reload_report){.is_good = true, .wall_ms = wall_ms, .good_wall_ms = wall_ms};
}

/* Returns where `words` begin in the line, or NULL. */
static const char *find_words(const char *line, size_t length, const char *words)
{
    return memmem(line, length, words, strlen(words));
}

/* Whether the line is a diagnostic that is an error. A diagnostic may quote anything, so when both
 * marks are in the line, the first one says what it is. */
static bool is_diagnosed_error(const char *line, size_t length)
{
    const char *error = find_words(line, length, error_mark);
    const char *warning = find_words(line, length, warning_mark);

    return error != NULL && (warning == NULL || error < warning) && line[0] != ' ';
}

/* Whether the line can't be the error: it is empty, a warning, or one of the indented lines below a
 * diagnostic. */
static bool is_passed(const char *line, size_t length)
{
    return length == 0 || line[0] == ' ' || find_words(line, length, warning_mark) != NULL;
}

/* Returns the first diagnostic that is an error, or if there is none, the first line that is_passed
 * does not leave out. */
static const char *find_error(const char *text, size_t *ret_length)
{
    const char *found = "";

    *ret_length = 0;
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");

        if (is_diagnosed_error(text, length) || (*ret_length == 0 && !is_passed(text, length))) {
            found = text;
            *ret_length = length;
        }
        if (is_diagnosed_error(text, length))
            break;
        text += length + (text[length] == '\n');
    }
    return found;
}

void reload_report_note(struct reload_report *report, uint64_t wall_ms, bool is_good,
                        const char *path, const char *text)
{
    size_t length;
    const char *line = find_error(text, &length);
    struct text error;

    report->is_good = is_good;
    report->wall_ms = wall_ms;
    text_init(&error, report->error, sizeof(report->error));
    if (is_good) {
        report->good_wall_ms = wall_ms;
        return;
    }
    if (!is_diagnosed_error(line, length) && path != NULL) {
        text_add(&error, path);
        text_add(&error, ": ");
    }
    if (strncmp(line, own, sizeof(own) - 1) == 0) {
        line += sizeof(own) - 1;
        length -= sizeof(own) - 1;
    }
    text_add_bytes(&error, line, length);
}
