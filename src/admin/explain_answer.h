/* The answer to a question to the policy, as JSON. */
#ifndef ADMIN_EXPLAIN_ANSWER_H
#define ADMIN_EXPLAIN_ANSWER_H

#include <stddef.h>

struct explain_answer;

/* Returns `{..,"verdict":"..","exit":N,"text":".."}` and a newline, which the caller frees, or NULL
 * when there is no memory. `head` is what the object begins with, without a comma at its end. */
char *explain_answer_print(const struct explain_answer *answer, const char *head,
                           size_t *ret_length);

#endif
