/* Base64 is decoded one byte at a time, straight into user and password, so that there is no second
 * copy of the password that would have to be wiped.
 *
 * The surprise is in the last digits: RFC 4648 3.5 allows a decoder to refuse bits that encode
 * nothing. We do so, in order that a pair of credentials has only one spelling.
 */
#include "wire/basic_auth.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static const char scheme[] = "basic";

static int base64_value(char digit)
{
    if (digit >= 'A' && digit <= 'Z')
        return digit - 'A';
    if (digit >= 'a' && digit <= 'z')
        return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9')
        return digit - '0' + 52;
    if (digit == '+')
        return 62;
    return digit == '/' ? 63 : -1;
}

/* The place where decoded bytes go. */
struct basic_auth_parts {
    struct basic_credentials *credentials;
    bool is_user_done;
    bool is_password_long;
};

static bool basic_auth_take_byte(struct basic_auth_parts *parts, uint8_t byte)
{
    struct basic_credentials *credentials = parts->credentials;

    if (byte < 0x20 || byte == 0x7f)
        return false;
    if (!parts->is_user_done && byte == ':') {
        parts->is_user_done = true;
        return true;
    }
    if (!parts->is_user_done) {
        if (credentials->user_length == BASIC_USER_MAX)
            return false;
        credentials->user[credentials->user_length++] = (char)byte;
        return true;
    }
    if (credentials->password_length == BASIC_PASSWORD_MAX)
        parts->is_password_long = true;
    else
        credentials->password[credentials->password_length++] = (char)byte;
    return true;
}

/* Decodes four digits, of which the last `padding` are `=`. */
static bool take_group(struct basic_auth_parts *parts, const char *group, unsigned padding)
{
    uint32_t bits = 0;

    for (unsigned i = 0; i < 4; i++) {
        int value = i < 4 - padding ? base64_value(group[i]) : 0;

        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
    }
    if ((bits & ((1u << 8 * padding) - 1)) != 0)
        return false;
    for (unsigned i = 0; i < 3 - padding; i++) {
        if (!basic_auth_take_byte(parts, (uint8_t)(bits >> (16 - 8 * i))))
            return false;
    }
    return true;
}

static enum basic_auth_result basic_auth_decode(const char *text, size_t length,
                                                struct basic_credentials *credentials)
{
    struct basic_auth_parts parts = {.credentials = credentials};
    unsigned padding = 0;

    if (length == 0 || length % 4 != 0)
        return BASIC_AUTH_MALFORMED;
    if (text[length - 1] == '=')
        padding = text[length - 2] == '=' ? 2 : 1;
    for (size_t i = 0; i < length; i += 4) {
        if (!take_group(&parts, text + i, i + 4 == length ? padding : 0))
            return BASIC_AUTH_MALFORMED;
    }
    if (!parts.is_user_done)
        return BASIC_AUTH_MALFORMED;
    return parts.is_password_long ? BASIC_AUTH_LONG_PASSWORD : BASIC_AUTH_OK;
}

/* Whether the first word, which is the scheme, is Basic. A tab is neither a part of a word nor a
 * blank. */
static bool is_basic(const char *value, size_t length)
{
    const size_t scheme_length = sizeof(scheme) - 1;

    if (length < scheme_length)
        return false;
    for (size_t i = 0; i < scheme_length; i++) {
        if ((value[i] | 0x20) != scheme[i])
            return false;
    }
    return length == scheme_length || value[scheme_length] == ' ' || value[scheme_length] == '\t';
}

enum basic_auth_result basic_auth_parse(const char *value, size_t length,
                                        struct basic_credentials *ret_credentials)
{
    size_t at = sizeof(scheme) - 1;

    memset(ret_credentials, 0, sizeof(*ret_credentials));
    if (!is_basic(value, length))
        return BASIC_AUTH_OTHER_SCHEME;
    if (length == at || value[at] != ' ')
        return BASIC_AUTH_MALFORMED;
    while (at < length && value[at] == ' ')
        at++;
    enum basic_auth_result result = basic_auth_decode(value + at, length - at, ret_credentials);
    if (result == BASIC_AUTH_MALFORMED)
        memset(ret_credentials, 0, sizeof(*ret_credentials));
    if (result == BASIC_AUTH_LONG_PASSWORD) {
        memset(ret_credentials->password, 0, sizeof(ret_credentials->password));
        ret_credentials->password_length = 0;
    }
    return result;
}
