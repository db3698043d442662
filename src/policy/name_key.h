/* A name with the hashes of all entries that it may match. The hashes are computed once and looked
 * up in many sets. Private to policy/. */
#ifndef POLICY_NAME_KEY_H
#define POLICY_NAME_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More labels than a host name of 253 bytes has; the suffixes of a longer text are not looked up.
 */
#define NAME_KEY_SUFFIXES_MAX 128

struct name_key {
    const char *name;
    size_t length;
    uint32_t hash; /* of the whole */
    size_t suffix_count;
    struct {
        uint32_t hash;
        uint32_t offset; /* where the suffix begins, behind a dot */
    } suffixes[NAME_KEY_SUFFIXES_MAX];
};

/* Computes the hashes of the name and of all its suffixes. The name must outlive the key. */
void name_key_init(struct name_key *key, const char *name, size_t length);
/* Returns the hash that name_key_init finds for this name, or for the suffix that follows "*.". */
uint32_t name_key_hash(const char *name, size_t length, bool is_suffix);
/* Returns the offset of the labels that follow the last label `*` (there is at least one such
 * label); 0 when no label is `*`. */
size_t name_key_tail(const char *name, size_t length);

#endif
