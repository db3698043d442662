/* What the main thread orders its threads to do, and what they answer.
 *
 * An order is a kind with its arguments. At most one order of each kind waits for a thread; a newer
 * one replaces it. Orders that wait together are carried out in the order of this enum, and not in
 * the order in which they were sent. Each kind has a handler in worker_thread_orders.c.
 */
#ifndef WORKER_ORDER_H
#define WORKER_ORDER_H

#include "tunnel/tunnel_filter.h"

#include <stddef.h>

struct file_text;
struct snapshot;

enum order_kind {
    ORDER_USE_HOSTS,       /* `file`: new contents of /etc/hosts */
    ORDER_USE_RESOLV_CONF, /* `file`: new contents of /etc/resolv.conf */
    ORDER_APPLY,        /* `snapshot`: serve by it, and listen to its listeners as well as to those
                         * before. Answer: 0, or why not all of them could be watched */
    ORDER_RETIRE,       /* empty the queues of listeners that the snapshot does not have, and leave
                         * them. Answered when done */
    ORDER_TELL_TALKERS, /* add to the talkers what the tunnels that are still open have moved */
    ORDER_DRAIN,        /* refuse what waits in the accept queues, and accept no more (then it is
                         * answered); end with the last tunnel */
    ORDER_END,          /* the drain time is over: close everything, then end */
    ORDER_LIST,         /* list the open tunnels that match `filter`. Answer: lines, and how many */
    ORDER_KILL,         /* end those that match `filter`. Answer: how many, when all have ended */
    ORDER_KIND_COUNT
};

/* Members that the kind does not name are zero. */
struct order {
    enum order_kind kind;
    struct file_text *file;
    struct snapshot *snapshot;
    struct tunnel_filter filter;
};

struct order_answer {
    int error;   /* 0 or -errno */
    char *lines; /* of JSON, one per tunnel; NULL: none */
    size_t length;
    size_t tunnel_count;
};

void order_release(const struct order *order);
/* Frees the lines, unless somebody has taken them and set them to NULL. */
void order_answer_release(struct order_answer *answer);

#endif
