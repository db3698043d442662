/* A configuration as it is read, until all of it is known; it stays, for --print. Internal to
 * config/. */
#ifndef CONFIG_DRAFTS_H
#define CONFIG_DRAFTS_H

#include "config/arena.h"
#include "config/config.h"
#include "config/suggest.h"

#include <stdbool.h>
#include <stddef.h>

struct name_set;
struct network_set;

/* A list as it is written. */
struct list_draft {
    const char *name;
    bool is_begun; /* a definition was, be it malformed */
    bool is_defined;
    bool is_bad;            /* what it holds has an error */
    unsigned unended_count; /* definitions that are malformed */
    bool is_used;
    struct config_place place; /* of its first definition, else use */
    struct vector values;      /* struct policy_value: names, suffixes, networks */
    struct vector files;       /* struct list_file */
    struct name_set *names;
    struct network_set *networks;
};

struct group_draft {
    const char *name;
    bool is_begun; /* as a list's */
    bool is_defined;
    bool is_missed; /* that there is none was said */
    bool is_used;
    struct config_place place; /* of its first definition, else use */
    struct vector users;       /* const char * */
};

struct rule_draft {
    struct policy_rule_source source;
    bool is_named; /* by `as`, and not by us */
    bool is_bad;   /* it has an error, which was reported */
    struct config_place place;
    struct config_place inside_place; /* of what is about a tunnel's inside; line 0: nothing */
};

struct listener_draft {
    struct listener listener;
    struct config_place place;
};

enum reference_what { REFERENCE_LIST, REFERENCE_GROUP, REFERENCE_LISTENER };

/* A use of a list, a group or a listener, to be checked when all of them are known. */
struct reference {
    enum reference_what what;
    enum policy_condition_kind kind; /* in which it stands */
    size_t index;                    /* of the list or the group */
    struct ip_endpoint listener;
    struct config_place place;
    size_t rule; /* its number from 1; 0: it stands in none, or that has another error */
};

/* A word that stands where a condition or a comma belongs. What to say of it shows when all lists
 * are known. */
struct stray {
    struct config_place place;
    const char *word;                /* as it is written */
    const char *before;              /* the word in front of it; NULL: that is none */
    enum policy_condition_kind kind; /* of the condition in front of it */
    bool is_behind_value;
    struct suggestion keyword; /* the nearest that could stand there */
    const char *expected;      /* what is said when nothing better is known */
};

/* What a struct config lives in, with all that it is made of. */
struct config_draft {
    struct config config;
    struct arena arena;
    struct vector lists;   /* struct list_draft */
    struct vector groups;  /* struct group_draft */
    struct vector rules;   /* struct rule_draft */
    struct vector sources; /* struct config_source */
    struct users_file *users;
};

#endif
