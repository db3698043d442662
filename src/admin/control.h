/* Serves the control socket: one request line per connection, lines of JSON as its answer.
 *
 *   stats    {"ok":true,...}: see admin/stats.h
 *   ps       {"ok":true,"tunnels":N}, then an object per line for each open tunnel
 *   ps {"user":"..","host":"..","client":"..","rule":"..","min_bytes":N}
 *            the same of those that match; see tunnel/tunnel_filter.h
 *   kill {"id":".."}, or user, host, client, rule            {"ok":true,"killed":N}
 *   reload   {"ok":true,"text":"..."} with warnings, when the new configuration serves;
 *            {"ok":false,"error":"..."}: nothing has changed
 *   drain    {"ok":true,"drain_ms":N}, and the drain, which may last so long, begins
 *   explain {"target":"..","user":"..",...}  {"ok":true,"verdict":"..","exit":N,"text":".."}: the
 *            fields of config/question.h; see struct explain_answer
 *   trace {"id":".."}, or client, host, or neither   {"ok":true}, then a line for each step as it
 *            happens, and {"lost":N} where N steps are missing; until the tunnel of that id closes
 *   else     {"ok":false,"error":"..."}
 *
 * At most 16 clients (the oldest gives way to a 17th), 10 s each (60 s to wait for a reload),
 * requests of up to 4,096 bytes.
 */
#ifndef ADMIN_CONTROL_H
#define ADMIN_CONTROL_H

#include "base/contract.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct control;
struct loop;
struct panel;

/* Does what a client may ask for that concerns adit as a whole. */
struct control_owner {
    void (*reload)(void *self);    /* control_answer_reload must follow, from within or later */
    uint64_t (*drain)(void *self); /* how long it may last, in ms */
    void (*note)(void *self, const char *words); /* for the log */
    void *self;
};

/* Creates the server. `fd` is a listening, non-blocking socket and stays the caller's; `panel` must
 * outlive the server. Returns 0 or -errno. */
int control_create(struct loop *loop, int fd, const struct panel *panel,
                   const struct control_owner *owner, struct control **ret_control) MUST_CHECK;
/* Answers the next `count` requests for a reload, in the order in which they came. `text` is the
 * warnings when the reload `is_good`, and otherwise what is wrong. */
void control_answer_reload(struct control *control, size_t count, bool is_good, const char *text);
/* Closes the connections that are left, without an answer, and frees the server. */
void control_destroy(struct control *control);

#endif
