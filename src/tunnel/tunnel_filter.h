/* Which of the open tunnels somebody means. All zero: every one. */
#ifndef TUNNEL_TUNNEL_FILTER_H
#define TUNNEL_TUNNEL_FILTER_H

#include "base/contract.h"
#include "base/ip_address.h"
#include "config/list_entry.h"
#include "wire/basic_auth.h"

#include <stdbool.h>
#include <stdint.h>

/* Bytes: a rule without a name is known by its file's and its line. */
#define TUNNEL_FILTER_RULE_MAX 511

/* Room for any filter's text. */
#define TUNNEL_FILTER_TEXT_SIZE (BASIC_USER_MAX + TUNNEL_FILTER_RULE_MAX + AUTHORITY_HOST_MAX + 200)

struct access_record;

/* What is set must all be true of a tunnel. */
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

/* As `ps` and the log show it. 0, or -EINVAL: no tunnel can have it. */
int tunnel_filter_set_id(struct tunnel_filter *filter, const char *id) MUST_CHECK;
/* Exactly this one, its case included. 0, or -EINVAL: none, or too long. */
int tunnel_filter_set_user(struct tunnel_filter *filter, const char *user) MUST_CHECK;
/* The client's address, or a block that it is in. 0, -ERANGE (bits are set behind the prefix) or
 * -EINVAL. */
int tunnel_filter_set_client(struct tunnel_filter *filter, const char *client) MUST_CHECK;
/* Exactly this one, as `ps` and the log show it. 0, or -EINVAL: none, or too long. */
int tunnel_filter_set_rule(struct tunnel_filter *filter, const char *rule) MUST_CHECK;
/* The host that was asked for, as lists and rules write it; an IPv6 address in brackets, too. 0, or
 * -EINVAL. */
int tunnel_filter_set_host(struct tunnel_filter *filter, const char *host) MUST_CHECK;

/* Whether it says which tunnels, other than by what they have carried. */
bool tunnel_filter_is_pointed(const struct tunnel_filter *filter);
/* It asks for nothing that is not known from the request on: neither user, rule nor bytes. */
bool tunnel_filter_is_of_ends(const struct tunnel_filter *filter);
bool tunnel_filter_equals(const struct tunnel_filter *a, const struct tunnel_filter *b);
/* `user alice, host *.example.com`, for a person. */
void tunnel_filter_print(struct text *out, const struct tunnel_filter *filter);
/* A tunnel's target without its port and brackets. */
const char *tunnel_host(const char *target, size_t target_length, size_t *ret_length);
/* `record`: of an open tunnel, with its bytes so far. */
bool tunnel_filter_matches(const struct tunnel_filter *filter, const struct access_record *record);

#endif
