/* A bundle is a row of entries; each has a header, a name with its NUL, the bytes, and padding to a
 * multiple of 8. It contains only what could be read: when the configuration names a file that
 * cannot be read, no bundle is sent.
 *
 * A file is read to its end or to the bound, whatever fstat said about its size: it may grow, be a
 * pipe (`-c <(...)`) or claim to have 0 bytes (/proc). It is opened and read without waiting, so
 * that a named pipe that nobody writes to delays neither the start nor a reload. An empty pipe is
 * an error, because its contents were most likely read before, at the start; an empty file is just
 * an empty file.
 */
#include "process/bundle.h"

#include "system/clock.h"
#include "system/file_glob.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum entry_kind { ENTRY_EXTRA, ENTRY_FILE, ENTRY_GLOB, ENTRY_VARIABLE };
enum { BUNDLE_ALIGNMENT = 8, BUNDLE_FIRST_READ_BYTES = 16 * 1024 };

struct entry_header {
    uint64_t kind; /* enum entry_kind */
    uint64_t name_length;
    uint64_t length; /* of the bytes: a file's contents, paths with a NUL behind each, or a
                        variable's value with its NUL */
};

struct bundle_entry {
    struct bundle_entry *next;
    enum entry_kind kind;
    char *name;
    char *bytes;
    size_t length;
};

static size_t padded(size_t length)
{
    return (length + BUNDLE_ALIGNMENT - 1) / BUNDLE_ALIGNMENT * BUNDLE_ALIGNMENT;
}

/* -- reading files */

/* Takes `bytes`, also on failure. */
static int bundle_record(struct bundle_recorder *recorder, enum entry_kind kind, const char *name,
                         char *bytes, size_t length)
{
    struct bundle_entry *entry = calloc(1, sizeof(*entry));
    char *copy = strdup(name);

    if (entry == NULL || copy == NULL) {
        free(entry);
        free(copy);
        free(bytes);
        return -ENOMEM;
    }
    *entry = (struct bundle_entry){.kind = kind, .name = copy, .bytes = bytes, .length = length};
    if (recorder->last != NULL)
        recorder->last->next = entry;
    else
        recorder->first = entry;
    recorder->last = entry;
    return 0;
}

/* Returns the descriptor or -errno. */
static int open_file(const char *path, size_t *ret_size, bool *ret_is_pipe)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
        close(fd);
        return -EISDIR;
    }
    *ret_is_pipe = S_ISFIFO(status.st_mode);
    *ret_size = S_ISREG(status.st_mode) ? (size_t)status.st_size : 0;
    return fd;
}

/* Called after a read that found nothing yet. Returns 0 or -errno. All files together share one
 * patience. */
static int wait_for_more(struct bundle_recorder *recorder, int fd)
{
    struct pollfd request = {.fd = fd, .events = POLLIN};
    uint64_t started_ms = clock_monotonic_ms();
    int count = poll(&request, 1, recorder->patience_ms);
    int error = count < 0 && errno != EINTR ? -errno : 0;
    uint64_t waited_ms = clock_monotonic_ms() - started_ms;

    if (count == 0 || waited_ms >= (uint64_t)recorder->patience_ms)
        recorder->patience_ms = 0;
    else
        recorder->patience_ms -= (int)waited_ms;
    return count == 0 ? -ETIMEDOUT : error;
}

static int read_to_end(struct bundle_recorder *recorder, int fd, size_t size_max, size_t guess,
                       char **ret_bytes, size_t *ret_length)
{
    size_t size = guess < BUNDLE_FIRST_READ_BYTES ? BUNDLE_FIRST_READ_BYTES : guess + 1;
    char *bytes = malloc(size);
    size_t length = 0;
    int error = bytes == NULL ? -ENOMEM : 0;

    while (error == 0) {
        ssize_t count = read(fd, bytes + length, size - length);

        if (count == 0)
            break;
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            error = errno == EAGAIN ? wait_for_more(recorder, fd) : -errno;
            continue;
        }
        length += (size_t)count;
        if (length > size_max)
            error = -EFBIG;
        if (error == 0 && length == size) {
            char *larger = realloc(bytes, size *= 2);
            if (larger != NULL)
                bytes = larger;
            else
                error = -ENOMEM;
        }
    }
    if (error < 0) {
        free(bytes);
        return error;
    }
    *ret_bytes = bytes;
    *ret_length = length;
    return 0;
}

