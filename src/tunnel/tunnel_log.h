/* A tunnel's lines in the access log and its part in the counters. Private to tunnel/. */
#ifndef TUNNEL_TUNNEL_LOG_H
#define TUNNEL_TUNNEL_LOG_H

#include "tunnel/tunnel.h"
#include "tunnel/tunnel_state.h"

void tunnel_log_open(struct tunnel *tunnel);
void tunnel_log_close(struct tunnel *tunnel, enum closed_by closed_by);
/* Returns the record of an open tunnel: the fields of its `open` line, and bytes and age so far. */
struct access_record tunnel_log_record(const struct tunnel *tunnel);
/* Log that the request got an answer other than 200, or that its client left before any answer. */
void tunnel_log_refused(struct tunnel *tunnel, enum tunnel_error error, const char *reason);
void tunnel_log_cancelled(struct tunnel *tunnel);
/* Logs a request as a rejection, because there was no memory for a tunnel that could be logged. */
void tunnel_turn_away(struct tunnel_env *env, const struct tunnel_request *request,
                      enum tunnel_error error);

#endif
