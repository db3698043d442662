/* One line to the person who started adit, on stderr. Waits a tenth of a second at most for a
 * reader that does not read.
 */
#ifndef SYSTEM_SAY_H
#define SYSTEM_SAY_H

#include "base/contract.h"

/* Controls and bytes that are not UTF-8 are escaped. `adit: ` in front, a newline behind. What
 * happened: why; what to do. */
void say(const char *format, ...) PRINTF_LIKE(1, 2);
/* The same without the prefix. */
void say_plainly(const char *format, ...) PRINTF_LIKE(1, 2);
/* Several lines as they are; waits once in all. */
void say_lines(const char *lines);

#endif
