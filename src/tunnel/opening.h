/* What only an opening tunnel needs: to authenticate, resolve, wait for room and dial. Private to
 * tunnel/; the steps are tunnel.c's. */
#ifndef TUNNEL_OPENING_H
#define TUNNEL_OPENING_H

#include "access/auth.h"
#include "base/contract.h"
#include "tunnel/tunnel.h"
#include "tunnel/tunnel_error.h"

#include <stdbool.h>

struct opening;
struct verdict;

/* NULL for want of memory. */
struct opening *opening_create(struct tunnel *tunnel, const struct tunnel_request *request,
                               const struct tunnel_ops *ops, void *self);
/* Keeps the bytes behind the request head; few clients send any. False: no memory. */
bool opening_keep_early(struct opening *opening, const struct tunnel_request *request) MUST_CHECK;
/* Ends what is under way. Harmless when tunnel->opening is NULL. */
void opening_free(struct tunnel *tunnel);

/* Credentials came: checks them, and calls the driver when that takes time. */
void opening_authenticate(struct tunnel *tunnel, const struct tunnel_request *request);
/* Gathers the facts and judges the name, if the target has one. False: it is denied. */
bool opening_judge_name(struct tunnel *tunnel);
/* This verdict is the one that counts: its rule, and the report rules that are true with it. */
void opening_note(struct tunnel *tunnel, const struct verdict *verdict);
/* Addresses are judged and offered to the dial as they come; a literal's before this returns. False
 * when there is no memory for the question. */
bool opening_resolve(struct tunnel *tunnel);
/* Enters the line of those who want to dial; its time counts as dialling. 0, or -EAGAIN when the
 * client has too many in line, or another negative errno. */
int opening_enter_gate(struct tunnel *tunnel);

#endif
