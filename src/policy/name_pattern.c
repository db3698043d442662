/* Label by label from the left, with as many on both sides; what lies below is tried behind each
 * dot.
 */
#include "policy/name_pattern.h"

#include <string.h>

size_t name_label_length(const char *at, const char *end)
{
    const char *dot = memchr(at, '.', (size_t)(end - at));

    return (size_t)((dot ? dot : end) - at);
}

bool name_label_is_star(const char *label, size_t length)
{
    return length == 1 && *label == '*';
}

bool name_pattern_has(const char *pattern, size_t pattern_length, const char *name, size_t length)
{
    const char *pattern_end = pattern + pattern_length;
    const char *end = name + length;

    for (;;) {
        size_t own = name_label_length(name, end);
        size_t wanted = name_label_length(pattern, pattern_end);
        bool is_any = name_label_is_star(pattern, wanted) && own > 0;

        if (!is_any && (own != wanted || memcmp(name, pattern, own) != 0))
            return false;
        name += own;
        pattern += wanted;
        if (name == end || pattern == pattern_end)
            return name == end && pattern == pattern_end;
        name++;
        pattern++;
    }
}

bool name_pattern_has_below(const char *pattern, size_t pattern_length, const char *name,
                            size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (name[i] == '.' &&
            name_pattern_has(pattern, pattern_length, name + i + 1, length - i - 1))
            return true;
    }
    return false;
}
