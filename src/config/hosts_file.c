/* Two passes: one counts lines and names, so that everything is allocated at once; one fills in.
 *
 * Every worker thread has a table of its own, and people keep lists of 100,000 blocked names in
 * this file, so an entry is 12 bytes: links are indexes, names are offsets into one lower-case copy
 * of the text, and consecutive lines with the same address share it.
 *
 * The surprise: entries enter their chains last to first, so that a chain is in the file's order.
 */
#include "config/hosts_file.h"

#include "base/hash.h"
#include "config/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LENGTH 253
#define NO_ENTRY UINT32_MAX

struct entry {
    uint32_t next;         /* in the bucket's chain, or NO_ENTRY */
    uint32_t name_start;   /* in `text` */
    uint32_t address : 24; /* in `addresses` */
    uint32_t name_length : 8;
};
static_assert(HOSTS_FILE_NAMES_MAX < 1 << 24, "an address index has 24 bits");

struct hosts_file {
    char *text;
    struct entry *entries;
    struct ip_address *addresses;
    uint32_t *buckets;
    size_t entry_count;
    size_t address_count;
    size_t bucket_mask;
};

struct word {
    const char *start;
    size_t length;
};

/* The file is the administrator's, and a table is never changed: nobody can choose collisions. */
static const struct hash_seed no_seed;

static bool is_blank(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* The next word of the line, if there is one before its end or a comment. */
static bool next_word(const char **position, const char *line_end, struct word *ret_word)
{
    const char *at = *position;

    while (at < line_end && is_blank(*at))
        at++;
    const char *start = at;
    while (at < line_end && !is_blank(*at) && *at != '#')
        at++;
    *position = at;
    *ret_word = (struct word){.start = start, .length = (size_t)(at - start)};
    return at > start;
}

static const char *line_end_of(const char *line, const char *end)
{
    const char *newline = memchr(line, '\n', (size_t)(end - line));

    return newline != NULL ? newline : end;
}

struct extent {
    size_t length; /* what is read: whole lines within the limits */
    size_t lines;
    size_t names;
};

static struct extent measure(const char *text, size_t length)
{
    const char *end = text + length;
    struct extent extent = {0};

    for (const char *line = text; line < end;) {
        const char *line_end = line_end_of(line, end);
        const char *at = line;
        size_t words = 0;
        struct word word;

        while (next_word(&at, line_end, &word))
            words++;
        size_t names = extent.names + (words > 1 ? words - 1 : 0);
        if (names > HOSTS_FILE_NAMES_MAX || line_end - text > HOSTS_FILE_SIZE_MAX)
            break;
        line = line_end < end ? line_end + 1 : end;
        extent = (struct extent){
            .length = (size_t)(line - text),
            .lines = extent.lines + 1,
            .names = names,
        };
    }
    return extent;
}

static void lower_case(char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] >= 'A' && text[i] <= 'Z')
            text[i] = (char)(text[i] + ('a' - 'A'));
}

static void add_name(struct hosts_file *hosts, struct word name)
{
    if (name.start[name.length - 1] == '.')
        name.length--;
    if (name.length == 0 || name.length > NAME_MAX_LENGTH)
        return;
    hosts->entries[hosts->entry_count++] = (struct entry){
        .name_start = (uint32_t)(name.start - hosts->text),
        .name_length = (uint32_t)name.length & 0xff,
        .address = (uint32_t)(hosts->address_count - 1) & 0xffffff,
    };
}

static void add_address(struct hosts_file *hosts, const struct ip_address *address)
{
    size_t count = hosts->address_count;

    if (count == 0 || !ip_address_equals(&hosts->addresses[count - 1], address))
        hosts->addresses[hosts->address_count++] = *address;
}

static void add_line(struct hosts_file *hosts, const char *line, const char *line_end)
{
    struct ip_address address;
    struct word word;

    if (!next_word(&line, line_end, &word) ||
        ip_address_parse(word.start, word.length, &address) < 0)
        return;
    if (!next_word(&line, line_end, &word))
        return;
    add_address(hosts, &address);
    do {
        add_name(hosts, word);
    } while (next_word(&line, line_end, &word));
}

static uint32_t *bucket_of(const struct hosts_file *hosts, const char *name, size_t length)
{
    return &hosts->buckets[hash_bytes(&no_seed, name, length) & hosts->bucket_mask];
}

