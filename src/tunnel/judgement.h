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

struct listener;
struct text;

/* Stays where it is once it is begun. Members are for reading. */
struct judgement {
    const struct policy *policy;
    struct policy_facts facts;        /* of the last verdict */
    bool has_time;                    /* a rule needs it, or it was set; it does not pass */
    enum resolver_status statuses[2]; /* of the families that are answered */
    unsigned answered_count;
    unsigned allowed_count; /* addresses that may be dialled */
    struct verdict allowed; /* of the first of them: it stands for all until one is dialled */
    bool is_denied;         /* the name was, or an address; and `denied` is what the client hears */
    struct verdict denied;
};

/* What a tunnel is judged by. `user`: whose password was right; NULL: nobody's, or nobody is asked
 * for one. `listener` NULL: not known. Nothing is copied, and all of it outlives the judging. */
void judgement_begin(struct judgement *judgement, const struct policy *policy,
                     const struct ip_address *client, const char *user,
                     const struct listener *listener, const struct authority *target);
/* Instead of now. 0 is Sunday; minute of the day, local. */
void judgement_set_time(struct judgement *judgement, uint8_t weekday, uint16_t minute);
/* Instead of nothing. NULL: there is none. */
void judgement_set_inside(struct judgement *judgement, const char *protocol, const char *sni);

/* Whoever goes the way is told of each address once it is judged. POLICY_ALLOW: it may be dialled;
 * else it is denied. */
typedef void judgement_tell(void *self, const struct ip_address *address,
                            const struct verdict *verdict);

/* Either there is a name: it is judged before the lookup (POLICY_CONTINUE: that may take place;
 * else it is denied, and that is the end of it), then each family's answer when it comes. Or there
 * is a literal, which is an answer for both. */
bool judgement_has_name(const struct judgement *judgement);
struct verdict judgement_of_name(struct judgement *judgement);
void judgement_of_answer(struct judgement *judgement, const struct resolver_answer *answer,
                         judgement_tell *tell, void *self);
void judgement_of_literal(struct judgement *judgement, const struct ip_address *address,
                          judgement_tell *tell, void *self);
/* What is not answered yet is taken for a timeout. */
void judgement_give_up(struct judgement *judgement);
bool judgement_is_complete(const struct judgement *judgement); /* both families are answered */
/* What was said of an address that was judged before: the facts are still the same. */
struct verdict judgement_recall(struct judgement *judgement, const struct ip_address *address);

/* Nothing may be dialled: why. */
enum tunnel_error judgement_error(const struct judgement *judgement);
/* The same as one line for a client: what was refused, and by which rule; or how the lookup failed.
 */
void judgement_print(struct text *out, const struct judgement *judgement);
/* In ASCII: a rule whose name is not is `line N`. */
void judgement_print_phrase(struct text *out, const struct judgement *judgement);

/* Of a verdict that refuses; and whether an error is one that denies (and does not only ask). */
enum tunnel_error verdict_error(const struct verdict *verdict);
bool error_is_denial(enum tunnel_error error);

#endif
