/* loop/loop.h in virtual time, for one connection: what is linked with it has this instead of the
 * real loop. Deadlines pass when time does; garbage goes with the turn; one descriptor is watched.
 */
#ifndef FUZZ_VIRTUAL_LOOP_H
#define FUZZ_VIRTUAL_LOOP_H

#include "loop/loop.h"

/* 1,000 s after the machine began, with nothing to do. */
void virtual_loop_reset(void);
/* Calls what passes meanwhile, each in a turn of its own. */
void virtual_loop_pass_time(uint64_t ms);
void virtual_loop_end_turn(void);
/* Epoll's events at the watched descriptor, if there is one, and the end of the turn. */
void virtual_loop_tell(uint32_t events);
bool virtual_loop_is_watching(void);
bool virtual_loop_has_deadline(void);

#endif
