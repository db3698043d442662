/* What the user of `adit top` is doing, and what a key means then. No terminal, no clock. */
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
    TOP_MODE_TABLE,
    TOP_MODE_FILTER, /* keys are the filter's text */
    TOP_MODE_KILL,   /* y or n? */
    TOP_MODE_HELP,
};

enum top_action {
    TOP_ACTION_NONE,
    TOP_ACTION_QUIT,
    TOP_ACTION_KILL,    /* the tunnel `kill_id` */
    TOP_ACTION_REFRESH, /* at once */
};

/* What is known of the adit at the other end. */
enum top_peer {
    TOP_PEER_ASKED, /* no answer yet */
    TOP_PEER_ANSWERS,
    TOP_PEER_SILENT,
};

struct top_ui {
    struct top_model model;
    enum top_mode mode;
    bool is_paused;
    bool is_detailed;
    enum top_peer peer;
    char kill_id[TOP_ID_SIZE];
    char kill_text[128]; /* whose tunnel, and where to; may hold outside bytes */
    char message[256];   /* what came of it; "": nothing to say */
    bool is_message_bad;
    uint64_t message_end_ms;
};

void top_ui_init(struct top_ui *ui);
void top_ui_finish(struct top_ui *ui);

/* `page`: rows that the screen has for tunnels. */
enum top_action top_ui_press(struct top_ui *ui, uint32_t key, size_t page);
/* Says something for some seconds. */
void top_ui_say(struct top_ui *ui, bool is_bad, const char *message, uint64_t now_ms);

#endif
