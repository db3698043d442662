/* Hosts files: no crash, and every name of the text has the addresses that a plain walk over the
 * lines finds for it, in their order. */
#include "dns/hosts_file.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

enum { NAME_LENGTH_MAX = 253, ADDRESSES_MAX = 4, NAMES_CHECKED = 64 };

/* `text` without comments and without the byte order mark of a line, in lower case. */
static char *simplify(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    int is_comment = 0;

    CHECK(text != NULL);
    for (size_t i = 0; i < size; i++) {
        char byte = (char)data[i];

        is_comment = byte != '\n' && (is_comment || byte == '#');
        text[i] = is_comment ? ' ' : byte;
        if (text[i] >= 'A' && text[i] <= 'Z')
            text[i] = (char)(text[i] | 0x20);
    }
    for (size_t i = 0; i + 3 <= size; i++)
        if ((i == 0 || text[i - 1] == '\n') && memcmp(text + i, "\xef\xbb\xbf", 3) == 0)
            memset(text + i, ' ', 3);
    text[size] = '\0';
    return text;
}

static int is_blank(char byte)
{
    return byte != '\0' && strchr(" \t\n\v\f\r", byte) != NULL;
}

/* A walk over the names of all lines that begin with an address. */
struct walk {
    const char *text;
    size_t size;
    size_t at;
    int is_first;
    struct ip_address address; /* of the line, IP_NONE when it begins with another word */
    const char *name;
    size_t length;
};

static int next_name(struct walk *walk)
{
    while (walk->at < walk->size) {
        const char *word = walk->text + walk->at;
        size_t length = 0;

        while (walk->at + length < walk->size && !is_blank(word[length]))
            length++;
        if (length == 0) {
            walk->is_first |= *word == '\n';
            walk->at++;
            continue;
        }
        walk->at += length;
        if (walk->is_first) {
            walk->is_first = 0;
            if (ip_address_parse(word, length, &walk->address) < 0)
                walk->address.family = IP_NONE;
            continue;
        }
        walk->name = word;
        walk->length = word[length - 1] == '.' ? length - 1 : length;
        if (walk->address.family != IP_NONE && walk->length > 0 && walk->length <= NAME_LENGTH_MAX)
            return 1;
    }
    return 0;
}

static void check_name(const struct hosts_file *hosts, const struct walk *name,
                       enum ip_family family)
{
    struct walk walk = {.text = name->text, .size = name->size, .is_first = 1};
    struct ip_address found[ADDRESSES_MAX];
    size_t count = 0;
    size_t wanted = 0;

    CHECK(hosts_file_lookup(hosts, name->name, name->length, family, found, ADDRESSES_MAX, &count));
    while (next_name(&walk)) {
        if (walk.length != name->length || memcmp(walk.name, name->name, walk.length) != 0 ||
            walk.address.family != family || wanted == ADDRESSES_MAX)
            continue;
        CHECK(wanted < count && ip_address_equals(&found[wanted], &walk.address));
        wanted++;
    }
    CHECK(wanted == count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = simplify(data, size);
    struct walk walk = {.text = text, .size = size, .is_first = 1};
    struct hosts_file *hosts;
    struct ip_address found[1];
    size_t count;

    CHECK(hosts_file_parse((const char *)data, size, &hosts) == 0);
    for (int i = 0; i < NAMES_CHECKED && next_name(&walk); i++) {
        check_name(hosts, &walk, IP_V4);
        check_name(hosts, &walk, IP_V6);
    }
    /* An empty name and one that is no word are never there. */
    CHECK(!hosts_file_lookup(hosts, "", 0, IP_V4, found, 1, &count));
    CHECK(!hosts_file_lookup(hosts, "a b", 3, IP_V4, found, 1, &count));
    hosts_file_destroy(hosts);
    free(text);
    return 0;
}
