/* One line to the person who started adit, on stderr. Waits a tenth of a second at most for a
 * reader that does not read.
 */
#ifndef SYSTEM_SAY_H
#define SYSTEM_SAY_H

#include "base/contract.h"

/* Prints `adit: `, the text, and a newline. Controls and bytes that are not UTF-8 are escaped. The
 * text says what happened, why, and what to do. */
void say(const char *format, ...) PRINTF_LIKE(1, 2);
/* Does the same without the prefix. */
void say_plainly(const char *format, ...) PRINTF_LIKE(1, 2);
/* Prints several lines as they are. After a line that found no room it does not wait for the next
 * one. */
void say_lines(const char *lines);

#endif
