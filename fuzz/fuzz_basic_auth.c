/* Credentials: what is accepted is within its bounds and has one spelling, which encoding gives
 * back. */
#include "wire/basic_auth.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

static size_t encode(char *out, const char *bytes, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t written = 0;

    for (size_t i = 0; i < length; i += 3) {
        uint32_t bits = 0;

        for (size_t k = i; k < i + 3; k++)
            bits = bits << 8 | (k < length ? (uint8_t)bytes[k] : 0);
        for (unsigned k = 0; k < 4; k++)
            out[written++] = i + k > length ? '=' : digits[bits >> (18 - 6 * k) & 63];
    }
    return written;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct basic_credentials found;
    char plain[BASIC_USER_MAX + 1 + BASIC_PASSWORD_MAX];
    char again[4 * (sizeof(plain) / 3 + 1)];

    enum basic_auth_result result = basic_auth_parse((const char *)data, size, &found);

    if (result != BASIC_AUTH_OK) {
        CHECK(found.user[0] == '\0' || result == BASIC_AUTH_LONG_PASSWORD);
        CHECK(found.password[0] == '\0' && found.password_length == 0);
        return 0;
    }
    CHECK(found.user_length <= BASIC_USER_MAX && strlen(found.user) == found.user_length);
    CHECK(found.password_length <= BASIC_PASSWORD_MAX &&
          strlen(found.password) == found.password_length);
    CHECK(strchr(found.user, ':') == NULL);
    memcpy(plain, found.user, found.user_length);
    plain[found.user_length] = ':';
    memcpy(plain + found.user_length + 1, found.password, found.password_length);
    size_t length = encode(again, plain, found.user_length + 1 + found.password_length);
    CHECK(length < size && memcmp(again, data + size - length, length) == 0);
    return 0;
}
