/* A client or a target: a script that plays at its end of a connection, in virtual time.
 *
 * What an actor sends is a pattern that tells each byte's place in the stream, so whoever receives
 * it finds a lost, doubled or changed byte at once. An actor reads whatever comes, unless told not
 * to.
 */
#ifndef SIM_SIM_ACTOR_H
#define SIM_SIM_ACTOR_H

#include "sim_kernel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sim_act_kind {
    ACT_END,          /* then: wait for the other side's end, close */
    ACT_TEXT,         /* send `text`, `size` bytes at a time (0: at once), `ms` apart */
    ACT_SEND,         /* send `size` bytes of the pattern */
    ACT_URGENT,       /* send one byte of the pattern, marked urgent */
    ACT_SEND_PACED,   /* the same in pieces of 1,000 bytes, `ms` apart */
    ACT_WAIT,         /* `ms` */
    ACT_AWAIT_ANSWER, /* a whole response head */
    ACT_AWAIT_BYTES,  /* until `size` bytes of the pattern have come in all */
    ACT_AWAIT_END,    /* FIN or reset */
    ACT_SHUT,         /* FIN */
    ACT_CLOSE,        /* close(2): a reset when something is unread */
    ACT_RESET,
    ACT_STOP_READING,
    ACT_START_READING,
    ACT_STALL,   /* nothing that adit sends here arrives ... */
    ACT_UNSTALL, /* ... until now */
};

struct sim_act {
    enum sim_act_kind kind;
    size_t size;
    uint64_t ms;
    const char *text;
};

enum sim_side { SIM_CLIENT, SIM_TARGET };

#define SIM_ANSWER_MAX 4096

struct sim_actor {
    enum sim_side side;
    const struct sim_act *script;
    bool is_echo;          /* sends back what it receives */
    enum sim_side expects; /* whose pattern comes in */

    struct sim_tcp *end;
    unsigned at;     /* in the script */
    size_t progress; /* of the act */
    bool is_waiting; /* a wait of the act runs */
    bool is_wait_over;
    bool is_planned; /* a run is planned */
    bool is_deaf;
    bool has_shut;
    size_t sent; /* of the pattern */
    size_t received;
    bool is_corrupt;
    size_t corrupt_at;
    char answer[SIM_ANSWER_MAX]; /* client: what came before the pattern, NUL-terminated */
    size_t answer_length;
    size_t head_length;  /* of the answer, 0: not complete */
    bool is_established; /* it was a 200 */
    unsigned dials_at_answer;
    unsigned turn_of_answer, turn_of_bytes; /* client: when the first of them arrived; 0: not yet */
    bool has_eof, is_reset, is_closed;
    uint64_t ended_ms; /* when the end or reset came */
};

/* Bytes of what `side` sends, from place `at`. */
const unsigned char *sim_pattern(enum sim_side side, size_t at);

/* The other members are 0. */
void sim_actor_start(struct sim_actor *actor, struct sim_tcp *end);

#endif
