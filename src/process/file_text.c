/* The size that fstat tells is only a guess: the file may grow or shrink while it is read, and the
 * size of a file in /proc is 0. So the file is read until it ends, into room that grows, and the
 * memory is then cut to size.
 */
#include "process/file_text.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_TEXT_FIRST_READ_BYTES = 4096 };

/* One byte more than the file's size, so that the end of a file that has not grown is seen without
 * making more room. */
static size_t guess_size(int fd)
{
    struct stat status;

    if (fstat(fd, &status) < 0 || status.st_size < FILE_TEXT_FIRST_READ_BYTES)
        return FILE_TEXT_FIRST_READ_BYTES;
    return status.st_size < (off_t)FILE_TEXT_MAX ? (size_t)status.st_size + 1 : FILE_TEXT_MAX;
}

/* Takes `text`. Returns NULL when there is no memory; `text` is freed then. */
static struct file_text *file_text_resize(struct file_text *text, size_t size)
{
    struct file_text *resized = realloc(text, sizeof(*text) + size);

    if (resized == NULL)
        free(text);
    return resized;
}

/* Takes `text`, which has room for `size` bytes. A read error ends the text like the end of the
 * file does. Returns NULL when there is no memory. */
static struct file_text *read_all(int fd, struct file_text *text, size_t size)
{
    for (;;) {
        ssize_t count =
            pread(fd, text->bytes + text->length, size - text->length, (off_t)text->length);

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return text;
        text->length += (size_t)count;
        if (text->length == FILE_TEXT_MAX)
            return text;
        if (text->length < size)
            continue;
        size = size < FILE_TEXT_MAX / 2 ? size * 2 : FILE_TEXT_MAX;
        text = file_text_resize(text, size);
        if (text == NULL)
            return NULL;
    }
}

/* A negative descriptor gives an empty text: the file is not there. */
struct file_text *file_text_read(int fd)
{
    size_t size = fd >= 0 ? guess_size(fd) : 0;
    struct file_text *text = file_text_resize(NULL, size);

    if (text == NULL)
        return NULL;
    text->holders = 1;
    text->hosts = NULL;
    text->length = 0;
    if (fd >= 0)
        text = read_all(fd, text, size);
    return text != NULL ? file_text_resize(text, text->length) : NULL;
}

int file_text_parse_hosts(struct file_text *text)
{
    return hosts_file_parse(text->bytes, text->length, &text->hosts);
}

struct file_text *file_text_hold(struct file_text *text)
{
    atomic_fetch_add(&text->holders, 1);
    return text;
}

void file_text_release(struct file_text *text)
{
    if (text == NULL || atomic_fetch_sub(&text->holders, 1) != 1)
        return;
    hosts_file_destroy(text->hosts);
    free(text);
}
