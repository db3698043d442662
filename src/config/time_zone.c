/* Searches as glibc does: first for a file in TZDIR or /usr/share/zoneinfo; then the text may be a
 * rule, of which only the beginning is read here, since a misspelt zone has no offset. Without TZ
 * it is the file /etc/localtime, if there is one, which is a link into the zones that are
 * installed.
 */
#include "config/time_zone.h"

#include "base/ascii.h"
#include "base/text.h"
#include "config/config.h"

#include <string.h>

enum { PATH_SIZE = 1024, FILE_MAX = 1024 * 1024 };

static const char machine_zone[] = "/etc/localtime";

static bool is_zone_file(struct config_reader *reader, const char *path)
{
    static const char magic[] = "TZif";
    const char *bytes;
    size_t length;

    return reader->read(reader, path, FILE_MAX, &bytes, &length) == 0 && length >= strlen(magic) &&
           memcmp(bytes, magic, strlen(magic)) == 0;
}

static bool is_installed(struct config_reader *reader, const char *zone)
{
    const char *folder = "/usr/share/zoneinfo";
    char buffer[PATH_SIZE];
    struct text path;
    const char *value;

    if (reader->environment(reader, "TZDIR", &value) == 0 && value[0] != '\0')
        folder = value;
    text_init(&path, buffer, sizeof(buffer));
    if (zone[0] != '/') {
        text_add(&path, folder);
        text_add_char(&path, '/');
    }
    text_add(&path, zone);
    return !path.is_truncated && is_zone_file(reader, buffer);
}

/* True for the names of UTC: libc takes them for UTC whether or not they are installed. */
static bool is_utc(const char *zone)
{
    static const char prefix[] = "Etc/";
    static const char *const names[] = {"UTC",   "GMT",   "UCT",  "Zulu",      "Universal",
                                        "GMT+0", "GMT-0", "GMT0", "Greenwich", ""};

    if (strncmp(zone, prefix, strlen(prefix)) == 0)
        zone += strlen(prefix);
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (strcmp(zone, names[i]) == 0)
            return true;
    return false;
}

/* Returns the length of the first name of the rule; 0 when it has none. */
static size_t name_length(const char *zone)
{
    size_t length = 0;

    if (zone[0] == '<') {
        const char *end = strchr(zone, '>');
        return end != NULL ? (size_t)(end - zone) + 1 : 0;
    }
    while (ascii_is_letter(zone[length]))
        length++;
    return length >= 3 ? length : 0;
}

static bool is_rule(const char *zone)
{
    const char *offset = zone + name_length(zone);

    if (offset == zone)
        return false;
    offset += *offset == '+' || *offset == '-';
    return ascii_is_digit(*offset);
}

bool time_zone_is_known(struct config_reader *reader, const char *zone)
{
    zone += zone[0] == ':';
    return is_utc(zone) || is_rule(zone) || is_installed(reader, zone);
}

static void note_match(void *self, const char *path)
{
    *(bool *)self = true;
}

bool time_zone_of_machine_is_known(struct config_reader *reader)
{
    bool is_there = false;

    /* glob also finds a link that leads nowhere, which is the mistake to be found here. */
    int error = reader->glob(reader, machine_zone, note_match, &is_there);
    return error < 0 || !is_there || is_zone_file(reader, machine_zone);
}
