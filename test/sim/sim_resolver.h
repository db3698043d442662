/* A resolver with scripted answers, in virtual time, behind dns/resolver.h. */
#ifndef SIM_SIM_RESOLVER_H
#define SIM_SIM_RESOLVER_H

#include "dns/resolver.h"

struct sim_lookup {
    enum resolver_status status;
    uint64_t delay_ms; /* 0: answered from within resolver_ask */
    const char *addresses[RESOLVER_ADDRESSES_MAX];
};

/* What the next resolver answers: AAAA, A. */
void sim_resolver_script(const struct sim_lookup lookups[2]);
/* Questions begun, and those that nobody has answered or cancelled. */
unsigned sim_resolver_asked(void);
unsigned sim_resolver_waiting(void);

#endif
