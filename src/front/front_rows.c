/* The table of front.def. It is alone in its file, so that a test can link another one instead:
 * front.def and a row of its own.
 */
#include "front/front_kind.h"

#include "base/contract.h"

static const struct front_row front_row_table[] = {
#define FRONT(suffix, name, kind) {name, kind},
#include "front/front.def"
#undef FRONT
};
static_assert(ARRAY_LENGTH(front_row_table) <= FRONT_ROWS_MAX, "the metrics have a place for each");

const struct front_row *front_rows(size_t *ret_count)
{
    *ret_count = ARRAY_LENGTH(front_row_table);
    return front_row_table;
}
