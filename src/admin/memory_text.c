/* When memory runs out while something is printed, ferror says so. When it runs out while the rest
 * of the buffer is flushed, fclose says so. Both must be looked at, or half a text would count as
 * whole.
 */
#include "admin/memory_text.h"

#include <stdbool.h>
#include <stdlib.h>

char *memory_text_finish(FILE *out, char **text)
{
    bool is_good = !ferror(out);

    if (fclose(out) == 0 && is_good)
        return *text;
    free(*text);
    return NULL;
}
