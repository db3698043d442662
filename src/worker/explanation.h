/* Which rule decides about a target, and why: by the code that tunnels are judged by
 * (tunnel/judgement.h), said step by step. The command line, the control socket and the admin page
 * ask the same.
 */
#ifndef WORKER_EXPLANATION_H
#define WORKER_EXPLANATION_H

#include "base/contract.h"
#include "config/question.h"
#include "dns/resolver.h"
#include "tunnel/judgement.h"

#include <stdbool.h>
#include <stdio.h>

struct snapshot;

enum explanation_outcome {
    EXPLANATION_ALLOW,
    EXPLANATION_DENY,
    EXPLANATION_ASK,
    EXPLANATION_FAILED, /* the lookup; or the question does not fit the policy */
    EXPLANATION_OUTCOME_COUNT,
};

/* Members are private. */
struct explanation {
    struct question question;
    const struct snapshot *snapshot;
    struct resolver *resolver;
    FILE *out;
    void (*ended)(struct explanation *explanation, enum explanation_outcome outcome);
    struct judgement judgement;
    struct resolver_query query;
    bool is_asking;
    size_t rule_lines;
};

/* Prints to `out` line by line, and calls `ended` once, maybe from within; what is named here
 * outlives that. `is_running`: the snapshot serves, and is not only read from a file. */
void explanation_start(struct explanation *explanation, const struct question *question,
                       const struct snapshot *snapshot, bool is_running, struct resolver *resolver,
                       FILE *out, void (*ended)(struct explanation *, enum explanation_outcome));
/* What is not answered yet is taken for a timeout. Contract: it has not ended. */
void explanation_end_lookup(struct explanation *explanation);
/* `ended` is not called any more. Harmless afterwards. */
void explanation_cancel(struct explanation *explanation);

const char *explanation_outcome_name(enum explanation_outcome outcome); /* "allow", ... */
int explanation_exit_status(enum explanation_outcome outcome);          /* of `adit explain` */

#endif
