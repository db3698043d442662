/* Serves the control socket: one request line a connection, lines of JSON as its answer.
 *
 *   stats    {"ok":true,...}: see admin/stats.h
 *   ps       {"ok":true,"tunnels":N}, then an object a line for each open tunnel
 *   reload   {"ok":true,"text":"..."} with warnings, when the new configuration serves;
 *            {"ok":false,"error":"..."}: nothing has changed
 *   drain    {"ok":true}, and the drain begins
 *   else     {"ok":false,"error":"..."}
 *
 * At most 16 clients (the oldest gives way to a 17th), 10 s each (60 s to wait for a reload),
 * requests of up to 256 bytes.
 */
#ifndef ADMIN_CONTROL_H
#define ADMIN_CONTROL_H

#include "base/contract.h"

#include <stdbool.h>
#include <stddef.h>

struct control;
struct loop;

enum control_request {
    CONTROL_STATS,
    CONTROL_PS,
    CONTROL_RELOAD,
    CONTROL_DRAIN,
    CONTROL_REQUEST_COUNT,
};

/* `asked`: somebody asks; the answer must follow, from within or later (CONTROL_DRAIN needs none).
 * `fd` listens, is non-blocking and stays the caller's. 0 or -errno. */
int control_create(struct loop *loop, int fd,
                   void (*asked)(void *self, enum control_request request), void *self,
                   struct control **ret_control) MUST_CHECK;
/* Answers all who wait for figures. */
void control_answer_stats(struct control *control, const char *line, size_t length);
/* Answers all who wait for the tunnels: `count` texts of whole lines; NULL: there was no memory. */
void control_answer_ps(struct control *control, char *const texts[], const size_t lengths[],
                       size_t count);
/* Answers those who asked for the next `count` reloads, in the order in which they asked. */
void control_answer_reload(struct control *control, size_t count, bool is_good, const char *text);
/* Closes whatever connections are left. */
void control_destroy(struct control *control);

#endif
