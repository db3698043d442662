/* Whether the environment's TZ, or without it /etc/localtime, means anything: libc takes what it
 * does not know for UTC, without a word. Pure: files and variables come through the reader. */
#ifndef CONFIG_TIME_ZONE_H
#define CONFIG_TIME_ZONE_H

#include "base/contract.h"

#include <stdbool.h>

struct config_reader;

/* `zone` is the value of TZ: a file of the zone database, or a rule as in CET-1CEST (POSIX 8.3). */
bool time_zone_is_known(struct config_reader *reader, const char *zone) MUST_CHECK;
/* True also when there is no /etc/localtime: that means UTC. */
bool time_zone_of_machine_is_known(struct config_reader *reader) MUST_CHECK;

#endif
