/* Who may log in: names and password hashes. The table never changes, except for the pace, which
 * belongs to auth. Threads share it and count their references. */
#ifndef ACCESS_AUTH_USERS_H
#define ACCESS_AUTH_USERS_H

#include "base/contract.h"

#include <stdbool.h>
#include <stddef.h>

struct auth_user {
    const char *name; /* case-sensitive */
    const char *hash; /* as crypt(3) writes it, or $apr1$... */
};

struct auth_pace;
struct auth_users;

/* Copies everything. `costliest` is the index of the user whose hash takes longest to compute; an
 * unknown user is made to cost as much. `is_mixed` says that not all hashes take equally long. With
 * an empty table nobody can log in. Returns 0 or -errno. */
int auth_users_create(const struct auth_user *users, size_t count, size_t costliest, bool is_mixed,
                      struct auth_users **ret_users) MUST_CHECK;
struct auth_users *auth_users_hold(struct auth_users *users);
/* Harmless on NULL. */
void auth_users_release(struct auth_users *users);

/* Returns the user's hash, or NULL when there is no such user. */
const char *auth_users_find(const struct auth_users *users, const char *name, size_t length);
/* Returns the costliest hash, or NULL when the table is empty. */
const char *auth_users_costliest(const struct auth_users *users);
/* Contract: called under the lock of the one auth that the table is used with. Returns NULL when
 * all hashes cost the same, so that no answer needs to be held back. */
struct auth_pace *auth_users_pace(struct auth_users *users);

#endif
