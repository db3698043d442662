/* A tunnel's lines in the access log and its part in the counters. Private to tunnel/. */
#ifndef TUNNEL_TUNNEL_LOG_H
#define TUNNEL_TUNNEL_LOG_H

#include "tunnel/tunnel.h"
#include "tunnel/tunnel_state.h"

void tunnel_log_open(struct tunnel *tunnel);
void tunnel_log_close(struct tunnel *tunnel, enum closed_by closed_by);
/* An open tunnel: the fields of its `open`, bytes and age so far. */
struct access_record tunnel_log_record(const struct tunnel *tunnel);
/* The request got an answer that is no 200, or its client left before any answer. */
void tunnel_log_refused(struct tunnel *tunnel, enum tunnel_error error, const char *reason);
void tunnel_log_cancelled(struct tunnel *tunnel);
/* For want of memory there is no tunnel that could be logged: as a rejection. */
void tunnel_turn_away(struct tunnel_env *env, const struct tunnel_request *request,
                      enum tunnel_error error);

#endif
