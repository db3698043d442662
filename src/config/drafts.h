/* A configuration while it is read, until all of it is known. The drafts stay in memory afterwards
 * for --print. Internal to config/. */
#ifndef CONFIG_DRAFTS_H
#define CONFIG_DRAFTS_H

#include "config/arena.h"
#include "config/config.h"
#include "config/suggest.h"

#include <stdbool.h>
#include <stddef.h>

struct name_set;
struct network_set;

/* A list as it is written; its definitions accumulate. */
struct list_draft {
    const char *name;
    bool is_begun; /* a definition was begun, even if it is malformed */
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
    bool is_begun; /* as in a list */
    bool is_defined;
    bool is_missed; /* it was reported that there is no such group */
    bool is_used;
    struct config_place place; /* of its first definition, else use */
    struct vector users;       /* const char * */
};

struct rule_draft {
    struct policy_rule_source source;
    bool is_named; /* `as` gives it a name; false: build_name_rules does */
    bool is_bad;   /* it has an error, which was reported */
    struct config_place place;
    struct config_place inside_place; /* of the condition about a tunnel's inside; line 0: none */
};

struct listener_draft {
    struct listener listener;
    struct config_place place;
};

enum reference_what { REFERENCE_LIST, REFERENCE_GROUP, REFERENCE_LISTENER };

/* One use of a list, a group or a listener. It is checked when all of them are known. */
struct reference {
    enum reference_what what;
    enum policy_condition_kind kind; /* in which it stands */
    size_t index;                    /* of the list or the group */
    struct ip_endpoint listener;
    struct config_place place;
    size_t rule; /* number of the rule, from 1; 0: it stands in no rule, or in one that has another
                    error */
};

/* A word that stands where a condition or a comma belongs. What to advise is known only when all
 * lists are known. */
struct stray {
    struct config_place place;
    const char *word;                /* as it is written */
    const char *before;              /* the word in front of it; NULL: that token is not a word */
    enum policy_condition_kind kind; /* of the condition in front of it */
    bool is_behind_value;
    struct suggestion keyword; /* the nearest that could stand there */
    const char *expected;      /* what is said when nothing better is known */
};

/* The memory of a struct config and of all that it is made of. */
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
