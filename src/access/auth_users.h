/* Who may log in: names and password hashes. Immutable but for the pace, which is auth's; shared by
 * threads, counted references. */
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

/* Copies all. `costliest` is the index of the user whose hash takes longest to compute: what an
 * unknown user costs. `is_mixed`: not all take equally long. An empty table is fine: nobody may log
 * in. 0 or -errno. */
int auth_users_create(const struct auth_user *users, size_t count, size_t costliest, bool is_mixed,
                      struct auth_users **ret_users) MUST_CHECK;
struct auth_users *auth_users_hold(struct auth_users *users);
/* Harmless on NULL. */
void auth_users_release(struct auth_users *users);

/* The hash. NULL: no such user. */
const char *auth_users_find(const struct auth_users *users, const char *name, size_t length);
/* A hash. NULL: the table is empty. */
const char *auth_users_costliest(const struct auth_users *users);
/* Contract: under the lock of the one auth that the table is used with. NULL: all hashes cost the
 * same, and no answer needs to be held back. */
struct auth_pace *auth_users_pace(struct auth_users *users);

#endif
