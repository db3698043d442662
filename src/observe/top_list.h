/* Who has most of something: names with amounts, in bounded memory however many names there are.
 *
 * Space-Saving (Metwally, Agrawal, El Abbadi 2005): when all places are taken, a new name gets that
 * of the smallest and inherits its amount as its error. Whoever has more than a capacity-th of all
 * is in the list, and nobody is said to have more than he has. One thread at a time.
 */
#ifndef OBSERVE_TOP_LIST_H
#define OBSERVE_TOP_LIST_H

#include "base/contract.h"
#include "base/hash.h"

#include <stddef.h>
#include <stdint.h>

#define TOP_LIST_NAME_MAX 255 /* bytes; longer names are cut */

struct top_entry;

/* Members are private. All zero: to be finished, but no more. */
struct top_list {
    struct hash_seed seed;
    struct hash_table table;
    struct top_entry **entries;
    size_t count;
    size_t capacity;
};

int top_list_init(struct top_list *list, size_t capacity) MUST_CHECK; /* 0 or -errno */
void top_list_finish(struct top_list *list);
void top_list_clear(struct top_list *list);
/* Without memory for a new name, nothing is added. */
void top_list_add(struct top_list *list, const char *name, size_t length, uint64_t amount);
/* What is sure of `from`. */
void top_list_add_all(struct top_list *list, const struct top_list *from);

struct top_name {
    const char *name; /* with a NUL; as long as the list does not change */
    uint64_t amount;  /* at least */
};
/* The largest first, at most `limit`. Returns how many; those of whom nothing is sure are left out.
 */
size_t top_list_read(const struct top_list *list, struct top_name *ret_names, size_t limit);

#endif
