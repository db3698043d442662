/* The functions that the grammar's actions call: they take tokens and construct a configuration.
 * Internal to config/.
 *
 * Whatever is wrong becomes a diagnostic, and building goes on, so that one run finds many errors.
 * When memory runs out, a function just returns; the arena remembers the failure
 * (arena.is_exhausted), and the caller looks there once at the end.
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
    struct lexer *lexer; /* the lexer of the file that is read now */
    const char *folder;  /* as in struct config_overrides */
    const char *paths[BUILDER_DEPTH_MAX];
    size_t depth;
    size_t file_count;
    size_t statement_count;  /* statements in the file that is read now; `include` does not count */
    struct vector listeners; /* struct listener_draft */
    struct vector references; /* struct reference */
    struct vector user_words; /* struct config_word: all users that are named */
    struct vector strays;     /* struct stray */
    struct vector conditions; /* struct policy_condition: those of the rule that is read now */
    struct config_place inside_place; /* the first condition of that rule that is about a tunnel's
                                         inside; line 0: none */
    enum policy_condition_kind condition_kind; /* of the condition that was begun last */
    const char *words_before[2]; /* the last two tokens; NULL: the token was not a word */
    size_t rule_errors;          /* the number of errors before the rule that is read now */
    size_t rule_references;      /* the number of references before it */
    struct config_place setting_places[SETTING_COUNT]; /* line 0: not set */
    bool has_admin;
    struct ip_endpoint admin;
    struct config_place admin_place;
    struct config_place admin_address_place;
    struct config_place admin_from_place; /* of the first word behind `from` */
    struct config_place control_place;
    bool is_control_begun; /* the word `control` was read, maybe where it is not a statement */
    bool is_cut;           /* a file, its text or a statement could not be read */
    struct config_place log_place;
    struct config_place resolver_place;
    struct config_place users_place;
};

/* The parts of a `log` statement. */
struct log_draft {
    struct config_word path;
    enum config_log_target target;
    struct config_word format; /* text is NULL when it was not given */
    struct vector events;      /* struct config_word */
};

/* The parts of an `admin` statement. A vector with a count of 0 was not given. */
struct admin_draft {
    struct config_word address;
    struct vector users; /* struct config_word */
    struct vector from;  /* struct config_word */
    struct vector names; /* struct config_word */
};

/* -- diagnostics: the pieces up to NULL are joined to make the message */
void builder_error(struct config_builder *builder, const struct config_place *place, ...)
    __attribute__((sentinel));
void builder_warn(struct config_builder *builder, const struct config_place *place, ...)
    __attribute__((sentinel));

/* -- builder.c: files */
/* Reads the file and all files that it includes. `place` is where it was named (NULL: on the
 * command line). */
void builder_read_file(struct config_builder *builder, const char *path,
                       const struct config_place *place);
/* The same for a text that does not come from a file. */
void builder_read_text(struct config_builder *builder, const char *name, const char *text,
                       size_t length);
void builder_include(struct config_builder *builder, const struct config_word *word);
/* Joins the path with the folder of the file that is read now. Returns NULL when there is no
 * memory. */
const char *builder_join_path(struct config_builder *builder, const char *path);
/* Notes how much was found in a file of the configuration that was just read (struct
 * config_source). */
void builder_add_source(struct config_builder *builder, enum config_source_kind kind,
                        const char *path, const char *list, size_t count);
/* Adds an error that says why a file could not be read; `error` is a negative errno. */
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
/* To be called when `list NAME` or `group NAME` was read: what follows may be malformed, and the
 * name is then still known to be a list or a group. */
void build_begin_list(struct config_builder *builder, const struct config_word *name);
void build_begin_group(struct config_builder *builder, const struct config_word *name);
void build_group(struct config_builder *builder, const struct config_word *name,
                 const struct vector *users);
void build_list(struct config_builder *builder, const struct config_word *name,
                const struct vector *values);
void build_list_file(struct config_builder *builder, const struct config_word *name,
                     const struct config_word *word, bool is_lenient);
/* Finds the list or group of that name, and makes it when there is none. The group's name begins
 * `skipped` bytes behind the word's beginning: 1 for `@NAME`. Returns false when there is no
 * memory.
 */
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
/* Turns the entry into the one or two values that it stands for (`.example.com` is a name and a
 * suffix). Returns their number, or 0 when there is no memory. */
size_t build_entry_values(struct config_builder *builder, const struct list_entry *entry,
                          struct policy_value ret_values[2]);
/* Notes a user's name, so that it can be compared with the users file at the end. Returns false
 * when the word is not a user's name; that was reported then. */
bool build_user(struct config_builder *builder, const struct config_word *word);
/* Turns the words of admin's `user` or `from` into a condition. Returns false when one of them is
 * wrong; that was reported then. */
bool build_values(struct config_builder *builder, enum policy_condition_kind kind,
                  const struct vector *words, struct policy_condition *ret_condition);

/* Returns the conditions (a bit, 1 << kind, for each) that take the word as a keyword; 0 when it is
 * not a keyword. */
unsigned build_keyword_takers(const char *word);
/* Describes what a condition that is about hosts takes, for messages. */
const char *build_wanted(enum policy_condition_kind kind);

/* -- build_advice.c */
/* Notes the unexpected word that was read last, at a place where a condition could stand;
 * `expected` says what could stand there. */
void build_stray(struct config_builder *builder, const struct config_place *place,
                 bool is_behind_value, const struct suggestion *keyword, const char *expected);
/* Reports all unexpected words. To be called when all files are read. */
void build_report_strays(struct config_builder *builder);

/* -- build_names.c */
void build_check_name(struct config_builder *builder, const struct config_word *name);
bool build_is_reserved_name(const char *name);
/* Gives every rule its place, and a name if it has none. To be called when all files are read. */
void build_name_rules(struct config_builder *builder);

/* -- build_warn.c: warnings about what was read and found valid */
void build_warn(struct config_builder *builder);

/* -- build_check.c: to be called when everything is read */
void build_finish(struct config_builder *builder, const struct config_overrides *overrides);

#endif
