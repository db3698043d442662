/* The contents of a file, shared by threads: immutable, counted, freed by the last holder. */
#ifndef PROCESS_FILE_TEXT_H
#define PROCESS_FILE_TEXT_H

#include "base/contract.h"
#include "dns/hosts_file.h"

#include <stdatomic.h>
#include <stddef.h>

/* One byte more than is used of a hosts file, so that its parser notices that there is more. What
 * follows is not read. */
#define FILE_TEXT_MAX (HOSTS_FILE_SIZE_MAX + 1)

struct file_text {
    _Atomic unsigned holders;
    struct hosts_file *hosts; /* NULL, or what file_text_parse_hosts made of the bytes */
    size_t length;
    char bytes[];
};

/* The warning about the line that hosts_file_first_line_left_out returns. */
#define FILE_TEXT_LEFT_OUT                                                                         \
    "warning: /etc/hosts is too large: line %zu and what follows is left out; names that it "      \
    "would "                                                                                       \
    "block are reached"

/* Reads `fd`, a regular file, from its start; with -1 the text is empty. Returns NULL when there is
 * no memory. An error while reading ends the text. */
struct file_text *file_text_read(int fd) MUST_CHECK;
/* Parses the bytes as a hosts file. Contract: the caller has read the text and is still its only
 * holder. Returns 0 or -ENOMEM. */
int file_text_parse_hosts(struct file_text *text) MUST_CHECK;
struct file_text *file_text_hold(struct file_text *text);
/* Harmless on NULL. */
void file_text_release(struct file_text *text);

#endif
