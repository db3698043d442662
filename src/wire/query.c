/* Reads the query of a URL. Names are compared as they stand, without decoding: our own names have
 * no character that anybody would need to escape.
 */
#include "wire/query.h"

#include "base/ascii.h"

#include <errno.h>
#include <string.h>

/* Decodes the byte at the start of `text`. Returns how many characters it is written with, or
 * -EINVAL. */
static int decode_byte(struct view text, char *ret_byte)
{
    *ret_byte = text.start[0];
    if (*ret_byte == '+')
        *ret_byte = ' ';
    if (text.start[0] != '%')
        return 1;
    int high = text.length > 2 ? ascii_hex_value(text.start[1]) : -1;
    int low = text.length > 2 ? ascii_hex_value(text.start[2]) : -1;
    if (high < 0 || low < 0)
        return -EINVAL;
    *ret_byte = (char)(high * 16 + low);
    return 3;
}

static int query_decode(struct view text, char *ret_value, size_t size)
{
    size_t length = 0;

    while (text.length > 0) {
        char byte;
        int width = decode_byte(text, &byte);

        if (width < 0 || (unsigned char)byte < ' ' || byte == 0x7f)
            return -EINVAL;
        if (length + 1 >= size)
            return -ENAMETOOLONG;
        ret_value[length++] = byte;
        text.start += width;
        text.length -= (size_t)width;
    }
    ret_value[length] = '\0';
    return (int)length;
}

int query_value(struct view query, const char *name, char *ret_value, size_t size)
{
    size_t name_length = strlen(name);

    REQUIRE(size > 0);
    while (query.length > 0) {
        const char *mark = memchr(query.start, '&', query.length);
        size_t length = mark != NULL ? (size_t)(mark - query.start) : query.length;

        if (length > name_length && query.start[name_length] == '=' &&
            memcmp(query.start, name, name_length) == 0)
            return query_decode(
                (struct view){query.start + name_length + 1, length - name_length - 1}, ret_value,
                size);
        length += mark != NULL;
        query.start += length;
        query.length -= length;
    }
    return -ENOENT;
}
