/* What the supervisor tells the worker when a reload is over (CHANNEL_RELOADED), as text. Pure. */
#ifndef PROCESS_RELOAD_RESULT_H
#define PROCESS_RELOAD_RESULT_H

#include "base/contract.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

#define RELOAD_SIGNALLER_SIZE 64

struct reload_result {
    bool is_good;
    size_t asks; /* that came through the worker, and are answered with this */
    char signaller[RELOAD_SIGNALLER_SIZE]; /* who sent SIGHUP, in words; "": nobody */
    const char *message;                   /* diagnostics, lines */
};

void reload_result_print(struct text *out, const struct reload_result *result);
/* Contract: `text` outlives the result. */
void reload_result_parse(const char *text, struct reload_result *ret_result);

#endif
