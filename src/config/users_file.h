/* Reads htpasswd files: one `user:hash` per line, and comments that begin with `#`. Pure.
 *
 * These hashes are taken: yescrypt ($y$), bcrypt ($2b$ $2y$ $2a$), SHA-512 and SHA-256 crypt ($6$
 * $5$), and with a warning $apr1$ (a thousand rounds of MD5, not known to libxcrypt). Plain
 * passwords, {SHA} and everything else are refused. Diagnostics never quote a line: hashes are
 * secrets.
 */
#ifndef CONFIG_USERS_FILE_H
#define CONFIG_USERS_FILE_H

#include "base/contract.h"
#include "config/diagnostics.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define USER_NAME_MAX 128

enum user_hash_kind {
    USER_HASH_YESCRYPT,
    USER_HASH_BCRYPT,
    USER_HASH_SHA512,
    USER_HASH_SHA256,
    USER_HASH_APR1,
    USER_HASH_KIND_COUNT,
};

struct user {
    const char *name; /* case-sensitive */
    const char *hash; /* in the form that crypt(3) takes as a setting, except for $apr1$ */
    enum user_hash_kind kind;
};

struct users_file;

/* Parses the file. Errors go to `diagnostics` under the name `file`. Returns 0, -EINVAL (errors
 * were added) or -ENOMEM. */
int users_file_parse(const char *text, size_t length, const char *file,
                     struct diagnostics *diagnostics, struct users_file **ret_users) MUST_CHECK;
/* Harmless on NULL. */
void users_file_destroy(struct users_file *users);

size_t users_file_count(const struct users_file *users);
const struct user *users_file_at(const struct users_file *users, size_t index);
/* Returns NULL when there is no such user. The search does not take constant time; to hide that,
 * the caller then computes the hash of users_file_costliest. */
const struct user *users_file_find(const struct users_file *users, const char *name, size_t length);
/* Returns the user whose hash takes longest to compute, which is what an unknown user must cost;
 * NULL when there are no users. */
const struct user *users_file_costliest(const struct users_file *users);

/* True when some hash takes longer to compute than another. */
bool users_file_is_mixed(const struct users_file *users);

#endif
