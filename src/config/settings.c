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
    static const uint8_t loopback[4] = {127, 0, 0, 1};

    if (settings->listener_count > 0)
        return;
    settings->listeners[0].address = ip_address_from_v4(loopback);
    settings->listeners[0].port = SETTINGS_DEFAULT_PORT;
    settings->listener_count = 1;
}

int settings_check(const struct settings *settings, struct text *message)
{
    if (settings->from_count > 0)
        return 0;
    for (size_t i = 0; i < settings->listener_count; i++) {
        if (ip_address_is_loopback(&settings->listeners[i].address))
            continue;
        text_add(message, "refusing to listen on ");
        ip_endpoint_print(message, &settings->listeners[i]);
        text_add(message,
                 ": that is not loopback, and nothing says who may use the proxy; add --from "
                 "10.0.0.0/8 (who may use it), or listen on 127.0.0.1");
        return -1;
    }
    return 0;
}
