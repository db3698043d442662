/* A request line of the control socket: a word, and for `ps`, `kill` and `explain` a flat JSON
 * object behind it. Whoever may connect is trusted; what he writes is not.
 */
#ifndef ADMIN_CONTROL_REQUEST_H
#define ADMIN_CONTROL_REQUEST_H

#include "base/contract.h"
#include "config/question.h"
#include "tunnel/tunnel_filter.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define CONTROL_REQUEST_MAX 4096 /* with the newline */
/* How the answer to a request begins that was granted; members follow. */
#define CONTROL_ANSWER_OK "{\"ok\":true"
#define CONTROL_ANSWER_FAILED "{\"ok\":false"

enum control_kind {
    CONTROL_STATS,
    CONTROL_PS,
    CONTROL_KILL,
    CONTROL_RELOAD,
    CONTROL_DRAIN,
    CONTROL_EXPLAIN,
    CONTROL_TRACE,
    CONTROL_KIND_COUNT,
};

struct control_request {
    enum control_kind kind;
    struct tunnel_filter filter; /* of CONTROL_PS, CONTROL_KILL and CONTROL_TRACE */
    /* Of CONTROL_EXPLAIN, "": not said. What they mean is not looked at. */
    char words[QUESTION_FIELD_COUNT][QUESTION_WORD_MAX + 1];
};

/* `line` without its newline, less than CONTROL_REQUEST_MAX bytes. 0; or -EINVAL, and
 * `*ret_problem` (static) says what is right. */
int control_request_parse(const char *line, size_t length, struct control_request *ret_request,
                          const char **ret_problem) MUST_CHECK;

static inline bool control_answer_is_ok(const char *answer, size_t length)
{
    return length >= sizeof(CONTROL_ANSWER_OK) - 1 &&
           memcmp(answer, CONTROL_ANSWER_OK, sizeof(CONTROL_ANSWER_OK) - 1) == 0;
}

#endif
