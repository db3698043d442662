/* The size that fstat tells is a guess only: the file may grow or shrink while it is read, and
 * /proc says 0. So it is read until it ends, into room for the most that is allowed, and then cut
 * to size.
 */
#include "daemon/file_text.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static size_t read_all(int fd, char *bytes, size_t size)
{
    size_t length = 0;

    while (length < size) {
        ssize_t count = pread(fd, bytes + length, size - length, (off_t)length);

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            break;
        length += (size_t)count;
    }
    return length;
}

struct file_text *file_text_read(int fd)
{
    struct file_text *text = malloc(sizeof(*text) + FILE_TEXT_MAX);

    if (text == NULL)
        return NULL;
    text->holders = 1;
    text->length = fd >= 0 ? read_all(fd, text->bytes, FILE_TEXT_MAX) : 0;
    struct file_text *cut = realloc(text, sizeof(*text) + text->length);
    return cut != NULL ? cut : text;
}

struct file_text *file_text_hold(struct file_text *text)
{
    atomic_fetch_add(&text->holders, 1);
    return text;
}

void file_text_release(struct file_text *text)
{
    if (text != NULL && atomic_fetch_sub(&text->holders, 1) == 1)
        free(text);
}
