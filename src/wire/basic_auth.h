/* Reads Basic credentials (RFC 7617): takes the value of a Proxy-Authorization or Authorization
 * field and gives user and password. */
#ifndef WIRE_BASIC_AUTH_H
#define WIRE_BASIC_AUTH_H

#include "base/contract.h"

#include <stddef.h>

#define BASIC_USER_MAX 255
#define BASIC_PASSWORD_MAX 128

/* Each text has a NUL behind it and none inside. Contract: the holder of the credentials wipes
 * them. */
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
    BASIC_AUTH_LONG_PASSWORD, /* over BASIC_PASSWORD_MAX bytes, otherwise well-formed; `user` is set
                               */
    BASIC_AUTH_RESULT_COUNT,
};

/* Parses strictly: the scheme in any case, blanks, canonical base64 with its padding, a colon
 * inside, no control bytes, a user within its bound. `ret_credentials` holds both texts with
 * BASIC_AUTH_OK, only the user with BASIC_AUTH_LONG_PASSWORD, and nothing with any other result. */
enum basic_auth_result basic_auth_parse(const char *value, size_t length,
                                        struct basic_credentials *ret_credentials) MUST_CHECK;

#endif
