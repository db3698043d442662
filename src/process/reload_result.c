/* The first line is `+` or `-`, the number of asks, a blank and the signaller. The message follows
 * and may have several lines. The parser takes any text, also one that was cut or is empty.
 */
#include "process/reload_result.h"

#include <stdlib.h>
#include <string.h>

void reload_result_print(struct text *out, const struct reload_result *result)
{
    text_add_char(out, result->is_good ? '+' : '-');
    text_add_decimal(out, result->asks);
    text_add_char(out, ' ');
    text_add(out, result->signaller);
    text_add_char(out, '\n');
    text_add(out, result->message);
}

void reload_result_parse(const char *text, struct reload_result *ret_result)
{
    char *rest = NULL;
    struct text signaller;

    ret_result->is_good = text[0] == '+';
    ret_result->asks = text[0] != '\0' ? strtoul(text + 1, &rest, 10) : 0;
    text = rest != NULL ? rest : text;
    text += text[0] == ' ';
    size_t length = strcspn(text, "\n");
    text_init(&signaller, ret_result->signaller, sizeof(ret_result->signaller));
    text_add_bytes(&signaller, text, length);
    ret_result->message = text + length + (text[length] == '\n');
}
