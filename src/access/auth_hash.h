/* Checks one password against its hash: all kinds that crypt(3) knows, and $apr1$, which it does
 * not know. Hashing is slow on purpose. */
#ifndef ACCESS_AUTH_HASH_H
#define ACCESS_AUTH_HASH_H

#include "base/contract.h"

#include <stdbool.h>

struct auth_hasher;

/* Returns NULL when there is no memory. Each thread needs its own, because it holds the scratch
 * space (32 KiB) of crypt(3). */
struct auth_hasher *auth_hasher_create(void) MUST_CHECK;
void auth_hasher_destroy(struct auth_hasher *hasher);

/* Hashes once, compares in constant time, and leaves no trace of the password in memory. Returns
 * false also when the hash is of no known kind. */
bool auth_hash_is_of(struct auth_hasher *hasher, const char *hash, const char *password) MUST_CHECK;

#define APR1_TEXT_SIZE 38 /* $apr1$, salt of 8, $, 22 digits, NUL */

/* Computes the hash. `setting` begins with $apr1$SALT$; what follows does not matter. */
bool auth_apr1(const char *password, const char *setting, char ret_text[APR1_TEXT_SIZE]) MUST_CHECK;

#endif
