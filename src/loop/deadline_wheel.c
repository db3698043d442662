/* A deadline sits on the level of the highest 6-bit digit in which its time differs from the
 * wheel's time, in the slot of that digit. So level 0 holds the deadlines of the current 64 ms, one
 * slot per millisecond; when time reaches a slot of a higher level, its deadlines move to lower
 * levels.
 *
 * The surprise: every occupied slot lies *ahead* of the wheel's own position on that level, so the
 * next thing to do is the first bit behind the position on the lowest level that has one. Most
 * turns of a loop come before that time, which `quiet_until_ms` tells without a search.
 */
#include "loop/deadline_wheel.h"

#include <string.h>

enum { DIGIT_BITS = 6 };
static_assert(WHEEL_SLOTS == 1 << DIGIT_BITS, "a level has a slot for each value of a digit");

/* What the top level can still tell apart: two years. */
static const uint64_t reach_ms = ((uint64_t)1 << (DIGIT_BITS * WHEEL_LEVELS)) - 1;

static unsigned digit(uint64_t time_ms, unsigned level)
{
    return (unsigned)(time_ms >> (DIGIT_BITS * level)) % WHEEL_SLOTS;
}

void deadline_wheel_init(struct deadline_wheel *wheel, uint64_t now_ms)
{
    wheel->time_ms = now_ms;
    wheel->quiet_until_ms = DEADLINE_NEVER;
    memset(wheel->occupied, 0, sizeof(wheel->occupied));
    for (unsigned level = 0; level < WHEEL_LEVELS; level++)
        for (unsigned slot = 0; slot < WHEEL_SLOTS; slot++)
            list_init(&wheel->slots[level][slot]);
}

static void place(struct deadline_wheel *wheel, struct deadline *deadline)
{
    uint64_t difference = deadline->at_ms ^ wheel->time_ms;
    unsigned highest_bit = 63 - (unsigned)__builtin_clzll(difference | 1);
    unsigned level = highest_bit / DIGIT_BITS;
    unsigned slot = digit(deadline->at_ms, level);
    unsigned shift = DIGIT_BITS * level;
    uint64_t reached_ms = deadline->at_ms >> shift << shift;

    ENSURE(level < WHEEL_LEVELS);
    if (reached_ms < wheel->quiet_until_ms)
        wheel->quiet_until_ms = reached_ms;
    list_append(&wheel->slots[level][slot], &deadline->link);
    wheel->occupied[level] |= (uint64_t)1 << slot;
}

void deadline_wheel_add(struct deadline_wheel *wheel, struct deadline *deadline)
{
    REQUIRE(!list_is_linked(&deadline->link));
    uint64_t latest = wheel->time_ms | reach_ms;

    if (deadline->at_ms <= wheel->time_ms)
        deadline->at_ms = wheel->time_ms + 1;
    if (deadline->at_ms > latest && (deadline->at_ms ^ wheel->time_ms) > reach_ms)
        deadline->at_ms = latest;
    place(wheel, deadline);
}

void deadline_wheel_remove(struct deadline_wheel *wheel, struct deadline *deadline)
{
    struct list *neighbour = deadline->link.next;
    struct list *first = &wheel->slots[0][0];
    bool is_last = neighbour == deadline->link.previous;

    list_remove(&deadline->link);
    /* The only neighbour of the last deadline is the slot itself (or a list of due deadlines, which
     * has no bit).
     */
    if (is_last && neighbour >= first && neighbour < first + WHEEL_LEVELS * WHEEL_SLOTS) {
        size_t index = (size_t)(neighbour - first);
        wheel->occupied[index / WHEEL_SLOTS] &= ~((uint64_t)1 << index % WHEEL_SLOTS);
    }
}

uint64_t deadline_wheel_next(const struct deadline_wheel *wheel)
{
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        if (wheel->occupied[level] == 0) /* most of the low ones are */
            continue;
        unsigned shift = DIGIT_BITS * level;
        uint64_t ahead = ~(uint64_t)0 << digit(wheel->time_ms, level) << 1;
        uint64_t candidates = wheel->occupied[level] & ahead;

        if (candidates != 0) {
            uint64_t slot = (uint64_t)__builtin_ctzll(candidates);
            uint64_t above = wheel->time_ms >> shift >> DIGIT_BITS;

            return (above << DIGIT_BITS | slot) << shift;
        }
    }
    return DEADLINE_NEVER;
}

static void empty_slot(struct deadline_wheel *wheel, unsigned level, struct list *into)
{
    unsigned slot = digit(wheel->time_ms, level);

    list_move_all(into, &wheel->slots[level][slot]);
    wheel->occupied[level] &= ~((uint64_t)1 << slot);
}

/* Moves the deadlines of the slots that time has just reached to lower levels. */
static void cascade(struct deadline_wheel *wheel)
{
    for (unsigned level = WHEEL_LEVELS - 1; level > 0; level--) {
        if (wheel->time_ms & (((uint64_t)1 << DIGIT_BITS * level) - 1))
            continue;
        struct list reached;
        list_init(&reached);
        empty_slot(wheel, level, &reached);
        while (!list_is_empty(&reached)) {
            struct list *link = reached.next;
            list_remove(link);
            place(wheel, container_of(link, struct deadline, link));
        }
    }
}

void deadline_wheel_advance(struct deadline_wheel *wheel, uint64_t now_ms, struct list *due)
{
    while (now_ms >= wheel->quiet_until_ms) {
        wheel->quiet_until_ms = deadline_wheel_next(wheel);
        if (now_ms < wheel->quiet_until_ms)
            break;
        wheel->time_ms = wheel->quiet_until_ms;
        cascade(wheel);
        empty_slot(wheel, 0, due);
    }
    if (now_ms > wheel->time_ms)
        wheel->time_ms = now_ms;
}
