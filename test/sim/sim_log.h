/* What was logged in a simulation. */
#ifndef SIM_SIM_LOG_H
#define SIM_SIM_LOG_H

struct log_ring;

void sim_log_reset(void);
struct log_ring *sim_log_ring(void);
/* Lines that contain `part`. */
unsigned sim_log_count(const char *part);
const char *sim_log_find(const char *part);
void sim_log_print(void);

#endif
