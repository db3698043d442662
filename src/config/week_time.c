/* Days have names of three letters, as in `Mon-Fri`; hours and minutes have two digits each. */
#include "config/week_time.h"

#include "base/ascii.h"

static const char day_names[DAYS_OF_WEEK][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

const char *week_day_name(unsigned day)
{
    REQUIRE(day < DAYS_OF_WEEK);
    return day_names[day];
}

int week_day_parse(const char *text, size_t length)
{
    for (int day = 0; length == 3 && day < DAYS_OF_WEEK; day++) {
        size_t same = 0;

        while (same < length && (text[same] | 0x20) == (day_names[day][same] | 0x20))
            same++;
        if (same == length)
            return day;
    }
    return -1;
}

bool day_minute_parse(const char *text, uint16_t *ret_minute)
{
    for (size_t i = 0; i < MINUTE_LENGTH; i++)
        if (i == 2 ? text[i] != ':' : !ascii_is_digit(text[i]))
            return false;
    int hour = (text[0] - '0') * 10 + text[1] - '0';
    int minute = (text[3] - '0') * 10 + text[4] - '0';
    *ret_minute = (uint16_t)(hour * 60 + minute);
    return minute < 60 && *ret_minute <= MINUTES_OF_DAY;
}
