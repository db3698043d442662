/* Reads a list file line by line. The form of a line shows its format, so that a file may mix
 * formats. The surprise is speed: a million names must load in under two seconds, so nothing is
 * copied except into the sets.
 *
 * Whatever could mean something else is an error: an exception (`@@`), a rule with options or for a
 * part of a page, a hosts line that leads to another machine.
 */
#include "config/list_file.h"

#include "base/ascii.h"
#include "base/lines.h"
#include "base/text.h"
#include "config/list_entry.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

enum { ERRORS_MAX = 20 };

struct list_parse {
    struct list_file *file;
    struct diagnostics *diagnostics;
    struct name_set *names;
    struct network_set *networks;
    struct lines lines;
    size_t error_count;
    struct config_place rest; /* the first error that is not reported any more */
    size_t rest_count;        /* lines with an error from there on */
    unsigned rest_line;       /* the last of them; 0: none */
    unsigned skipped_line;    /* the last line that was counted as skipped; 0: none */
    struct config_place first_skipped;
    char first_message[DIAGNOSTIC_MESSAGE_SIZE];
};

/* A part of a line. */
struct span {
    const char *line;
    size_t line_length;
    size_t start;
    size_t end;
};

const char *list_file_format_name(enum list_file_format format)
{
    static const char *const names[] = {
        [LIST_FILE_PLAIN] = "plain",
        [LIST_FILE_HOSTS] = "hosts",
        [LIST_FILE_ADBLOCK] = "adblock",
    };
    static_assert(ARRAY_LENGTH(names) == LIST_FILE_FORMAT_COUNT, "a name for every format");

    REQUIRE((unsigned)format < LIST_FILE_FORMAT_COUNT);
    return names[format];
}

/* -- what is no entry */

static void note_rest(struct list_parse *parse, const struct config_place *place)
{
    if (parse->rest_count == 0)
        parse->rest = *place;
    if (parse->rest_line != place->line)
        parse->rest_count++;
    parse->rest_line = place->line;
}

static void list_parse_report(struct list_parse *parse, const struct span *span,
                              const char *message)
{
    struct config_place place = {
        .file = parse->file->path,
        .line = parse->lines.number,
        .column = (unsigned)span->start + 1,
        .column_end = (unsigned)span->end + 1,
        .line_start = span->line,
        .line_length = span->line_length,
    };
    struct text first;

    if (!parse->file->is_lenient) {
        if (parse->error_count++ < ERRORS_MAX)
            diagnostics_add(parse->diagnostics, false, &place, message);
        else
            note_rest(parse, &place);
        return;
    }
    if (parse->skipped_line == place.line) /* counted once per line, which may have many names */
        return;
    parse->skipped_line = place.line;
    if (parse->file->skipped_count++ > 0)
        return;
    parse->first_skipped = place;
    text_init(&first, parse->first_message, sizeof(parse->first_message));
    text_add(&first, message);
}

static void report_skipped(struct list_parse *parse)
{
    size_t others = parse->file->skipped_count - 1;
    char buffer[DIAGNOSTIC_MESSAGE_SIZE];
    struct text message;
    size_t entries = 0;

    for (size_t i = 0; i < LIST_FILE_FORMAT_COUNT; i++)
        entries += parse->file->entry_counts[i];
    text_init(&message, buffer, sizeof(buffer));
    text_add(&message, parse->first_message);
    if (entries == 0) {
        text_add(&message, "; and no other line is an entry: is this a list?");
        parse->error_count++;
    } else {
        text_add(&message, "; what is no entry is skipped");
        if (others > 0) {
            text_add(&message, ", here and in ");
            text_add_decimal(&message, others);
            text_add(&message, others == 1 ? " more line" : " more lines");
        }
    }
    diagnostics_add(parse->diagnostics, entries > 0, &parse->first_skipped, buffer);
}

static void report_rest(struct list_parse *parse)
{
    char buffer[DIAGNOSTIC_MESSAGE_SIZE];
    struct text message;

    if (parse->rest_count == 0)
        return;
    text_init(&message, buffer, sizeof(buffer));
    text_add(&message, "from here on, ");
    text_add_decimal(&message, parse->rest_count);
    text_add(&message, parse->rest_count == 1 ? " line has" : " lines have");
    text_add(&message, " what is no entry");
    diagnostics_add(parse->diagnostics, false, &parse->rest, buffer);
}

