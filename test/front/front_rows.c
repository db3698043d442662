/* The table of front.def with one row more. */
#include "front/front_kind.h"

#include "base/contract.h"

const struct front_kind *line_kind(void);

static const struct front_row front_row_table[] = {
#define FRONT(suffix, name, kind) {name, kind},
#include "front/front.def"
    FRONT(LINE, "line", line_kind)
#undef FRONT
};

const struct front_row *front_rows(size_t *ret_count)
{
    *ret_count = ARRAY_LENGTH(front_row_table);
    return front_row_table;
}
