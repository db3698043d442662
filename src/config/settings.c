/* The one check that needs all of the command line: never an open proxy by accident. With a file,
 * config_parse sees to it.
 */
#include "config/settings.h"

#include <string.h>

void settings_init(struct settings *settings)
{
    memset(settings, 0, sizeof(*settings));
}

void settings_use_default_listener(struct settings *settings)
{
    const struct listener instead = listener_default(LISTENER_TUNNELS);

    if (listener_set_first(&settings->listeners, LISTENER_TUNNELS) == NULL)
        listener_set_add(&settings->listeners, &instead);
}

int settings_check(const struct settings *settings, struct text *message)
{
    if (settings->from_count > 0)
        return 0;
    for (size_t i = 0; i < settings->listeners.count; i++) {
        const struct listener *listener = &settings->listeners.all[i];

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
