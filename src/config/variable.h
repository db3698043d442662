/* Parses `${NAME}` and `${NAME:-default}`, which stand for variables of the environment. Pure: the
 * environment itself is not read here. */
#ifndef CONFIG_VARIABLE_H
#define CONFIG_VARIABLE_H

#include "base/contract.h"

#include <stdbool.h>
#include <stddef.h>

/* The longest value in bytes. A longer one is a mistake, and a text that names it often would fill
 * the memory. */
#define VARIABLE_VALUE_MAX 4096

struct variable {
    const char *name;
    size_t name_length;
    const char *initial; /* the default; NULL: none */
    size_t initial_length;
    size_t length; /* of the whole, from the `$` to the `}` */
};

/* Whether a variable begins here: `${`. */
bool variable_begins(const char *at, const char *end);
/* Returns false when a variable begins here but is malformed. A default ends at the first `}` and
 * contains neither `${` nor `"`. */
bool variable_parse(const char *at, const char *end, struct variable *ret_variable) MUST_CHECK;

#endif