static void link_entries(struct hosts_file *hosts)
{
    memset(hosts->buckets, 0xff, (hosts->bucket_mask + 1) * sizeof(*hosts->buckets));
    for (size_t i = hosts->entry_count; i-- > 0;) {
        struct entry *entry = &hosts->entries[i];
        uint32_t *bucket = bucket_of(hosts, hosts->text + entry->name_start, entry->name_length);

        entry->next = *bucket;
        *bucket = (uint32_t)i;
    }
}

static struct hosts_file *allocate(const struct extent *extent)
{
    struct hosts_file *hosts = calloc(1, sizeof(*hosts));
    size_t buckets = 1;

    if (hosts == NULL)
        return NULL;
    while (buckets < extent->names)
        buckets *= 2;
    hosts->bucket_mask = buckets - 1;
    /* One more than needed: never a size of 0, whose result may be NULL. */
    hosts->text = calloc(extent->length + 1, 1);
    hosts->addresses = calloc(extent->lines + 1, sizeof(*hosts->addresses));
    hosts->entries = calloc(extent->names + 1, sizeof(*hosts->entries));
    hosts->buckets = calloc(buckets, sizeof(*hosts->buckets));
    if (hosts->text == NULL || hosts->addresses == NULL || hosts->entries == NULL ||
        hosts->buckets == NULL) {
        hosts_file_destroy(hosts);
        return NULL;
    }
    return hosts;
}

int hosts_file_parse(const char *text, size_t length, struct hosts_file **ret_hosts)
{
    size_t mark = byte_order_mark_length(text, length);

    text += mark;
    length -= mark;
    struct extent extent = measure(text, length);
    struct hosts_file *hosts = allocate(&extent);

    if (hosts == NULL)
        return -ENOMEM;
    if (extent.length > 0)
        memcpy(hosts->text, text, extent.length);
    lower_case(hosts->text, extent.length);
    const char *end = hosts->text + extent.length;
    for (const char *line = hosts->text; line < end;) {
        const char *line_end = line_end_of(line, end);

        add_line(hosts, line, line_end);
        line = line_end < end ? line_end + 1 : end;
    }
    link_entries(hosts);
    *ret_hosts = hosts;
    return 0;
}

void hosts_file_destroy(struct hosts_file *hosts)
{
    if (hosts == NULL)
        return;
    free(hosts->text);
    free(hosts->addresses);
    free(hosts->entries);
    free(hosts->buckets);
    free(hosts);
}

bool hosts_file_lookup(const struct hosts_file *hosts, const char *name, size_t length,
                       enum ip_family family, struct ip_address *ret_addresses, size_t limit,
                       size_t *ret_count)
{
    bool is_found = false;
    size_t count = 0;

    for (uint32_t i = *bucket_of(hosts, name, length); i != NO_ENTRY; i = hosts->entries[i].next) {
        const struct entry *entry = &hosts->entries[i];
        const struct ip_address *address = &hosts->addresses[entry->address];

        if (entry->name_length != length ||
            memcmp(hosts->text + entry->name_start, name, length) != 0)
            continue;
        is_found = true;
        if (address->family == family && count < limit)
            ret_addresses[count++] = *address;
    }
    if (is_found)
        *ret_count = count;
    return is_found;
}

/* -- the machine's own name */

static char lower(char byte)
{
    lower_case(&byte, 1);
    return byte;
}

/* `name` is in lower case. */
static bool begins_with(struct word word, const char *name, size_t length)
{
    if (word.length < length)
        return false;
    for (size_t i = 0; i < length; i++)
        if (lower(word.start[i]) != name[i])
            return false;
    return true;
}

/* What stands on the line: `own`, and a name that goes on behind it. */
static bool has_full_name(const char *line, const char *line_end, const char *own,
                          struct word *ret_full)
{
    size_t length = strlen(own);
    bool has_own = false;
    bool has_full = false;
    struct word word;

    if (!next_word(&line, line_end, &word)) /* the address */
        return false;
    while (next_word(&line, line_end, &word)) {
        if (!begins_with(word, own, length))
            continue;
        if (word.length == length) {
            has_own = true;
        } else if (!has_full && word.length > length + 1 && word.start[length] == '.') {
            has_full = true;
            *ret_full = word;
        }
    }
    return has_own && has_full;
}

bool hosts_file_find_full_name(const char *text, size_t length, const char *own, char *ret_name,
                               size_t size)
{
    const char *end = text + length;
    struct word full = {0};

    for (const char *line = text; line < end;) {
        const char *line_end = line_end_of(line, end);

        if (has_full_name(line, line_end, own, &full) && full.length < size) {
            memcpy(ret_name, full.start, full.length);
            ret_name[full.length] = '\0';
            return true;
        }
        line = line_end < end ? line_end + 1 : end;
    }
    return false;
}
