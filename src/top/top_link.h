/* One question at a time to the control socket, without waiting for the answer. */
#ifndef TOP_TOP_LINK_H
#define TOP_TOP_LINK_H

#include "base/contract.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct top_link {
    int fd;          /* -1: nothing is asked */
    uint64_t end_ms; /* no answer by then is none */
    char *bytes;
    size_t size;
    size_t length;
};

void top_link_init(struct top_link *link);
void top_link_finish(struct top_link *link);

/* `request`: a line with its newline. The link must be at rest. 0 or -errno. */
int top_link_ask(struct top_link *link, const char *path, const char *request,
                 uint64_t now_ms) MUST_CHECK;
/* When the descriptor is readable. 1: `bytes` and `length` are the whole answer, until the next
 * question; 0: more is to come; -errno. At 1 and an error the link is at rest again. */
int top_link_read(struct top_link *link) MUST_CHECK;
/* Gives up what is asked; harmless at rest. */
void top_link_close(struct top_link *link);

#endif
