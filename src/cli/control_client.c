/* The client end of the control socket: it sends one request and reads one answer of any length,
 * until the other side closes. Calls block, each with a time limit, so a hanging adit can't hang
 * us.
 */
#include "cli/control_client.h"

#include "admin/control_request.h"
#include "admin/control_socket.h"
#include "admin/json.h"
#include "admin/panel.h"
#include "admin/stats.h"
#include "cli/ps.h"
#include "cli/trace.h"
#include "config/setting.h"

#include <errno.h>
#include <locale.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    PATIENCE_S = 12,                                   /* adit itself gives a client 10 s */
    EXPLAIN_PATIENCE_S = PANEL_EXPLAIN_MS / 1000 + 10, /* adit ends it 5 s before */
    RELOAD_PATIENCE_S = 65,                            /* adit gives it 60 s to wait for a reload */
    ANSWER_FIRST_SIZE = 64 * 1024,
    ERROR_SIZE = 64 * 1024,
};

struct answer {
    char *bytes;
    size_t size;
    size_t length;
};

static int answer_make_room(struct answer *answer)
{
    size_t size = answer->size > 0 ? answer->size * 2 : ANSWER_FIRST_SIZE;
    char *bytes = realloc(answer->bytes, size);

    if (bytes == NULL)
        return -ENOMEM;
    answer->bytes = bytes;
    answer->size = size;
    return 0;
}

/* Sends the request and reads the whole answer. Returns 0 or -errno. */
static int control_client_ask(int fd, const char *request, int patience_s, struct answer *answer)
{
    struct timeval patience = {.tv_sec = patience_s};

    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
        send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
        return -errno;
    for (;;) {
        if (answer->length == answer->size && answer_make_room(answer) < 0)
            return -ENOMEM;
        ssize_t count = recv(fd, answer->bytes + answer->length, answer->size - answer->length, 0);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        if (count == 0)
            return answer->length > 0 ? 0 : -ECONNRESET;
        answer->length += (size_t)count;
    }
}

static int fail_unreadable(void)
{
    fprintf(stderr, "adit: the answer can't be read; is that the same version of adit?\n");
    return 1;
}

static int print_stats(const char *answer, size_t length)
{
    static char plain[STATS_SIZE];
    struct text out;

    text_init(&out, plain, sizeof(plain));
    if (stats_print_plain(&out, answer, length) < 0)
        return fail_unreadable();
    fputs(plain, stdout);
    return 0;
}

/* Returns 0, which means unlimited, when the output does not go to a terminal. */
static size_t terminal_width(void)
{
    struct winsize size;

    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
        return 0;
    return size.ws_col;
}

static void print_table(const struct ps_lines *lines)
{
    setlocale(LC_CTYPE, "");
    ps_print_table(stdout, lines, terminal_width());
}

static int print_ps(const struct options *options, const char *answer, size_t length)
{
    const char *end = memchr(answer, '\n', length);
    size_t head = end != NULL ? (size_t)(end - answer) + 1 : length;
    struct ps_lines lines;

    int error =
        ps_sort(answer + head, length - head, options->sort, options->is_sort_reversed, &lines);
    if (error == 0 && options->is_json_asked)
        ps_print_json(stdout, &lines);
    else if (error == 0)
        print_table(&lines);
    free(lines.all);
    if (error == -ENOMEM)
        fprintf(stderr, "adit: no memory for the list\n");
    return error == -EINVAL ? fail_unreadable() : error < 0;
}

static int print_refusal(enum command command, const char *answer, size_t length)
{
    static char error[ERROR_SIZE];

    if (!json_find(answer, length, "error", error, sizeof(error)))
        return fail_unreadable();
    if (command == COMMAND_RELOAD)
        fprintf(stderr, "%sadit: nothing has changed; mend that and reload again\n", error);
    else
        fprintf(stderr, "adit: refused: %s\n", error);
    return 1;
}

/* Prints the warnings of a reload that succeeded to stderr, and that it did to stdout. */
static int print_reloaded(const char *answer, size_t length)
{
    static char warnings[ERROR_SIZE];

    if (!json_find(answer, length, "text", warnings, sizeof(warnings)))
        return fail_unreadable();
    fputs(warnings, stderr);
    puts("the new configuration serves");
    return 0;
}

static int print_killed(const char *answer, size_t length)
{
    char count[32];

    if (!json_find(answer, length, "killed", count, sizeof(count)))
        return fail_unreadable();
    if (strcmp(count, "0") == 0) {
        fprintf(stderr, "adit: there is no such tunnel; see 'adit ps'\n");
        return 1;
    }
    printf("killed %s tunnel%s\n", count, strcmp(count, "1") == 0 ? "" : "s");
    return 0;
}

