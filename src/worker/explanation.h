/* Explains which rule decides about a target, and why. The decision is made by the same code that
 * judges tunnels (tunnel/judgement.h), so the explanation can't differ from what adit does; here
 * each step is put into words. The command line, the control socket and the admin page all use it.
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
    EXPLANATION_FAILED, /* the lookup failed, or the question does not fit the policy */
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

/* Prints the explanation to `out` line by line, and calls `ended` once, maybe before this function
 * returns. All arguments must stay valid until then. `is_running`: an adit serves by the snapshot;
 * otherwise it was only read from a file. */
void explanation_start(struct explanation *explanation, const struct question *question,
                       const struct snapshot *snapshot, bool is_running, struct resolver *resolver,
                       FILE *out, void (*ended)(struct explanation *, enum explanation_outcome));
/* Treats a lookup that has no answer yet as a timeout. Contract: it has not ended. */
void explanation_end_lookup(struct explanation *explanation);
/* Gives the explanation up: `ended` will not be called. Harmless when it has ended. */
void explanation_cancel(struct explanation *explanation);

const char *explanation_outcome_name(enum explanation_outcome outcome); /* "allow", ... */
int explanation_exit_status(enum explanation_outcome outcome);          /* of `adit explain` */

#endif
