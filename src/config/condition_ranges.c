/* Every fact is turned into a number: a port, a minute of the week, the place of a listener among
 * all listeners, or an address.
 *
 * The IPv4 addresses lie right below the IPv6 ones, so that all of them are one range. The
 * surprise: a target in 64:ff9b::/96 is also the IPv4 address inside (policy/policy.c), so an IPv4
 * block of a target is two ranges: its own, and the one in 64:ff9b::/96.
 */
#include "config/condition_ranges.h"

#include "config/drafts.h"
#include "config/week_time.h"
#include "policy/name_set.h"
#include "policy/network_set.h"
#include "policy/special_address.h"

enum {
    PORTS_END = 65536,
    V4_BITS = 32,
    V6_BITS = 128,
    LIST_MAX = 1024, /* blocks; comparing longer lists block by block would take too long */
    CONDITION_RANGES_MAX = 8192,
};

/* -- points */

static int point_compare(const struct range_point *a, const struct range_point *b)
{
    for (size_t i = 0; i < ARRAY_LENGTH(a->words); i++)
        if (a->words[i] != b->words[i])
            return a->words[i] < b->words[i] ? -1 : 1;
    return 0;
}

static struct range_point point_of(uint64_t number)
{
    return (struct range_point){{0, 0, number}};
}

static struct range_point point_of_address(const struct ip_address *address)
{
    struct range_point point = {{address->family == IP_V6, 0, 0}};
    size_t length = address->family == IP_V6 ? 16 : 4;

    if (address->family == IP_V4)
        point.words[1] = UINT64_MAX;
    for (size_t i = 0; i < length; i++) {
        uint64_t *word = &point.words[length == 16 && i < 8 ? 1 : 2];

        *word = *word << 8 | address->bytes[i];
    }
    if (address->family == IP_V4)
        point.words[2] |= (uint64_t)UINT32_MAX << V4_BITS;
    return point;
}

/* Returns the point that lies 2 to the power of `bits` further on. */
static struct range_point point_after(struct range_point point, unsigned bits)
{
    size_t at = 2 - bits / 64;

    point.words[at] += (uint64_t)1 << bits % 64;
    while (at > 0 && point.words[at] < (uint64_t)1 << bits % 64) {
        point.words[--at]++;
        bits = 0;
    }
    return point;
}

/* -- sets */

static void range_set_add(struct arena *arena, struct range_set *set, struct range_point first,
                          struct range_point end)
{
    struct range *range = vector_push(arena, &set->ranges, sizeof(*range));

    if (range != NULL)
        *range = (struct range){first, end};
}

static bool range_is_before(const struct range *a, const struct range *b)
{
    return point_compare(&a->first, &b->first) < 0;
}

/* Contract: both children of `at` are heaps. Afterwards `at` is one, too. */
static void range_sift_down(struct range *ranges, size_t at, size_t count)
{
    while (2 * at + 1 < count) {
        size_t child = 2 * at + 1;
        struct range range = ranges[at];

        child += child + 1 < count && range_is_before(&ranges[child], &ranges[child + 1]);
        if (!range_is_before(&range, &ranges[child]))
            return;
        ranges[at] = ranges[child];
        ranges[child] = range;
        at = child;
    }
}

/* A heap sort, because libc's qsort may allocate memory and so is not pure. */
static void sort(struct range *ranges, size_t count)
{
    for (size_t i = count / 2; i > 0; i--)
        range_sift_down(ranges, i - 1, count);
    for (size_t end = count; end > 1; end--) {
        struct range last = ranges[0];

        ranges[0] = ranges[end - 1];
        ranges[end - 1] = last;
        range_sift_down(ranges, 0, end - 1);
    }
}

