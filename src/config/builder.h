/* What the grammar's actions call: tokens in, a configuration under construction out. Internal to
 * config/.
 *
 * Whatever is wrong becomes a diagnostic, and building goes on: a run finds many errors. Memory
 * that runs out shows in the arena.
 */
#ifndef CONFIG_BUILDER_H
#define CONFIG_BUILDER_H

#include "base/contract.h"
#include "config/drafts.h"
#include "config/lexer.h"
#include "config/setting.h"

#include <stdbool.h>
#include <stddef.h>

struct list_entry;

enum { BUILDER_DEPTH_MAX = 16, BUILDER_FILES_MAX = 1024 };

struct config_builder {
    struct config_draft *draft;
    struct config_reader *reader;
    struct diagnostics *diagnostics;
    struct lexer *lexer; /* of the file that is read now */
    const char *folder;  /* as in struct config_overrides */
    const char *paths[BUILDER_DEPTH_MAX];
    size_t depth;
    size_t file_count;
    size_t statement_count;           /* of the file that is read now; an `include` is none */
    struct vector listeners;          /* struct listener_draft */
    struct vector references;         /* struct reference */
    struct vector user_words;         /* struct config_word: all users that are named */
    struct vector strays;             /* struct stray */
    struct vector conditions;         /* struct policy_condition: of the rule that is read now */
    struct config_place inside_place; /* of that rule */
    enum policy_condition_kind condition_kind;         /* of the condition that is read now */
    const char *words_before[2];                       /* of the last two tokens; NULL: no word */
    size_t rule_errors;                                /* how many errors there were before it */
    size_t rule_references;                            /* and references */
    struct config_place setting_places[SETTING_COUNT]; /* line 0: not set */
    bool has_admin;
    struct ip_endpoint admin;
    struct config_place admin_place;
    struct config_place admin_address_place;
    struct config_place admin_from_place; /* of the first of them */
    struct config_place control_place;
    bool is_control_begun; /* the word `control` stands there, maybe where it is none */
    bool is_cut;           /* something could not be read: a file, its text, a statement of it */
    struct config_place log_place;
    struct config_place resolver_place;
    struct config_place users_place;
};

/* A `log` statement's parts. */
struct log_draft {
    struct config_word path;
    enum config_log_target target;
    struct config_word format; /* text NULL: not given */
    struct vector events;      /* struct config_word */
};

/* An `admin` statement's parts; a count of 0: not given. */
struct admin_draft {
    struct config_word address;
    struct vector users; /* struct config_word */
    struct vector from;  /* struct config_word */
    struct vector names; /* struct config_word */
};

/* -- diagnostics: the pieces up to NULL make the message */
void builder_error(struct config_builder *builder, const struct config_place *place, ...)
    __attribute__((sentinel));
void builder_warn(struct config_builder *builder, const struct config_place *place, ...)
    __attribute__((sentinel));

/* -- builder.c: files */
/* Reads the file and what it includes. */
void builder_read_file(struct config_builder *builder, const char *path,
                       const struct config_place *place);
/* The same for a text that is no file. */
void builder_read_text(struct config_builder *builder, const char *name, const char *text,
                       size_t length);
void builder_include(struct config_builder *builder, const struct config_word *word);
/* Relative to the file that is read now. NULL: no memory. */
const char *builder_join_path(struct config_builder *builder, const char *path);
/* Of a file of the configuration that was just read. */
void builder_add_source(struct config_builder *builder, enum config_source_kind kind,
                        const char *path, const char *list, size_t count);
/* Says why a file could not be read. */
void builder_report_io(struct config_builder *builder, const struct config_place *place,
                       const char *path, int error);

/* -- build_settings.c: one statement each */
void build_listen(struct config_builder *builder, const struct config_word *address);
void build_tls(struct config_builder *builder, const struct config_place *place);
void build_admin(struct config_builder *builder, const struct config_place *place,
                 const struct admin_draft *admin);
void build_admin_off(struct config_builder *builder, const struct config_place *place);
void build_control(struct config_builder *builder, const struct config_place *place,
                   const struct config_word *word);
void build_users(struct config_builder *builder, const struct config_place *place,
                 const struct config_word *word);
void build_resolver(struct config_builder *builder, const struct config_place *place,
                    const struct vector *servers, const struct config_word *timeout);
void build_setting(struct config_builder *builder, const char *statement,
                   const struct config_word *name, const struct config_word *value,
                   const struct config_word *per);
void build_log(struct config_builder *builder, const struct config_place *place,
               const struct log_draft *log);

/* -- build_lists.c */
/* `list NAME` or `group NAME` was read; what follows may be malformed. */
void build_begin_list(struct config_builder *builder, const struct config_word *name);
void build_begin_group(struct config_builder *builder, const struct config_word *name);
void build_group(struct config_builder *builder, const struct config_word *name,
                 const struct vector *users);
void build_list(struct config_builder *builder, const struct config_word *name,
                const struct vector *values);
void build_list_file(struct config_builder *builder, const struct config_word *name,
                     const struct config_word *word, bool is_lenient);
/* The list or group of that name, made when there is none. False: no memory. */
bool build_find_list(struct config_builder *builder, const struct config_word *name,
                     size_t *ret_index);
bool build_find_group(struct config_builder *builder, const struct config_word *name,
                      size_t skipped, size_t *ret_index);

/* -- build_rules.c */
void build_begin_rule(struct config_builder *builder);
void build_condition(struct config_builder *builder, enum policy_condition_kind kind,
                     bool is_negated, const struct vector *values);
void build_rule(struct config_builder *builder, const struct config_place *place, bool is_report,
                bool is_allow, const struct config_word *name);
/* The one or two values that an entry is (`.example.com` is two); 0: no memory. */
size_t build_entry_values(struct config_builder *builder, const struct list_entry *entry,
                          struct policy_value ret_values[2]);
/* Notes a user's name, for what is said of users in the end. False: it is none, which is said. */
bool build_user(struct config_builder *builder, const struct config_word *word);
/* For admin's `user` and `from`. */
bool build_values(struct config_builder *builder, enum policy_condition_kind kind,
                  const struct vector *words, struct policy_condition *ret_condition);

/* The conditions (bits of 1 << their kind) that take the word as a keyword; 0: it is none. */
unsigned build_keyword_takers(const char *word);
/* What a condition that is about hosts takes, in words. */
const char *build_wanted(enum policy_condition_kind kind);

/* -- build_advice.c */
/* The unexpected word that was read last, where a condition could stand; `expected` says what
 * could. */
void build_stray(struct config_builder *builder, const struct config_place *place,
                 bool is_behind_value, const struct suggestion *keyword, const char *expected);
/* When all files are read: reports all of them. */
void build_report_strays(struct config_builder *builder);

/* -- build_names.c */
void build_check_name(struct config_builder *builder, const struct config_word *name);
bool build_is_reserved_name(const char *name);
/* When all files are read: the places of all rules, and names for those that have none. */
void build_name_rules(struct config_builder *builder);

/* -- build_warn.c: of what was read and found good */
void build_warn(struct config_builder *builder);

/* -- build_check.c: when everything is read */
void build_finish(struct config_builder *builder, const struct config_overrides *overrides);

#endif
