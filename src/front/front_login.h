/* Finds out who asks. A front-end has the credentials checked before it asks for a tunnel, whether
 * the target is known yet or not. access/auth does the check; its results become the errors of
 * tunnel_error.def.
 */
#ifndef FRONT_FRONT_LOGIN_H
#define FRONT_FRONT_LOGIN_H

#include "access/auth.h"
#include "base/contract.h"
#include "loop/loop.h"
#include "tunnel/tunnel_error.h"
#include "wire/basic_auth.h"

#include <stdbool.h>

struct tunnel_env;

/* The credentials that a client offers. */
struct front_offer {
    const struct basic_credentials *credentials; /* lives during the call */
    enum tunnel_error error; /* why they can't be checked; then at most the name is set */
};

/* Embedded in its owner. When all is zero, nothing is under way. */
struct front_login {
    struct auth_check check;  /* under way: private */
    struct deadline patience; /* of the check: private */
    struct loop *loop;        /* private */
    void (*on_known)(struct front_login *login);
    /* Valid once the result is known. NONE means that the client is `user`. Otherwise this says why
     * the client is not let in, and so does `details` (NULL: the error's text). */
    enum tunnel_error error;
    const char *details;
    bool is_password_long; /* private */
    bool has_user;         /* a name was offered */
    char user[BASIC_USER_MAX + 1];
};

/* Returns whether there are users to check credentials against. If not, credentials are ignored. */
bool front_login_is_needed(const struct tunnel_env *env);
/* Starts the check. Returns true when the result is known at once; without users to check against,
 * the client has no name. Returns false when on_known will be called, after 10 s at the latest. */
bool front_login_start(struct front_login *login, const struct tunnel_env *env,
                       const struct ip_address *client, const struct front_offer *offer,
                       void (*on_known)(struct front_login *login)) MUST_CHECK;
/* Cancels the check: on_known is not called any more. Harmless when nothing is under way. */
void front_login_cancel(struct front_login *login);
/* Returns who the client is, or said it was; NULL when it gave no name. */
const char *front_login_user(const struct front_login *login);

#endif
