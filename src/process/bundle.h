/* A bundle holds all that a configuration was read from (its files, the matches of its globs, the
 * environment), so that a process that opens no file can parse it again.
 *
 * The supervisor parses with a recorder, which reads files and remembers them; what was recorded
 * becomes a memfd; the worker parses with a reader over the memfd, and comes to the same result.
 */
#ifndef PROCESS_BUNDLE_H
#define PROCESS_BUNDLE_H

#include "base/contract.h"
#include "config/config.h"

#include <stddef.h>

struct bundle_entry;

/* How long to wait in all for files that are pipes whose writers are not done: at the start, when
 * the program does nothing else yet, and in a reload, when the supervisor has a worker to look
 * after. */
enum { BUNDLE_START_PATIENCE_MS = 30000, BUNDLE_RELOAD_PATIENCE_MS = 1000 };

/* Reads files and the environment. */
struct bundle_recorder {
    struct config_reader reader;
    int patience_ms; /* what is left of it */
    struct bundle_entry *first, *last;
};

void bundle_recorder_init(struct bundle_recorder *recorder, int patience_ms);
void bundle_recorder_finish(struct bundle_recorder *recorder);
/* Makes a sealed memfd of what was read, with `extra` bytes of the caller's. Returns the descriptor
 * or -errno. */
int bundle_create(const struct bundle_recorder *recorder, const void *extra,
                  size_t extra_length) MUST_CHECK;

/* Reads what was recorded. */
struct bundle {
    struct config_reader reader;
    const char *bytes;
    size_t length;
};

/* `fd` stays the caller's, who may close it afterwards. Returns 0 or -errno. */
int bundle_open(int fd, struct bundle *ret_bundle) MUST_CHECK;
const void *bundle_extra(const struct bundle *bundle, size_t *ret_length);
void bundle_close(struct bundle *bundle);

#endif
