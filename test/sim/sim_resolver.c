/* dns/resolver.h on the loop's deadlines: a question is a deadline at which its scripted answer
 * comes. */
#include "sim_resolver.h"

#include "loop/loop.h"
#include "sim_internal.h"

#include <errno.h>
#include <string.h>

enum { QUESTIONS_MAX = 64, FAMILIES = 2 };

struct question {
    struct deadline deadline;
    struct resolver_query *query; /* NULL: free */
    unsigned family;              /* AAAA, A */
};

struct resolver {
    struct loop *loop;
    struct question questions[QUESTIONS_MAX];
};

static struct resolver the_resolver;
static struct sim_lookup script[FAMILIES];
static unsigned asked;

void sim_resolver_script(const struct sim_lookup lookups[2])
{
    memcpy(script, lookups, sizeof(script));
    asked = 0;
}

unsigned sim_resolver_asked(void)
{
    return asked;
}

unsigned sim_resolver_waiting(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < QUESTIONS_MAX; i++)
        count += the_resolver.questions[i].query != NULL;
    return count;
}

int resolver_create(struct loop *loop, uint64_t timeout_ms, struct counters *counters,
                    struct resolver **ret_resolver)
{
    the_resolver = (struct resolver){.loop = loop};
    *ret_resolver = &the_resolver;
    return 0;
}

void resolver_destroy(struct resolver *resolver)
{
    SIM_CHECK(sim_resolver_waiting() == 0, "the resolver was destroyed under a query");
}

static void deliver(struct question *question)
{
    const struct sim_lookup *lookup = &script[question->family];
    struct ip_address addresses[RESOLVER_ADDRESSES_MAX];
    struct resolver_query *query = question->query;
    struct resolver_answer answer = {
        .family = question->family == 0 ? IP_V6 : IP_V4,
        .status = lookup->status,
        .addresses = addresses,
    };

    question->query = NULL;
    if (sim_step(SIM_CALL_RESOLVER_ANSWER) == SIM_FAULT_LOOKUP)
        answer.status = RESOLVER_FAILED;
    while (answer.status == RESOLVER_OK && lookup->addresses[answer.count] != NULL) {
        const char *text = lookup->addresses[answer.count];
        int error = ip_address_parse(text, strlen(text), &addresses[answer.count]);

        SIM_CHECK(error == 0, "bad address %s", text);
        answer.count++;
    }
    query->on_answer(query, &answer);
}

static void due(struct deadline *deadline)
{
    deliver(container_of(deadline, struct question, deadline));
}

static struct question *free_question(struct resolver *resolver)
{
    for (unsigned i = 0; i < QUESTIONS_MAX; i++) {
        if (resolver->questions[i].query == NULL)
            return &resolver->questions[i];
    }
    sim_die("too many questions");
}

int resolver_ask(struct resolver *resolver, struct resolver_query *query, const char *name,
                 const struct ip_address *client,
                 void (*on_answer)(struct resolver_query *, const struct resolver_answer *))
{
    struct question *questions[FAMILIES];

    if (sim_step(SIM_CALL_RESOLVER_ASK))
        return -ENOMEM;
    asked++;
    query->resolver = resolver;
    query->on_answer = on_answer;
    for (unsigned family = 0; family < FAMILIES; family++) {
        struct question *question = free_question(resolver);

        *question = (struct question){.query = query, .family = family};
        deadline_init(&question->deadline, due);
        questions[family] = question;
    }
    for (unsigned family = 0; family < FAMILIES; family++) {
        struct question *question = questions[family];

        if (script[family].delay_ms > 0)
            deadline_set(resolver->loop, &question->deadline,
                         loop_now_ms(resolver->loop) + script[family].delay_ms);
        else if (question->query == query) /* the first answer may have cancelled the other */
            deliver(question);
    }
    return 0;
}

void resolver_cancel(struct resolver_query *query)
{
    for (unsigned i = 0; i < QUESTIONS_MAX; i++) {
        struct question *question = &the_resolver.questions[i];

        if (question->query != query)
            continue;
        deadline_cancel(the_resolver.loop, &question->deadline);
        question->query = NULL;
    }
}

const char *resolver_status_name(enum resolver_status status)
{
    return status == RESOLVER_OK ? "ok" : "failed";
}
