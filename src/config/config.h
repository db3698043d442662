/* The configuration language: text in, `struct config` and diagnostics out. Pure: whatever must be
 * read comes through the caller's struct config_reader.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/contract.h"
#include "base/ip_address.h"
#include "base/listener.h"
#include "base/text.h"
#include "config/diagnostics.h"

#include "policy/policy_source.h"
#include "wire/resolv_server.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The most bytes that one file may have: the configuration or a file that it includes; a list; the
 * users file. */
#define CONFIG_FILE_MAX (16UL * 1024 * 1024)
#define CONFIG_LIST_MAX (512UL * 1024 * 1024)
#define CONFIG_USERS_MAX (16UL * 1024 * 1024)
#define CONFIG_ADMIN_NAMES_MAX 64
#define CONFIG_CONTROL_PATH_MAX 107 /* bytes: what a unix socket's address holds */
#define CONFIG_RULE_NAME_MAX 63     /* bytes: a name goes into logs and answers */

struct users_file; /* config/users_file.h */

/* How config/ reads the outside world. Contract: the texts stay valid until config_parse returns;
 * none of them is needed afterwards. */
struct config_reader {
    /* Reads the whole file. Returns 0 or -errno: -ENOENT, -EACCES, -EISDIR, -EFBIG (more than
     * `size_max` bytes), ... */
    int (*read)(struct config_reader *reader, const char *path, size_t size_max,
                const char **ret_bytes, size_t *ret_length);
    /* Calls `add` for each path that matches, in any order; a backslash takes the next sign as it
     * is. Returns 0, also when nothing matches; -ENOENT when there is no such folder; or another
     * -errno when it can't be known what matches. */
    int (*glob)(struct config_reader *reader, const char *pattern,
                void (*add)(void *self, const char *path), void *self);
    /* Reads a variable of the environment. Returns 0, -ENOENT when it is not set, or -ENOMEM. */
    int (*environment)(struct config_reader *reader, const char *name, const char **ret_value);
};

/* What the command line says; a struct of zeroes changes nothing. */
struct config_overrides {
    const struct listener_set *listeners; /* -l: instead of all `listen`; -a ADDR:PORT: instead of
                                             `admin`; NULL: neither */
    const struct ip_network *from;        /* --from: for the built-in configuration only */
    size_t from_count;
    unsigned workers;         /* -w; 0: one per core */
    const char *control_path; /* -s; NULL: what `control` says, or the default */
    bool is_admin_off;        /* -a off */
    const char *folder; /* absolute: where a relative `path` begins; rules are then called as by an
                           adit that was given the absolute one. NULL: unknown */
};

/* Every scalar setting; 0 in a limit means none. */
struct config_values {
#define SETTING(suffix, field, statement, word, per, kind, initial, min, max, manual)              \
    uint64_t field;
#include "config/settings.def"
#undef SETTING
};

enum config_log_target {
    CONFIG_LOG_STDERR,
    CONFIG_LOG_STDOUT,
    CONFIG_LOG_FILE,
    CONFIG_LOG_OFF,
    CONFIG_LOG_TARGET_COUNT
};
enum config_log_format {
    CONFIG_LOG_LOGFMT,
    CONFIG_LOG_JSON,
    CONFIG_LOG_SQUID, /* its native format */
    CONFIG_LOG_FORMAT_COUNT
};
enum config_log_event {
    CONFIG_LOG_OPEN,
    CONFIG_LOG_CLOSE,
    CONFIG_LOG_DENY,
    CONFIG_LOG_AUTH_FAILURE,
    CONFIG_LOG_EVENT_COUNT,
};

/* What was found in a file. */
enum config_source_kind { CONFIG_SOURCE_STATEMENTS, CONFIG_SOURCE_LIST, CONFIG_SOURCE_USERS };

struct config_source {
    enum config_source_kind kind;
    const char *path;
    const char *list; /* the list that the entries belong to; NULL: it is not a list file */
    size_t count; /* statements (without `include`, which says nothing itself), entries, users */
};

/* A configuration. It owns all that it points to, and all of it is const. Paths are joined with the
 * folder of the file that names them, so they are absolute when the `path` of config_parse was. */
struct config {
    struct config_values values;
    struct listener_set
        listeners;          /* what to listen on, without sockets; at least one is for tunnels */
    bool is_admin_built_in; /* the page is there by default: when its port is busy, adit runs
                               without it */
    struct policy_condition admin_users; /* of kind POLICY_USER; value_count 0: anybody */
    struct policy_condition admin_from;  /* of kind POLICY_FROM; value_count 0: from anywhere */
    const char *admin_names[CONFIG_ADMIN_NAMES_MAX]; /* names of the page, normalised */
    size_t admin_name_count;
    const char *users_path;         /* NULL: no users */
    const struct users_file *users; /* NULL: no users */
    bool has_resolver;              /* false: /etc/resolv.conf decides */
    struct resolv_server_list resolver;
    enum config_log_target log_target;
    enum config_log_format log_format;
    const char *log_path;     /* valid with CONFIG_LOG_FILE */
    unsigned log_events;      /* one bit per event: 1 << enum config_log_event */
    unsigned workers;         /* threads; 0: one per core */
    const char *control_path; /* NULL: the default; one of the overrides is not copied */
    const char *path;         /* as it was given; NULL: the built-in configuration */
    struct policy_source policy;
    const struct config_source *sources; /* a file read twice is there twice */
    size_t source_count;
};

/* Reads `path` (NULL: the built-in configuration) and all files that it names, validates
 * everything, and refuses an open proxy by accident. Returns 0 and sets `ret_config`; -EINVAL when
 * there are errors; or -ENOMEM. `ret_diagnostics` is set except with -ENOMEM, and may hold warnings
 * on success; the caller destroys it. */
int config_parse(struct config_reader *reader, const char *path,
                 const struct config_overrides *overrides, struct config **ret_config,
                 struct diagnostics **ret_diagnostics) MUST_CHECK;
/* Finds where the adit of that file has its control socket. Mistakes elsewhere do not matter once
 * it is found, because a running adit must also be reachable while its file is being edited.
 * Returns 0, and "" when the file names none; -EINVAL when `control` has a mistake or may stand
 * where nothing could be read (a statement that makes no sense, an include, a file without a
 * statement): the socket of another adit must not be mistaken for this one's; -errno when the file
 * can't be read. */
int config_find_control(struct config_reader *reader, const char *path,
                        struct text *ret_path) MUST_CHECK;
/* Harmless on NULL. A policy that was compiled from config->policy must be destroyed before. */
void config_destroy(struct config *config);

/* Writes the effective configuration in the language itself, defaults included; it parses to the
 * same. `write` is called with pieces of it. */
void config_print(const struct config *config,
                  void (*write)(void *self, const char *bytes, size_t length), void *self);

/* Writes a condition of one of its rules in the language itself, with a blank in front. */
void config_print_condition(const struct config *config, const struct policy_condition *condition,
                            void (*write)(void *self, const char *bytes, size_t length),
                            void *self);

/* Writes what was found in each list file, one line per file: how many entries in which format. */
void config_print_list_files(const struct config *config,
                             void (*write)(void *self, const char *bytes, size_t length),
                             void *self);

const char *config_log_format_name(enum config_log_format format); /* "logfmt", ... */
const char *config_log_event_name(enum config_log_event event);    /* "open", "auth_failure" */

#endif
