/* The configuration language: whatever is taken prints to a text that is taken, too, and prints the
 * same; whatever is refused has an error. The same bytes are the file, what it includes, its list
 * and its users. */
#include "config/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

enum { PRINT_SIZE = 1 << 20, SAID_SIZE = 1 << 18 };

struct fuzz_reader {
    struct config_reader reader;
    const char *text;
    size_t length;
};

/* Behind a line `@@`, another file begins: an included one, a list, users. */
static int read_part(struct config_reader *reader, const char *path, size_t size_max,
                     const char **ret_bytes, size_t *ret_length)
{
    struct fuzz_reader *fuzz = container_of(reader, struct fuzz_reader, reader);
    const char *second = memmem(fuzz->text, fuzz->length, "@@\n", 3);
    size_t first_length = second != NULL ? (size_t)(second - fuzz->text) : fuzz->length;

    if (strcmp(path, "/a") == 0) {
        *ret_bytes = fuzz->text;
        *ret_length = first_length;
        return 0;
    }
    if (second == NULL)
        return -ENOENT;
    *ret_bytes = second + 3;
    *ret_length = fuzz->length - first_length - 3;
    return 0;
}

static int glob_part(struct config_reader *reader, const char *pattern,
                     void (*add)(void *self, const char *path), void *self)
{
    add(self, "/b");
    add(self, "/a");
    return 0;
}

static int environment_part(struct config_reader *reader, const char *name, const char **ret_value)
{
    *ret_value = "a.example";
    return name[0] == 'A' ? 0 : -ENOENT;
}

static void add_piece(void *self, const char *bytes, size_t length)
{
    text_add_bytes(self, bytes, length);
}

static struct config *parse(struct fuzz_reader *fuzz)
{
    static char said[SAID_SIZE];
    struct config *config = NULL;
    struct diagnostics *diagnostics = NULL;
    struct text text;
    int error = config_parse(&fuzz->reader, "/a", NULL, &config, &diagnostics);

    CHECK(error == 0 || error == -EINVAL);
    CHECK((error == 0) == (diagnostics_error_count(diagnostics) == 0));
    text_init(&text, said, sizeof(said));
    diagnostics_print(diagnostics, &text);
    CHECK(!text.is_truncated);
    for (size_t i = 0; i < text.length; i++)
        CHECK((unsigned char)said[i] >= ' ' || said[i] == '\n' || said[i] == '\t');
    diagnostics_destroy(diagnostics);
    return config;
}

/* A rule without a name is known by its line, which printing moves. */
static void drop_comments(char *text)
{
    for (char *line = text; *line != '\0';) {
        char *end = line + strcspn(line, "\n");
        char *mark = end;

        while (mark > line && strncmp(mark, " # ", 3) != 0)
            mark--;
        if (mark > line && end[-1] != '"') {
            memmove(mark, end, strlen(end) + 1);
            end = mark;
        }
        line = *end != '\0' ? end + 1 : end;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char once[PRINT_SIZE];
    static char twice[PRINT_SIZE];
    struct fuzz_reader fuzz = {{read_part, glob_part, environment_part}, (const char *)data, size};
    struct config *config = parse(&fuzz);
    struct text text;

    if (config == NULL)
        return 0;
    text_init(&text, once, sizeof(once));
    config_print(config, add_piece, &text);
    CHECK(!text.is_truncated);
    CHECK(listener_set_first(&config->listeners, LISTENER_TUNNELS) != NULL);
    bool reads_files = config->users_path != NULL || strstr(once, "\" # ") != NULL ||
                       strstr(once, " file \"") != NULL;
    config_destroy(config);
    if (reads_files)
        return 0;
    fuzz.text = once;
    fuzz.length = text.length;
    if (memmem(once, text.length, "@@\n", 3) != NULL)
        return 0;
    config = parse(&fuzz);
    CHECK(config != NULL);
    text_init(&text, twice, sizeof(twice));
    config_print(config, add_piece, &text);
    drop_comments(once);
    drop_comments(twice);
    CHECK(strcmp(once, twice) == 0);
    config_destroy(config);
    return 0;
}
