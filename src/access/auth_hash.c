/* Checks a password with crypt(3) and a comparison. A hash of a kind that crypt does not know must
 * match nothing, whatever stands in the password file. This uses libxcrypt's crypt_rn instead of
 * crypt_r, because gcc's sanitizers have a crypt_r of their own that makes the linker drop the
 * library.
 */
#include "access/auth_hash.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

static const char apr1_prefix[] = "$apr1$";

struct auth_hasher {
    struct crypt_data crypt;
    char apr1[APR1_TEXT_SIZE];
};

struct auth_hasher *auth_hasher_create(void)
{
    return calloc(1, sizeof(struct auth_hasher));
}

void auth_hasher_destroy(struct auth_hasher *hasher)
{
    free(hasher);
}

static const char *compute(struct auth_hasher *hasher, const char *hash, const char *password)
{
    if (strncmp(hash, apr1_prefix, sizeof(apr1_prefix) - 1) == 0)
        return auth_apr1(password, hash, hasher->apr1) ? hasher->apr1 : NULL;
    return crypt_rn(password, hash, &hasher->crypt, sizeof(hasher->crypt));
}

bool auth_hash_is_of(struct auth_hasher *hasher, const char *hash, const char *password)
{
    const char *computed;
    size_t length = strlen(hash);
    bool is_right = false;

    REQUIRE(hasher != NULL);
    computed = compute(hasher, hash, password);
    if (computed != NULL)
        is_right = computed[0] == '$' && strlen(computed) == length &&
                   CRYPTO_memcmp(computed, hash, length) == 0;
    explicit_bzero(hasher, sizeof(*hasher));
    return is_right;
}
