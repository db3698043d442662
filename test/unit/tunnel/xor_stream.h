/* A kind of stream for tests that wraps another: each byte is XORed with a key, and before the
 * first one both ends greet each other with XOR_GREETING; another byte, or none, fails the
 * handshake with -EPROTO. What a kind for TLS has to do, in little.
 */
#ifndef TEST_XOR_STREAM_H
#define TEST_XOR_STREAM_H

#include "base/contract.h"

#include <stdint.h>

#define XOR_GREETING 'H'

struct loop;
struct stream;

/* Takes `inner` on success, and greets. 0 or -ENOMEM. */
int xor_stream_create(struct loop *loop, struct stream *inner, uint8_t key,
                      struct stream **ret_stream) MUST_CHECK;

#endif