static int bundle_read_file(struct config_reader *reader, const char *path, size_t size_max,
                            const char **ret_bytes, size_t *ret_length)
{
    struct bundle_recorder *recorder = container_of(reader, struct bundle_recorder, reader);
    size_t guess = 0;
    bool is_pipe = false;
    char *bytes = NULL;
    int fd = open_file(path, &guess, &is_pipe);

    if (fd < 0)
        return fd;
    int error =
        guess > size_max ? -EFBIG : read_to_end(recorder, fd, size_max, guess, &bytes, ret_length);
    close(fd);
    if (error == 0 && is_pipe && *ret_length == 0) {
        free(bytes);
        return -ENODATA;
    }
    if (error == 0)
        error = bundle_record(recorder, ENTRY_FILE, path, bytes, *ret_length);
    *ret_bytes = bytes;
    return error;
}

static int copy_paths(const struct file_paths *found, char **ret_bytes, size_t *ret_length)
{
    size_t length = 0;

    for (size_t i = 0; i < found->count; i++)
        length += strlen(found->items[i]) + 1;
    char *bytes = malloc(length + 1);
    if (bytes == NULL)
        return -ENOMEM;
    *ret_bytes = bytes;
    *ret_length = length;
    for (size_t i = 0; i < found->count; i++)
        bytes = stpcpy(bytes, found->items[i]) + 1;
    return 0;
}

static void tell_paths(const char *bytes, size_t length, void (*add)(void *self, const char *path),
                       void *self)
{
    for (size_t at = 0; at < length; at += strlen(bytes + at) + 1)
        add(self, bytes + at);
}

static int glob_files(struct config_reader *reader, const char *pattern,
                      void (*add)(void *self, const char *path), void *self)
{
    struct bundle_recorder *recorder = container_of(reader, struct bundle_recorder, reader);
    struct file_paths found = {0};
    size_t length = 0;
    char *bytes = NULL;
    int error = file_glob(pattern, &found);

    if (error < 0)
        return error;
    error = copy_paths(&found, &bytes, &length);
    file_paths_free(&found);
    if (error == 0)
        error = bundle_record(recorder, ENTRY_GLOB, pattern, bytes, length);
    if (error == 0)
        tell_paths(bytes, length, add, self);
    return error;
}

static bool is_recorded(const struct bundle_recorder *recorder, enum entry_kind kind,
                        const char *name)
{
    for (const struct bundle_entry *entry = recorder->first; entry != NULL; entry = entry->next)
        if (entry->kind == kind && strcmp(entry->name, name) == 0)
            return true;
    return false;
}

/* A variable that is not set is not recorded, so it is not set for the worker either. */
static int read_variable(struct config_reader *reader, const char *name, const char **ret_value)
{
    struct bundle_recorder *recorder = container_of(reader, struct bundle_recorder, reader);
    const char *value = getenv(name);

    if (value == NULL)
        return -ENOENT;
    *ret_value = value;
    if (is_recorded(recorder, ENTRY_VARIABLE, name))
        return 0;
    char *copy = strdup(value);
    return copy != NULL ? bundle_record(recorder, ENTRY_VARIABLE, name, copy, strlen(value) + 1)
                        : -ENOMEM;
}

void bundle_recorder_init(struct bundle_recorder *recorder, int patience_ms)
{
    *recorder = (struct bundle_recorder){
        .patience_ms = patience_ms,
        .reader = {.read = bundle_read_file, .glob = glob_files, .environment = read_variable}};
}

void bundle_recorder_finish(struct bundle_recorder *recorder)
{
    struct bundle_entry *entry = recorder->first;

    while (entry != NULL) {
        struct bundle_entry *next = entry->next;

        free(entry->name);
        free(entry->bytes);
        free(entry);
        entry = next;
    }
    recorder->first = NULL;
    recorder->last = NULL;
}

/* -- into the memfd */

