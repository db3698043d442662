/* The table is made in two passes: the first counts the names of each bucket, so that everything is
 * allocated at once; the second puts the entries there. A bucket is a row of adjacent entries in
 * the file's order. Only its end is stored, because it begins where the bucket before it ends.
 * During the second pass that number is where the next entry goes, so it begins as the bucket's
 * start.
 *
 * A name is an offset into the text as it was given, and is compared without regard to case. An
 * address is an index. It is shared with the last few lines, since lists of blocked names repeat
 * 0.0.0.0 a million times, or 0.0.0.0 and :: in turn.
 */
#include "dns/hosts_file.h"

#include "base/ascii.h"
#include "base/hash.h"
#include "base/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LENGTH 253
#define ADDRESSES_MAX (1UL << 24)
#define ADDRESSES_SHARED 4 /* the last different addresses, which a new line may share */

struct hosts_entry {
    uint32_t name_start;   /* in `text` */
    uint32_t address : 24; /* in `addresses` */
    uint32_t name_length : 8;
};
static_assert(HOSTS_FILE_SIZE_MAX <= UINT32_MAX, "an offset has 32 bits");
static_assert(NAME_MAX_LENGTH <= UINT8_MAX, "a length has 8 bits");

struct hosts_file {
    const char *text;
    struct hosts_entry *entries;
    struct ip_address *addresses;
    uint32_t *bucket_ends; /* in `entries` */
    size_t bucket_mask;
    size_t first_line_left_out;
};

struct word {
    const char *start;
    size_t length;
};

/* The hash needs no secret: the file is the administrator's, and the table never changes, so that
 * outsiders can't add names that collide. */
static const struct hash_seed no_seed;

