/* A door with one user, in virtual time, behind access/auth.h. */
#ifndef SIM_SIM_AUTH_H
#define SIM_SIM_AUTH_H

#include "access/auth.h"

#include <stdbool.h>

/* 0: answered from within auth_check_start. */
void sim_auth_script(uint64_t answer_delay_ms);
/* For the env: they exist. */
struct auth_users *sim_auth_users(void);
bool sim_auth_is_waiting(void);

#endif