/* Puts the ranges in order and joins those that touch. */
static void seal(struct range_set *set)
{
    struct range *ranges = set->ranges.items;
    size_t count = 0;

    sort(ranges, set->ranges.count);
    for (size_t i = 0; i < set->ranges.count; i++) {
        if (count == 0 || point_compare(&ranges[count - 1].end, &ranges[i].first) < 0)
            ranges[count++] = ranges[i];
        else if (point_compare(&ranges[count - 1].end, &ranges[i].end) < 0)
            ranges[count - 1].end = ranges[i].end;
    }
    set->ranges.count = count;
}

bool range_set_is_empty(const struct range_set *set)
{
    return set->ranges.count == 0;
}

bool range_set_has(const struct range_set *outer, const struct range_set *inner)
{
    const struct range *outers = outer->ranges.items;
    const struct range *inners = inner->ranges.items;
    size_t at = 0;

    for (size_t i = 0; i < inner->ranges.count; i++) {
        while (at < outer->ranges.count && point_compare(&outers[at].end, &inners[i].first) <= 0)
            at++;
        if (at == outer->ranges.count || point_compare(&outers[at].first, &inners[i].first) > 0 ||
            point_compare(&outers[at].end, &inners[i].end) < 0)
            return false;
    }
    return true;
}

/* Makes the set of all points of `all` that are not in the set. */
static void add_others(struct arena *arena, const struct range_set *set, const struct range *all,
                       struct range_set *others)
{
    const struct range *ranges = set->ranges.items;
    struct range_point at = all->first;

    for (size_t i = 0; i < set->ranges.count; i++) {
        if (point_compare(&at, &ranges[i].first) < 0)
            range_set_add(arena, others, at, ranges[i].first);
        at = ranges[i].end;
    }
    if (point_compare(&at, &all->end) < 0)
        range_set_add(arena, others, at, all->end);
}

/* -- values */

struct ranges_making {
    struct arena *arena;
    const struct config_draft *draft;
    const struct policy_condition *condition;
    struct range_set *set;
};

static void making_add_network(void *self, const struct ip_network *network)
{
    const struct ranges_making *making = self;
    bool is_v6 = network->address.family == IP_V6;
    unsigned bits = (is_v6 ? V6_BITS : V4_BITS) - (unsigned)network->prefix_length;
    struct range_point first = point_of_address(&network->address);

    range_set_add(making->arena, making->set, first, point_after(first, bits));
    if (is_v6 || making->condition->kind == POLICY_FROM)
        return;
    struct ip_address nat64 = special_address_to_nat64(&network->address);
    first = point_of_address(&nat64);
    range_set_add(making->arena, making->set, first, point_after(first, bits));
}

static void add_networks(struct ranges_making *making, const struct ip_network *networks,
                         size_t count)
{
    for (size_t i = 0; i < count; i++)
        making_add_network(making, &networks[i]);
}

static bool add_list(struct ranges_making *making, size_t index)
{
    const struct list_draft *list = (const struct list_draft *)making->draft->lists.items + index;
    size_t count = network_set_count(list->networks);

    if (count == 0 || count > LIST_MAX ||
        (making->condition->kind == POLICY_TO && name_set_count(list->names) > 0))
        return false;
    network_set_visit(list->networks, making_add_network, making);
    return true;
}

/* Adds the minutes of one day; those behind its end belong to the next day. */
static void add_minutes(struct ranges_making *making, unsigned day, unsigned first, unsigned end)
{
    enum { WEEK = MINUTES_OF_DAY * DAYS_OF_WEEK };
    unsigned begin = day * MINUTES_OF_DAY;

    if (begin + end <= WEEK) {
        range_set_add(making->arena, making->set, point_of(begin + first), point_of(begin + end));
        return;
    }
    range_set_add(making->arena, making->set, point_of(begin + first), point_of(WEEK));
    range_set_add(making->arena, making->set, point_of(0), point_of(begin + end - WEEK));
}

