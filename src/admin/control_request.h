/* A request line of the control socket: a word, which for `ps`, `kill`, `trace` and `explain` may
 * be followed by a space and a flat JSON object. Whoever may connect is trusted to give orders, but
 * the bytes are parsed as carefully as those of a stranger.
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
/* The beginning of an answer to a request that was granted, and to one that was not. More members
 * follow. */
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
    /* Of CONTROL_EXPLAIN; "": not given. The parser does not check what they mean. */
    char words[QUESTION_FIELD_COUNT][QUESTION_WORD_MAX + 1];
};

/* Parses `line`, which has less than CONTROL_REQUEST_MAX bytes and no newline. Returns 0; or
 * -EINVAL, and then `*ret_problem` is a static text that says what would be right. */
int control_request_parse(const char *line, size_t length, struct control_request *ret_request,
                          const char **ret_problem) MUST_CHECK;

static inline bool control_answer_is_ok(const char *answer, size_t length)
{
    return length >= sizeof(CONTROL_ANSWER_OK) - 1 &&
           memcmp(answer, CONTROL_ANSWER_OK, sizeof(CONTROL_ANSWER_OK) - 1) == 0;
}

#endif
