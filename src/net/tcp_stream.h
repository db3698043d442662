/* TCP as a stream. */
#ifndef NET_TCP_STREAM_H
#define NET_TCP_STREAM_H

#include "base/contract.h"

struct loop;
struct stream;

/* Takes `fd` (non-blocking) on success and watches it. `ready` begins with what `ready_bits` says
 * (enum stream_ready): an accepted socket can be read and written at once. Returns 0 or -errno. */
int tcp_stream_create(struct loop *loop, int fd, unsigned ready_bits,
                      struct stream **ret_stream) MUST_CHECK;
/* Switches keepalive on: the first probe after 60 s of silence, then one every 10 s, 6 in all.
 * Sockets that a listener accepts inherit it from the listener. Best effort. */
void tcp_keep_alive(int fd);

#endif
