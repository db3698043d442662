/* Each function puts a step of a tunnel into a line of a few words and hands it to the thread's
 * trace. Of the client, a step contains nothing but its address and its target: no credentials, no
 * header, no byte that the tunnel carries.
 */
#include "tunnel/tunnel_trace.h"

#include "base/text.h"
#include "dns/resolver.h"
#include "policy/policy.h"

#include <errno.h>
#include <string.h>

static void tunnel_trace(const struct tunnel *tunnel, const char *what)
{
    const struct trace_step step = {
        .id = tunnel->id,
        .client = tunnel->client,
        .target = tunnel->target,
        .target_length = tunnel->target_length,
        .what = what,
    };

    trace_write(tunnel->env->trace, &step);
}

static void tunnel_trace_add_bytes(struct text *out, const char *name, uint64_t bytes)
{
    text_add(out, name);
    text_add_decimal(out, bytes);
}

void tunnel_trace_state(const struct tunnel *tunnel)
{
    tunnel_trace(tunnel, tunnel_state_name(tunnel));
}

void tunnel_trace_verdict(const struct tunnel *tunnel, const struct ip_address *address,
                          const struct verdict *verdict)
{
    char buffer[TRACE_WHAT_MAX];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    text_add(&text, "verdict on ");
    if (address != NULL)
        ip_address_print(&text, address);
    else
        text_add(&text, "the name");
    text_add(&text, ": ");
    text_add(&text, policy_action_name(verdict->action));
    if (verdict->rule != NULL && verdict->action != POLICY_CONTINUE) {
        text_add(&text, " by ");
        text_add(&text, verdict->rule);
    }
    tunnel_trace(tunnel, buffer);
}

void tunnel_trace_answer(const struct tunnel *tunnel, const struct resolver_answer *answer)
{
    char buffer[TRACE_WHAT_MAX];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    text_add(&text, answer->family == IP_V4 ? "DNS on IPv4: " : "DNS on IPv6: ");
    text_add(&text, resolver_status_name(answer->status));
    text_add(&text, ", ");
    text_add_decimal(&text, answer->count);
    text_add(&text, answer->count == 1 ? " address" : " addresses");
    tunnel_trace(tunnel, buffer);
}

void tunnel_trace_attempt(void *self, const struct ip_address *address, int error)
{
    char buffer[TRACE_WHAT_MAX];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    text_add(&text, "dial ");
    ip_address_print(&text, address);
    text_add(&text, ": ");
    if (error == -EINPROGRESS)
        text_add(&text, "begins");
    else
        text_add(&text, error == 0 ? "connected" : strerrorname_np(-error));
    tunnel_trace(self, buffer);
}

void tunnel_trace_refused(const struct tunnel *tunnel, enum tunnel_error error)
{
    const struct tunnel_error_row *row = tunnel_error_row(error);
    char buffer[TRACE_WHAT_MAX];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    text_add(&text, "answer ");
    text_add_decimal(&text, row->status);
    text_add_char(&text, ' ');
    text_add(&text, row->token);
    tunnel_trace(tunnel, buffer);
}

void tunnel_trace_cancelled(const struct tunnel *tunnel)
{
    tunnel_trace(tunnel, "the client left");
}

void tunnel_trace_ended(const struct tunnel *tunnel, enum closed_by closed_by)
{
    char buffer[TRACE_WHAT_MAX];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    text_add(&text, "ended by ");
    text_add(&text, closed_by_name(closed_by));
    tunnel_trace_add_bytes(&text, ", bytes up ", relay_bytes(&tunnel->relay, RELAY_CLIENT));
    tunnel_trace_add_bytes(&text, ", down ", relay_bytes(&tunnel->relay, RELAY_TARGET));
    tunnel_trace(tunnel, buffer);
}

void tunnel_trace_relay(const struct relay *relay, unsigned from, const char *what)
{
    const struct tunnel *tunnel = container_of(relay, struct tunnel, relay);
    char buffer[TRACE_WHAT_MAX];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    text_add(&text, from == RELAY_CLIENT ? "client: " : "target: ");
    text_add(&text, what);
    tunnel_trace(tunnel, buffer);
}

void tunnel_trace_source_ended(const struct relay *relay, unsigned from, bool is_reset)
{
    tunnel_trace_relay(relay, from, is_reset ? "reset" : "FIN");
}
