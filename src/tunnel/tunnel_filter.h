/* Selects some of the open tunnels. When all is zero, every tunnel matches. */
#ifndef TUNNEL_TUNNEL_FILTER_H
#define TUNNEL_TUNNEL_FILTER_H

#include "base/contract.h"
#include "base/ip_address.h"
#include "config/list_entry.h"
#include "wire/basic_auth.h"

#include <stdbool.h>
#include <stdint.h>

/* In bytes. A rule without a name is known by its file and line, so a file's name has to fit. */
#define TUNNEL_FILTER_RULE_MAX 511

/* Room for the text of any filter. */
#define TUNNEL_FILTER_TEXT_SIZE (BASIC_USER_MAX + TUNNEL_FILTER_RULE_MAX + AUTHORITY_HOST_MAX + 200)

struct access_record;

/* A tunnel matches when everything that is set is true of it. */
struct tunnel_filter {
    uint64_t id;        /* 0: any; no tunnel has that id */
    uint64_t min_bytes; /* both ways together */
    char user[BASIC_USER_MAX + 1];
    bool has_host;
    struct list_entry host;
    bool has_client;
    struct ip_network client;
    char rule[TUNNEL_FILTER_RULE_MAX + 1]; /* "": any */
};

/* Takes an id as `ps` and the log show it. Returns 0, or -EINVAL when no tunnel can have that id.
 */
int tunnel_filter_set_id(struct tunnel_filter *filter, const char *id) MUST_CHECK;
/* Takes exactly this user, case included. Returns 0, or -EINVAL when it is empty or too long. */
int tunnel_filter_set_user(struct tunnel_filter *filter, const char *user) MUST_CHECK;
/* Takes the client's address, or a block that it is in. Returns 0, -ERANGE (bits are set behind the
 * prefix) or -EINVAL. */
int tunnel_filter_set_client(struct tunnel_filter *filter, const char *client) MUST_CHECK;
/* Takes exactly this rule, as `ps` and the log show it. Returns 0, or -EINVAL when it is empty or
 * too long. */
int tunnel_filter_set_rule(struct tunnel_filter *filter, const char *rule) MUST_CHECK;
/* Takes the host that was asked for, as lists and rules write it, or an IPv6 address in brackets.
 * Returns 0 or -EINVAL. */
int tunnel_filter_set_host(struct tunnel_filter *filter, const char *host) MUST_CHECK;

/* Returns whether the filter selects by anything other than the bytes that tunnels have carried. */
bool tunnel_filter_is_pointed(const struct tunnel_filter *filter);
/* Returns whether the filter asks only for what is known as soon as the request is there: for
 * neither user, rule nor bytes. */
bool tunnel_filter_is_of_ends(const struct tunnel_filter *filter);
bool tunnel_filter_equals(const struct tunnel_filter *a, const struct tunnel_filter *b);
/* Prints the filter for a person: `user alice, host *.example.com`. */
void tunnel_filter_print(struct text *out, const struct tunnel_filter *filter);
/* Returns a tunnel's target without its port and brackets. */
const char *tunnel_host(const char *target, size_t target_length, size_t *ret_length);
/* `record` is that of an open tunnel, with its bytes so far. */
bool tunnel_filter_matches(const struct tunnel_filter *filter, const struct access_record *record);

#endif
