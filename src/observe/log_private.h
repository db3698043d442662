/* The log's inside, which log.c (the producers' side) and log_writer.c (the writer's) share. */
#ifndef OBSERVE_LOG_PRIVATE_H
#define OBSERVE_LOG_PRIVATE_H

#include "base/text.h"
#include "observe/line.h"
#include "observe/line_ring.h"
#include "observe/log.h"
#include "observe/logfmt.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum {
    LOG_BATCH_SIZE = 65536,
    LOG_MESSAGE_LIMIT = LOG_LINE_MAX / 2,
    LOG_TOPIC_PAUSE_MS = 5000, /* between two lines of a topic */
    LOG_SINK_NAME_SIZE = 512,
    LOG_NO_SINK = -1,
};

struct log_ring {
    struct line_ring lines;
    struct log *log;
    struct logfmt_date date; /* the producer's */
};

struct topic {
    _Atomic uint64_t next_ms; /* no line is written before */
    _Atomic uint64_t held_back;
};

struct log {
    _Atomic int next_sink_fd; /* LOG_NO_SINK: none; else the writer takes it */
    _Atomic uint32_t style;   /* the format, and the events above it */
    size_t ring_count;
    struct log_ring *rings;
    struct topic topics[LOG_TOPIC_COUNT];
    pthread_mutex_t notices_lock;       /* of those who put, and of `sink_name` */
    struct line_ring notices;           /* that the format, or the sink, has no place for */
    char sink_name[LOG_SINK_NAME_SIZE]; /* of the sink that comes next, or is there */
    int notice_fd;
    _Atomic uint32_t is_asleep;    /* futex: the writer waits for a line */
    _Atomic uint32_t is_finishing; /* futex: naps end early */
    _Atomic uint32_t is_done;      /* futex: the writer touches nothing any more but this word */
    _Atomic uint64_t give_up_ms;   /* valid once is_finishing */
    _Atomic uint64_t left_over;    /* lines that could not be written at the end */
    bool is_started, is_abandoned;
    pthread_t writer;
    /* The rest is the writer's own once it runs. */
    int sink_fd;
    bool owns_sink;
    bool is_sink_apart; /* not the file of `notice_fd` */
    uint64_t next_complaint_ms;
    size_t chunk_max; /* bytes per write */
    char *batch;
    size_t batch_start, batch_end; /* what of it is still to be written */
    uint64_t reported_drops;
};

/* Puts a line that the format or the sink has no place for. From any thread. */
void log_put_notice(struct log *log, const char *line, size_t length);
/* Adds a line about the log or the process; `count` (0: none) goes by the name `counted`. */
void log_add_message(struct text *out, enum log_format format, const char *level,
                     const char *message, const struct line_piece *counted, uint64_t count);

#endif
