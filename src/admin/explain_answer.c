/* The answer is printed into one allocation that is large enough for any text of that length, even
 * if every byte of it must be escaped. */
#include "admin/explain_answer.h"

#include "admin/json.h"
#include "admin/panel.h"
#include "base/escape.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

enum { FRAME_SIZE = 128 };

char *explain_answer_print(const struct explain_answer *answer, const char *head,
                           size_t *ret_length)
{
    size_t size = strlen(head) + answer->length * ESCAPE_MAX + FRAME_SIZE;
    char *buffer = malloc(size);
    struct text text;

    if (buffer == NULL)
        return NULL;
    text_init(&text, buffer, size);
    text_add(&text, head);
    json_add_member(&text, "verdict", answer->verdict);
    json_add_number(&text, "exit", (uint64_t)answer->exit_status);
    json_add_member(&text, "text", answer->text);
    text_add(&text, "}\n");
    *ret_length = text.length;
    return buffer;
}
