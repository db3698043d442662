/* As glibc looks: a file first, in TZDIR or /usr/share/zoneinfo; then a rule, of which only the
 * beginning is read here, since a zone that is misspelt has no offset.
 */
#include "config/time_zone.h"

#include "base/text.h"
#include "config/config.h"

#include <string.h>

enum { PATH_SIZE = 1024, FILE_MAX = 1024 * 1024 };

static bool is_zone_file(struct config_reader *reader, const char *zone)
{
    static const char magic[] = "TZif";
    const char *folder = "/usr/share/zoneinfo";
    char buffer[PATH_SIZE];
    struct text path;
    const char *bytes;
    size_t length;
    const char *value;

    if (reader->environment(reader, "TZDIR", &value) == 0 && value[0] != '\0')
        folder = value;
    text_init(&path, buffer, sizeof(buffer));
    if (zone[0] != '/') {
        text_add(&path, folder);
        text_add_char(&path, '/');
    }
    text_add(&path, zone);
    return !path.is_truncated && reader->read(reader, buffer, FILE_MAX, &bytes, &length) == 0 &&
           length >= strlen(magic) && memcmp(bytes, magic, strlen(magic)) == 0;
}

/* The length of its first name; 0: it has none. */
static size_t name_length(const char *zone)
{
    size_t length = 0;

    if (zone[0] == '<') {
        const char *end = strchr(zone, '>');
        return end != NULL ? (size_t)(end - zone) + 1 : 0;
    }
    while ((zone[length] >= 'a' && zone[length] <= 'z') ||
           (zone[length] >= 'A' && zone[length] <= 'Z'))
        length++;
    return length >= 3 ? length : 0;
}

static bool is_rule(const char *zone)
{
    const char *offset = zone + name_length(zone);

    if (offset == zone)
        return false;
    offset += *offset == '+' || *offset == '-';
    return *offset >= '0' && *offset <= '9';
}

bool time_zone_is_known(struct config_reader *reader, const char *zone)
{
    zone += zone[0] == ':';
    return zone[0] == '\0' || strcmp(zone, "UTC") == 0 || strcmp(zone, "GMT") == 0 ||
           is_rule(zone) || is_zone_file(reader, zone);
}
