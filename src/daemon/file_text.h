/* The contents of a small file, shared by threads: immutable, counted, freed by the last holder. */
#ifndef DAEMON_FILE_TEXT_H
#define DAEMON_FILE_TEXT_H

#include "base/contract.h"

#include <stdatomic.h>
#include <stddef.h>

/* More than any hosts or resolv.conf that adit takes; what is behind is not read. */
#define FILE_TEXT_MAX (1024UL * 1024)

struct file_text {
    _Atomic unsigned holders;
    size_t length;
    char bytes[];
};

/* Reads `fd`, a regular file, from its start; -1: empty. NULL when there is no memory; an error of
 * reading ends the text. */
struct file_text *file_text_read(int fd) MUST_CHECK;
struct file_text *file_text_hold(struct file_text *text);
/* Harmless on NULL. */
void file_text_release(struct file_text *text);

#endif
