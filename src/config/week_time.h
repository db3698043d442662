/* Days of the week and times of the day, as rules and questions write them. */
#ifndef CONFIG_WEEK_TIME_H
#define CONFIG_WEEK_TIME_H

#include "base/contract.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DAYS_OF_WEEK = 7, MINUTES_OF_DAY = 1440, MINUTE_LENGTH = 5 /* 08:00 */ };

const char *week_day_name(unsigned day); /* from 0, "Sun" */
/* Parses a day's name, in upper or lower case. Returns the day (0 is Sunday), or -1 when it is
 * none. */
int week_day_parse(const char *text, size_t length);
/* Parses MINUTE_LENGTH bytes, `00:00` to `24:00`. Returns false when they are something else. */
bool day_minute_parse(const char *text, uint16_t *ret_minute) MUST_CHECK;

#endif
