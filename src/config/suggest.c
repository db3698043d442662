/* Makes suggestions for messages: the known word that is nearest to an unknown one, or the network
 * that was probably meant by an address. */
#include "config/suggest.h"

#include "base/ascii.h"
#include "base/ip_address.h"

#include <string.h>

enum { LENGTH_MAX = 128, EDITS_MAX = 2, SHORT_NAME = 4 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool letter_is_same(char a, char b)
{
    return ascii_lower(a) == ascii_lower(b);
}

/* Returns Damerau's distance: one step inserts, removes or replaces a letter, or swaps two
 * neighbours (no letter is changed twice). Both texts have at most LENGTH_MAX bytes; case does not
 * count. The result is only exact up to EDITS_MAX: when a whole row is beyond it, all further rows
 * are, too, and the search ends. */
static size_t count_edits(const char *a, const char *b)
{
    size_t width = strlen(a);
    size_t height = strlen(b);
    size_t rows[3][LENGTH_MAX + 1]; /* the present row and the two before it: a swap needs both */
    size_t least = 0;

    for (size_t i = 0; i <= width; i++)
        rows[0][i] = i;
    for (size_t line = 1; line <= height && least <= EDITS_MAX; line++) {
        const size_t *above = rows[(line - 1) % 3];
        size_t *row = rows[line % 3];

        row[0] = line;
        least = line;
        for (size_t i = 1; i <= width; i++) {
            size_t edits = above[i - 1] + !letter_is_same(a[i - 1], b[line - 1]);

            edits = smaller(edits, smaller(above[i], row[i - 1]) + 1);
            if (i > 1 && line > 1 && letter_is_same(a[i - 1], b[line - 2]) &&
                letter_is_same(a[i - 2], b[line - 1]))
                edits = smaller(edits, rows[(line - 2) % 3][i - 2] + 1);
            row[i] = edits;
            least = smaller(least, edits);
        }
    }
    return least > EDITS_MAX ? least : rows[height % 3][width];
}

/* The dashes of an option do not count as letters. */
static size_t count_letters(const char *name)
{
    while (*name == '-')
        name++;
    return strlen(name);
}

/* In a word of up to four letters only one edit is allowed: with two, hardly a letter agrees. */
static size_t edits_allowed(const char *name, const char *word)
{
    return smaller(count_letters(name), count_letters(word)) > SHORT_NAME ? EDITS_MAX : 1;
}

/* For names of two letters. When one letter is replaced or lost, too little is left to guess by. A
 * third letter is only accepted when one stands there twice. */
static bool has_both_letters(const char *name, const char *word)
{
    if (strlen(word) > 2)
        return letter_is_same(word[0], word[1]) || letter_is_same(word[1], word[2]);
    return letter_is_same(name[0], word[1]) && letter_is_same(name[1], word[0]);
}

void suggestion_init(struct suggestion *suggestion, const char *word)
{
    *suggestion = (struct suggestion){.word = word, .edits = EDITS_MAX + 1};
}

void suggestion_try(struct suggestion *suggestion, const char *name)
{
    size_t length = strlen(name);

    if (length > LENGTH_MAX || strlen(suggestion->word) > LENGTH_MAX)
        return;
    size_t edits = count_edits(name, suggestion->word);
    if (edits >= suggestion->edits || edits >= length ||
        edits > edits_allowed(name, suggestion->word) ||
        (length == 2 && edits == 1 && !has_both_letters(name, suggestion->word)))
        return;
    suggestion->edits = edits;
    suggestion->nearest = name;
}

void suggestion_print(struct text *out, const struct suggestion *suggestion)
{
    if (suggestion->nearest != NULL)
        suggest_name(out, suggestion->nearest);
}

void suggest_name(struct text *out, const char *name)
{
    text_add(out, "; did you mean '");
    text_add(out, name);
    text_add(out, "'?");
}

void suggest_network(struct text *out, const char *word, size_t length)
{
    const char *slash = memchr(word, '/', length);
    struct ip_address address;
    unsigned bits = 0;

    if (slash == NULL)
        return;
    for (const char *digit = slash + 1; digit < word + length; digit++)
        bits = bits * 10 + (unsigned)(*digit - '0');
    /* A mapped address was turned into IPv4, so its prefix length does not fit any more: nothing is
     * suggested. */
    if (ip_address_parse(word, (size_t)(slash - word), &address) < 0 ||
        bits > (address.family == IP_V4 ? 32 : 128))
        return;
    for (unsigned bit = bits; bit < 8 * sizeof(address.bytes); bit++)
        address.bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
    text_add(out, "; write ");
    ip_address_print(out, &address);
    text_add_bytes(out, slash, length - (size_t)(slash - word));
}
