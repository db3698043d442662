/* How a tunnel is judged by policy: the facts, which of several answers counts, and how a denial is
 * told. Tunnels use it, and so does `adit explain`, which opens none.
 */
#ifndef TUNNEL_JUDGEMENT_H
#define TUNNEL_JUDGEMENT_H

#include "dns/resolver.h"
#include "policy/policy.h"
#include "tunnel/tunnel_error.h"
#include "wire/authority.h"

#include <stdbool.h>
#include <stdint.h>

struct listener;
struct text;

/* Contract: it is not moved in memory once it is begun. Members are only for reading. */
struct judgement {
    const struct policy *policy;
    struct policy_facts facts;        /* of the last verdict */
    bool has_time;                    /* a rule needs it, or it was set; it does not pass */
    enum resolver_status statuses[2]; /* of the families that are answered */
    unsigned answered_count;
    unsigned allowed_count; /* addresses that may be dialled */
    struct verdict allowed; /* of the first of them; it counts until one is dialled */
    bool is_denied;         /* the name was, or an address; and `denied` is what the client hears */
    struct verdict denied;
};

/* Begins with what a tunnel is judged by. `user` is who gave the right password, or NULL when no
 * password was asked for or given. `listener` is NULL when it is not known. Nothing is copied: all
 * of it must outlive the judgement. */
void judgement_begin(struct judgement *judgement, const struct policy *policy,
                     const struct ip_address *client, const char *user,
                     const struct listener *listener, const struct authority *target);
/* Judges by this time instead of the present one: the weekday (0 is Sunday) and the minute of the
 * day, in local time. */
void judgement_set_time(struct judgement *judgement, uint8_t weekday, uint16_t minute);
/* Sets what the first bytes of the tunnel show, which is not known otherwise. NULL means that they
 * show no protocol, or no SNI. */
void judgement_set_inside(struct judgement *judgement, const char *protocol, const char *sni);

/* Tells the caller about each address once it is judged: with POLICY_ALLOW it may be dialled,
 * otherwise it is denied. */
typedef void judgement_tell(void *self, const struct ip_address *address,
                            const struct verdict *verdict);

/* A target is a name or an address. A name is judged before the lookup: with POLICY_CONTINUE the
 * lookup may take place, otherwise the tunnel is denied and the judgement is over. Then each
 * family's answer is judged when it comes. An address counts as the answer for both families. */
bool judgement_has_name(const struct judgement *judgement);
struct verdict judgement_of_name(struct judgement *judgement);
void judgement_of_answer(struct judgement *judgement, const struct resolver_answer *answer,
                         judgement_tell *tell, void *self);
void judgement_of_literal(struct judgement *judgement, const struct ip_address *address,
                          judgement_tell *tell, void *self);
/* Takes the families that are not answered yet for timeouts. */
void judgement_give_up(struct judgement *judgement);
bool judgement_is_complete(const struct judgement *judgement); /* both families are answered */
/* Returns the verdict on an address that was judged before, from the same facts. */
struct verdict judgement_recall(struct judgement *judgement, const struct ip_address *address);

/* Returns why nothing may be dialled. Contract: nothing may. */
enum tunnel_error judgement_error(const struct judgement *judgement);
/* Prints the same as one line for a client: what was refused, and by which rule; or how the lookup
 * failed.
 */
void judgement_print(struct text *out, const struct judgement *judgement);
/* Prints it in ASCII. A rule whose name is not ASCII is called `line N`. */
void judgement_print_phrase(struct text *out, const struct judgement *judgement);

/* Return the error for a verdict that refuses; and whether an error is a denial (and not only a
 * request for a password). */
enum tunnel_error verdict_error(const struct verdict *verdict);
bool error_is_denial(enum tunnel_error error);

#endif
