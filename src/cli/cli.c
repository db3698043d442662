/* Reads the command line and calls what it asks for. */
#include "cli/cli.h"

#include "cli/check.h"
#include "cli/control_client.h"
#include "cli/explain.h"
#include "cli/options.h"
#include "cli/options_help.h"
#include "cli/top_program.h"
#include "config/config.h"
#include "process/bundle.h"
#include "supervisor/supervisor.h"
#include "system/say.h"
#include "worker/process_limits.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int print_help(enum command topic)
{
    char help[OPTIONS_HELP_SIZE];
    struct text text;

    text_init(&text, help, sizeof(help));
    options_help(&text, topic);
    fputs(help, stdout);
    return 0;
}

static int print_version(void)
{
    puts("adit " ADIT_VERSION);
    return 0;
}

/* Runs the proxy. The path of the configuration is made absolute, so that a reload finds the file
 * again. */
static int cli_run(const struct command_line *given)
{
    struct command_line command_line = *given;
    char path[PATH_MAX];
    char folder[PATH_MAX];

    if (command_line.config_path != NULL && command_line.config_path[0] != '/') {
        if (getcwd(folder, sizeof(folder)) == NULL ||
            snprintf(path, sizeof(path), "%s/%s", folder, command_line.config_path) >=
                (int)sizeof(path)) {
            say("can't make %s an absolute path; name it by one", command_line.config_path);
            return 1;
        }
        command_line.config_path = path;
    }
    return supervisor_run(&command_line);
}

/* Finds the control socket of the adit that runs with `-c FILE`, unless -s names the socket. */
static int find_control(struct command_line *command_line, struct text *path)
{
    struct bundle_recorder recorder;

    if (command_line->control_path != NULL || command_line->config_path == NULL)
        return 0;
    bundle_recorder_init(&recorder, BUNDLE_START_PATIENCE_MS);
    int error = config_find_control(&recorder.reader, command_line->config_path, path);
    bundle_recorder_finish(&recorder);
    if (error == -EINVAL)
        say("can't tell from %s where the control socket is: 'adit check %s' says why; mend that, "
            "or "
            "name the socket with -s",
            command_line->config_path, command_line->config_path);
    else if (error < 0)
        say("can't read %s: %s", command_line->config_path, strerror(-error));
    else if (path->length > 0)
        command_line->control_path = path->start;
    return error;
}

static int ask_the_running_one(struct options *options)
{
    char path[CONFIG_CONTROL_PATH_MAX + 1];
    struct text text;

    text_init(&text, path, sizeof(path));
    if (find_control(&options->command_line, &text) < 0)
        return 1;
    return options->command == COMMAND_TOP ? top_program_run(options->command_line.control_path)
                                           : control_client_run(options);
}

static int dispatch(struct options *options)
{
    if (options->is_version_asked)
        return print_version();
    switch (options->command) {
    case COMMAND_HELP:
        return print_help(options->topic);
    case COMMAND_STATS:
    case COMMAND_PS:
    case COMMAND_KILL:
    case COMMAND_TRACE:
    case COMMAND_RELOAD:
    case COMMAND_DRAIN:
    case COMMAND_TOP:
        return ask_the_running_one(options);
    case COMMAND_CHECK:
        return check_run(options);
    case COMMAND_EXPLAIN:
        return options->command_line.control_path != NULL ? ask_the_running_one(options)
                                                          : explain_run(options);
    case COMMAND_RUN:
    case COMMAND_COUNT:
        break;
    }
    return cli_run(&options->command_line);
}

/* Reports output that could not be written. A closed pipe is no error: its reader has read what it
 * wanted. */
static int finish_output(int status)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    if (errno != EPIPE)
        say("can't write to stdout: %s", strerror(errno != 0 ? errno : EIO));
    return 1;
}

/* Ignores the signals that a write can raise, here and in every child, so that the write fails with
 * EPIPE or EFBIG instead. The signal would end the process without a message. */
static void ignore_signals_of_writes(void)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

int cli_main(int argc, char **argv)
{
    char message[OPTIONS_MESSAGE_SIZE];
    struct options options;
    struct text text;
    size_t count = argc > 0 ? (size_t)argc - 1 : 0;

    process_open_standard_descriptors();
    ignore_signals_of_writes();
    text_init(&text, message, sizeof(message));
    if (options_parse(count, argv + (argc > 0), &options, &text) < 0) {
        say("%s", message);
        return 2;
    }
    return finish_output(dispatch(&options));
}
