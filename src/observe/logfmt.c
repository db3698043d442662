/* logfmt values and times.
 *
 * The log is read by line-oriented tools, so the one thing that matters is that bytes from outside
 * can end neither a value nor a line. Bytes of a short safe list stand as they are; as soon as one
 * other byte is in the value, all of it is quoted and escaped as go-logfmt's encoder does it, and
 * beyond that whatever base/escape calls harmful, which every decoder takes.
 *
 * The surprise: gmtime_r and strftime are not used. They may read the time zone's file, which the
 * worker will not be able to open, and take a lock that all threads share.
 */
#include "observe/logfmt.h"

#include "base/contract.h"
#include "base/escape.h"
#include "base/text.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

struct date {
    unsigned year, month, day;
};

/* Days since 1970-01-01 to a date of the Gregorian calendar. Years begin in March here, so that the
 * leap day is a year's last; an era is 400 years, which always have 146,097 days. */
static struct date date_from_days(uint64_t days)
{
    uint64_t shifted = days + 719468; /* from 0000-03-01 */
    uint64_t era = shifted / 146097;
    unsigned day_of_era = (unsigned)(shifted % 146097);
    unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned month_from_march = (5 * day_of_year + 2) / 153;
    struct date date = {
        .year = (unsigned)(era * 400) + year_of_era,
        .month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9,
        .day = day_of_year - (153 * month_from_march + 2) / 5 + 1,
    };
    if (date.month <= 2)
        date.year++;
    return date;
}

static void put_two(char *out, unsigned number)
{
    out[0] = (char)('0' + number / 10);
    out[1] = (char)('0' + number % 10);
}

static void put_second(char out[LOGFMT_TIME_SIZE], uint64_t second)
{
    static const char form[] = "0000-00-00T00:00:00.000Z";
    unsigned of_day = (unsigned)(second % 86400);
    struct date date = date_from_days(second / 86400);

    /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): a piece of a line, no string. */
    memcpy(out, form, LOGFMT_TIME_SIZE);
    put_two(out, date.year / 100 % 100);
    put_two(out + 2, date.year % 100);
    put_two(out + 5, date.month);
    put_two(out + 8, date.day);
    put_two(out + 11, of_day / 3600);
    put_two(out + 14, of_day / 60 % 60);
    put_two(out + 17, of_day % 60);
}

void logfmt_put_time(char out[LOGFMT_TIME_SIZE], struct logfmt_date *date, uint64_t wall_ms)
{
    uint64_t second = wall_ms / 1000;
    unsigned ms = (unsigned)(wall_ms - second * 1000);

    if (second != date->second || second == 0) {
        put_second(date->text, second);
        date->second = second;
    }
    memcpy(out, date->text, LOGFMT_TIME_SIZE);
    out[20] = (char)('0' + ms / 100);
    put_two(out + 21, ms % 100);
}

static bool logfmt_is_plain(unsigned char byte)
{
    /* clang-format off */
    static const bool plain[256] = {
        ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
        ['-'] = true, ['.'] = true, ['_'] = true, [':'] = true, ['/'] = true, ['['] = true,
        [']'] = true, ['@'] = true, ['%'] = true, ['+'] = true, [','] = true,
    };
    /* clang-format on */
    return plain[byte];
}

static bool is_all_plain(const char *value, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (!logfmt_is_plain((unsigned char)value[i]))
            return false;
    }
    return true;
}

/* Returns whether the value is `null`. go-logfmt's writer quotes that, because a bare null stands
 * for a missing value. */
static bool is_null(const char *value, size_t length)
{
    return length == 4 && memcmp(value, "null", 4) == 0;
}

void logfmt_add_value(struct text *out, const char *value, size_t length, size_t limit)
{
    REQUIRE(limit >= 8);
    /* Bytes beyond the limit are not looked at, because there may be very many from outside. */
    bool is_cut = length > limit;
    if (!is_all_plain(value, is_cut ? limit : length) || is_null(value, length)) {
        text_add_char(out, '"');
        escape_add(out, value, length, limit - 2, ESCAPE_LOGFMT);
        text_add_char(out, '"');
    } else if (is_cut) {
        text_add_bytes(out, value, limit - strlen(TEXT_CUT_MARK));
        text_add(out, TEXT_CUT_MARK);
    } else {
        text_add_bytes(out, value, length);
    }
}