/* -- entries */

static int list_parse_add(struct list_parse *parse, enum list_file_format format,
                          const struct list_entry *entry)
{
    parse->file->entry_counts[format]++;
    return list_entry_add(entry, parse->names, parse->networks);
}

/* Returns false when the text is no entry; that was reported. */
static bool parse_entry(struct list_parse *parse, const struct span *span,
                        struct list_entry *ret_entry)
{
    char buffer[DIAGNOSTIC_MESSAGE_SIZE];
    struct text message;

    text_init(&message, buffer, sizeof(buffer));
    if (list_entry_parse(span->line + span->start, span->end - span->start, ret_entry, &message) ==
        0)
        return true;
    list_parse_report(parse, span, buffer);
    return false;
}

static int list_parse_plain(struct list_parse *parse, const struct span *span)
{
    struct list_entry entry;

    return parse_entry(parse, span, &entry) ? list_parse_add(parse, LIST_FILE_PLAIN, &entry) : 0;
}

/* Reads `||NAME^` and nothing else. */
static int parse_adblock(struct list_parse *parse, const struct span *span)
{
    const char *text = span->line + span->start;
    struct span name = *span;
    struct list_entry entry;

    if (text[0] == '@') {
        list_parse_report(parse, span,
                          "an exception can't stand in a list: write an `allow` in front of it");
        return 0;
    }
    const char *caret = memchr(text, '^', span->end - span->start);
    if (caret == NULL || caret + 1 != span->line + span->end) {
        list_parse_report(parse, span,
                          "of adblock's rules a list takes ||example.com^, without options");
        return 0;
    }
    name.start += 2;
    name.end -= 1;
    if (!parse_entry(parse, &name, &entry))
        return 0;
    if (entry.kind == LIST_ENTRY_NAME)
        entry.kind = LIST_ENTRY_DOMAIN;
    return list_parse_add(parse, LIST_FILE_ADBLOCK, &entry);
}

/* -- lines of a hosts file */

/* Compares without regard to case. `lower` is in lower case; `name` has at least as many bytes. */
static bool has_letters(const char *lower, const char *name)
{
    for (size_t i = 0; lower[i] != '\0'; i++)
        if (ascii_lower(name[i]) != lower[i])
            return false;
    return true;
}

/* True for names that every hosts file has and that nobody wants in a list. */
static bool is_own_name(const char *name, size_t length)
{
    static const char *const names[] = {
        "localhost",     "localhost.localdomain",
        "local",         "broadcasthost",
        "localhost4",    "localhost4.localdomain4",
        "localhost6",    "localhost6.localdomain6",
        "ip6-localhost", "ip6-loopback",
        "ip6-localnet",  "ip6-mcastprefix",
        "ip6-allnodes",  "ip6-allrouters",
        "ip6-allhosts",
    };

    if (length > 0 && name[length - 1] == '.')
        length--;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (strlen(names[i]) == length && has_letters(names[i], name))
            return true;
    return false;
}

static size_t find_blank(const struct span *span)
{
    size_t at = span->start;

    while (at < span->end && !byte_is_blank(span->line[at]))
        at++;
    return at;
}

static size_t span_skip_blanks(const struct span *span, size_t at)
{
    while (at < span->end && byte_is_blank(span->line[at]))
        at++;
    return at;
}

/* Parses the address and ignores its zone (`fe80::1%lo0`). */
static bool parse_address(const struct span *span, struct ip_address *ret_address)
{
    const char *text = span->line + span->start;
    const char *percent = memchr(text, '%', span->end - span->start);
    size_t length = percent != NULL ? (size_t)(percent - text) : span->end - span->start;

    return ip_address_parse(text, length, ret_address) == 0;
}

static int parse_hosts_name(struct list_parse *parse, const struct span *name,
                            const struct ip_address *address)
{
    struct list_entry entry;

    if (is_own_name(name->line + name->start, name->end - name->start))
        return 0;
    if (!ip_address_is_unspecified(address) && !ip_address_is_loopback(address)) {
        list_parse_report(
            parse, name,
            "in a list, a line of a hosts file begins with 0.0.0.0, 127.0.0.1, :: or ::1");
        return 0;
    }
    if (!parse_entry(parse, name, &entry))
        return 0;
    if (entry.kind == LIST_ENTRY_NETWORK) { /* `0.0.0.0 0.0.0.0` is in lists that people use */
        if (!ip_address_equals(&entry.network.address, address))
            list_parse_report(parse, name, "one entry a line: an address follows an address");
        return 0;
    }
    return list_parse_add(parse, LIST_FILE_HOSTS, &entry);
}

