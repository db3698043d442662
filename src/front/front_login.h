/* Who asks? A front-end has credentials checked before it asks for a tunnel, whether the target is
 * known yet or not: access/auth, in the words of tunnel_error.def.
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

/* What a client offers. */
struct front_offer {
    const struct basic_credentials *credentials; /* lives during the call */
    enum tunnel_error error; /* why they can't be checked; then at most the name is set */
};

/* Embedded. Zeroed: nothing is under way. */
struct front_login {
    struct auth_check check;  /* under way: private */
    struct deadline patience; /* of the check: private */
    struct loop *loop;        /* private */
    void (*on_known)(struct front_login *login);
    /* Once it is known: NONE, the client is `user`; else why not, in `details` (NULL: in the
     * error's text). */
    enum tunnel_error error;
    const char *details;
    bool is_password_long; /* private */
    bool has_user;         /* a name was offered */
    char user[BASIC_USER_MAX + 1];
};

/* Whether there is anything to check credentials against: else they are ignored. */
bool front_login_is_needed(const struct tunnel_env *env);
/* True: it is known at once; without anything to check against the client is nobody. False:
 * on_known will be called, after 10 s at the latest. */
bool front_login_start(struct front_login *login, const struct tunnel_env *env,
                       const struct ip_address *client, const struct front_offer *offer,
                       void (*on_known)(struct front_login *login)) MUST_CHECK;
/* on_known is not called any more. Harmless when nothing is under way. */
void front_login_cancel(struct front_login *login);
/* Who the client is, or said it was. NULL: it said no name. */
const char *front_login_user(const struct front_login *login);

#endif
