/* Which rule decides about a target, and why: by the code that the proxy judges with, said step by
 * step. The command line and the admin page ask the same.
 */
#ifndef DAEMON_EXPLANATION_H
#define DAEMON_EXPLANATION_H

#include "base/contract.h"
#include "config/options.h"
#include "dns/resolver.h"
#include "policy/policy.h"

#include <stdbool.h>
#include <stdio.h>

struct snapshot;

enum explanation_outcome {
    EXPLANATION_ALLOW,
    EXPLANATION_DENY,
    EXPLANATION_ASK,
    EXPLANATION_FAILED, /* the lookup */
    EXPLANATION_OUTCOME_COUNT,
};

/* Members are private. */
struct explanation {
    struct options_question question;
    const struct snapshot *snapshot;
    struct resolver *resolver;
    FILE *out;
    void (*ended)(struct explanation *explanation, enum explanation_outcome outcome);
    struct policy_facts facts;
    struct resolver_query query;
    bool is_asking;
    unsigned answered_count; /* families */
    enum resolver_status statuses[2];
    bool is_allowed;
    bool is_denied;
    struct verdict allowed; /* the first */
    struct verdict denied;  /* the one that the client is told of */
};

/* Prints to `out` line by line, and calls `ended` once, maybe from within; what is named here
 * outlives that. */
void explanation_start(struct explanation *explanation, const struct options_question *question,
                       const struct snapshot *snapshot, struct resolver *resolver, FILE *out,
                       void (*ended)(struct explanation *, enum explanation_outcome));
/* `ended` is not called any more. Harmless afterwards. */
void explanation_cancel(struct explanation *explanation);

const char *explanation_outcome_name(enum explanation_outcome outcome); /* "allow", ... */
int explanation_exit_status(enum explanation_outcome outcome);          /* of `adit explain` */

#endif
