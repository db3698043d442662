/* Finds out whether the time zone (the environment's TZ, or else /etc/localtime) is one that libc
 * knows. libc silently takes any other for UTC. Pure: files and variables come through the reader.
 */
#ifndef CONFIG_TIME_ZONE_H
#define CONFIG_TIME_ZONE_H

#include "base/contract.h"

#include <stdbool.h>

struct config_reader;

/* Whether `zone`, the value of TZ, is a file of the zone database or a rule such as CET-1CEST
 * (POSIX 8.3). */
bool time_zone_is_known(struct config_reader *reader, const char *zone) MUST_CHECK;
/* True also when there is no /etc/localtime: that means UTC. */
bool time_zone_of_machine_is_known(struct config_reader *reader) MUST_CHECK;

#endif