static int print_draining(const char *answer, size_t length)
{
    char number[32];
    char most[32];
    struct text text;

    if (!json_find(answer, length, "drain_ms", number, sizeof(number)))
        return fail_unreadable();
    uint64_t seconds = (strtoull(number, NULL, 10) + 999) / 1000;
    text_init(&text, most, sizeof(most));
    setting_print(&text, SETTING_TIMEOUT_DRAIN, seconds * 1000);
    printf("adit drains: it takes no new tunnels and ends with the last open one, in %s at most\n",
           most);
    return 0;
}

/* Prints the text of the explanation. Returns the exit status that the answer names. */
static int print_explanation(const char *answer, size_t length)
{
    char status[2]; /* a digit */
    char *text = malloc(length + 1);
    bool is_good = text != NULL && json_find(answer, length, "exit", status, sizeof(status)) &&
                   json_find(answer, length, "text", text, length + 1);

    if (is_good)
        fputs(text, stdout);
    free(text);
    return is_good ? status[0] - '0' : fail_unreadable();
}

static int control_client_show(const struct options *options, const char *answer, size_t length)
{
    enum command command = options->command;
    size_t line = strcspn(answer, "\n") + 1;

    if (!control_answer_is_ok(answer, length))
        return print_refusal(command, answer, line);
    if (command == COMMAND_STATS)
        return print_stats(answer, length);
    if (command == COMMAND_PS)
        return print_ps(options, answer, length);
    if (command == COMMAND_KILL)
        return print_killed(answer, line);
    if (command == COMMAND_RELOAD)
        return print_reloaded(answer, line);
    if (command == COMMAND_EXPLAIN)
        return print_explanation(answer, line);
    return print_draining(answer, line);
}

/* Adds the member to the request, unless `value` is NULL. */
static void control_client_add(struct text *out, const char *name, const char *value)
{
    if (value != NULL)
        json_add_exact_member(out, name, value);
}

static void control_client_print_question(struct text *out, const struct question *question)
{
    text_add(out, " {");
    for (size_t i = 0; i < QUESTION_FIELD_COUNT; i++)
        control_client_add(out, question_field_name((enum question_field)i), question->words[i]);
    text_add_char(out, '}');
}

static void print_request(struct text *out, const struct options *options)
{
    const struct options_tunnels *tunnels = &options->tunnels;

    text_add(out, command_name(options->command));
    if (options->command == COMMAND_PS || options->command == COMMAND_KILL ||
        options->command == COMMAND_TRACE) {
        text_add(out, " {");
        json_add_number(out, "min_bytes", tunnels->min_bytes);
        control_client_add(out, "id", tunnels->id);
        control_client_add(out, "user", tunnels->user);
        control_client_add(out, "host", tunnels->host);
        control_client_add(out, "client", tunnels->client);
        control_client_add(out, "rule", tunnels->rule);
        text_add_char(out, '}');
    }
    if (options->command == COMMAND_EXPLAIN)
        control_client_print_question(out, &options->question);
    text_add_char(out, '\n');
}

static int control_client_patience_s(enum command command)
{
    if (command == COMMAND_EXPLAIN)
        return EXPLAIN_PATIENCE_S;
    return command == COMMAND_RELOAD ? RELOAD_PATIENCE_S : PATIENCE_S;
}

/* Asks the adit that serves `path` and shows its answer. Returns the exit status. */
static int ask_and_show(const struct options *options, int fd, const char *path)
{
    struct answer answer = {.bytes = NULL};
    char request[CONTROL_REQUEST_MAX];
    struct text text;

    text_init(&text, request, sizeof(request));
    print_request(&text, options);
    int error =
        control_client_ask(fd, request, control_client_patience_s(options->command), &answer);
    if (error == 0 && answer.length == answer.size)
        error = answer_make_room(&answer);
    int status = 1;
    if (error == 0) {
        answer.bytes[answer.length] = '\0';
        status = control_client_show(options, answer.bytes, answer.length);
    } else {
        fprintf(stderr, "adit: no answer from %s: %s; try again\n", path, strerror(-error));
    }
    free(answer.bytes);
    return status;
}

static int control_client_trace(const struct options *options, int fd, const char *path)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    char request[CONTROL_REQUEST_MAX];
    struct text text;

    text_init(&text, request, sizeof(request));
    print_request(&text, options);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
        send(fd, request, strlen(request), MSG_NOSIGNAL) < 0) {
        fprintf(stderr, "adit: no answer from %s: %s; try again\n", path, strerror(errno));
        return 1;
    }
    return trace_show(fd, options->tunnels.id != NULL);
}

int control_client_run(const struct options *options)
{
    struct control_places places;
    const char *path;
    char line[CONTROL_WHY_NOT_SIZE];
    struct text why_not;

    control_places_init(&places, options->command_line.control_path);
    text_init(&why_not, line, sizeof(line));
    int fd = control_places_connect(&places, &path, &why_not);
    if (fd < 0) {
        fprintf(stderr, "adit: %s\n", line);
        return 1;
    }
    int status = options->command == COMMAND_TRACE ? control_client_trace(options, fd, path)
                                                   : ask_and_show(options, fd, path);
    close(fd);
    return status;
}
