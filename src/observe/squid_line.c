/* The line is as squid 5 writes it: the elapsed time is padded with blanks to 6 columns (%6tr); a
 * CONNECT that failed is NONE_NONE with 0 bytes; a request without a target is
 * error:invalid-request.
 *
 * The surprise: squid's TCP_TUNNEL counts the head of the answer, 39 bytes, as adit's has.
 */
#include "observe/squid_line.h"

#include "base/ascii.h"
#include "base/text.h"

#include <string.h>

enum { ESTABLISHED_BYTES = sizeof("HTTP/1.1 200 Connection established\r\n\r\n") - 1 };

enum { SQUID_WORD_LIMIT = 512, ELAPSED_WIDTH = 6 };

static bool squid_is_plain(unsigned char byte)
{
    /* clang-format off */
    static const bool plain[256] = {
        ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
        ['-'] = true, ['.'] = true, ['_'] = true, [':'] = true, ['/'] = true, ['['] = true,
        [']'] = true, ['@'] = true, ['+'] = true, [','] = true, ['~'] = true,
    };
    /* clang-format on */
    return plain[byte];
}

/* One word of at most SQUID_WORD_LIMIT bytes, cut between escapes. */
static void squid_add_escaped(struct text *out, const char *bytes, size_t length)
{
    size_t end = out->length + SQUID_WORD_LIMIT;

    for (size_t i = 0; i < length && out->length + 3 <= end; i++) {
        unsigned char byte = (unsigned char)bytes[i];

        if (squid_is_plain(byte)) {
            text_add_char(out, (char)byte);
            continue;
        }
        text_add_char(out, '%');
        text_add_char(out, ascii_hex_digit_upper(byte >> 4));
        text_add_char(out, ascii_hex_digit_upper(byte));
    }
}

static void add_elapsed(struct text *out, uint64_t elapsed_ms)
{
    uint64_t least = 1;

    for (unsigned width = 1; width < ELAPSED_WIDTH; width++) {
        least *= 10;
        if (elapsed_ms < least)
            text_add_char(out, ' ');
    }
    text_add_decimal(out, elapsed_ms);
}

static uint64_t elapsed_ms(const struct access_record *record)
{
    if (record->event == ACCESS_CLOSE)
        return record->duration_ms;
    return (uint64_t)(record->dns_ms > 0 ? record->dns_ms : 0) +
           (uint64_t)(record->dial_ms > 0 ? record->dial_ms : 0);
}

static void add_result(struct text *out, const struct access_record *record)
{
    bool is_denied = record->event == ACCESS_AUTH_FAILURE ||
                     (record->verdict != NULL && strcmp(record->verdict, "allow") != 0);

    if (record->event == ACCESS_CLOSE) {
        text_add(out, "TCP_TUNNEL/200 ");
        text_add_decimal(out, record->down_bytes + ESTABLISHED_BYTES);
        return;
    }
    text_add(out, is_denied             ? "TCP_DENIED/"
                  : record->status == 0 ? "NONE_NONE_ABORTED/"
                                        : "NONE_NONE/");
    text_add_padded(out, record->status, 3);
    text_add(out, " 0");
}

static void add_request(struct text *out, const struct access_record *record)
{
    if (record->target != NULL && record->target_length > 0) {
        text_add(out, " CONNECT ");
        squid_add_escaped(out, record->target, record->target_length);
    } else {
        text_add(out, " CONNECT error:invalid-request");
    }
    text_add_char(out, ' ');
    if (record->user != NULL && record->user[0] != '\0')
        squid_add_escaped(out, record->user, strlen(record->user));
    else
        text_add_char(out, '-');
}

size_t squid_line_put(char out[LINE_SIZE], const struct access_record *record, uint64_t wall_ms)
{
    struct text text;

    if (record->event == ACCESS_OPEN)
        return 0;
    text_init(&text, out, LINE_SIZE);
    text_add_decimal(&text, wall_ms / 1000);
    text_add_char(&text, '.');
    text_add_padded(&text, wall_ms % 1000, 3);
    text_add_char(&text, ' ');
    add_elapsed(&text, elapsed_ms(record));
    text_add_char(&text, ' ');
    ip_address_print(&text, &record->client.address);
    text_add_char(&text, ' ');
    add_result(&text, record);
    add_request(&text, record);
    if (record->address != NULL && record->address->address.family != IP_NONE) {
        text_add(&text, " HIER_DIRECT/");
        ip_address_print(&text, &record->address->address);
    } else {
        text_add(&text, " HIER_NONE/-");
    }
    text_add(&text, " -");
    return text.length;
}
