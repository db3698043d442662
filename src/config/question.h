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
    QUESTION_SNI,      /* what is inside is TLS, for that name */
    QUESTION_PROTOCOL, /* what is inside */
    QUESTION_ALL,      /* "yes": each rule is to be listed */
    QUESTION_FIELD_COUNT,
};

/* Longest word of a field, without the NUL. */
#define QUESTION_WORD_MAX 320

struct question {
    const char
        *words[QUESTION_FIELD_COUNT]; /* as they were said; NULL: not. Outlive the question */
    struct authority target;
    struct ip_address client;    /* 127.0.0.1 when nothing was said */
    struct ip_endpoint listener; /* family IP_NONE: not said, the first */
    uint8_t weekday;             /* with a QUESTION_TIME, as the minute */
    uint16_t minute;
    struct authority sni; /* with a QUESTION_SNI; host: the name, normalised */
};

void question_init(struct question *question);
/* 0; or -EINVAL, and `*ret_problem` (static) says what is right. */
int question_set(struct question *question, enum question_field field, const char *word,
                 const char **ret_problem) MUST_CHECK;
const char *question_field_name(enum question_field field); /* "target", "user", ... */

#endif
