/* c-ares with scripted name servers, in virtual time; in front of it the real src/dns/. */
#ifndef SIM_SIM_ARES_H
#define SIM_SIM_ARES_H

#include <stdbool.h>
#include <stdint.h>

/* What the name servers say about a name. The first row whose `suffix` ends the name counts. */
struct sim_zone {
    const char *suffix;
    int status;        /* ARES_* */
    uint64_t delay_ms; /* 0: from within ares_query */
    bool is_silent;    /* c-ares gives up after its tries: ARES_ETIMEOUT after 21 s */
    unsigned ttl_s;
    unsigned records; /* with ARES_SUCCESS: A 192.0.2.1 and on, AAAA 2001:db8::1 and on */
};

void sim_ares_script(const struct sim_zone *zones); /* ends with suffix NULL */
/* Questions that c-ares took so far, holds now, and most at once. */
unsigned sim_ares_asked(void);
unsigned sim_ares_held(void);
unsigned sim_ares_most_held(void);

#endif
