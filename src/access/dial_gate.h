/* Bounds how many dials are under way: in all, and for one client (base/fair_line.h says who is
 * next). Shared by the threads of a process.
 */
#ifndef ACCESS_DIAL_GATE_H
#define ACCESS_DIAL_GATE_H

#include "base/contract.h"
#include "base/fair_line.h"
#include "base/ip_address.h"
#include "loop/loop.h"

struct dial_gate;

/* One tunnel's way through the gate. Embedded in its owner; the members are private. */
struct dial_pass {
    struct letter letter; /* posted to `loop` when a waiting pass is let in */
    struct fair_place place;
    struct loop *loop;
    bool is_told; /* false: waits, or was let in and its letter is on its way */
    void (*on_entered)(struct dial_pass *pass);
};

/* Returns 0 or a negative errno. */
int dial_gate_create(const struct fair_limits *limits, struct dial_gate **ret_gate) MUST_CHECK;
/* Contract: no pass is inside or waits. */
void dial_gate_destroy(struct dial_gate *gate);

/* Returns 0 when the pass is let in at once; on_entered is not called then. Returns -EINPROGRESS
 * when it waits, and on_entered will be called; -EAGAIN when the client's line is full; -ENOMEM. */
int dial_gate_enter(struct dial_gate *gate, struct dial_pass *pass, struct loop *loop,
                    const struct ip_address *client,
                    void (*on_entered)(struct dial_pass *)) MUST_CHECK;
/* Leaves, whether in or waiting; harmless when already out (a zeroed pass is out). */
void dial_gate_leave(struct dial_gate *gate, struct dial_pass *pass);

#endif
