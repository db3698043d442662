/* List files: no crash, an error for whatever is refused, and a single entry that is taken is in
 * the set. */
#include "config/list_entry.h"
#include "config/list_file.h"
#include "policy/name_set.h"
#include "policy/network_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

static void check_entry(const char *bytes, size_t size, const struct name_set *names,
                        const struct network_set *networks)
{
    struct list_entry entry;
    char buffer[512];
    struct text message;

    text_init(&message, buffer, sizeof(buffer));
    if (list_entry_parse(bytes, size, &entry, &message) < 0) {
        CHECK(message.length > 0);
        return;
    }
    if (entry.kind == LIST_ENTRY_NETWORK)
        CHECK(network_set_contains(networks, &entry.network.address));
    else
        CHECK(name_set_contains(names, entry.authority.host, entry.authority.host_length) ==
              (entry.kind != LIST_ENTRY_SUFFIX));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    struct diagnostics *diagnostics = diagnostics_create();
    struct name_set *names;
    struct network_set *networks;

    CHECK(name_set_create(&names) == 0 && network_set_create(&networks) == 0);
    struct list_file file = {.path = "list", .is_lenient = size > 0 && bytes[size - 1] == '?'};
    int error = list_file_parse(&file, bytes, size, diagnostics, names, networks);
    CHECK(error == 0 || error == -EINVAL);
    CHECK((error == 0) == (diagnostics_error_count(diagnostics) == 0));
    CHECK(file.skipped_count == 0 || file.is_lenient);
    if (file.entry_counts[LIST_FILE_PLAIN] == 1 && memchr(bytes, '\n', size) == NULL)
        check_entry(bytes, size, names, networks);
    name_set_destroy(names);
    network_set_destroy(networks);
    diagnostics_destroy(diagnostics);
    return 0;
}
