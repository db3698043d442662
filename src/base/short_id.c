/* Writes ten bits at a time from a table, because every line of the log has an id. */
#include "base/short_id.h"

#include "base/text.h"

#include <errno.h>
#include <string.h>

/* Two digits for each number below 1,024. */
#define PAIRS(digit)                                                                               \
    digit "0" digit "1" digit "2" digit "3" digit "4" digit "5" digit "6" digit "7" digit          \
          "8" digit "9" digit "a" digit "b" digit "c" digit "d" digit "e" digit "f" digit          \
          "g" digit "h" digit "j" digit "k" digit "m" digit "n" digit "p" digit "q" digit          \
          "r" digit "s" digit "t" digit "v" digit "w" digit "x" digit "y" digit "z"
static const char pairs[] = PAIRS("0") PAIRS("1") PAIRS("2") PAIRS("3") PAIRS("4") PAIRS("5")
    PAIRS("6") PAIRS("7") PAIRS("8") PAIRS("9") PAIRS("a") PAIRS("b") PAIRS("c") PAIRS("d")
        PAIRS("e") PAIRS("f") PAIRS("g") PAIRS("h") PAIRS("j") PAIRS("k") PAIRS("m") PAIRS("n")
            PAIRS("p") PAIRS("q") PAIRS("r") PAIRS("s") PAIRS("t") PAIRS("v") PAIRS("w") PAIRS("x")
                PAIRS("y") PAIRS("z");
static_assert(sizeof(pairs) == 2 * 1024 + 1, "32 times 32 pairs");

size_t short_id_put(char out[SHORT_ID_MAX], uint64_t id)
{
    char digits[SHORT_ID_MAX];
    size_t length = ((size_t)(63 - __builtin_clzll(id | 1)) / 5) + 1;
    char *all = length == SHORT_ID_MAX ? out : digits; /* nearly always the former */

#pragma GCC unroll 6
    for (size_t i = 0; i < SHORT_ID_MAX / 2; i++)
        memcpy(all + SHORT_ID_MAX - 2 - 2 * i, pairs + 2 * (id >> 10 * i & 1023), 2);
    all[0] = pairs[2 * (id >> 60) + 1];
    if (all == digits)
        memcpy(out, digits + SHORT_ID_MAX - length, length);
    return length;
}

void short_id_print(struct text *out, uint64_t id)
{
    char bytes[SHORT_ID_MAX];

    text_add_bytes(out, bytes, short_id_put(bytes, id));
}

int short_id_parse(const char *text, size_t length, uint64_t *ret_id)
{
    static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz"; /* short_id_put's */
    uint64_t id = 0;

    if (length == 0 || length > SHORT_ID_MAX || text[0] == '0')
        return -EINVAL;
    for (size_t i = 0; i < length; i++) {
        const char *digit = memchr(alphabet, text[i], sizeof alphabet - 1);
        if (digit == NULL || id >> 59 != 0)
            return -EINVAL;
        id = id << 5 | (uint64_t)(digit - alphabet);
    }
    *ret_id = id;
    return 0;
}
