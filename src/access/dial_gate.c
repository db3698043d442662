/* The gate is a fair line (base/fair_line.h) behind a lock, for all threads of the process. The
 * lock is held for a few list operations.
 *
 * A pass that is let in may belong to the loop of another thread, so it gets a letter. The
 * surprise: between the posting of the letter and its delivery the pass counts as in, and its owner
 * may leave in that time. Then the letter is taken back.
 */
#include "access/dial_gate.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

struct dial_gate {
    pthread_mutex_t lock;
    struct fair_line line;
};

int dial_gate_create(const struct fair_limits *limits, struct dial_gate **ret_gate)
{
    struct dial_gate *gate = calloc(1, sizeof(*gate));
    struct hash_seed seed;

    if (gate == NULL)
        return -ENOMEM;
    if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed)) {
        free(gate);
        return -EIO;
    }
    pthread_mutex_init(&gate->lock, NULL);
    fair_line_init(&gate->line, limits, &seed);
    *ret_gate = gate;
    return 0;
}

void dial_gate_destroy(struct dial_gate *gate)
{
    fair_line_finish(&gate->line);
    pthread_mutex_destroy(&gate->lock);
    free(gate);
}

/* Lets in everybody whose turn it is. Contract: the lock is held. */
static void dial_gate_let_in(struct dial_gate *gate)
{
    struct fair_place *place;

    while ((place = fair_line_next(&gate->line)) != NULL) {
        struct dial_pass *pass = container_of(place, struct dial_pass, place);

        letter_post(pass->loop, &pass->letter);
    }
}

static void was_let_in(struct letter *letter)
{
    struct dial_pass *pass = container_of(letter, struct dial_pass, letter);

    pass->is_told = true;
    pass->on_entered(pass);
}

int dial_gate_enter(struct dial_gate *gate, struct dial_pass *pass, struct loop *loop,
                    const struct ip_address *client, void (*on_entered)(struct dial_pass *))
{
    struct client_key key = client_key_of(client);

    *pass = (struct dial_pass){.loop = loop, .on_entered = on_entered};
    letter_init(&pass->letter, was_let_in);
    pthread_mutex_lock(&gate->lock);
    int result = fair_line_enter(&gate->line, &pass->place, &key);
    pthread_mutex_unlock(&gate->lock);
    pass->is_told = result == 0;
    return result;
}

void dial_gate_leave(struct dial_gate *gate, struct dial_pass *pass)
{
    /* Only the pass's own thread takes it out of the line, so this needs no lock. Most passes are
     * left twice, and the second call ends here. */
    if (fair_place_is_out(&pass->place))
        return;
    pthread_mutex_lock(&gate->lock);
    if (!pass->is_told && !pass->place.is_waiting)
        letter_take_back(pass->loop, &pass->letter);
    fair_line_leave(&gate->line, &pass->place);
    dial_gate_let_in(gate);
    pthread_mutex_unlock(&gate->lock);
}
