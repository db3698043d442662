/* Reads one user per line. The prefix of a hash shows its kind, and the parameters behind it show
 * its cost. The cost matters for one thing only: an unknown user must cost as much as the costliest
 * known one. So costs are rough microseconds, and only their order must be right.
 */
#include "config/users_file.h"

#include "base/ascii.h"
#include "base/hash.h"
#include "base/lines.h"
#include "config/arena.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct users_file_entry {
    struct user user;
    struct hash_link link;
    unsigned line;
};

/* The table points to entries, which therefore must not move; the vector, which moves its items
 * when it grows, only holds links to them. */
struct entry_link {
    struct users_file_entry *entry;
};

struct users_file {
    struct arena arena;
    struct vector entries; /* struct entry_link */
    struct hash_table table;
    size_t costliest;
    bool is_mixed;
};

struct users_parse {
    struct users_file *users;
    struct diagnostics *diagnostics;
    const char *file;
    struct lines lines;
    bool is_bad;
};

/* A fixed seed is enough, because the table holds an administrator's names and nobody else adds to
 * it. */
static const struct hash_seed users_file_seed = {{0x75736572, 0x66696c65}};

static const char *const hash_kind_names[] = {
    [USER_HASH_YESCRYPT] = "yescrypt",      [USER_HASH_BCRYPT] = "bcrypt",
    [USER_HASH_SHA512] = "SHA-512 crypt",   [USER_HASH_SHA256] = "SHA-256 crypt",
    [USER_HASH_APR1] = "Apache's MD5 apr1",
};
static_assert(ARRAY_LENGTH(hash_kind_names) == USER_HASH_KIND_COUNT, "a name for every kind");

static const struct {
    const char *prefix;
    enum user_hash_kind kind;
} prefixes[] = {
    {"$y$", USER_HASH_YESCRYPT}, {"$2b$", USER_HASH_BCRYPT}, {"$2y$", USER_HASH_BCRYPT},
    {"$2a$", USER_HASH_BCRYPT},  {"$6$", USER_HASH_SHA512},  {"$5$", USER_HASH_SHA256},
    {"$apr1$", USER_HASH_APR1},
};

static const char *user_hash_kind_name(enum user_hash_kind kind)
{
    REQUIRE(kind < USER_HASH_KIND_COUNT);
    return hash_kind_names[kind];
}

static void add_quoted(struct text *out, const char *name)
{
    text_add_char(out, '\'');
    text_add(out, name);
    text_add_char(out, '\'');
}

static void users_file_report(struct users_parse *parse, const char *name, const char *what)
{
    struct config_place place = {.file = parse->file, .line = parse->lines.number, .column = 1};
    char buffer[512];
    struct text message;

    text_init(&message, buffer, sizeof(buffer));
    if (name != NULL) {
        text_add(&message, "user ");
        add_quoted(&message, name);
        text_add(&message, ": ");
    }
    text_add(&message, what);
    diagnostics_add(parse->diagnostics, false, &place, buffer);
    parse->is_bad = true;
}

/* -- costs */

static unsigned long parse_number(const char *text, size_t digits_max)
{
    unsigned long number = 0;

    for (size_t i = 0; i < digits_max && ascii_is_digit(text[i]); i++)
        number = number * 10 + (unsigned long)(text[i] - '0');
    return number;
}

/* In `$y$j9T$`, the second letter is the base-2 logarithm of the memory: 9 stands for 11, which
 * takes 17 ms. */
