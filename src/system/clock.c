/* Both clocks are read without a system call, and neither can fail. */
#include "system/clock.h"

#include <time.h>

/* Reads the clock in a unit of which `unit` make a second. */
static inline uint64_t read_clock(clockid_t clock, uint64_t unit)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * unit + (uint64_t)now.tv_nsec / (1000000000 / unit);
}

uint64_t clock_monotonic_ms(void)
{
    return read_clock(CLOCK_MONOTONIC, 1000);
}

uint64_t clock_monotonic_us(void)
{
    return read_clock(CLOCK_MONOTONIC, 1000000);
}

uint64_t clock_wall_ms(void)
{
    return read_clock(CLOCK_REALTIME, 1000);
}
