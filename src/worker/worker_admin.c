/* Tells the admin page's server where to listen and whom to let in. The configuration's `admin ...
 * user` and `from` say who may see the page; the file of `users` has their passwords.
 *
 * The page also answers to the machine's own names. Only names that nobody else can choose count:
 * the kernel's host name, and what /etc/hosts says about it. DNS is not asked, since whoever
 * answers could then choose a name, and that would defeat the check against rebinding
 * (admin/http_guard.h).
 */
#include "worker/worker_admin.h"

#include "dns/hosts_file.h"
#include "observe/log.h"
#include "policy/network_set.h"
#include "policy/special_address.h"
#include "process/file_text.h"
#include "wire/authority.h"
#include "worker/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct worker_admin {
    struct http_server *server;
    struct log_ring *log;
    struct snapshot *snapshot;
    struct authority own;       /* the machine's name; an empty host: none */
    struct authority own_other; /* the same with its domain, or without */
    struct authority own_first; /* the first name of its line in /etc/hosts, if it has a domain */
    const char *names[CONFIG_ADMIN_NAMES_MAX + 3];
};

/* -- names */

static void set_name(struct authority *name, const char *text, size_t length)
{
    if (authority_parse_host(text, length, name) != AUTHORITY_OK || name->address.family != IP_NONE)
        name->host[0] = '\0';
}

static void set_own_name(struct authority *name, const struct file_text *hosts, const char *own,
                         enum hosts_own_name kind)
{
    char text[AUTHORITY_HOST_MAX + 2]; /* with a final dot and the NUL */

    if (hosts_file_find_own_name(hosts->bytes, hosts->length, own, kind, text, sizeof(text)))
        set_name(name, text, strlen(text));
}

static void find_own_names(struct worker_admin *admin, const struct file_text *hosts)
{
    char name[AUTHORITY_HOST_MAX + 2]; /* with a final dot and the NUL */

    admin->own_other.host[0] = '\0';
    admin->own_first.host[0] = '\0';
    if (gethostname(name, sizeof(name)) < 0)
        name[0] = '\0';
    name[sizeof(name) - 1] = '\0';
    set_name(&admin->own, name, strlen(name));
    const char *own = admin->own.host;
    size_t label = strcspn(own, ".");
    if (own[0] == '\0')
        return;
    if (own[label] == '.')
        set_name(&admin->own_other, own, label);
    else
        set_own_name(&admin->own_other, hosts, own, HOSTS_OWN_FULL);
    set_own_name(&admin->own_first, hosts, own, HOSTS_OWN_FIRST);
}

/* Fills admin->names and returns their number. */
static size_t collect_names(struct worker_admin *admin, const struct config *config)
{
    size_t count = 0;

    for (size_t i = 0; i < config->admin_name_count; i++)
        admin->names[count++] = config->admin_names[i];
    const struct authority *own[] = {&admin->own, &admin->own_other, &admin->own_first};
    for (size_t i = 0; i < ARRAY_LENGTH(own); i++)
        if (own[i]->host[0] != '\0')
            admin->names[count++] = own[i]->host;
    return count;
}

/* -- who may see it */

static bool group_has(const struct policy_group *group, const char *user)
{
    for (size_t i = 0; i < group->user_count; i++)
        if (strcmp(group->users[i], user) == 0)
            return true;
    return false;
}

static bool may_enter(void *self, const char *user)
{
    const struct worker_admin *admin = self;
    const struct config *config = admin->snapshot->config;

    for (size_t i = 0; i < config->admin_users.value_count; i++) {
        const struct policy_value *value = &config->admin_users.values[i];

        if (value->kind == POLICY_VALUE_ANY ||
            (value->kind == POLICY_VALUE_USER && strcmp(value->text, user) == 0) ||
            (value->kind == POLICY_VALUE_GROUP &&
             group_has(&config->policy.groups[value->index], user)))
            return true;
    }
    return false;
}

static bool value_has(const struct config *config, const struct policy_value *value,
                      const struct ip_address *client)
{
    switch (value->kind) {
    case POLICY_VALUE_ANY:
        return true;
    case POLICY_VALUE_PRIVATE:
        return special_address_is_private(client);
    case POLICY_VALUE_LOOPBACK:
        return ip_address_is_loopback(client);
    case POLICY_VALUE_NETWORK:
        return ip_network_contains(&value->network, client);
    case POLICY_VALUE_LIST: {
        const struct network_set *networks = config->policy.lists[value->index].networks;

        return networks != NULL && network_set_contains(networks, client);
    }
    default:
        return false;
    }
}

static bool may_come(void *self, const struct ip_address *client)
{
    const struct worker_admin *admin = self;
    const struct config *config = admin->snapshot->config;

    for (size_t i = 0; i < config->admin_from.value_count; i++)
        if (value_has(config, &config->admin_from.values[i], client))
            return true;
    return config->admin_from.value_count == 0;
}

int worker_admin_create(const struct http_server_plan *plan, struct worker_admin **ret_admin)
{
    struct worker_admin *admin = calloc(1, sizeof(*admin));

    if (admin == NULL)
        return -ENOMEM;
    admin->log = plan->log;
    int error = http_server_create(plan, &admin->server);
    if (error < 0) {
        free(admin);
        return error;
    }
    *ret_admin = admin;
    return 0;
}

/* -- the door */

bool worker_admin_use(struct worker_admin *admin, struct snapshot *snapshot,
                      const struct file_text *hosts)
{
    const struct listener *listener = listener_set_first(&snapshot->listeners, LISTENER_ADMIN);
    struct snapshot *before = admin->snapshot;
    struct http_door door = {
        .listener = {.fd = -1},
        .names = admin->names,
        .has_password = snapshot->config->admin_users.value_count > 0,
        .users = snapshot->users,
        .may_come = may_come,
        .may_enter = may_enter,
        .self = admin,
    };

    find_own_names(admin, hosts);
    door.name_count = collect_names(admin, snapshot->config);
    if (listener != NULL)
        door.listener = *listener;
    admin->snapshot = snapshot_hold(snapshot);
    int error = http_server_use(admin->server, &door);
    if (error < 0)
        log_notice(admin->log, LOG_TOPIC_GENERAL, "no admin page: can't watch its listener: %s",
                   strerror(-error));
    snapshot_release(before);
    return listener != NULL && error == 0;
}

const struct counters *worker_admin_counters(const struct worker_admin *admin)
{
    return http_server_counters(admin->server);
}

void worker_admin_destroy(struct worker_admin *admin)
{
    if (admin == NULL)
        return;
    http_server_destroy(admin->server);
    snapshot_release(admin->snapshot);
    free(admin);
}
