/* The one check that needs the whole command line: it must not make an open proxy by accident. With
 * a configuration file, config_parse does this check instead.
 */
#include "config/command_line.h"

#include <string.h>

void command_line_init(struct command_line *command_line)
{
    memset(command_line, 0, sizeof(*command_line));
}

void command_line_use_default_listener(struct command_line *command_line)
{
    const struct listener instead = listener_default(LISTENER_TUNNELS);

    if (listener_set_first(&command_line->listeners, LISTENER_TUNNELS) == NULL)
        listener_set_add(&command_line->listeners, &instead);
}

int command_line_check(const struct command_line *command_line, struct text *message)
{
    if (command_line->from_count > 0)
        return 0;
    for (size_t i = 0; i < command_line->listeners.count; i++) {
        const struct listener *listener = &command_line->listeners.all[i];

        if (listener->use != LISTENER_TUNNELS || ip_address_is_loopback(&listener->written.address))
            continue;
        text_add(message, "refusing to listen on ");
        ip_endpoint_print(message, &listener->written);
        text_add(message,
                 ": that is not loopback, and nothing says who may use the proxy; add --from "
                 "10.0.0.0/8 (who may use it), or listen on 127.0.0.1");
        return -1;
    }
    return 0;
}
