/* A name is looked for without a lock, in a table that is never more than half full and from which
 * nothing is removed; only adding a name takes the lock.
 *
 * Rules that have denied nothing yet use up no number: one thread keeps those of the present policy
 * apart, and forgets them with the policy.
 *
 * The surprise: the hash has no secret. That is safe because names come from the operator and not
 * from outside.
 */
#include "observe/rule_names.h"

#include "base/hash.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { RULE_NAME_PLACES = 2 * RULE_NAMES_MAX, ANNOUNCED_MAX = RULE_NAMES_MAX / 2 };
static_assert((RULE_NAME_PLACES & (RULE_NAME_PLACES - 1)) == 0, "a power of two");

struct rule_name {
    size_t number;
    char text[];
};

struct rule_names {
    struct rule_name *_Atomic places[RULE_NAME_PLACES];
    struct rule_name *_Atomic by_number[RULE_NAMES_MAX];
    pthread_mutex_t lock;
    _Atomic size_t count;
    /* Used by one thread only. */
    char *announced[ANNOUNCED_MAX];
    size_t announced_count;
    size_t announced_places[RULE_NAME_PLACES]; /* 1 + index; 0: nothing */
};

struct rule_names *rule_names_create(void)
{
    struct rule_names *names = calloc(1, sizeof(*names));

    if (names != NULL)
        pthread_mutex_init(&names->lock, NULL);
    return names;
}

static void forget_announced(struct rule_names *names)
{
    while (names->announced_count > 0)
        free(names->announced[--names->announced_count]);
    memset(names->announced_places, 0, sizeof(names->announced_places));
}

void rule_names_destroy(struct rule_names *names)
{
    if (names == NULL)
        return;
    forget_announced(names);
    for (size_t i = 0; i < names->count; i++)
        free(names->by_number[i]);
    pthread_mutex_destroy(&names->lock);
    free(names);
}

static size_t first_place(const char *name)
{
    static const struct hash_seed no_seed;

    return hash_bytes(&no_seed, name, strlen(name)) & (RULE_NAME_PLACES - 1);
}

/* Returns the place of the name, or the empty place where it would be. */
static size_t find_place(const struct rule_names *names, const char *name)
{
    size_t place = first_place(name);
    const struct rule_name *there;

    while ((there = atomic_load_explicit(&names->places[place], memory_order_acquire)) != NULL &&
           strcmp(there->text, name) != 0)
        place = (place + 1) & (RULE_NAME_PLACES - 1);
    return place;
}

/* Contract: the lock is held. Returns NULL when there is no memory. */
static struct rule_name *rule_names_add(struct rule_names *names, size_t place, const char *text)
{
    size_t size = strlen(text) + 1;
    struct rule_name *name = malloc(sizeof(*name) + size);

    if (name == NULL)
        return NULL;
    name->number = names->count;
    memcpy(name->text, text, size);
    atomic_store_explicit(&names->by_number[name->number], name, memory_order_release);
    atomic_store_explicit(&names->places[place], name, memory_order_release);
    names->count++;
    return name;
}

size_t rule_names_find(struct rule_names *names, const char *text)
{
    const struct rule_name *name = names->places[find_place(names, text)];

    if (name == NULL && names->count < RULE_NAMES_MAX) {
        pthread_mutex_lock(&names->lock);
        size_t place = find_place(names, text); /* somebody may have been faster */
        name = names->places[place];
        if (name == NULL && names->count < RULE_NAMES_MAX)
            name = rule_names_add(names, place, text);
        pthread_mutex_unlock(&names->lock);
    }
    return name != NULL ? name->number : RULE_NAMES_MAX;
}

void rule_names_announce(struct rule_names *names, const char *text)
{
    size_t *const places = names->announced_places;
    size_t place = first_place(text);

    while (places[place] > 0 && strcmp(names->announced[places[place] - 1], text) != 0)
        place = (place + 1) & (RULE_NAME_PLACES - 1);
    if (places[place] > 0 || names->announced_count == ANNOUNCED_MAX)
        return;
    char *copy = strdup(text);
    if (copy == NULL) /* a zero less */
        return;
    names->announced[names->announced_count] = copy;
    places[place] = ++names->announced_count;
}

void rule_names_announce_anew(struct rule_names *names, const char *text)
{
    forget_announced(names);
    rule_names_announce(names, text);
}

const char *rule_names_announced_at(const struct rule_names *names, size_t index)
{
    return index < names->announced_count ? names->announced[index] : NULL;
}

bool rule_names_has(const struct rule_names *names, const char *text)
{
    return names->places[find_place(names, text)] != NULL;
}

const char *rule_names_at(const struct rule_names *names, size_t number)
{
    REQUIRE(number < RULE_NAMES_MAX);
    const struct rule_name *name =
        atomic_load_explicit(&names->by_number[number], memory_order_acquire);
    return name != NULL ? name->text : NULL;
}

const char *rule_names_or_other(const struct rule_names *names, size_t number)
{
    const char *name =
        names != NULL && number < RULE_NAMES_MAX ? rule_names_at(names, number) : NULL;

    return name != NULL ? name : "other";
}
