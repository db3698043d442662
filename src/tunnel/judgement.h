/* Judging a tunnel: its facts go to policy, and a verdict becomes an error and words. Private to
 * tunnel/. */
#ifndef TUNNEL_JUDGEMENT_H
#define TUNNEL_JUDGEMENT_H

#include "policy/policy.h"
#include "tunnel/tunnel_error.h"

struct ip_address;
struct text;
struct tunnel;

/* `address` NULL: the name phase. Notes which report rules were true, for the log. */
struct verdict judgement_of(struct tunnel *tunnel, const struct ip_address *address);
/* Of a verdict that refuses. */
enum tunnel_error judgement_error(const struct verdict *verdict);
/* One line for a client: what was refused, and by which rule. */
void judgement_print(struct text *out, const struct verdict *verdict);

#endif