static int parse_hosts(struct list_parse *parse, const struct span *span)
{
    struct span word = *span;
    struct ip_address address;
    int error = 0;

    word.end = find_blank(&word);
    if (!parse_address(&word, &address)) {
        word.start = span_skip_blanks(span, word.end);
        word.end = span->end;
        list_parse_report(parse, &word, "one entry a line: something follows the first");
        return 0;
    }
    while (error == 0 && word.end < span->end) {
        word.start = span_skip_blanks(span, word.end);
        word.end = span->end;
        word.end = find_blank(&word);
        error = parse_hosts_name(parse, &word, &address);
    }
    return error;
}

/* -- lines */

/* True for a `#` that belongs to a rule for a part of a page, as in `example.com##.ad` and
 * `a.example#@#b`, and so begins no comment. */
static bool is_page_rule(const char *at, const char *end)
{
    do
        at++;
    while (at < end && strchr("@?$%", *at) != NULL && *at != '\0');
    return at < end && *at == '#';
}

/* True when the text begins with an entry that has a dot or a colon. A comment hardly begins so:
 * `a.example;b.example` is two entries in one line. */
static bool begins_with_entry(const char *text, size_t length)
{
    char buffer[DIAGNOSTIC_MESSAGE_SIZE];
    struct list_entry entry;
    struct text ignored;
    size_t start = 0;

    while (start < length && byte_is_blank(text[start]))
        start++;
    size_t end = start;
    while (end < length && !byte_is_blank(text[end]) && text[end] != ';')
        end++;
    text_init(&ignored, buffer, sizeof(buffer));
    bool is_one_label = memchr(text + start, '.', end - start) == NULL &&
                        memchr(text + start, ':', end - start) == NULL;
    return !is_one_label && list_entry_parse(text + start, end - start, &entry, &ignored) == 0;
}

static size_t find_comment(const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        bool is_behind_blank = i == 0 || byte_is_blank(line[i - 1]);

        if (line[i] == '!' && is_behind_blank)
            return i;
        if (line[i] == ';' && (is_behind_blank || !begins_with_entry(line + i + 1, length - i - 1)))
            return i;
        if (line[i] == '#' && (is_behind_blank || !is_page_rule(line + i, line + length)))
            return i;
    }
    return length;
}

/* True for the first line of an adblock list, `[Adblock Plus 2.0]`. */
static bool is_title(const struct span *span)
{
    const char *text = span->line + span->start;
    size_t length = span->end - span->start;

    return text[0] == '[' && text[length - 1] == ']' && memchr(text, ':', length) == NULL;
}

static int list_parse_line(struct list_parse *parse, const char *line, size_t length)
{
    struct span span = {line, length, 0, find_comment(line, length)};

    blanks_trim(line, &span.start, &span.end);
    if (span.start == span.end || is_title(&span))
        return 0;
    const char *text = line + span.start;
    size_t rest = span.end - span.start;
    if (memchr(text, '#', rest) != NULL) {
        list_parse_report(parse, &span,
                          "a rule for a part of a page can't stand in a list of hosts");
        return 0;
    }
    if (rest >= 2 && (memcmp(text, "||", 2) == 0 || memcmp(text, "@@", 2) == 0))
        return parse_adblock(parse, &span);
    return find_blank(&span) < span.end ? parse_hosts(parse, &span)
                                        : list_parse_plain(parse, &span);
}

int list_file_parse(struct list_file *file, const char *text, size_t length,
                    struct diagnostics *diagnostics, struct name_set *names,
                    struct network_set *networks)
{
    struct list_parse parse = {
        .file = file, .diagnostics = diagnostics, .names = names, .networks = networks};
    const char *line;
    size_t line_length;

    lines_init(&parse.lines, text, length);
    while (lines_next(&parse.lines, &line, &line_length)) {
        int error = list_parse_line(&parse, line, line_length);

        if (error < 0)
            return error;
    }
    if (file->skipped_count > 0)
        report_skipped(&parse);
    report_rest(&parse);
    return parse.error_count > 0 ? -EINVAL : 0;
}
