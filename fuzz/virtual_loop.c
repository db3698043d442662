/* No order among deadlines: whoever needs one sets them at different times. */
#include "virtual_loop.h"

#include "base/contract.h"
#include "base/list.h"
#include "loop/slab.h"

#include <unistd.h>

enum { START_MS = 1000000 };

static struct {
    uint64_t now_ms;
    struct list deadlines;
    struct garbage *garbage;
    struct watch *watch; /* NULL: none */
    struct slab slab;
} world;

/* ---- loop/loop.h ---- */

uint64_t loop_now_ms(const struct loop *loop)
{
    return world.now_ms;
}

void deadline_init(struct deadline *deadline, void (*on_passed)(struct deadline *))
{
    list_init(&deadline->link);
    deadline->on_passed = on_passed;
}

bool deadline_is_set(const struct deadline *deadline)
{
    return list_is_linked(&deadline->link);
}

void deadline_cancel(struct loop *loop, struct deadline *deadline)
{
    list_remove(&deadline->link);
}

void deadline_set(struct loop *loop, struct deadline *deadline, uint64_t at_ms)
{
    list_remove(&deadline->link);
    deadline->at_ms = at_ms;
    list_append(&world.deadlines, &deadline->link);
}

void loop_free_later(struct loop *loop, struct garbage *garbage, void (*destroy)(struct garbage *))
{
    garbage->destroy = destroy;
    garbage->next = world.garbage;
    world.garbage = garbage;
}

struct slab *loop_slab(struct loop *loop)
{
    return &world.slab;
}

int watch_open(struct loop *loop, struct watch *watch, int fd,
               void (*on_events)(struct watch *, uint32_t))
{
    REQUIRE(world.watch == NULL);
    *watch = (struct watch){.fd = fd, .on_events = on_events};
    world.watch = watch;
    return 0;
}

/* Only of a listener, and there is none. */
int watch_take_fd(struct loop *loop, struct watch *watch)
{
    REQUIRE(watch == NULL);
    return -1;
}

void watch_close(struct watch *watch)
{
    REQUIRE(watch == world.watch);
    close(watch->fd);
    watch->fd = -1;
    world.watch = NULL;
}

/* There is no other thread. */
void letter_init(struct letter *letter, void (*deliver)(struct letter *))
{
    list_init(&letter->link);
    letter->deliver = deliver;
}

void letter_post(struct loop *loop, struct letter *letter)
{
    REQUIRE(letter == NULL);
}

bool letter_take_back(struct loop *loop, struct letter *letter)
{
    return false;
}

/* ---- the world ---- */

void virtual_loop_reset(void)
{
    world.now_ms = START_MS;
    world.garbage = NULL;
    world.watch = NULL;
    list_init(&world.deadlines);
    if (world.slab.open[0].next == NULL) /* its memory serves all runs */
        slab_init(&world.slab);
}

void virtual_loop_end_turn(void)
{
    while (world.garbage != NULL) {
        struct garbage *garbage = world.garbage;

        world.garbage = garbage->next;
        garbage->destroy(garbage);
    }
}

static struct deadline *find_passed(void)
{
    for (struct list *link = world.deadlines.next; link != &world.deadlines; link = link->next) {
        struct deadline *deadline = container_of(link, struct deadline, link);

        if (deadline->at_ms <= world.now_ms)
            return deadline;
    }
    return NULL;
}

void virtual_loop_pass_time(uint64_t ms)
{
    struct deadline *deadline;

    world.now_ms += ms;
    while ((deadline = find_passed()) != NULL) {
        list_remove(&deadline->link);
        deadline->on_passed(deadline);
        virtual_loop_end_turn();
    }
}

void virtual_loop_tell(uint32_t events)
{
    if (world.watch != NULL)
        world.watch->on_events(world.watch, events);
    virtual_loop_end_turn();
}

bool virtual_loop_is_watching(void)
{
    return world.watch != NULL;
}

bool virtual_loop_has_deadline(void)
{
    return !list_is_empty(&world.deadlines);
}
