/* Suggestions for messages: the nearest known word, the network behind an address. */
#include "config/suggest.h"

#include "base/ip_address.h"

#include <string.h>

enum { LENGTH_MAX = 16, EDITS_MAX = 2 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance; `a` has at most LENGTH_MAX bytes. */
static size_t count_edits(const char *a, const char *b)
{
    size_t width = strlen(a);
    size_t row[LENGTH_MAX + 1];

    for (size_t i = 0; i <= width; i++)
        row[i] = i;
    for (size_t line = 1; b[line - 1] != '\0'; line++) {
        size_t diagonal = row[0];

        row[0] = line;
        for (size_t i = 1; i <= width; i++) {
            size_t replaced = diagonal + (a[i - 1] != b[line - 1]);
            diagonal = row[i];
            row[i] = smaller(replaced, smaller(row[i], row[i - 1]) + 1);
        }
    }
    return row[width];
}

size_t suggest_distance(const char *name, const char *word)
{
    size_t length = strlen(name);

    if (length > LENGTH_MAX || length <= EDITS_MAX || strlen(word) > LENGTH_MAX)
        return SUGGEST_FAR;
    size_t edits = count_edits(name, word);
    return edits <= EDITS_MAX ? edits : SUGGEST_FAR;
}

bool suggest_is_similar(const char *name, const char *word)
{
    return suggest_distance(name, word) < SUGGEST_FAR;
}

const char *suggest_nearest(const char *const *names, size_t count, const char *word)
{
    const char *nearest = NULL;
    size_t edits = SUGGEST_FAR;

    for (size_t i = 0; i < count; i++) {
        size_t distance = suggest_distance(names[i], word);

        if (distance < edits) {
            edits = distance;
            nearest = names[i];
        }
    }
    return nearest;
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
    /* A mapped address has lost its prefix's first 96 bits: no suggestion then. */
    if (ip_address_parse(word, (size_t)(slash - word), &address) < 0 ||
        bits > (address.family == IP_V4 ? 32 : 128))
        return;
    for (unsigned bit = bits; bit < 8 * sizeof(address.bytes); bit++)
        address.bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
    text_add(out, "; write ");
    ip_address_print(out, &address);
    text_add_bytes(out, slash, length - (size_t)(slash - word));
}
