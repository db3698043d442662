/* Basic credentials (RFC 7617) of a Proxy-Authorization field: value in, user and password out. */
#ifndef WIRE_BASIC_AUTH_H
#define WIRE_BASIC_AUTH_H

#include "base/contract.h"

#include <stdbool.h>
#include <stddef.h>

#define BASIC_USER_MAX 255
#define BASIC_PASSWORD_MAX 128

/* A NUL is behind each; neither has one inside. Contract: whoever holds it wipes it. */
struct basic_credentials {
    size_t user_length;
    size_t password_length;
    char user[BASIC_USER_MAX + 1];
    char password[BASIC_PASSWORD_MAX + 1];
};

/* Strict: the scheme in any case, blanks, canonical base64 with its padding, a colon inside, no
 * control bytes, both parts within their bounds. False: it is anything else, and nothing of it
 * stays in `ret_credentials`. */
bool basic_auth_parse(const char *value, size_t length,
                      struct basic_credentials *ret_credentials) MUST_CHECK;

#endif
