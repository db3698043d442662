/* The answer to a question to the policy, as JSON. */
#ifndef ADMIN_EXPLAIN_ANSWER_H
#define ADMIN_EXPLAIN_ANSWER_H

#include <stddef.h>

struct explain_answer;

/* `{..,"verdict":"..","exit":N,"text":".."}` and a newline; `head` is what the object begins with,
 * without a comma at its end. The caller frees. NULL: no memory. */
char *explain_answer_print(const struct explain_answer *answer, const char *head,
                           size_t *ret_length);

#endif
