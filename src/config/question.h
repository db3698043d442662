/* A question to the policy: what may tunnel where, and when. The command line, the control socket
 * and the admin page put it in the same words. Pure.
 */
#ifndef CONFIG_QUESTION_H
#define CONFIG_QUESTION_H

#include "base/contract.h"
#include "wire/authority.h"

#include <stdbool.h>
#include <stdint.h>

enum question_field {
    QUESTION_TARGET,
    QUESTION_USER,
    QUESTION_CLIENT,
    QUESTION_LISTENER,
    QUESTION_TIME,     /* "Sat 23:30" */
    QUESTION_SNI,      /* the inside of the tunnel is TLS for that name */
    QUESTION_PROTOCOL, /* the protocol inside the tunnel */
    QUESTION_ALL,      /* "yes": each rule is to be listed */
    QUESTION_FIELD_COUNT,
};

/* The longest word of a field, without its NUL. */
#define QUESTION_WORD_MAX 320

struct question {
    const char *words[QUESTION_FIELD_COUNT]; /* as they were given; NULL: not given. They must
                                                outlive the question */
    struct authority target;
    struct ip_address client;    /* 127.0.0.1 when none was given */
    struct ip_endpoint listener; /* family IP_NONE: none was given, the first one is meant */
    uint8_t weekday;             /* valid with a QUESTION_TIME, like the minute */
    uint16_t minute;
    struct authority sni; /* valid with a QUESTION_SNI; its host is the name, normalised */
};

void question_init(struct question *question);
/* Sets a field from its word. Returns 0; or -EINVAL, and `*ret_problem` (static) says what would be
 * right. */
int question_set(struct question *question, enum question_field field, const char *word,
                 const char **ret_problem) MUST_CHECK;
const char *question_field_name(enum question_field field); /* "target", "user", ... */

#endif
