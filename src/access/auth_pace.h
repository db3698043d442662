/* How long a wrong answer is held back, so that its time does not tell which users exist. Where
 * hashes of different cost stand in one file, every wrong answer comes as late as the costliest
 * hash takes, whatever was computed. Pure; private to access/auth.
 *
 * The costliest hash is measured with a password of the full length, once a minute while there is
 * something to hash: how long it takes depends on the machine, and on what else that does.
 */
#ifndef ACCESS_AUTH_PACE_H
#define ACCESS_AUTH_PACE_H

#include "base/contract.h"

#include <stdbool.h>
#include <stdint.h>

/* All members are zero at first, and private. */
struct auth_pace {
    uint64_t measured_ms;
    uint64_t slowest_us;
    bool is_measured;
};

bool auth_pace_is_stale(const struct auth_pace *pace, uint64_t now_ms);
/* Records that the costliest hash took so long. */
void auth_pace_measured(struct auth_pace *pace, uint64_t took_us, uint64_t now_ms);
/* Records that some hash took so long. */
void auth_pace_note(struct auth_pace *pace, uint64_t took_us);
/* Returns how long an answer is held back, counted from when hashing began; 0 when nothing was
 * measured yet. */
uint64_t auth_pace_hold_ms(const struct auth_pace *pace);

#endif