static int bundle_write_all(int fd, const void *bytes, size_t length)
{
    const char *next = bytes;

    while (length > 0) {
        ssize_t count = write(fd, next, length);

        if (count < 0)
            return -errno;
        next += count;
        length -= (size_t)count;
    }
    return 0;
}

static int write_entry(int fd, enum entry_kind kind, const char *name, const void *bytes,
                       size_t length)
{
    static const char zeroes[BUNDLE_ALIGNMENT];
    const struct entry_header header = {
        .kind = kind, .name_length = strlen(name), .length = length};
    size_t size = header.name_length + 1 + length;
    int error = bundle_write_all(fd, &header, sizeof(header));

    /* The bytes come before the name, so that they are aligned. */
    if (error == 0)
        error = bundle_write_all(fd, bytes, length);
    if (error == 0)
        error = bundle_write_all(fd, name, header.name_length + 1);
    if (error == 0)
        error = bundle_write_all(fd, zeroes, padded(size) - size);
    return error;
}

int bundle_create(const struct bundle_recorder *recorder, const void *extra, size_t extra_length)
{
    int fd = memfd_create("adit-configuration", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return -errno;
    int error = write_entry(fd, ENTRY_EXTRA, "", extra, extra_length);
    for (const struct bundle_entry *entry = recorder->first; entry != NULL && error == 0;
         entry = entry->next)
        error = write_entry(fd, entry->kind, entry->name, entry->bytes, entry->length);
    if (error == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
        error = -errno;
    if (error < 0) {
        close(fd);
        return error;
    }
    return fd;
}

/* -- and out of it */

static const struct entry_header *find_entry(const struct bundle *bundle, enum entry_kind kind,
                                             const char *name)
{
    size_t at = 0;

    while (at < bundle->length) {
        const struct entry_header *header = (const void *)(bundle->bytes + at);
        const char *entry_name = (const char *)(header + 1) + header->length;

        if (header->kind == kind && strcmp(entry_name, name) == 0)
            return header;
        at += sizeof(*header) + padded(header->name_length + 1 + header->length);
    }
    return NULL;
}

static int read_recorded(struct config_reader *reader, const char *path, size_t size_max,
                         const char **ret_bytes, size_t *ret_length)
{
    const struct bundle *bundle = container_of(reader, struct bundle, reader);
    const struct entry_header *header = find_entry(bundle, ENTRY_FILE, path);

    if (header == NULL)
        return -ENOENT;
    if (header->length > size_max)
        return -EFBIG;
    *ret_bytes = (const char *)(header + 1);
    *ret_length = header->length;
    return 0;
}

static int glob_recorded(struct config_reader *reader, const char *pattern,
                         void (*add)(void *self, const char *path), void *self)
{
    const struct bundle *bundle = container_of(reader, struct bundle, reader);
    const struct entry_header *header = find_entry(bundle, ENTRY_GLOB, pattern);

    if (header == NULL)
        return -ENOENT;
    tell_paths((const char *)(header + 1), header->length, add, self);
    return 0;
}

static int variable_recorded(struct config_reader *reader, const char *name, const char **ret_value)
{
    const struct bundle *bundle = container_of(reader, struct bundle, reader);
    const struct entry_header *header = find_entry(bundle, ENTRY_VARIABLE, name);

    if (header == NULL)
        return -ENOENT;
    *ret_value = (const char *)(header + 1);
    return 0;
}

int bundle_open(int fd, struct bundle *ret_bundle)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -errno;
    void *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return -errno;
    *ret_bundle = (struct bundle){
        .reader = {.read = read_recorded, .glob = glob_recorded, .environment = variable_recorded},
        .bytes = bytes,
        .length = (size_t)status.st_size};
    return 0;
}

const void *bundle_extra(const struct bundle *bundle, size_t *ret_length)
{
    const struct entry_header *header = find_entry(bundle, ENTRY_EXTRA, "");

    ENSURE(header != NULL);
    *ret_length = header->length;
    return header + 1;
}

void bundle_close(struct bundle *bundle)
{
    munmap((void *)bundle->bytes, bundle->length);
    bundle->bytes = NULL;
}
