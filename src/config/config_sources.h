/* How much a configuration found in each of its files. Kept beside a configuration that serves, so
 * that a reload notices a file that somebody has emptied or moved away: a list without entries
 * denies nothing, and looks like success. */
#ifndef CONFIG_CONFIG_SOURCES_H
#define CONFIG_CONFIG_SOURCES_H

#include "base/contract.h"
#include "config/config.h"
#include "config/diagnostics.h"

struct config_sources; /* a copy: the config may go */

/* Makes a copy of what was found in each file. Returns 0 or -ENOMEM. */
int config_sources_create(const struct config *config,
                          struct config_sources **ret_sources) MUST_CHECK;
/* Harmless on NULL. */
void config_sources_destroy(struct config_sources *sources);
/* Adds a warning for each file that had something before and has nothing in `config`, with the list
 * and the rules that it concerns. Adds one, too, for each file of statements that has vanished,
 * because a pattern of `include` accepts that silently. A list or users file that is not named any
 * more is ignored. With `before` NULL there is nothing to compare. */
void config_sources_compare(const struct config_sources *before, const struct config *config,
                            struct diagnostics *diagnostics);

#endif
