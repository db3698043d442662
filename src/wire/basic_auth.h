/* Basic credentials (RFC 7617) of a Proxy-Authorization or Authorization field: value in, user and
 * password out. */
#ifndef WIRE_BASIC_AUTH_H
#define WIRE_BASIC_AUTH_H

#include "base/contract.h"

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

enum basic_auth_result {
    BASIC_AUTH_OK,
    BASIC_AUTH_MALFORMED,
    BASIC_AUTH_OTHER_SCHEME,  /* Negotiate, NTLM, Digest, Bearer, ... */
    BASIC_AUTH_LONG_PASSWORD, /* over BASIC_PASSWORD_MAX bytes, else well-formed; the user is set */
    BASIC_AUTH_RESULT_COUNT,
};

/* Strict: the scheme in any case, blanks, canonical base64 with its padding, a colon inside, no
 * control bytes, the user within its bound. But for BASIC_AUTH_OK and the user's name with
 * BASIC_AUTH_LONG_PASSWORD nothing stays in `ret_credentials`. */
enum basic_auth_result basic_auth_parse(const char *value, size_t length,
                                        struct basic_credentials *ret_credentials) MUST_CHECK;

#endif
