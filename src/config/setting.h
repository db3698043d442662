/* The table of scalar settings (settings.def), and how their values are parsed and printed. */
#ifndef CONFIG_SETTING_H
#define CONFIG_SETTING_H

#include "base/contract.h"
#include "base/text.h"
#include "config/config.h"

enum setting {
#define SETTING(suffix, field, statement, word, per, kind, initial, min, max, manual)              \
    SETTING_##suffix,
#include "config/settings.def"
#undef SETTING
    SETTING_COUNT,
};

enum setting_kind {
    SETTING_DURATION,  /* 500ms, 10s, 5m, 1h, 1d, 1h30m; in ms */
    SETTING_COUNT_OF,  /* 20000 */
    SETTING_RATE,      /* 50/s */
    SETTING_BANDWIDTH, /* 64k/s, 10MB/s: powers of 1024; in bytes per second */
    SETTING_KIND_COUNT,
};

struct setting_row {
    const char *statement;
    const char *word;
    const char *per; /* "": the limit is for all of adit */
    enum setting_kind kind;
    uint64_t initial; /* the default; a value below `min` means none */
    uint64_t min;
    uint64_t max;
    size_t offset; /* in struct config_values */
};

const struct setting_row *setting_row(enum setting setting);
/* Returns SETTING_COUNT when there is no such setting. */
enum setting setting_find(const char *statement, const char *word, const char *per);
/* Parses a value. Returns 0; or -EINVAL, and `message` says what is wrong and what would be right.
 */
int setting_parse(enum setting setting, const char *text, uint64_t *ret_value,
                  struct text *message) MUST_CHECK;
/* Parses a number of bytes: 0, 64k, 10MB, 1GiB; units are powers of 1024. Returns 0 or -EINVAL. */
int setting_parse_size(const char *text, uint64_t *ret_bytes) MUST_CHECK;
void setting_print(struct text *out, enum setting setting, uint64_t value);

uint64_t setting_get(const struct config_values *values, enum setting setting);
void setting_set(struct config_values *values, enum setting setting, uint64_t value);
void setting_set_defaults(struct config_values *values);

#endif
