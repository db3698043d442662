/* Labels are compared one by one from the left, and both sides must have the same number of them.
 * Whether a name lies below a pattern is found by comparing what stands behind each of its dots.
 * Two patterns are aligned at their right ends.
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

static bool labels_meet(const char *a, size_t a_length, const char *b, size_t b_length)
{
    return name_label_is_star(a, a_length) || name_label_is_star(b, b_length) ||
           (a_length == b_length && memcmp(a, b, a_length) == 0);
}

bool name_patterns_meet(const char *a, bool is_a_suffix, const char *b, bool is_b_suffix)
{
    const char *a_end = a + strlen(a);
    const char *b_end = b + strlen(b);

    for (;;) {
        const char *a_dot = memrchr(a, '.', (size_t)(a_end - a));
        const char *b_dot = memrchr(b, '.', (size_t)(b_end - b));
        const char *a_label = a_dot != NULL ? a_dot + 1 : a;
        const char *b_label = b_dot != NULL ? b_dot + 1 : b;

        if (!labels_meet(a_label, (size_t)(a_end - a_label), b_label, (size_t)(b_end - b_label)))
            return false;
        if (a_dot == NULL && b_dot == NULL)
            return is_a_suffix == is_b_suffix;
        if (a_dot == NULL || b_dot == NULL)
            return a_dot == NULL ? is_a_suffix : is_b_suffix;
        a_end = a_dot;
        b_end = b_dot;
    }
}
