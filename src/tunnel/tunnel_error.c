/* The table of failures and the one place where an errno becomes a failure. */
#include "tunnel/tunnel_error.h"

#include "base/contract.h"

#include <errno.h>

static const struct tunnel_error_row tunnel_error_rows[] = {
#define TUNNEL_ERROR(suffix, token, status, retry_after_s, text, manual)                           \
    [TUNNEL_ERROR_##suffix] = {token, status, retry_after_s, text, manual},
#include "tunnel/tunnel_error.def"
#undef TUNNEL_ERROR
};
static_assert(ARRAY_LENGTH(tunnel_error_rows) == TUNNEL_ERROR_COUNT, "a row an error");

const struct tunnel_error_row *tunnel_error_row(enum tunnel_error error)
{
    REQUIRE(error < TUNNEL_ERROR_COUNT);
    return &tunnel_error_rows[error];
}

enum tunnel_error tunnel_error_from_errno(int error)
{
    switch (-error) {
    case ECONNREFUSED:
        return TUNNEL_ERROR_REFUSED;
    case ECONNRESET:
    case EPIPE:
        return TUNNEL_ERROR_RESET;
    case ETIMEDOUT:
        return TUNNEL_ERROR_DIAL_TIMEOUT;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EAFNOSUPPORT:
    case ENETDOWN:
    case EHOSTDOWN:
    case EINVAL: /* e.g. a link-local address without an interface */
    case EPERM:  /* a firewall of this machine */
    case EACCES: /* a broadcast address, or a firewall */
    case ENOPROTOOPT:
    case EPROTO:
        return TUNNEL_ERROR_UNREACHABLE;
    default:
        /* EADDRNOTAVAIL (no port left), EMFILE, ENFILE, ENOBUFS, ENOMEM and others: the failure is
         * adit's own. */
        return TUNNEL_ERROR_NO_RESOURCES;
    }
}