static uint64_t estimate_yescrypt(const char *parameters)
{
    static const char digits[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    enum { USUAL = 11, USUAL_COST = 17000, LARGEST = 31 };
    const char *digit = strchr(digits, parameters[1]);
    int power = digit != NULL ? (int)(digit - digits) : USUAL;

    if (power < USUAL)
        return USUAL_COST >> (USUAL - power);
    return (uint64_t)USUAL_COST << ((power < LARGEST ? power : LARGEST) - USUAL);
}

/* Estimates the time of one hash in microseconds, on a machine of 2020. */
static uint64_t estimate_cost(const struct user *user)
{
    const char *hash = user->hash;

    switch (user->kind) {
    case USER_HASH_YESCRYPT:
        return estimate_yescrypt(hash + 3);
    case USER_HASH_BCRYPT:
        return 55ULL << (parse_number(hash + 4, 2) & 31); /* $2b$10$: 56 ms */
    case USER_HASH_SHA512:
    case USER_HASH_SHA256:
        return strncmp(hash + 3, "rounds=", 7) == 0 ? parse_number(hash + 10, 9) / 2 + 1 : 2500;
    case USER_HASH_APR1:
    case USER_HASH_KIND_COUNT:
        break;
    }
    return 500;
}

/* Returns the length of the part that says how to hash, up to the salt. */
static size_t parameters_length(const struct user *user)
{
    bool is_sha = user->kind == USER_HASH_SHA512 || user->kind == USER_HASH_SHA256;
    bool has_parameters =
        is_sha ? strncmp(user->hash + 3, "rounds=", 7) == 0 : user->kind != USER_HASH_APR1;
    const char *end = strchr(user->hash + 1, '$') + 1;

    if (has_parameters)
        end = strchr(end, '$') + 1;
    return (size_t)(end - user->hash);
}

/* True for the same method, parameters and length of salt, so that the same password takes the same
 * time. */
static bool costs_the_same(const struct user *a, const struct user *b)
{
    size_t length = parameters_length(a);

    if (a->kind == USER_HASH_BCRYPT && b->kind == USER_HASH_BCRYPT)
        return estimate_cost(a) == estimate_cost(b); /* $2a$, $2b$ and $2y$ differ in name only */
    return parameters_length(b) == length && memcmp(a->hash, b->hash, length) == 0 &&
           strlen(a->hash) == strlen(b->hash);
}

/* -- hashes */

static bool is_hash_text(const char *hash)
{
    for (; *hash != '\0'; hash++) {
        if (!ascii_is_letter(*hash) && !ascii_is_digit(*hash) && strchr("./$=,", *hash) == NULL)
            return false;
    }
    return true;
}

static size_t count_digits(const char *text)
{
    size_t count = 0;

    while (ascii_is_digit(text[count]))
        count++;
    return count;
}

/* Returns the length up to the next `$`, or to the end. */
static size_t field_length(const char *field)
{
    const char *end = strchr(field, '$');

    return end != NULL ? (size_t)(end - field) : strlen(field);
}

/* Hashes have neither `=` nor `,`; only a salt of SHA may have them. */
static bool has_base64_only(const char *text)
{
    return strchr(text, '=') == NULL && strchr(text, ',') == NULL;
}

/* `$5$salt$`, `$5$rounds=1000$salt$`: crypt(3) takes no leading zero, and uses 16 bytes of a salt.
 */
static bool is_sha_form(const char *parameters, size_t dollars)
{
    enum { ROUNDS_MIN = 1000, ROUNDS_DIGITS_MAX = 9, CRYPT_SALT_MAX = 16 };
    static const char word[] = "rounds=";
    const char *salt = parameters;

    if (strncmp(parameters, word, sizeof(word) - 1) == 0) {
        const char *number = parameters + sizeof(word) - 1;
        size_t digits = count_digits(number);

        if (*number == '0' || digits > ROUNDS_DIGITS_MAX || number[digits] != '$' ||
            parse_number(number, digits) < ROUNDS_MIN)
            return false;
        salt = number + digits + 1;
        dollars--;
    }
    return dollars == 3 && field_length(salt) <= CRYPT_SALT_MAX;
}

/* `$y$j9T$salt$`: the flavour, then two numbers of one letter each, of which the first is not 0,
 * and no more. */
static bool is_yescrypt_form(const char *parameters, size_t dollars)
{
    return dollars == 4 && field_length(parameters) == 3 && strchr("./j", parameters[0]) != NULL &&
           parameters[1] != '.' && has_base64_only(parameters);
}

/* `$2b$10$`; the salt has no `$` of its own behind it. */
static bool is_bcrypt_form(const char *hash, size_t dollars)
{
    unsigned long cost = parse_number(hash + 4, 2);

    return dollars == 3 && cost >= 4 && cost <= 31 && hash[6] == '$' && has_base64_only(hash);
}

/* Checks that the parameters in front of the salt are as the method has them. Contract:
 * is_hash_text said yes. */
static bool has_good_parameters(const struct user *user)
{
    const char *hash = user->hash;
    size_t dollars = 0;

    for (const char *at = hash; *at != '\0'; at++)
        dollars += *at == '$';
    switch (user->kind) {
    case USER_HASH_YESCRYPT:
        return is_yescrypt_form(hash + 3, dollars);
    case USER_HASH_BCRYPT:
        return is_bcrypt_form(hash, dollars);
    case USER_HASH_SHA512:
    case USER_HASH_SHA256:
        return is_sha_form(hash + 3, dollars);
    case USER_HASH_APR1:
    case USER_HASH_KIND_COUNT:
        break;
    }
    return dollars == 3;
}

/* Checks that the last field has the length of the method's digest. This finds a line that was cut.
 */
static bool user_is_complete(const struct user *user)
{
    static const size_t digests[] = {
        [USER_HASH_YESCRYPT] = 43, [USER_HASH_BCRYPT] = 53, /* with the salt */
        [USER_HASH_SHA512] = 86,   [USER_HASH_SHA256] = 43, [USER_HASH_APR1] = 22,
    };
    static_assert(ARRAY_LENGTH(digests) == USER_HASH_KIND_COUNT, "a length for every kind");
    const char *hash = user->hash;

    REQUIRE(user->kind < USER_HASH_KIND_COUNT);
    if (!is_hash_text(hash) || !has_good_parameters(user))
        return false;
    const char *last = memrchr(hash, '$', strlen(hash));
    return strlen(last + 1) == digests[user->kind];
}

static const char *explain_unknown(const char *hash)
{
    if (strncmp(hash, "{SHA}", 5) == 0)
        return "{SHA} is one unsalted SHA-1 and is not taken; run `htpasswd -B FILE USER`, or put "
               "what `mkpasswd -m yescrypt` prints behind the colon";
    if (strncmp(hash, "$1$", 3) == 0)
        return "MD5 crypt is not taken; run `htpasswd -B FILE USER`, or put what `mkpasswd -m "
               "yescrypt` prints behind the colon";
    if (hash[0] == '!' || hash[0] == '*')
        return "this account is locked; remove the line, or run `htpasswd -B FILE USER`";
    return "this is a plain password, or a kind of hash that is not taken; run `htpasswd -B FILE "
           "USER`, or put what `mkpasswd -m yescrypt` prints behind the colon";
}

static bool check_hash(struct users_parse *parse, struct user *user)
{
    for (size_t i = 0; i < ARRAY_LENGTH(prefixes); i++) {
        if (strncmp(user->hash, prefixes[i].prefix, strlen(prefixes[i].prefix)) != 0)
            continue;
        user->kind = prefixes[i].kind;
        if (!user_is_complete(user)) {
            users_file_report(parse, user->name,
                              "the hash is cut or damaged; run `htpasswd -B FILE USER`");
            return false;
        }
        return true;
    }
    users_file_report(parse, user->name, explain_unknown(user->hash));
    return false;
}

/* -- names */

/* Finds the first character of the name that nobody can see, and so nobody types: it would lock the
 * user out without an explanation. Returns 0 when there is none. What is not UTF-8 is taken as it
 * is. */
static uint32_t find_invisible(const char *name)
{
    static const struct {
        uint32_t first, last;
    } invisible[] = {
        {0x80, 0xa0},     {0xad, 0xad},     {0x034f, 0x034f},   {0x061c, 0x061c},
        {0x115f, 0x1160}, {0x1680, 0x1680}, {0x17b4, 0x17b5},   {0x180b, 0x180f},
        {0x2000, 0x200f}, {0x2028, 0x202f}, {0x205f, 0x206f},   {0x2800, 0x2800},
        {0x3000, 0x3000}, {0x3164, 0x3164}, {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},
        {0xffa0, 0xffa0}, {0xfff0, 0xfffb}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
    };
    size_t length = strlen(name);

    while (length > 0) {
        size_t size = text_utf8_length(name, length);
        uint32_t character = size > 0 ? text_utf8_character(name, size) : 0;

        for (size_t i = 0; i < ARRAY_LENGTH(invisible); i++)
            if (character >= invisible[i].first && character <= invisible[i].last)
                return character;
        size += size == 0;
        name += size;
        length -= size;
    }
    return 0;
}

static bool users_file_check_name(struct users_parse *parse, const char *name)
{
    uint32_t character = find_invisible(name);
    char buffer[128];
    struct text what;

    if (character == 0)
        return true;
    text_init(&what, buffer, sizeof(buffer));
    text_add(&what, "the name has a character that nobody sees, U+");
    for (unsigned width = character > 0xffff ? 5 : 4; width > 0; width--)
        text_add_char(&what, ascii_hex_digit_upper(character >> 4 * (width - 1)));
    text_add(&what, "; write it anew, without");
    users_file_report(parse, name, buffer);
    return false;
}

/* -- lines */

static bool users_file_is_name(const char *name, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
            return false;
    return length > 0 && length <= USER_NAME_MAX;
}

static int add_user(struct users_parse *parse, const struct user *user)
{
    struct users_file *users = parse->users;
    struct users_file_entry *entry;

    if (users_file_find(users, user->name, strlen(user->name)) != NULL) {
        users_file_report(parse, user->name, "is in this file twice");
        return 0;
    }
    entry = arena_allocate(&users->arena, sizeof(*entry));
    if (entry == NULL)
        return -ENOMEM;
    struct entry_link *item = vector_push(&users->arena, &users->entries, sizeof(*item));
    if (item == NULL)
        return -ENOMEM;
    item->entry = entry;
    entry->user = *user;
    entry->line = parse->lines.number;
    hash_table_insert(&users->table, &entry->link,
                      hash_bytes(&users_file_seed, user->name, strlen(user->name)));
    users->is_mixed |= !costs_the_same(user, users_file_at(users, 0));
    if (estimate_cost(user) > estimate_cost(users_file_at(users, users->costliest)))
        users->costliest = users->entries.count - 1;
    return 0;
}

/* Adds a user, or reports what is wrong with it. Name and hash come without blanks around them. */
static int users_file_take_parts(struct users_parse *parse, const char *name, size_t name_length,
                                 const char *hash, size_t hash_length)
{
    struct arena *arena = &parse->users->arena;
    struct user user = {.name = arena_copy(arena, name, name_length),
                        .hash = arena_copy(arena, hash, hash_length)};

    if (user.name == NULL || user.hash == NULL)
        return -ENOMEM;
    return users_file_check_name(parse, user.name) && check_hash(parse, &user)
               ? add_user(parse, &user)
               : 0;
}

static int users_file_parse_line(struct users_parse *parse, const char *line, size_t length)
{
    size_t start = 0;
    size_t end = length;

    blanks_trim(line, &start, &end);
    if (start == end || line[start] == '#')
        return 0;
    if (memchr(line + start, '\0', end - start) != NULL) {
        users_file_report(parse, NULL, "a NUL byte: this is no text file");
        return 0;
    }
    const char *colon = memchr(line + start, ':', end - start);
    size_t name_end = colon != NULL ? (size_t)(colon - line) : start;
    size_t hash_start = name_end + 1;
    blanks_trim(line, &start, &name_end);
    if (colon == NULL || !users_file_is_name(line + start, name_end - start)) {
        users_file_report(
            parse, NULL,
            "write USER:HASH, with a name of 1 to 128 bytes; `htpasswd -B FILE USER` does");
        return 0;
    }
    blanks_trim(line, &hash_start, &end);
    return users_file_take_parts(parse, line + start, name_end - start, line + hash_start,
                                 end - hash_start);
}

static int parse_lines(struct users_parse *parse, const char *text, size_t length)
{
    const char *line;
    size_t line_length;

    lines_init(&parse->lines, text, length);
    while (lines_next(&parse->lines, &line, &line_length)) {
        int error = users_file_parse_line(parse, line, line_length);

        if (error < 0)
            return error;
    }
    return 0;
}

/* Makes at least one bucket for every line, so that the table never has to grow. */
static int prepare_table(struct users_file *users, const char *text, size_t length)
{
    size_t lines = 1;
    size_t count = 16;
    struct hash_link **buckets;

    for (size_t i = 0; i < length; i++)
        lines += text[i] == '\n';
    while (count < lines)
        count *= 2;
    buckets = arena_allocate(&users->arena, count * sizeof(struct hash_link *));
    if (buckets == NULL)
        return -ENOMEM;
    hash_table_init(&users->table, buckets, count);
    return 0;
}

enum { NAMED_MAX = 5 };

/* Ten percent are ignored, because costs are estimates. */
static bool is_quicker(const struct user *user, const struct user *costliest)
{
    return estimate_cost(user) < estimate_cost(costliest) / 10 * 9;
}

/* Lists the users who should be hashed anew. Returns their number (the text names only some of
 * them); `*ret_line` is the line of the first one. */
static size_t list_quicker(const struct users_file *users, struct text *names, unsigned *ret_line)
{
    const struct user *costliest = users_file_costliest(users);
    size_t count = 0;

    for (size_t i = 0; i < users->entries.count; i++) {
        const struct users_file_entry *entry =
            ((const struct entry_link *)users->entries.items)[i].entry;

        if (!is_quicker(&entry->user, costliest) || count++ >= NAMED_MAX)
            continue;
        if (count == 1)
            *ret_line = entry->line;
        text_add(names, count > 1 ? ", " : "");
        add_quoted(names, entry->user.name);
    }
    if (count > NAMED_MAX) {
        text_add(names, " and ");
        text_add_decimal(names, count - NAMED_MAX);
        text_add(names, " more");
    }
    return count;
}

/* Warns about hashes that are quicker to compute than the costliest one: they are quicker to guess,
 * too. */
static void report_quicker(struct users_parse *parse)
{
    struct config_place place = {.file = parse->file, .column = 1};
    char names_buffer[NAMED_MAX * (USER_NAME_MAX + 4) + 32];
    char buffer[sizeof(names_buffer) + USER_NAME_MAX + 256];
    struct text names;
    struct text message;

    text_init(&names, names_buffer, sizeof(names_buffer));
    if (list_quicker(parse->users, &names, &place.line) == 0)
        return;
    const struct user *costliest = users_file_costliest(parse->users);
    text_init(&message, buffer, sizeof(buffer));
    text_add(&message, "hashes quicker to guess than that of ");
    add_quoted(&message, costliest->name);
    text_add(&message, " (");
    text_add(&message, user_hash_kind_name(costliest->kind));
    text_add(&message, "): ");
    text_add(&message, names_buffer);
    text_add(&message, "; hash these passwords anew, in the same way; until then every wrong "
                       "password is answered as late as the slowest hash takes");
    diagnostics_add(parse->diagnostics, true, &place, buffer);
}

static void report_apr1(struct users_parse *parse)
{
    const struct vector *entries = &parse->users->entries;
    const struct users_file_entry *first = NULL;
    struct config_place place = {.file = parse->file, .column = 1};
    size_t count = 0;
    char buffer[512];
    struct text message;

    for (size_t i = 0; i < entries->count; i++) {
        const struct users_file_entry *entry = ((const struct entry_link *)entries->items)[i].entry;

        if (entry->user.kind == USER_HASH_APR1 && count++ == 0)
            first = entry;
    }
    if (first == NULL)
        return;
    place.line = first->line;
    text_init(&message, buffer, sizeof(buffer));
    text_add(&message, "user ");
    add_quoted(&message, first->user.name);
    text_add(&message, ": $apr1$ is quick to guess; `htpasswd -B FILE USER` makes a better hash");
    if (count > 1) {
        text_add(&message, " (and ");
        text_add_decimal(&message, count - 1);
        text_add(&message, " more)");
    }
    diagnostics_add(parse->diagnostics, true, &place, buffer);
}

int users_file_parse(const char *text, size_t length, const char *file,
                     struct diagnostics *diagnostics, struct users_file **ret_users)
{
    struct users_parse parse = {.diagnostics = diagnostics, .file = file};
    int error;

    parse.users = calloc(1, sizeof(*parse.users));
    if (parse.users == NULL)
        return -ENOMEM;
    error = prepare_table(parse.users, text, length);
    if (error == 0)
        error = parse_lines(&parse, text, length);
    if (error == 0 && parse.is_bad)
        error = -EINVAL;
    if (error < 0) {
        users_file_destroy(parse.users);
        return error;
    }
    report_apr1(&parse);
    report_quicker(&parse);
    *ret_users = parse.users;
    return 0;
}

void users_file_destroy(struct users_file *users)
{
    if (users == NULL)
        return;
    arena_finish(&users->arena);
    free(users);
}

size_t users_file_count(const struct users_file *users)
{
    return users->entries.count;
}

const struct user *users_file_at(const struct users_file *users, size_t index)
{
    REQUIRE(index < users->entries.count);
    return &((const struct entry_link *)users->entries.items)[index].entry->user;
}

const struct user *users_file_find(const struct users_file *users, const char *name, size_t length)
{
    uint64_t hash = hash_bytes(&users_file_seed, name, length);

    for (struct hash_link *link = hash_table_first(&users->table, hash); link != NULL;
         link = hash_table_next(link)) {
        const struct users_file_entry *entry = container_of(link, struct users_file_entry, link);

        if (strlen(entry->user.name) == length && memcmp(entry->user.name, name, length) == 0)
            return &entry->user;
    }
    return NULL;
}

const struct user *users_file_costliest(const struct users_file *users)
{
    return users->entries.count > 0 ? users_file_at(users, users->costliest) : NULL;
}

bool users_file_is_mixed(const struct users_file *users)
{
    return users->is_mixed;
}
