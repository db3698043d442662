/* The clocks, for code without a loop. Code with a loop uses loop_now_ms. */
#ifndef SYSTEM_CLOCK_H
#define SYSTEM_CLOCK_H

#include <stdint.h>

/* A time that never comes. */
#define CLOCK_NEVER_MS UINT64_MAX

uint64_t clock_monotonic_ms(void); /* CLOCK_MONOTONIC: what loops read once per turn */
uint64_t clock_monotonic_us(void);
uint64_t clock_wall_ms(void); /* CLOCK_REALTIME, since the epoch */

#endif
