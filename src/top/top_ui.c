/* Each mode has a function that takes its keys. A key changes `struct top_ui`, which the screen is
 * drawn from. What the rest of the program must do for it is the action that the function returns.
 *
 * A kill is about the tunnel that was selected when `k` was pressed. The table may move before `y`
 * follows, so its id is kept. Any other key than `y` cancels it.
 */
#include "top/top_ui.h"

#include "base/text.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>

enum {
    MESSAGE_MS = 5000,          /* long enough to read a message */
    KEY_ERASE = 0x7f,           /* what most terminals send for Backspace */
    KEY_ERASE_ALL = 'U' & 0x1f, /* Ctrl-U, as in a shell */
    KEY_INTERRUPT = 'C' & 0x1f, /* Ctrl-C, when it comes as a key and not as SIGINT */
};

void top_ui_init(struct top_ui *ui)
{
    *ui = (struct top_ui){.mode = TOP_MODE_TABLE};
    top_model_init(&ui->model);
}

void top_ui_finish(struct top_ui *ui)
{
    top_model_finish(&ui->model);
}

void top_ui_say(struct top_ui *ui, bool is_bad, const char *message, uint64_t now_ms)
{
    struct text text;

    text_init(&text, ui->message, sizeof(ui->message));
    text_add(&text, message);
    ui->is_message_bad = is_bad;
    ui->message_end_ms = now_ms + MESSAGE_MS;
}

/* -- the table */

static bool top_ui_move(struct top_model *model, uint32_t key, size_t page)
{
    ptrdiff_t rows = page > 0 ? (ptrdiff_t)page : 1;

    switch (key) {
    case TOP_KEY_UP:
        top_model_move(model, -1);
        return true;
    case TOP_KEY_DOWN:
        top_model_move(model, 1);
        return true;
    case TOP_KEY_PAGE_UP:
        top_model_move(model, -rows);
        return true;
    case TOP_KEY_PAGE_DOWN:
        top_model_move(model, rows);
        return true;
    case TOP_KEY_HOME:
        top_model_move(model, -(PTRDIFF_MAX / 2));
        return true;
    case TOP_KEY_END:
        top_model_move(model, PTRDIFF_MAX / 2);
        return true;
    default:
        return false;
    }
}

/* Remembers the selected tunnel and asks the user. Its texts are copied, since the answer that they
 * are in is freed when the next one comes. */
static void begin_kill(struct top_ui *ui)
{
    const struct top_tunnel *tunnel = top_model_selected(&ui->model);
    struct text text;

    if (tunnel == NULL)
        return;
    top_model_move(&ui->model, 0);
    ui->mode = TOP_MODE_KILL;
    text_init(&text, ui->kill_id, sizeof(ui->kill_id));
    text_add(&text, tunnel->texts[TOP_FIELD_ID]);
    text_init(&text, ui->kill_text, sizeof(ui->kill_text));
    text_add(&text, tunnel->texts[TOP_FIELD_TARGET]);
    text_add(&text, " of ");
    text_add(&text, tunnel->texts[TOP_FIELD_CLIENT]);
}

/* Escape takes back one thing per press: first the details, then the filter, then the selection. */
static void back(struct top_ui *ui)
{
    if (ui->is_detailed)
        ui->is_detailed = false;
    else if (ui->model.filter[0] != '\0')
        top_model_set_filter(&ui->model, "");
    else
        top_model_unselect(&ui->model);
}

static enum top_action press_in_table(struct top_ui *ui, uint32_t key, size_t page)
{
    if (top_ui_move(&ui->model, key, page))
        return TOP_ACTION_NONE;
    switch (key) {
    case 'q':
        return TOP_ACTION_QUIT;
    case 'a':
        top_model_sort_by(&ui->model, TOP_SORT_AGE);
        break;
    case 'b':
        top_model_sort_by(&ui->model, TOP_SORT_BYTES);
        break;
    case 'r':
        top_model_sort_by(&ui->model, TOP_SORT_RATE);
        break;
    case '/':
        ui->mode = TOP_MODE_FILTER;
        break;
    case '?':
    case 'h':
        ui->mode = TOP_MODE_HELP;
        break;
    case 'k':
        begin_kill(ui);
        break;
    case '\r':
    case '\n':
        ui->is_detailed = !ui->is_detailed;
        top_model_move(&ui->model, 0);
        break;
    case TOP_KEY_ESCAPE:
        back(ui);
        break;
    case ' ':
        ui->is_paused = !ui->is_paused;
        return ui->is_paused ? TOP_ACTION_NONE : TOP_ACTION_REFRESH;
    default:
        break;
    }
    return TOP_ACTION_NONE;
}

/* -- the filter */

static void add_to_filter(struct top_model *model, uint32_t key)
{
    char filter[TOP_FILTER_SIZE];
    char character[MB_LEN_MAX];
    mbstate_t state = {0};
    struct text text;
    size_t length = wcrtomb(character, (wchar_t)key, &state);

    if (length == (size_t)-1 || strlen(model->filter) + length >= sizeof(filter))
        return;
    text_init(&text, filter, sizeof(filter));
    text_add(&text, model->filter);
    text_add_bytes(&text, character, length);
    top_model_set_filter(model, filter);
}

/* Removes the last character of the filter, with all its bytes when it is a UTF-8 sequence. */
static void cut_filter(struct top_model *model)
{
    char filter[TOP_FILTER_SIZE];
    size_t length = strlen(model->filter);

    while (length > 0 && ((unsigned char)model->filter[length - 1] & 0xc0) == 0x80)
        length--;
    if (length > 0)
        length--;
    memcpy(filter, model->filter, length);
    filter[length] = '\0';
    top_model_set_filter(model, filter);
}

static enum top_action press_in_filter(struct top_ui *ui, uint32_t key, size_t page)
{
    struct top_model *model = &ui->model;

    if (top_ui_move(model, key, page))
        return TOP_ACTION_NONE;
    if (key == TOP_KEY_BACKSPACE || key == KEY_ERASE || key == '\b') {
        cut_filter(model);
    } else if (key == KEY_ERASE_ALL) {
        top_model_set_filter(model, "");
    } else if (key == TOP_KEY_ESCAPE) {
        top_model_set_filter(model, "");
        ui->mode = TOP_MODE_TABLE;
    } else if (key == '\r' || key == '\n') {
        ui->mode = TOP_MODE_TABLE;
    } else if (key >= ' ' && key < TOP_KEY_UP) {
        add_to_filter(model, key);
    }
    return TOP_ACTION_NONE;
}

/* -- all */

enum top_action top_ui_press(struct top_ui *ui, uint32_t key, size_t page)
{
    if (key == KEY_INTERRUPT)
        return TOP_ACTION_QUIT;
    ui->message[0] = '\0';
    switch (ui->mode) {
    case TOP_MODE_FILTER:
        return press_in_filter(ui, key, page);
    case TOP_MODE_KILL:
        ui->mode = TOP_MODE_TABLE;
        return key == 'y' || key == 'Y' ? TOP_ACTION_KILL : TOP_ACTION_NONE;
    case TOP_MODE_HELP:
        ui->mode = TOP_MODE_TABLE;
        return TOP_ACTION_NONE;
    case TOP_MODE_TABLE:
        break;
    }
    return press_in_table(ui, key, page);
}
