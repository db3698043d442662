/* epoll as Linux has it: an item becomes ready when its file says "something happened", and
 * epoll_wait then *asks* the file what is the case. So an edge brings all that is true at the
 * moment, and an edge-triggered item stays silent until the file speaks again, whatever is true.
 */
#include "sim_internal.h"

#include <errno.h>
#include <string.h>

enum { ITEMS_MAX = 128, EPOLLS_MAX = 8 };

struct item {
    struct sim_file *file; /* NULL: free */
    int fd;
    struct epoll_event event;
    uint64_t ready_order; /* 0: not ready */
};

struct sim_epoll {
    struct item items[ITEMS_MAX];
    uint64_t order;
};

static struct sim_epoll *epolls[EPOLLS_MAX];

struct sim_epoll *sim_epoll_make(void)
{
    struct sim_epoll *epoll = __real_calloc(1, sizeof(*epoll));

    SIM_CHECK(epoll != NULL, "out of real memory");
    for (unsigned i = 0; i < EPOLLS_MAX; i++) {
        if (epolls[i] == NULL) {
            epolls[i] = epoll;
            return epoll;
        }
    }
    sim_die("too many epoll instances");
}

void sim_epoll_free(struct sim_epoll *epoll)
{
    for (unsigned i = 0; i < EPOLLS_MAX; i++) {
        if (epolls[i] == epoll)
            epolls[i] = NULL;
    }
    __real_free(epoll);
}

static struct item *find(struct sim_epoll *epoll, int fd, const struct sim_file *file)
{
    for (unsigned i = 0; i < ITEMS_MAX; i++) {
        struct item *item = &epoll->items[i];

        if (item->file == file && (file == NULL || item->fd == fd))
            return item;
    }
    return NULL;
}

static uint32_t current(const struct item *item)
{
    return sim_file_poll(item->file) & (item->event.events | EPOLLERR | EPOLLHUP);
}

int sim_epoll_control(struct sim_epoll *epoll, int operation, int fd, struct sim_file *file,
                      const struct epoll_event *event)
{
    struct item *item = find(epoll, fd, file);

    if (operation == EPOLL_CTL_ADD) {
        if (item != NULL)
            return -EEXIST;
        item = find(epoll, -1, NULL);
        SIM_CHECK(item != NULL, "too many descriptors in an epoll set");
        *item = (struct item){.file = file, .fd = fd};
    } else if (item == NULL) {
        return -ENOENT;
    }
    if (operation == EPOLL_CTL_DEL) {
        *item = (struct item){0};
        return 0;
    }
    item->event = *event;
    if (current(item) != 0 && item->ready_order == 0)
        item->ready_order = ++epoll->order;
    return 0;
}

void sim_file_wake(struct sim_file *file, uint32_t mask)
{
    if (file == NULL)
        return;
    for (unsigned i = 0; i < EPOLLS_MAX; i++) {
        if (epolls[i] == NULL)
            continue;
        for (unsigned j = 0; j < ITEMS_MAX; j++) {
            struct item *item = &epolls[i]->items[j];
            uint32_t wanted = item->event.events | EPOLLERR | EPOLLHUP;

            if (item->file == file && (mask == 0 || (mask & wanted)) && item->ready_order == 0)
                item->ready_order = ++epolls[i]->order;
        }
    }
}

void sim_file_forget(struct sim_file *file)
{
    for (unsigned i = 0; i < EPOLLS_MAX; i++) {
        for (unsigned j = 0; epolls[i] != NULL && j < ITEMS_MAX; j++) {
            if (epolls[i]->items[j].file == file)
                epolls[i]->items[j] = (struct item){0};
        }
    }
}

uint32_t sim_file_poll(struct sim_file *file)
{
    switch (file->kind) {
    case SIM_TCP:
        return sim_tcp_poll(file->tcp);
    case SIM_LISTENER:
        return sim_listener_poll(file);
    case SIM_EVENTFD:
        return EPOLLOUT | (file->counter > 0 ? (uint32_t)EPOLLIN : 0);
    case SIM_PIPE_READ:
    case SIM_PIPE_WRITE:
        return sim_pipe_poll(file->pipe, file->kind == SIM_PIPE_WRITE);
    case SIM_EPOLL:
    case SIM_DATAGRAM:
    case SIM_NULL:
        break;
    }
    return 0;
}

static struct item *first_ready(struct sim_epoll *epoll)
{
    struct item *first = NULL;

    for (unsigned i = 0; i < ITEMS_MAX; i++) {
        struct item *item = &epoll->items[i];

        if (item->file != NULL && item->ready_order != 0 &&
            (first == NULL || item->ready_order < first->ready_order))
            first = item;
    }
    return first;
}

int sim_epoll_collect(struct sim_epoll *epoll, struct epoll_event *events, int count)
{
    struct item *again[ITEMS_MAX];
    int found = 0;
    unsigned again_count = 0;
    struct item *item;

    while (found < count && (item = first_ready(epoll)) != NULL) {
        uint32_t now = current(item);

        item->ready_order = 0;
        if (now == 0)
            continue;
        events[found++] = (struct epoll_event){.events = now, .data = item->event.data};
        if (!(item->event.events & EPOLLET))
            again[again_count++] = item;
    }
    for (unsigned i = 0; i < again_count; i++)
        again[i]->ready_order = ++epoll->order;
    return found;
}
