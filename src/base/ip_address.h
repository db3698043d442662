/* IP addresses as plain values: parse, print, compare. No libc parser, no system call.
 *
 * An IPv4-mapped IPv6 address (::ffff:0:0/96) *is* the IPv4 address: every function that makes an
 * ip_address returns it in its IPv4 form, so that policy, dial and log never see two spellings.
 */
#ifndef BASE_IP_ADDRESS_H
#define BASE_IP_ADDRESS_H

#include "base/contract.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

enum ip_family { IP_NONE = 0, IP_V4 = 4, IP_V6 = 6 };

struct ip_address {
    uint8_t family;    /* enum ip_family */
    uint8_t bytes[16]; /* network order; IPv4 uses the first 4, the rest is 0 */
};

struct ip_endpoint {
    struct ip_address address;
    uint16_t port; /* host order */
};

/* A CIDR block. Host bits are 0. */
struct ip_network {
    struct ip_address address;
    uint8_t prefix_length; /* in bits, of the address's own family */
};

/* Longest text: 39 bytes for IPv6, 2 brackets, colon, 5 digits, NUL. */
#define IP_ENDPOINT_TEXT_SIZE 48
#define IP_PORT_DIGITS_MAX 5

struct ip_address ip_address_from_v4(const uint8_t bytes[4]);
struct ip_address ip_address_from_v6(const uint8_t bytes[16]); /* unmaps */

/* Parses a strict dotted quad: four decimal numbers of 0-255 without leading zeros. Returns 0 or
 * -EINVAL, as the next functions do. */
int ip_address_parse_v4(const char *text, size_t length, struct ip_address *ret_address) MUST_CHECK;
/* Parses RFC 4291 2.2, without brackets and without zone. Unmaps. */
int ip_address_parse_v6(const char *text, size_t length, struct ip_address *ret_address) MUST_CHECK;
/* Parses either of the two forms. */
int ip_address_parse(const char *text, size_t length, struct ip_address *ret_address) MUST_CHECK;
/* Parses 0-65535: 1-5 digits without sign or leading zero. */
int ip_port_parse(const char *text, size_t length, uint16_t *ret_port) MUST_CHECK;
/* Parses `1.2.3.4:80` or `[::1]:80`; the port is as above. */
int ip_endpoint_parse(const char *text, size_t length, struct ip_endpoint *ret_endpoint) MUST_CHECK;
/* Parses `10.0.0.0/8`, `fc00::/7` or a single address. Unmaps: `::ffff:10.0.0.0/104` is
 * `10.0.0.0/8`. Returns 0, -EINVAL when the text is no network, or -ERANGE when host bits are set.
 */
int ip_network_parse(const char *text, size_t length, struct ip_network *ret_network) MUST_CHECK;

bool ip_address_equals(const struct ip_address *a, const struct ip_address *b);
bool ip_endpoint_equals(const struct ip_endpoint *a, const struct ip_endpoint *b);
bool ip_network_contains(const struct ip_network *network, const struct ip_address *address);
bool ip_address_is_loopback(const struct ip_address *address);    /* 127/8, ::1 */
bool ip_address_is_unspecified(const struct ip_address *address); /* 0.0.0.0, :: */

/* The print functions use the spelling of RFC 5952; IPv6 endpoints have brackets. */
void ip_address_print(struct text *out, const struct ip_address *address);
/* Prints `10.0.0.0/8`; without the prefix when the network has only one address. */
void ip_network_print(struct text *out, const struct ip_network *network);
void ip_endpoint_print(struct text *out, const struct ip_endpoint *endpoint);
/* Write the same as a string into `out`, and return that. */
const char *ip_address_text(char out[IP_ENDPOINT_TEXT_SIZE], const struct ip_address *address);
const char *ip_endpoint_text(char out[IP_ENDPOINT_TEXT_SIZE], const struct ip_endpoint *endpoint);
/* Write the same faster and without a NUL. They return the length. */
size_t ip_port_put(char out[IP_PORT_DIGITS_MAX], uint16_t port);
size_t ip_address_put(char out[IP_ENDPOINT_TEXT_SIZE], const struct ip_address *address);
size_t ip_endpoint_put(char out[IP_ENDPOINT_TEXT_SIZE], const struct ip_endpoint *endpoint);

#endif
