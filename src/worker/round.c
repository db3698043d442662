/* A round is a count of the answers that are still missing. Until all threads have been asked, the
 * count has one more, so that answers that come at once do not complete the round too early.
 */
#include "worker/round.h"

#include "base/contract.h"

#include <stddef.h>

void round_init(struct round *round, const struct round_handlers *handlers)
{
    *round = (struct round){.handlers = handlers};
}

bool round_is_under_way(const struct round *round)
{
    return round->awaited > 0;
}

void round_begin(struct round *round)
{
    REQUIRE(round->awaited == 0);
    round->awaited = 1;
}

void round_await(struct round *round)
{
    REQUIRE(round->awaited > 0);
    round->awaited++;
}

static void round_count_one(struct round *round)
{
    REQUIRE(round->awaited > 0);
    if (--round->awaited == 0)
        round->handlers->completed(round);
}

void round_asked_all(struct round *round)
{
    round_count_one(round);
}

void round_answered(struct round *round, unsigned index, struct order_answer *answer)
{
    if (answer != NULL && round->handlers->answered != NULL)
        round->handlers->answered(round, index, answer);
    round_count_one(round);
}
