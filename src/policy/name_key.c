/* Hashes run from the last byte to the first, so that one pass over a name yields the hash of every
 * suffix on the way. The function is FNV-1a, followed by the finaliser of MurmurHash3, because the
 * low bits of FNV are weak.
 *
 * The surprise: there is no secret seed. What is stored comes from the operator's files; clients
 * only look names up, and so they can't make a chain longer.
 */
#include "policy/name_key.h"

static const uint64_t fnv_offset = 0xcbf29ce484222325;
static const uint64_t fnv_prime = 0x100000001b3;

static uint64_t absorb(uint64_t hash, char byte)
{
    return (hash ^ (uint8_t)byte) * fnv_prime;
}

static uint32_t name_hash_finish(uint64_t hash, bool is_suffix)
{
    hash ^= is_suffix; /* a suffix and a name of the same text go to different places */
    hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccd;
    hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53;
    return (uint32_t)(hash ^ hash >> 33);
}

void name_key_init(struct name_key *key, const char *name, size_t length)
{
    uint64_t hash = fnv_offset;

    key->name = name;
    key->length = length;
    key->suffix_count = 0;
    for (size_t i = length; i-- > 0;) {
        if (name[i] == '.' && key->suffix_count < NAME_KEY_SUFFIXES_MAX) {
            key->suffixes[key->suffix_count].hash = name_hash_finish(hash, true);
            key->suffixes[key->suffix_count].offset = (uint32_t)i + 1;
            key->suffix_count++;
        }
        hash = absorb(hash, name[i]);
    }
    key->hash = name_hash_finish(hash, false);
}

size_t name_key_tail(const char *name, size_t length)
{
    for (size_t i = length; i-- > 1;) {
        if (name[i] == '.' && name[i - 1] == '*' && (i == 1 || name[i - 2] == '.'))
            return i + 1;
    }
    return 0;
}

uint32_t name_key_hash(const char *name, size_t length, bool is_suffix)
{
    uint64_t hash = fnv_offset;

    for (size_t i = length; i-- > 0;)
        hash = absorb(hash, name[i]);
    return name_hash_finish(hash, is_suffix);
}
