/* What a person probably meant. */
#ifndef CONFIG_SUGGEST_H
#define CONFIG_SUGGEST_H

#include "base/contract.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

/* How many edits make `name` of `word`; SUGGEST_FAR: more than a slip of the keyboard. */
#define SUGGEST_FAR 3
size_t suggest_distance(const char *name, const char *word);
/* Whether `word` may be a slip of the keyboard for `name`: at most two edits, and fewer than the
 * name has letters. */
bool suggest_is_similar(const char *name, const char *word);
/* The one of them that is nearest to the word, the first of equals; NULL: none is similar. */
const char *suggest_nearest(const char *const *names, size_t count, const char *word);
/* `; did you mean 'NAME'?` */
void suggest_name(struct text *out, const char *name);
/* For a CIDR block with host bits set: `; write 10.0.0.0/8`; nothing when that is not clear. */
void suggest_network(struct text *out, const char *word, size_t length);

#endif