static bool hosts_is_blank(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* Takes the next word of the line. Returns false when there is none before its end or a comment. */
static bool hosts_next_word(const char **position, const char *line_end, struct word *ret_word)
{
    const char *at = *position;

    while (at < line_end && hosts_is_blank(*at))
        at++;
    const char *start = at;
    while (at < line_end && !hosts_is_blank(*at) && *at != '#')
        at++;
    *position = at;
    *ret_word = (struct word){.start = start, .length = (size_t)(at - start)};
    return at > start;
}

/* -- the two passes */

struct pass {
    struct hosts_file *hosts; /* without entries and addresses while it counts */
    bool is_counting;
    size_t name_count;
    size_t address_count;
    struct ip_address last[ADDRESSES_SHARED]; /* address n stands at n % ADDRESSES_SHARED */
};

static size_t bucket_of(const struct hosts_file *hosts, const char *name, size_t length)
{
    return hash_bytes(&no_seed, name, length) & hosts->bucket_mask;
}

/* Returns the entry of bucket_ends for a name, without regard to case. */
static uint32_t *end_of_bucket(const struct hosts_file *hosts, struct word name)
{
    char lowered[NAME_MAX_LENGTH];

    for (size_t i = 0; i < name.length; i++)
        lowered[i] = ascii_lower(name.start[i]);
    return &hosts->bucket_ends[bucket_of(hosts, lowered, name.length)];
}

static void add_name(struct pass *pass, struct word name, size_t address)
{
    struct hosts_file *hosts = pass->hosts;

    if (name.start[name.length - 1] == '.')
        name.length--;
    if (name.length == 0 || name.length > NAME_MAX_LENGTH)
        return;
    uint32_t *end = end_of_bucket(hosts, name);
    if (!pass->is_counting)
        hosts->entries[*end] = (struct hosts_entry){
            .name_start = (uint32_t)(name.start - hosts->text),
            .name_length = (uint32_t)name.length & 0xff,
            .address = (uint32_t)address & 0xffffff,
        };
    ++*end;
    pass->name_count++;
}

static size_t hosts_add_address(struct pass *pass, const struct ip_address *address)
{
    size_t count = pass->address_count;

    for (size_t i = count; i-- > 0 && i + ADDRESSES_SHARED >= count;)
        if (ip_address_equals(&pass->last[i % ADDRESSES_SHARED], address))
            return i;
    if (count == ADDRESSES_MAX)
        return count;
    pass->last[count % ADDRESSES_SHARED] = *address;
    if (!pass->is_counting)
        pass->hosts->addresses[count] = *address;
    return pass->address_count++;
}

/* Returns false when there are too many addresses. */
static bool read_line(struct pass *pass, const char *line, const char *line_end)
{
    struct ip_address address;
    struct word word;

    if (!hosts_next_word(&line, line_end, &word) ||
        ip_address_parse(word.start, word.length, &address) < 0)
        return true;
    if (!hosts_next_word(&line, line_end, &word))
        return true;
    size_t index = hosts_add_address(pass, &address);
    if (index == ADDRESSES_MAX)
        return false;
    do {
        add_name(pass, word, index);
    } while (hosts_next_word(&line, line_end, &word));
    return true;
}

static void hosts_read_lines(struct pass *pass, size_t length)
{
    const char *text = pass->hosts->text;
    struct lines lines;
    const char *line;
    size_t line_length;

    lines_init(&lines, text, length);
    while (lines_next(&lines, &line, &line_length)) {
        const char *line_end = line + line_length;

        if ((size_t)(line_end - text) > HOSTS_FILE_SIZE_MAX || !read_line(pass, line, line_end)) {
            pass->hosts->first_line_left_out = lines.number;
            return;
        }
    }
}

/* -- life */

/* Returns a power of two, about half the number of lines, because most lines have one name. */
static size_t choose_bucket_count(const char *text, size_t length)
{
    struct lines lines;
    const char *line;
    size_t line_length;
    size_t count = 1;

    lines_init(&lines, text, length);
    while (lines_next(&lines, &line, &line_length))
        continue;
    while (count < lines.number / 2)
        count *= 2;
    return count;
}

/* Replaces the number of names in each bucket by where the bucket begins. */
static void begin_buckets(struct hosts_file *hosts)
{
    uint32_t start = 0;

    for (size_t i = 0; i <= hosts->bucket_mask; i++) {
        uint32_t count = hosts->bucket_ends[i];

        hosts->bucket_ends[i] = start;
        start += count;
    }
}

int hosts_file_parse(const char *text, size_t length, struct hosts_file **ret_hosts)
{
    struct hosts_file *hosts = calloc(1, sizeof(*hosts));
    size_t bucket_count = choose_bucket_count(text, length);

    if (hosts == NULL)
        return -ENOMEM;
    hosts->text = text;
    hosts->bucket_mask = bucket_count - 1;
    hosts->bucket_ends = calloc(bucket_count, sizeof(*hosts->bucket_ends));
    struct pass counting = {.hosts = hosts, .is_counting = true};
    if (hosts->bucket_ends != NULL) {
        hosts_read_lines(&counting, length);
        begin_buckets(hosts);
        /* One more than needed, so that the size is never 0, for which calloc may return NULL. */
        hosts->entries = calloc(counting.name_count + 1, sizeof(*hosts->entries));
        hosts->addresses = calloc(counting.address_count + 1, sizeof(*hosts->addresses));
    }
    if (hosts->entries == NULL || hosts->addresses == NULL) {
        hosts_file_destroy(hosts);
        return -ENOMEM;
    }
    struct pass placing = {.hosts = hosts};
    hosts_read_lines(&placing, length);
    ENSURE(placing.name_count == counting.name_count);
    *ret_hosts = hosts;
    return 0;
}

void hosts_file_destroy(struct hosts_file *hosts)
{
    if (hosts == NULL)
        return;
    free(hosts->addresses);
    free(hosts->entries);
    free(hosts->bucket_ends);
    free(hosts);
}

size_t hosts_file_first_line_left_out(const struct hosts_file *hosts)
{
    return hosts->first_line_left_out;
}

/* `name` is in lower case, and as long as the word. */
static bool word_is_same(const char *word, const char *name, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (ascii_lower(word[i]) != name[i])
            return false;
    return true;
}

bool hosts_file_lookup(const struct hosts_file *hosts, const char *name, size_t length,
                       enum ip_family family, struct ip_address *ret_addresses, size_t limit,
                       size_t *ret_count)
{
    size_t bucket = bucket_of(hosts, name, length);
    bool is_found = false;
    size_t count = 0;

    for (size_t i = bucket > 0 ? hosts->bucket_ends[bucket - 1] : 0; i < hosts->bucket_ends[bucket];
         i++) {
        const struct hosts_entry *entry = &hosts->entries[i];
        const struct ip_address *address = &hosts->addresses[entry->address];

        if (entry->name_length != length ||
            !word_is_same(hosts->text + entry->name_start, name, length))
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

/* `name` is in lower case. */
static bool begins_with(struct word word, const char *name, size_t length)
{
    return word.length >= length && word_is_same(word.start, name, length);
}

/* What is known of one line. */
struct own_line {
    bool has_own;
    struct word first; /* behind the address; empty: there is none */
    struct word full;  /* goes on behind `own`; empty: none does */
};

static struct own_line read_own_line(const char *line, const char *line_end, const char *own)
{
    struct own_line found = {.has_own = false};
    size_t length = strlen(own);
    struct word word;

    if (!hosts_next_word(&line, line_end, &word)) /* the address */
        return found;
    while (hosts_next_word(&line, line_end, &word)) {
        bool begins_so = begins_with(word, own, length);

        if (found.first.length == 0)
            found.first = word;
        if (begins_so && word.length == length)
            found.has_own = true;
        else if (begins_so && found.full.length == 0 && word.length > length + 1 &&
                 word.start[length] == '.')
            found.full = word;
    }
    return found;
}

/* True for a name that begins with `localhost.`, as `localhost.localdomain` does: some files give
 * such a name to every machine. */
static bool is_localhost(struct word word)
{
    static const char prefix[] = "localhost.";

    return begins_with(word, prefix, sizeof(prefix) - 1);
}

static struct word own_name_choose(const struct own_line *line, enum hosts_own_name kind)
{
    static const struct word none;

    if (!line->has_own || kind == HOSTS_OWN_FULL)
        return line->has_own ? line->full : none;
    bool has_domain = memchr(line->first.start, '.', line->first.length) != NULL;
    return has_domain && !is_localhost(line->first) ? line->first : none;
}

bool hosts_file_find_own_name(const char *text, size_t length, const char *own,
                              enum hosts_own_name kind, char *ret_name, size_t size)
{
    struct lines lines;
    const char *line;
    size_t line_length;

    lines_init(&lines, text, length);
    while (lines_next(&lines, &line, &line_length)) {
        const struct own_line found = read_own_line(line, line + line_length, own);
        struct word name = own_name_choose(&found, kind);

        if (name.length == 0 || name.length >= size)
            continue;
        memcpy(ret_name, name.start, name.length);
        ret_name[name.length] = '\0';
        return true;
    }
    return false;
}
