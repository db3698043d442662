/* The reader of case tables. A row that fails does not end its table: all of them are told. */
#include "support/cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct buffer {
    char *bytes;
    size_t length;
};

static void buffer_add(struct buffer *buffer, const char *bytes, size_t length)
{
    buffer->bytes = realloc(buffer->bytes, buffer->length + length + 1);
    assert_non_null(buffer->bytes);
    memcpy(buffer->bytes + buffer->length, bytes, length);
    buffer->length += length;
    buffer->bytes[buffer->length] = '\0';
}

void case_fail(struct case_row *row, const char *format, ...)
{
    va_list arguments;
    char text[1024];

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    print_error("%s:%u: %s\n", row->file, row->line, text);
    row->failure_count++;
}

/* -- the last column */

/* `\r`, `\x41`...: adds the byte and returns the length of the escape. */
static size_t add_escape(struct buffer *out, const char *text)
{
    static const char names[] = "rnt0\\";
    static const char bytes[] = "\r\n\t\0\\";
    const char *name = text[1] ? strchr(names, text[1]) : NULL;

    if (name) {
        buffer_add(out, &bytes[name - names], 1);
        return 2;
    }
    if (text[1] != 'x' || !isxdigit((unsigned char)text[2]) || !isxdigit((unsigned char)text[3]))
        fail_msg("a bad escape: %s", text);
    char digits[3] = {text[2], text[3], '\0'};
    char byte = (char)strtoul(digits, NULL, 16);
    buffer_add(out, &byte, 1);
    return 4;
}

static void add_unescaped(struct buffer *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length;) {
        if (text[i] == '\\') {
            i += add_escape(out, text + i);
            continue;
        }
        buffer_add(out, text + i++, 1);
    }
}

/* `{x*300}` or `{name}`: adds what it stands for and returns its length; 0: it is neither. */
static size_t add_braces(struct buffer *out, const char *text, const struct case_value *values)
{
    const char *end = strchr(text, '}');

    for (; values && values->name; values++) {
        if (strncmp(text, values->name, strlen(values->name)) == 0) {
            buffer_add(out, values->text, strlen(values->text));
            return strlen(values->name);
        }
    }
    if (!end)
        return 0;
    const char *star = memrchr(text, '*', (size_t)(end - text));
    if (!star || star == text + 1 || !isdigit((unsigned char)star[1]))
        return 0;
    for (unsigned long left = strtoul(star + 1, NULL, 10); left > 0; left--)
        add_unescaped(out, text + 1, (size_t)(star - text) - 1);
    return (size_t)(end - text) + 1;
}

static struct buffer expand(const char *text, const struct case_value *values)
{
    struct buffer out = {0};

    buffer_add(&out, "", 0);
    while (*text) {
        size_t used = 0;
        if (*text == '{')
            used = add_braces(&out, text, values);
        else if (*text == '\\')
            used = add_escape(&out, text);
        if (used == 0) {
            buffer_add(&out, text, 1);
            used = 1;
        }
        text += used;
    }
    return out;
}

/* -- rows */

static struct buffer trimmed(const char *text)
{
    struct buffer out = {0};
    size_t length = strlen(text);

    while (length > 0 && text[length - 1] == ' ')
        length--;
    while (length > 0 && text[0] == ' ') {
        text++;
        length--;
    }
    buffer_add(&out, text, length);
    return out;
}

static void split(struct case_row *row, char *line, size_t column_count,
                  const struct case_value *values)
{
    for (row->column_count = 0; row->column_count < CASE_COLUMNS_MAX;) {
        bool is_last = row->column_count + 1 == column_count;
        char *bar = is_last ? NULL : strstr(line, " | ");
        if (bar)
            *bar = '\0';
        struct buffer column = is_last ? expand(line, values) : trimmed(line);
        row->columns[row->column_count++] = (struct case_column){column.bytes, column.length};
        if (!bar)
            return;
        line = bar + 3;
    }
}

static void check_line(struct case_row *row, char *line, size_t column_count,
                       const struct case_value *values, void (*check)(struct case_row *row))
{
    split(row, line, column_count, values);
    if (row->column_count == column_count)
        check(row);
    else
        case_fail(row, "%zu columns instead of %zu", row->column_count, column_count);
    for (size_t i = 0; i < row->column_count; i++)
        free(row->columns[i].bytes);
}

void cases_check(const char *name, size_t column_count, const struct case_value *values,
                 void (*check)(struct case_row *row))
{
    char path[512];
    struct case_row row = {.file = name};
    char *line = NULL;
    size_t size = 0;
    unsigned row_count = 0;

    snprintf(path, sizeof(path), "%s/%s", TEST_DATA, name);
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("can't open %s", path);
    while (getline(&line, &size, file) >= 0) {
        row.line++;
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '\0' || line[0] == '#' || line[0] == '[')
            continue;
        row_count++;
        check_line(&row, line, column_count, values, check);
    }
    free(line);
    fclose(file);
    if (row_count == 0)
        fail_msg("%s has no rows", name);
    if (row.failure_count > 0)
        fail_msg("%u failures in the %u rows of %s", row.failure_count, row_count, name);
}
