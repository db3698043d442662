/* Asks the control socket one question at a time. Nothing here blocks: the caller polls `fd`. The
 * link is at rest when no question is under way. */
#ifndef TOP_TOP_LINK_H
#define TOP_TOP_LINK_H

#include "base/contract.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct top_link {
    int fd;          /* -1: the link is at rest */
    uint64_t end_ms; /* when the caller should give the question up; not at rest */
    char *bytes;     /* the answer, as far as it came; NULL before the first one */
    size_t size;     /* of the memory at `bytes` */
    size_t length;   /* of the answer */
};

void top_link_init(struct top_link *link);
void top_link_finish(struct top_link *link);

/* Connects and sends `request`, a line with its newline. The link must be at rest. Returns 0, or
 * -errno and the link is at rest again. */
int top_link_ask(struct top_link *link, const char *path, const char *request,
                 uint64_t now_ms) MUST_CHECK;
/* Reads once; for when the descriptor is readable. Returns 1 when the answer is complete: `bytes`
 * and `length` hold it until the next question. Returns 0 when more will come, or -errno
 * (-ECONNRESET: adit closed without a word). After 1 and after an error the link is at rest. */
int top_link_read(struct top_link *link) MUST_CHECK;
/* Gives up the question under way. Harmless at rest. */
void top_link_close(struct top_link *link);

#endif
