/* Dispatch: what the command line asks for. */
#include "daemon/daemon.h"

#include "admin/control_client.h"
#include "config/options.h"
#include "daemon/process_limits.h"
#include "daemon/say.h"
#include "daemon/supervisor.h"

#include <stdio.h>

static int print_help(enum command topic)
{
    char help[OPTIONS_HELP_SIZE];
    struct text text;

    text_init(&text, help, sizeof(help));
    options_help(&text, topic);
    return fputs(help, stdout) < 0 || fflush(stdout) != 0 ? 1 : 0;
}

static int print_version(void)
{
    return puts("adit " ADIT_VERSION) < 0 || fflush(stdout) != 0 ? 1 : 0;
}

int daemon_main(int argc, char **argv)
{
    char message[OPTIONS_MESSAGE_SIZE];
    struct options options;
    struct text text;
    size_t count = argc > 0 ? (size_t)argc - 1 : 0;

    process_open_standard_descriptors();
    text_init(&text, message, sizeof(message));
    if (options_parse(count, argv + (argc > 0), &options, &text) < 0) {
        say("%s", message);
        return 2;
    }
    if (options.is_version_asked)
        return print_version();
    switch (options.command) {
    case COMMAND_HELP:
        return print_help(options.topic);
    case COMMAND_STATS:
    case COMMAND_DRAIN:
        return control_client_run(options.command, options.settings.control_path);
    case COMMAND_RUN:
    case COMMAND_COUNT:
        break;
    }
    return supervisor_run(&options.settings);
}
