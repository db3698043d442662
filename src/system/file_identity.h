/* Whether two names or descriptors lead to the same file. */
#ifndef SYSTEM_FILE_IDENTITY_H
#define SYSTEM_FILE_IDENTITY_H

#include <stdbool.h>
#include <sys/stat.h>

/* The identity stays the same as long as the file exists; another file may get it later. */
struct file_identity {
    dev_t device;
    ino_t inode;
};

static inline struct file_identity file_identity_of(const struct stat *status)
{
    return (struct file_identity){.device = status->st_dev, .inode = status->st_ino};
}

static inline bool file_identity_equals(struct file_identity a, struct file_identity b)
{
    return a.device == b.device && a.inode == b.inode;
}

#endif
