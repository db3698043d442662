/* Values are digits and a unit. A unit table per kind serves both ways: parsing multiplies,
 * printing takes the largest unit that divides the value.
 */
#include "config/setting.h"

#include "base/ascii.h"

#include <errno.h>
#include <string.h>

static const struct setting_row setting_rows[] = {
#define SETTING(suffix, field, statement, word, per, kind, initial, min, max, manual)              \
    {statement, word, per, SETTING_##kind,                                                         \
     initial,   min,  max, offsetof(struct config_values, field)},
#include "config/settings.def"
#undef SETTING
};
static_assert(ARRAY_LENGTH(setting_rows) == SETTING_COUNT, "a row for every setting");

struct unit {
    const char *name;
    uint64_t factor;
};

/* The largest first; the first spelling of a factor is the one that is printed. */
static const struct unit duration_units[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"min", 60000}, {"s", 1000}, {"ms", 1}, {0}};
static const struct unit count_units[] = {{"", 1}, {0}};
static const struct unit rate_units[] = {{"/s", 1}, {0}};
static const struct unit bandwidth_units[] = {{"GB/s", 1 << 30},  {"G/s", 1 << 30},
                                              {"GiB/s", 1 << 30}, {"MB/s", 1 << 20},
                                              {"M/s", 1 << 20},   {"MiB/s", 1 << 20},
                                              {"kB/s", 1 << 10},  {"k/s", 1 << 10},
                                              {"K/s", 1 << 10},   {"KB/s", 1 << 10},
                                              {"KiB/s", 1 << 10}, {"B/s", 1},
                                              {"/s", 1},          {0}};
static const struct unit size_units[] = {{"GB", 1 << 30},  {"G", 1 << 30},
                                         {"GiB", 1 << 30}, {"MB", 1 << 20},
                                         {"M", 1 << 20},   {"MiB", 1 << 20},
                                         {"kB", 1 << 10},  {"k", 1 << 10},
                                         {"K", 1 << 10},   {"KB", 1 << 10},
                                         {"KiB", 1 << 10}, {"B", 1},
                                         {"", 1},          {0}};

static const struct {
    const struct unit *units;
    const char *example;
} setting_kinds[] = {
    [SETTING_DURATION] = {duration_units, "a time with its unit, as in 10s, 500ms or 1h"},
    [SETTING_COUNT_OF] = {count_units, "a number, as in 200"},
    [SETTING_RATE] = {rate_units, "a number a second, as in 50/s"},
    [SETTING_BANDWIDTH] = {bandwidth_units, "bytes a second, as in 64k/s or 10MB/s"},
};
static_assert(ARRAY_LENGTH(setting_kinds) == SETTING_KIND_COUNT, "a row for every kind");

const struct setting_row *setting_row(enum setting setting)
{
    REQUIRE(setting < SETTING_COUNT);
    return &setting_rows[setting];
}

enum setting setting_find(const char *statement, const char *word, const char *per)
{
    size_t i = 0;

    while (i < SETTING_COUNT &&
           (strcmp(setting_rows[i].statement, statement) != 0 ||
            strcmp(setting_rows[i].word, word) != 0 || strcmp(setting_rows[i].per, per) != 0))
        i++;
    return (enum setting)i;
}

static const struct unit *find_unit(const struct unit *units, const char *name, size_t length)
{
    for (; units->name != NULL; units++)
        if (strlen(units->name) == length && memcmp(units->name, name, length) == 0)
            return units;
    return NULL;
}

/* Parses NUMBER UNIT, repeated for durations. Returns false when the text is not that, or is over
 * UINT64_MAX. */
static bool parse_amount(const struct unit *units, const char *text, uint64_t *ret_value)
{
    uint64_t sum = 0;

    do {
        uint64_t number = 0;
        uint64_t product;
        const char *start = text;

        for (; ascii_is_digit(*text); text++)
            if (__builtin_mul_overflow(number, 10, &number) ||
                __builtin_add_overflow(number, (uint64_t)(*text - '0'), &number))
                return false;
        if (text == start)
            return false;
        const char *name = text;
        while (*text != '\0' && !ascii_is_digit(*text))
            text++;
        const struct unit *unit = find_unit(units, name, (size_t)(text - name));
        if (unit == NULL || __builtin_mul_overflow(number, unit->factor, &product) ||
            __builtin_add_overflow(sum, product, &sum))
            return false;
    } while (*text != '\0' && units == duration_units);
    *ret_value = sum;
    return *text == '\0';
}

int setting_parse_size(const char *text, uint64_t *ret_bytes)
{
    return parse_amount(size_units, text, ret_bytes) ? 0 : -EINVAL;
}

int setting_parse(enum setting setting, const char *text, uint64_t *ret_value, struct text *message)
{
    const struct setting_row *row = setting_row(setting);
    uint64_t value;

    if (!parse_amount(setting_kinds[row->kind].units, text, &value)) {
        text_add_char(message, '\'');
        text_add(message, text);
        text_add(message, "': write ");
        text_add(message, setting_kinds[row->kind].example);
        return -EINVAL;
    }
    if (value < row->min || value > row->max) {
        text_add_char(message, '\'');
        text_add(message, text);
        text_add(message, "' is out of range: from ");
        setting_print(message, setting, row->min);
        text_add(message, " to ");
        setting_print(message, setting, row->max);
        return -EINVAL;
    }
    *ret_value = value;
    return 0;
}

void setting_print(struct text *out, enum setting setting, uint64_t value)
{
    const struct unit *unit = setting_kinds[setting_row(setting)->kind].units;

    while (unit->factor > 1 && (value == 0 || value % unit->factor != 0))
        unit++;
    text_add_decimal(out, value / unit->factor);
    text_add(out, unit->name);
}

uint64_t setting_get(const struct config_values *values, enum setting setting)
{
    return *(const uint64_t *)((const char *)values + setting_row(setting)->offset);
}

void setting_set(struct config_values *values, enum setting setting, uint64_t value)
{
    *(uint64_t *)((char *)values + setting_row(setting)->offset) = value;
}

void setting_set_defaults(struct config_values *values)
{
    for (size_t i = 0; i < SETTING_COUNT; i++)
        setting_set(values, (enum setting)i, setting_rows[i].initial);
}
