/* A record as squid writes it in its native format, for the tools that read that:
 * `time.ms elapsed client TAG/status bytes CONNECT target user HIER_DIRECT/address -`.
 *
 * A tunnel has one line, at its end. Tags: TCP_TUNNEL; TCP_DENIED for what policy or a password
 * refused; NONE_NONE for what failed or was malformed. The bytes are those to the client: the head
 * of the answer and what the tunnel carried; 0 for refusals. Every column is one word without
 * blanks, whatever outsiders send: their bytes are escaped as %XX.
 */
#ifndef OBSERVE_SQUID_LINE_H
#define OBSERVE_SQUID_LINE_H

#include "observe/access_log.h"
#include "observe/line.h"

/* Into `out`, without newline; returns the length, 0 for an `open`. `wall_ms` since the epoch. */
size_t squid_line_put(char out[LINE_SIZE], const struct access_record *record, uint64_t wall_ms);

#endif
