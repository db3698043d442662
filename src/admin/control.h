/* Serves the control socket: one request line a connection, one line of JSON as its answer.
 *
 *   stats    {"ok":true,...}: see admin/stats.h
 *   drain    {"ok":true}, and the drain begins
 *   else     {"ok":false,"error":"..."}
 *
 * At most 16 clients (the oldest gives way to a 17th), 10 s each, requests of up to 256 bytes.
 */
#ifndef ADMIN_CONTROL_H
#define ADMIN_CONTROL_H

#include "base/contract.h"

#include <stddef.h>

struct control;
struct loop;

struct control_ops {
    /* Somebody asks for figures; control_answer_stats must follow, from within or later. */
    void (*stats_asked)(void *self);
    void (*drain_asked)(void *self);
};

/* `fd` listens, is non-blocking and stays the caller's. 0 or -errno. */
int control_create(struct loop *loop, int fd, const struct control_ops *ops, void *self,
                   struct control **ret_control) MUST_CHECK;
/* Answers all who wait for figures. */
void control_answer_stats(struct control *control, const char *line, size_t length);
/* Closes whatever connections are left. */
void control_destroy(struct control *control);

#endif
