/* Memory that ran out on the way shows in the stream's error, at the end in fclose. */
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
