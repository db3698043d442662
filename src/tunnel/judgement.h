/* A tunnel's way through policy: its facts, what counts of several answers, and what a denial is
 * called. A tunnel goes it, and so does `adit explain`, which opens none.
 */
#ifndef TUNNEL_JUDGEMENT_H
#define TUNNEL_JUDGEMENT_H

#include "dns/resolver.h"
#include "policy/policy.h"
#include "tunnel/tunnel_error.h"
#include "wire/authority.h"

#include <stdbool.h>
#include <stdint.h>

struct text;

/* Stays where it is once it is begun. Members are for reading. */
struct judgement {
    const struct policy *policy;
    struct policy_facts facts; /* of the last verdict */
    struct ip_endpoint listener;
    bool has_time;                    /* a rule needs it, or it was set; it does not pass */
    enum resolver_status statuses[2]; /* of the families that are answered */
    unsigned answered_count;
    unsigned allowed_count; /* addresses that may be dialled */
    bool is_denied;         /* the name was, or an address; and `denied` is what the client hears */
    struct verdict denied;
};

/* What a tunnel is judged by. `user`: whose password was right; NULL: nobody's, or nobody is asked
 * for one. `listener` as written in `listen`; NULL: not known. All but the listener is not copied,
 * and outlives the judging. */
void judgement_begin(struct judgement *judgement, const struct policy *policy,
                     const struct ip_address *client, const char *user,
                     const struct ip_endpoint *listener, const struct authority *target);
/* Instead of now. 0 is Sunday; minute of the day, local. */
void judgement_set_time(struct judgement *judgement, uint8_t weekday, uint16_t minute);
/* Instead of nothing. NULL: there is none. */
void judgement_set_inside(struct judgement *judgement, const char *protocol, const char *sni);

/* Before the lookup. POLICY_CONTINUE: it may take place; else denied. */
struct verdict judgement_of_name(struct judgement *judgement);
/* POLICY_ALLOW: it may be dialled; else denied. */
struct verdict judgement_of_address(struct judgement *judgement, const struct ip_address *address);
/* What was said of an address that was judged before: the facts are still the same. */
struct verdict judgement_recall(struct judgement *judgement, const struct ip_address *address);
/* A family is answered, and each of its addresses was judged. */
void judgement_answered(struct judgement *judgement, enum resolver_status status);
bool judgement_is_complete(const struct judgement *judgement); /* both families are */

/* Nothing may be dialled: why. */
enum tunnel_error judgement_error(const struct judgement *judgement);
/* The same as one line for a client: what was refused, and by which rule; or how the lookup failed.
 */
void judgement_print(struct text *out, const struct judgement *judgement);
/* In ASCII: a rule whose name is not is `line N`. */
void judgement_print_phrase(struct text *out, const struct judgement *judgement);

/* Of a verdict that refuses. */
enum tunnel_error verdict_error(const struct verdict *verdict);

#endif
