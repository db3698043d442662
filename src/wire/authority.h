/* host:port as a client asks for it (authority-form, RFC 9112 3.2.3), normalised once.
 *
 * A host is a strict dotted quad, a bracketed IPv6 literal or a DNS name, and nothing else. A name
 * whose last label is a number (all digits, or 0x and hex) is refused, because some libc would read
 * it as an address. Normalised means: lower case, no trailing dot, the spelling of RFC 5952, mapped
 * addresses as IPv4. Policy, DNS, dial and log see this value and no other.
 */
#ifndef WIRE_AUTHORITY_H
#define WIRE_AUTHORITY_H

#include "base/contract.h"
#include "base/ip_address.h"
#include "base/text.h"

#include <stdint.h>

#define AUTHORITY_HOST_MAX 253
/* host, two brackets, colon, port, NUL */
#define AUTHORITY_TEXT_SIZE (AUTHORITY_HOST_MAX + 3 + IP_PORT_DIGITS_MAX + 1)

struct authority {
    char host[AUTHORITY_HOST_MAX + 1]; /* normalised; a literal without brackets; NUL-terminated */
    uint8_t host_length;
    uint16_t port;
    struct ip_address address; /* family IP_NONE when the host is a name */
};

enum authority_error {
    AUTHORITY_OK,
    AUTHORITY_NO_PORT,
    AUTHORITY_BAD_PORT,
    AUTHORITY_USERINFO,
    AUTHORITY_BARE_IPV6,
    AUTHORITY_ZONE_ID,
    AUTHORITY_BAD_IPV6,
    AUTHORITY_NUMERIC_NAME,
    AUTHORITY_NOT_ASCII,
    AUTHORITY_URL,
    AUTHORITY_BAD_NAME,
    AUTHORITY_ERROR_COUNT,
};

enum authority_error authority_parse(const char *text, size_t length,
                                     struct authority *ret_authority) MUST_CHECK;
/* Parses a host without a port. An IPv6 address may have its brackets or not. The port is set to 0.
 */
enum authority_error authority_parse_host(const char *text, size_t length,
                                          struct authority *ret_authority) MUST_CHECK;
/* Says what is wrong and what would be right, for a person; one line without a full stop. */
const char *authority_error_text(enum authority_error error);
/* Prints `name:443` or `[::1]:443`. */
void authority_print(struct text *out, const struct authority *authority);
/* Writes the same into plain memory, without a NUL behind it. Returns the length. */
size_t authority_put(char out[AUTHORITY_TEXT_SIZE], const struct authority *authority);
/* `localhost` and `*.localhost` are loopback and are never looked up (RFC 6761 6.3). */
bool authority_host_is_localhost(const char *host, size_t length);

#endif
