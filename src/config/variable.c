/* Only the shell's two most common forms are known; there is no nesting and no `:?`. */
#include "config/variable.h"

#include "base/ascii.h"

#include <string.h>

bool variable_begins(const char *at, const char *end)
{
    return end - at >= 2 && at[0] == '$' && at[1] == '{';
}

static bool variable_is_name_byte(char byte, bool is_first)
{
    return ascii_is_letter(byte) || byte == '_' || (!is_first && ascii_is_digit(byte));
}

bool variable_parse(const char *at, const char *end, struct variable *ret_variable)
{
    const char *name = at + 2;
    const char *next = name;

    while (next < end && variable_is_name_byte(*next, next == name))
        next++;
    const char *close = memchr(next, '}', (size_t)(end - next));
    if (next == name || close == NULL)
        return false;
    *ret_variable = (struct variable){
        .name = name, .name_length = (size_t)(next - name), .length = (size_t)(close - at) + 1};
    if (next == close)
        return true;
    if (close - next < 2 || next[0] != ':' || next[1] != '-')
        return false;
    ret_variable->initial = next + 2;
    ret_variable->initial_length = (size_t)(close - next) - 2;
    for (const char *byte = ret_variable->initial; byte < close; byte++)
        if (*byte == '"' || variable_begins(byte, close))
            return false;
    return true;
}
