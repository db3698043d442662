/* A tunnel on its way: what it needs to resolve, wait for room and dial, and the
 * driver that takes it from one state to the next. Private to tunnel/; tunnel.c opens, ends and
 * relays.
 */
#ifndef TUNNEL_OPENING_H
#define TUNNEL_OPENING_H

#include "base/contract.h"
#include "tunnel/tunnel.h"
#include "tunnel/tunnel_error.h"

#include <stdbool.h>
#include <stdint.h>

struct relay_plan;

/* Makes tunnel->opening. False: no memory. */
bool opening_create(struct tunnel *tunnel, const struct tunnel_request *request) MUST_CHECK;
/* The first step, and what can be done at once behind it. The tunnel may be closed when this
 * returns: then it was refused. */
void opening_start(struct tunnel *tunnel);
/* Ends what is under way. Harmless, as opening_free is, when tunnel->opening is NULL. */
void opening_stop(struct tunnel *tunnel);
/* The same, and frees it. */
void opening_free(struct tunnel *tunnel);

/* Logs, closes the tunnel and calls way->refused. `details` NULL: the text of the error. */
void opening_refuse(struct tunnel *tunnel, enum tunnel_error error, const char *details);
/* What it has waited for so far, in vain or not, is told in the log as well. */
void opening_note_waits(struct tunnel *tunnel);

/* When the request came. */
uint64_t opening_began_ms(const struct tunnel *tunnel);
/* In TUNNEL_ESTABLISHED: what the relay starts with, but for the client. The plan takes the dialled
 * end; the bytes behind the request head live as long as the opening. */
void opening_hand_over(struct tunnel *tunnel, struct relay_plan *plan);

#endif
