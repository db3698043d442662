/* Guesses what a person probably meant, for messages. */
#ifndef CONFIG_SUGGEST_H
#define CONFIG_SUGGEST_H

#include "base/contract.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

/* Finds the name that a person probably meant by a word: the one with the fewest edits, at most
 * two; only one when the shorter of both has up to four letters. A name of two letters must be
 * there with both of them. When several are equally near, the first one wins. Words over 128 bytes,
 * the longest user's name, are not compared. */
struct suggestion {
    const char *word;
    const char *nearest; /* NULL: none so far */
    size_t edits;
};

void suggestion_init(struct suggestion *suggestion, const char *word);
void suggestion_try(struct suggestion *suggestion, const char *name);
/* Adds `; did you mean 'NAME'?`, or nothing when no name is near. */
void suggestion_print(struct text *out, const struct suggestion *suggestion);
/* Adds `; did you mean 'NAME'?`. */
void suggest_name(struct text *out, const char *name);
/* Adds `; write 10.0.0.0/8` for a CIDR block in which host bits are set. Adds nothing when it is
 * not clear what was meant. */
void suggest_network(struct text *out, const char *word, size_t length);

#endif
