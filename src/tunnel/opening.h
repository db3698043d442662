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

/* Makes tunnel->opening. Returns false when there is no memory. */
bool opening_create(struct tunnel *tunnel, const struct tunnel_request *request) MUST_CHECK;
/* Takes the first step and all that can follow it at once. The tunnel may be closed when this
 * returns; then it was refused. */
void opening_start(struct tunnel *tunnel);
/* Ends what is under way. This and opening_free are harmless when tunnel->opening is NULL. */
void opening_stop(struct tunnel *tunnel);
/* Does the same, and frees the opening. */
void opening_free(struct tunnel *tunnel);

/* Logs, closes the tunnel and calls way->refused. When `details` is NULL, the text of the error is
 * used. */
void opening_refuse(struct tunnel *tunnel, enum tunnel_error error, const char *details);
/* Notes in the tunnel, for its log line, how long it has waited for DNS and the dial so far,
 * whether that succeeded or not. */
void opening_note_waits(struct tunnel *tunnel);

/* Returns the loop's time when the request came. */
uint64_t opening_began_ms(const struct tunnel *tunnel);
/* Fills in what the relay starts with, except for the client's stream. Contract: the state is
 * TUNNEL_ESTABLISHED. The plan takes the dialled end; the bytes behind the request head live as
 * long as the opening. */
void opening_hand_over(struct tunnel *tunnel, struct relay_plan *plan);

#endif
