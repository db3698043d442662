/* The first lines that somebody who has just started adit reads: where it listens, a command to try
 * it with, and where the admin page is. The endpoints are those that the kernel has bound, so a
 * port that was asked for as 0 is shown as what it became.
 */
#include "supervisor/announce.h"

#include "system/say.h"

/* Adds the endpoint as the programs of this machine reach it: one that is bound to every address
 * is shown with the loopback address, so that the line can be pasted into a browser or a shell. */
static void announce_add_reachable(struct text *out, const struct ip_endpoint *bound)
{
    static const uint8_t loopback_v4[4] = {127, 0, 0, 1};
    static const uint8_t loopback_v6[16] = {[15] = 1};
    struct ip_endpoint endpoint = *bound;

    if (ip_address_is_unspecified(&endpoint.address))
        endpoint.address = endpoint.address.family == IP_V4 ? ip_address_from_v4(loopback_v4)
                                                            : ip_address_from_v6(loopback_v6);
    ip_endpoint_print(out, &endpoint);
}

void announce_admin_page(const struct listener *admin)
{
    char name[IP_ENDPOINT_TEXT_SIZE];
    struct text text;

    text_init(&text, name, sizeof(name));
    announce_add_reachable(&text, &admin->bound);
    say("admin page on http://%s/", name);
}

void announce_start(const struct listener_set *listeners, unsigned threads)
{
    char names[LISTENERS_MAX * (IP_ENDPOINT_TEXT_SIZE + 2)];
    char example_name[IP_ENDPOINT_TEXT_SIZE];
    char page[IP_ENDPOINT_TEXT_SIZE + 40];
    const struct listener *first = listener_set_first(listeners, LISTENER_TUNNELS);
    const struct listener *admin = listener_set_first(listeners, LISTENER_ADMIN);
    struct text text;

    text_init(&text, names, sizeof(names));
    for (size_t i = 0; i < listener_set_count(listeners, LISTENER_TUNNELS); i++) {
        text_add(&text, i > 0 ? ", " : "");
        ip_endpoint_print(&text, &listeners->all[i].bound);
    }
    text_init(&text, example_name, sizeof(example_name));
    announce_add_reachable(&text, &first->bound);
    text_init(&text, page, sizeof(page));
    if (admin != NULL) {
        text_add(&text, "\nadit: admin page on http://");
        announce_add_reachable(&text, &admin->bound);
        text_add(&text, "/");
    }
    say_plainly("adit %s listening on %s (%u worker%s); try: curl -v --http1.1 --proxy http://%s/ "
                "https://example.com/%s",
                ADIT_VERSION, names, threads, threads == 1 ? "" : "s", example_name, page);
}
