/* resolv.conf: no crash, between one server and three, each with a port; what was understood means
 * the same when it is written down, and further lines change nothing about it. */
#include "dns/resolv_conf.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

static void check_written(const struct resolv_server_list *conf)
{
    char lines[512];
    struct resolv_server_list again;
    struct text text;

    text_init(&text, lines, sizeof(lines));
    for (size_t i = 0; i < conf->server_count; i++) {
        text_add(&text, "nameserver ");
        resolv_server_print(&text, &conf->servers[i]);
        text_add_char(&text, '\n');
    }
    CHECK(!text.is_truncated);
    resolv_conf_parse(lines, text.length, &again);
    CHECK(resolv_server_list_equals(conf, &again));
}

static void check_longer(const char *bytes, size_t size, const struct resolv_server_list *conf)
{
    static const char more[] = "\nnameserver 192.0.2.99";
    char *text = malloc(size + sizeof(more));
    struct resolv_server_list longer;

    CHECK(text != NULL);
    memcpy(text, bytes, size);
    memcpy(text + size, more, sizeof(more) - 1);
    resolv_conf_parse(text, size + sizeof(more) - 1, &longer);
    CHECK(longer.server_count >= conf->server_count);
    if (longer.server_count > conf->server_count) {
        longer.server_count--;
        CHECK(resolv_server_list_equals(conf, &longer));
    } else if (conf->server_count > 1) {
        CHECK(resolv_server_list_equals(conf, &longer));
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    struct resolv_server_list conf;

    resolv_conf_parse(bytes, size, &conf);
    CHECK(conf.server_count >= 1 && conf.server_count <= RESOLV_SERVERS_MAX);
    for (size_t i = 0; i < conf.server_count; i++)
        CHECK(conf.servers[i].endpoint.port != 0);
    check_written(&conf);
    if (size > 0)
        check_longer(bytes, size, &conf);
    return 0;
}
