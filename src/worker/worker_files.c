/* The files are read and parsed once, on the worker's main thread: a hosts file may be large, and
 * all threads that carry tunnels share the table. */
#include "worker/worker_files.h"

#include "observe/log.h"

#include <unistd.h>

struct file_text *worker_files_take(enum watched_file file, int fd, struct log_ring *log)
{
    struct file_text *text = file_text_read(fd);

    if (fd >= 0)
        close(fd);
    if (text != NULL && file == WATCHED_HOSTS && file_text_parse_hosts(text) < 0) {
        file_text_release(text);
        text = NULL;
    }
    if (text == NULL) {
        log_notice(log, LOG_TOPIC_DNS, "no memory for the new %s; kept the old",
                   watched_file_path(file));
        return NULL;
    }
    size_t line = text->hosts != NULL ? hosts_file_first_line_left_out(text->hosts) : 0;
    if (line > 0)
        log_notice(log, LOG_TOPIC_DNS, FILE_TEXT_LEFT_OUT, line);
    return text;
}
