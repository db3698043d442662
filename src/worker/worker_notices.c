/* Only what signals have asked for is said here with its sender. A request over the control socket
 * was logged when it came (admin/control.c).
 */
#include "worker/worker_notices.h"

#include "admin/reload_report.h"
#include "observe/log.h"
#include "observe/logfmt.h"
#include "process/reload_result.h"
#include "system/clock.h"

#include <time.h>

void worker_notice_signalled(struct log_ring *ring, const char *what, const char *signaller)
{
    if (signaller[0] != '\0')
        log_notice(ring, LOG_TOPIC_GENERAL, "%s asked by %s", what, signaller);
}

/* The time is rounded up to seconds, so that nothing lasts longer than the line says. */
void worker_notice_drain(struct log_ring *ring, uint64_t drain_ms)
{
    time_t end = (time_t)((clock_wall_ms() + drain_ms + 999) / 1000);
    struct tm local;
    char clock[32] = "";

    if (localtime_r(&end, &local) != NULL)
        strftime(clock, sizeof(clock), "%H:%M:%S %Z", &local);
    log_notice(ring, LOG_TOPIC_GENERAL,
               "draining: no new tunnels; adit ends with the last open one, at %s (in %llu s) at "
               "the latest",
               clock, (unsigned long long)(drain_ms + 999) / 1000);
}

void worker_notice_reload(struct log_ring *ring, const struct reload_result *result,
                          const struct reload_report *report)
{
    char serving[LOGFMT_TIME_SIZE];
    struct logfmt_date date = {0};

    worker_notice_signalled(ring, "reload", result->signaller);
    if (report->is_good) {
        log_notice(ring, LOG_TOPIC_GENERAL, "reloaded the configuration");
        return;
    }
    logfmt_put_time(serving, &date, report->good_wall_ms);
    log_notice(ring, LOG_TOPIC_GENERAL,
               "the reload failed, and the configuration of %.*s serves on: %s",
               (int)sizeof(serving), serving, report->error);
}
