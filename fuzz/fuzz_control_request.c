/* Request lines of the control socket: no crash, a reason for whatever is refused; a kill always
 * says whom, and a value that is taken is what a writer of JSON would write again. */
#include "admin/control_request.h"
#include "admin/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

static void add_member(struct text *out, const char *name, const char *value)
{
    if (value[0] == '\0')
        return;
    text_add(out, ",\"");
    text_add(out, name);
    text_add(out, "\":");
    json_add_exact(out, value);
}

/* Written again and read again, the filter is the same. */
static void check_again(const struct control_request *request)
{
    const struct tunnel_filter *filter = &request->filter;
    struct control_request again;
    char line[CONTROL_REQUEST_MAX];
    const char *problem;
    char host[sizeof(filter->host)] = "";
    char client[64] = "";
    struct text text;

    text_init(&text, host, sizeof(host));
    if (filter->has_host)
        list_entry_print(&text, &filter->host);
    text_init(&text, client, sizeof(client));
    if (filter->has_client)
        ip_network_print(&text, &filter->client);
    text_init(&text, line, sizeof(line));
    text_add(&text, "ps {\"min_bytes\":");
    text_add_decimal(&text, filter->min_bytes);
    add_member(&text, "user", filter->user);
    add_member(&text, "host", host);
    add_member(&text, "client", client);
    add_member(&text, "rule", filter->rule);
    text_add_char(&text, '}');
    CHECK(control_request_parse(line, text.length, &again, &problem) == 0);
    again.filter.id = filter->id;
    CHECK(tunnel_filter_equals(filter, &again.filter));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct control_request request;
    const char *problem = NULL;

    if (size >= CONTROL_REQUEST_MAX)
        return 0;
    int error = control_request_parse((const char *)data, size, &request, &problem);
    CHECK(error == 0 || (error == -EINVAL && problem != NULL));
    if (error < 0)
        return 0;
    const struct tunnel_filter *filter = &request.filter;
    CHECK((unsigned)request.kind < CONTROL_KIND_COUNT);
    CHECK(request.kind != CONTROL_KILL || filter->id != 0 || filter->user[0] != '\0' ||
          filter->has_host || filter->has_client || filter->rule[0] != '\0');
    check_again(&request);
    return 0;
}
