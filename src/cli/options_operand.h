/* What the operand of an option means. Each function stores it in `options`, whose texts then point
 * into `word`, and returns 0; or -EINVAL, and in `message` is what is wrong and what is right. */
#ifndef CLI_OPTIONS_OPERAND_H
#define CLI_OPTIONS_OPERAND_H

#include "base/contract.h"
#include "cli/options_table.h"

/* Takes the operand of any option. An option without one needs nothing. */
int options_take_operand(struct options *options, struct text *message, enum option option,
                         const char *word) MUST_CHECK;
/* Takes the name of the configuration file, which is an operand of `check`, too. */
int options_take_config(struct options *options, struct text *message, const char *word) MUST_CHECK;
/* Takes one field of the question that `explain` asks. `name` is how a message calls it. */
int options_take_question(struct options *options, struct text *message, const char *name,
                          enum question_field field, const char *word) MUST_CHECK;

#endif
