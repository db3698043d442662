/* What the user of `adit top` is doing, and what a key means then. It uses no terminal and no
 * clock, so that tests can press keys. */
#ifndef TOP_TOP_UI_H
#define TOP_TOP_UI_H

#include "top/top_model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A key is a Unicode character (controls included) or one of these. */
enum top_key {
    TOP_KEY_UP = 0x110000,
    TOP_KEY_DOWN,
    TOP_KEY_PAGE_UP,
    TOP_KEY_PAGE_DOWN,
    TOP_KEY_HOME,
    TOP_KEY_END,
    TOP_KEY_BACKSPACE,
    TOP_KEY_OTHER,
};
enum { TOP_KEY_ESCAPE = 0x1b };

enum top_mode {
    TOP_MODE_TABLE,  /* keys are commands */
    TOP_MODE_FILTER, /* keys are added to the filter; the arrows still move */
    TOP_MODE_KILL,   /* the user is asked about the tunnel `kill_id` */
    TOP_MODE_HELP,   /* the help is shown over the table, until the next key */
};

enum top_action {
    TOP_ACTION_NONE,
    TOP_ACTION_QUIT,
    TOP_ACTION_KILL,    /* end the tunnel `kill_id` */
    TOP_ACTION_REFRESH, /* ask adit now, and not only at the next second */
};

/* What is known of the adit at the other end. */
enum top_peer {
    TOP_PEER_ASKED,   /* no answer has come yet */
    TOP_PEER_ANSWERS, /* the last round of questions was answered */
    TOP_PEER_SILENT,  /* the last question was not: what the model holds is old */
};

struct top_ui {
    struct top_model model;
    enum top_mode mode;
    bool is_paused;   /* no new rounds begin */
    bool is_detailed; /* the details of the selected tunnel are shown */
    enum top_peer peer;
    char kill_id[TOP_ID_SIZE]; /* from TOP_MODE_KILL until the kill is answered */
    char kill_text[128];       /* whose tunnel, and where to; may hold outside bytes */
    char message[256];         /* for the last line; "": there is none */
    bool is_message_bad;       /* while there is a message */
    uint64_t message_end_ms;   /* when it disappears, while there is one */
};

void top_ui_init(struct top_ui *ui);
void top_ui_finish(struct top_ui *ui);

/* Takes a key, and returns what the caller must do for it. `page` is how many rows the screen has
 * for tunnels; Page Up and Page Down move by that. */
enum top_action top_ui_press(struct top_ui *ui, uint32_t key, size_t page);
/* Shows a message for some seconds, or until the next key. */
void top_ui_say(struct top_ui *ui, bool is_bad, const char *message, uint64_t now_ms);

#endif
