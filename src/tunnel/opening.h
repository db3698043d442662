/* A tunnel on its way: what it needs to authenticate, resolve, wait for room and dial, and the
 * driver that takes it from one state to the next. Private to tunnel/; tunnel.c opens, ends and
 * relays.
 */
#ifndef TUNNEL_OPENING_H
#define TUNNEL_OPENING_H

#include "base/contract.h"
#include "tunnel/tunnel.h"
#include "tunnel/tunnel_error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Makes tunnel->opening. False: no memory. */
bool opening_create(struct tunnel *tunnel, const struct tunnel_request *request,
                    const struct tunnel_ops *ops, void *self) MUST_CHECK;
/* The first step, and what can be done at once behind it. The tunnel may be closed when this
 * returns: then it was refused. */
void opening_start(struct tunnel *tunnel, const struct tunnel_request *request);
/* Ends what is under way. Harmless when tunnel->opening is NULL. */
void opening_free(struct tunnel *tunnel);

/* Logs, closes the tunnel and calls ops->refused. `details` NULL: the text of the error. */
void opening_refuse(struct tunnel *tunnel, enum tunnel_error error, const char *details);
/* What it has waited for so far, in vain or not, is told in the log as well. */
void opening_note_waits(struct tunnel *tunnel);

/* For the relay, in TUNNEL_ESTABLISHED: when the request came, the dialled end (whoever takes it
 * closes it), and the bytes behind the request head (NULL: none; they live as long as this). */
uint64_t opening_began_ms(const struct tunnel *tunnel);
struct stream *opening_take_target(struct tunnel *tunnel);
const void *opening_early_bytes(const struct tunnel *tunnel, size_t *ret_length);

#endif
