/* Computes Apache's $apr1$, the default of htpasswd: a thousand rounds of MD5 over password and
 * salt in turns. It is Poul-Henning Kamp's md5crypt with another prefix. It is weak by now (a
 * laptop tries millions per second), so config/users_file.c warns of such hashes; they are
 * supported because files with them are common.
 */
#include "access/auth_hash.h"

#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { MD5_SIZE = 16, APR1_SALT_MAX = 8, APR1_ROUNDS = 1000 };

static const char prefix[] = "$apr1$";

struct apr1 {
    EVP_MD_CTX *context;
    const char *password, *salt;
    size_t password_length, salt_length;
    bool is_failed;
};

static void apr1_begin(struct apr1 *apr1)
{
    if (EVP_DigestInit_ex(apr1->context, EVP_md5(), NULL) != 1)
        apr1->is_failed = true;
}

static void apr1_add(struct apr1 *apr1, const void *bytes, size_t length)
{
    if (EVP_DigestUpdate(apr1->context, bytes, length) != 1)
        apr1->is_failed = true;
}

static void add_password(struct apr1 *apr1)
{
    apr1_add(apr1, apr1->password, apr1->password_length);
}

static void add_salt(struct apr1 *apr1)
{
    apr1_add(apr1, apr1->salt, apr1->salt_length);
}

static void apr1_end(struct apr1 *apr1, uint8_t digest[MD5_SIZE])
{
    if (EVP_DigestFinal_ex(apr1->context, digest, NULL) != 1)
        apr1->is_failed = true;
}

static void first_digest(struct apr1 *apr1, uint8_t digest[MD5_SIZE])
{
    apr1_begin(apr1);
    add_password(apr1);
    add_salt(apr1);
    add_password(apr1);
    apr1_end(apr1, digest);

    apr1_begin(apr1);
    add_password(apr1);
    apr1_add(apr1, prefix, sizeof(prefix) - 1);
    add_salt(apr1);
    for (size_t left = apr1->password_length; left > 0; left -= left < MD5_SIZE ? left : MD5_SIZE)
        apr1_add(apr1, digest, left < MD5_SIZE ? left : MD5_SIZE);
    for (size_t bits = apr1->password_length; bits > 0; bits >>= 1)
        apr1_add(apr1, bits & 1 ? "" : apr1->password, 1); /* "": its NUL */
    apr1_end(apr1, digest);
}

static void stretch(struct apr1 *apr1, uint8_t digest[MD5_SIZE])
{
    for (unsigned round = 0; round < APR1_ROUNDS; round++) {
        bool is_odd = round & 1;

        apr1_begin(apr1);
        if (is_odd)
            add_password(apr1);
        else
            apr1_add(apr1, digest, MD5_SIZE);
        if (round % 3 != 0)
            add_salt(apr1);
        if (round % 7 != 0)
            add_password(apr1);
        if (is_odd)
            apr1_add(apr1, digest, MD5_SIZE);
        else
            add_password(apr1);
        apr1_end(apr1, digest);
    }
}

/* The digest's bytes are written in an order of their own, six bits per digit, the low ones first.
 */
static char *add_digits(char *out, uint32_t bits, unsigned count)
{
    static const char digits[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    for (; count > 0; count--, bits >>= 6)
        *out++ = digits[bits & 63];
    return out;
}

static void apr1_print(const struct apr1 *apr1, const uint8_t digest[MD5_SIZE], char *out)
{
    memcpy(out, prefix, sizeof(prefix) - 1);
    out += sizeof(prefix) - 1;
    memcpy(out, apr1->salt, apr1->salt_length);
    out += apr1->salt_length;
    *out++ = '$';
    for (unsigned i = 0; i < 5; i++) {
        unsigned third = i == 4 ? 5 : i + 12;

        out = add_digits(
            out, (uint32_t)digest[i] << 16 | (uint32_t)digest[i + 6] << 8 | digest[third], 4);
    }
    out = add_digits(out, digest[11], 2);
    *out = '\0';
}

bool auth_apr1(const char *password, const char *setting, char ret_text[APR1_TEXT_SIZE])
{
    uint8_t digest[MD5_SIZE];
    const char *salt = setting + sizeof(prefix) - 1;
    struct apr1 apr1 = {
        .context = EVP_MD_CTX_new(),
        .password = password,
        .salt = salt,
        .password_length = strlen(password),
        .salt_length = strcspn(salt, "$"),
    };

    if (apr1.context == NULL)
        return false;
    if (apr1.salt_length > APR1_SALT_MAX)
        apr1.salt_length = APR1_SALT_MAX;
    first_digest(&apr1, digest);
    stretch(&apr1, digest);
    EVP_MD_CTX_free(apr1.context);
    if (!apr1.is_failed)
        apr1_print(&apr1, digest, ret_text);
    explicit_bzero(digest, sizeof(digest));
    return !apr1.is_failed;
}
