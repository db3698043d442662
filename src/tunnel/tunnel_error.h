/* Everything that can keep a tunnel from opening: one enum, one table (tunnel_error.def). */
#ifndef TUNNEL_TUNNEL_ERROR_H
#define TUNNEL_TUNNEL_ERROR_H

enum tunnel_error {
#define TUNNEL_ERROR(suffix, token, status, retry_after_s, text, manual) TUNNEL_ERROR_##suffix,
#include "tunnel/tunnel_error.def"
#undef TUNNEL_ERROR
    TUNNEL_ERROR_COUNT,
};

struct tunnel_error_row {
    const char *token; /* RFC 9209 */
    unsigned status;   /* HTTP */
    unsigned retry_after_s;
    const char *text; /* for a person, one line */
    const char *manual;
};

const struct tunnel_error_row *tunnel_error_row(enum tunnel_error error);
/* Returns what a failed socket or connect call means for the client. `error` is a negative errno.
 */
enum tunnel_error tunnel_error_from_errno(int error);

#endif