static void making_add_time(struct ranges_making *making, const struct policy_value *value)
{
    unsigned first = value->time.first_minute;
    unsigned end = value->time.end_minute;

    for (unsigned day = 0; day < DAYS_OF_WEEK; day++)
        if (value->time.days >> day & 1)
            add_minutes(making, day, first, end > first ? end : end + MINUTES_OF_DAY);
}

/* Adds the listener by its place among all listeners. Returns false when adit does not listen
 * there. */
static bool add_listener(struct ranges_making *making, const struct ip_endpoint *listener)
{
    const struct listener_set *listeners = &making->draft->config.listeners;
    const struct listener *found = listener_set_find(listeners, LISTENER_TUNNELS, listener);

    if (found == NULL)
        return false;
    uint64_t place = (uint64_t)(found - listeners->all);
    range_set_add(making->arena, making->set, point_of(place), point_of(place + 1));
    return true;
}

static const struct range all_addresses = {{{0, UINT64_MAX, (uint64_t)UINT32_MAX << V4_BITS}},
                                           {{2, 0, 0}}};

static bool making_add_value(struct ranges_making *making, const struct policy_value *value)
{
    static const struct ip_network loopback_blocks[] = {{{IP_V4, {127}}, 8},
                                                        {{IP_V6, {[15] = 1}}, 128}};
    const struct ip_network *private_blocks;
    size_t count;

    switch (value->kind) {
    case POLICY_VALUE_ANY: /* for a target, `any` is true before the address is known */
        if (making->condition->kind != POLICY_FROM)
            return false;
        range_set_add(making->arena, making->set, all_addresses.first, all_addresses.end);
        return true;
    case POLICY_VALUE_NETWORK:
        making_add_network(making, &value->network);
        return true;
    case POLICY_VALUE_PRIVATE:
        private_blocks = special_address_private_blocks(&count);
        add_networks(making, private_blocks, count);
        return true;
    case POLICY_VALUE_LOOPBACK:
        add_networks(making, loopback_blocks, ARRAY_LENGTH(loopback_blocks));
        return true;
    case POLICY_VALUE_LIST:
        return add_list(making, value->index);
    case POLICY_VALUE_PORTS:
        range_set_add(making->arena, making->set, point_of(value->ports.first),
                      point_of((uint64_t)value->ports.last + 1));
        return true;
    case POLICY_VALUE_TIME:
        making_add_time(making, value);
        return true;
    case POLICY_VALUE_LISTENER:
        return add_listener(making, &value->listener);
    default:
        return false;
    }
}

static struct range all_of(const struct config_draft *draft, enum policy_condition_kind kind)
{
    switch (kind) {
    case POLICY_PORT: /* port 0 is left out: no request can be for it */
        return (struct range){point_of(1), point_of(PORTS_END)};
    case POLICY_TIME:
        return (struct range){point_of(0), point_of((uint64_t)MINUTES_OF_DAY * DAYS_OF_WEEK)};
    case POLICY_LISTENER:
        return (struct range){
            point_of(0), point_of(listener_set_count(&draft->config.listeners, LISTENER_TUNNELS))};
    default:
        return all_addresses;
    }
}

bool condition_ranges_make(struct arena *arena, const struct config_draft *draft,
                           const struct policy_condition *condition, struct range_set *ret_set,
                           struct range_set *ret_others)
{
    struct ranges_making making = {arena, draft, condition, ret_set};
    const struct range all = all_of(draft, condition->kind);
    bool is_all = condition->value_count > 0;

    *ret_set = (struct range_set){0};
    *ret_others = (struct range_set){0};
    for (size_t i = 0; i < condition->value_count; i++)
        is_all &= ret_set->ranges.count <= CONDITION_RANGES_MAX &&
                  making_add_value(&making, &condition->values[i]);
    if (arena->is_exhausted)
        return false;
    seal(ret_set);
    if (is_all)
        add_others(arena, ret_set, &all, ret_others);
    return is_all && !arena->is_exhausted;
}
