/* /proc/net/protocols has a line for each kind of socket: its name, its size, how many there are,
 * their pages of memory, and whether memory is short. It is the only file that tells of the
 * shortage and also exists in a network namespace of adit's own.
 */
#include "net/tcp_memory.h"

#include "base/ascii.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int tcp_memory_open(void)
{
    int fd = open("/proc/net/protocols", O_RDONLY | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

/* Returns the word after `count` others. Its length is 0 when the line ends before it. */
static const char *find_word(const char *line, unsigned count)
{
    static const char blanks[] = " \t";

    for (line += strspn(line, blanks); count > 0; count--) {
        line += strcspn(line, " \t\n");
        line += strspn(line, blanks);
    }
    return line;
}

bool tcp_memory_parse(const char *text, struct tcp_memory *ret_memory)
{
    const char *line = strstr(text, "\nTCP ");

    if (line == NULL)
        return false;
    const char *pages = find_word(line + 1, 3);
    const char *press = find_word(pages, 1);
    if (!ascii_is_digit(*pages) || *press < 'a' || *press > 'z')
        return false;
    ret_memory->used = strtoull(pages, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
    ret_memory->is_short = strncmp(press, "yes", strlen("yes")) == 0;
    return true;
}

bool tcp_memory_read(int fd, struct tcp_memory *ret_memory)
{
    char text[16384]; /* 2 KiB are usual */
    size_t length = 0;
    ssize_t count = 1;

    while (fd >= 0 && count > 0 && length < sizeof(text) - 1) {
        count = pread(fd, text + length, sizeof(text) - 1 - length, (off_t)length);
        length += count > 0 ? (size_t)count : 0;
    }
    text[length] = '\0';
    return tcp_memory_parse(text, ret_memory);
}
