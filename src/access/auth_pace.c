/* An answer is held back for as long as the slowest recent hash took, and a quarter more, because
 * no two hashes take equally long. The measurement of each minute halves the distance to a slower
 * one before it, so that one hash that a busy machine delayed is soon forgotten. */
#include "access/auth_pace.h"

enum {
    MEASURE_EVERY_MS = 60 * 1000,
    SLOWEST_MAX_US = 4 * 1000 * 1000, /* with the quarter, half of what a client waits at most */
};

bool auth_pace_is_stale(const struct auth_pace *pace, uint64_t now_ms)
{
    return !pace->is_measured || now_ms >= pace->measured_ms + MEASURE_EVERY_MS;
}

void auth_pace_measured(struct auth_pace *pace, uint64_t took_us, uint64_t now_ms)
{
    pace->is_measured = true;
    pace->measured_ms = now_ms;
    pace->slowest_us = (pace->slowest_us + took_us) / 2;
    auth_pace_note(pace, took_us);
}

void auth_pace_note(struct auth_pace *pace, uint64_t took_us)
{
    if (took_us > SLOWEST_MAX_US)
        took_us = SLOWEST_MAX_US;
    if (took_us > pace->slowest_us)
        pace->slowest_us = took_us;
}

uint64_t auth_pace_hold_ms(const struct auth_pace *pace)
{
    return pace->is_measured ? (pace->slowest_us * 5 / 4 + 999) / 1000 : 0;
}
