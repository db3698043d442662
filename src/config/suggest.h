/* What a person probably meant. */
#ifndef CONFIG_SUGGEST_H
#define CONFIG_SUGGEST_H

#include "base/contract.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

/* The name of which the word is most probably a slip of the keyboard: with the fewest edits, at
 * most two, or one where either has up to four letters (and one of two letters is whole); of equals
 * the first. Neither has more than 128 bytes, a user's name at its longest. */
struct suggestion {
    const char *word;
    const char *nearest; /* NULL: none so far */
    size_t edits;
};

void suggestion_init(struct suggestion *suggestion, const char *word);
void suggestion_try(struct suggestion *suggestion, const char *name);
/* `; did you mean 'NAME'?`, or nothing. */
void suggestion_print(struct text *out, const struct suggestion *suggestion);
/* `; did you mean 'NAME'?` */
void suggest_name(struct text *out, const char *name);
/* For a CIDR block with host bits set: `; write 10.0.0.0/8`; nothing when that is not clear. */
void suggest_network(struct text *out, const char *word, size_t length);

#endif
