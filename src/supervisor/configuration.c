/* Loads a configuration in an order that makes a failed reload harmless: everything is read and
 * checked before anything is opened, and everything is opened before anything old is closed.
 *
 * The parsed form is not kept. What was read is recorded in a bundle, and the worker parses those
 * bytes again, so that both see the same even when a file changes in between.
 */
#include "supervisor/configuration.h"

#include "net/listener_close.h"
#include "process/bundle.h"
#include "supervisor/listeners.h"
#include "supervisor/log_file.h"
#include "worker/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ADMIN_MESSAGE_SIZE = 512 };

struct configuration_opening {
    const struct command_line *command_line;
    const struct configuration *before;
    const struct bundle_recorder *recorder;
    struct text *message;
};

void configuration_init(struct configuration *configuration)
{
    *configuration = (struct configuration){.bundle_fd = -1, .log_fd = -1};
}

static int take_log(struct configuration *configuration, const struct config *config,
                    struct text *message)
{
    if (config->log_target != CONFIG_LOG_FILE)
        return 0;
    configuration->log_path = strdup(config->log_path);
    if (configuration->log_path == NULL)
        return -ENOMEM;
    int fd = log_file_open(config->log_path);
    if (fd >= 0) {
        configuration->log_fd = fd;
        return 0;
    }
    text_add(message, "adit: can't write the log ");
    log_file_explain(message, config->log_path, fd);
    text_add(message, "\n");
    return fd;
}

/* Whether there was a configuration before, so that this one is loaded by a reload. */
static bool is_reload(const struct configuration *before)
{
    return before->bundle_fd >= 0;
}

/* Keeps the path of the control socket. A reload keeps the old one, since it does not move the
 * socket. */
static int take_control_path(struct configuration *configuration, const struct config *config,
                             const struct configuration *before)
{
    const char *path = is_reload(before) ? before->control_path : config->control_path;

    if (path == NULL)
        return 0;
    configuration->control_path = strdup(path);
    return configuration->control_path != NULL ? 0 : -ENOMEM;
}

/* Warns when a reload would move the control socket, which only the next start does. */
static void warn_of_control(const struct config *config, const struct configuration *before,
                            struct text *message)
{
    const char *old = before->control_path != NULL ? before->control_path : "";
    const char *new = config->control_path != NULL ? config->control_path : "";

    if (is_reload(before) && strcmp(old, new) != 0)
        text_add(message, "adit: warning: `control` moves at the next start only; until then the "
                          "socket stays where it is\n");
}

static int make_bundle(struct configuration *configuration, const struct bundle_recorder *recorder,
                       struct text *message)
{
    const struct listener_set *listeners = &configuration->listeners;
    int fd = bundle_create(recorder, listeners->all, listeners->count * sizeof(*listeners->all));

    if (fd >= 0) {
        configuration->bundle_fd = fd;
        return 0;
    }
    text_add(message, "adit: can't keep the configuration in memory: ");
    text_add(message, strerror(-fd));
    text_add(message, fd == -EFBIG ? "; raise the limit of file sizes (ulimit -f)\n" : "\n");
    return fd;
}

/* Opens the admin page's listener. Without `admin` in the configuration the page is only an offer:
 * if its port is taken, by another adit for instance, this is a warning and adit starts without it.
 */
static int open_admin(struct configuration *configuration, const struct config *config,
                      const struct listeners_plan *plan, const struct listener *listener,
                      struct text *message)
{
    char line[ADMIN_MESSAGE_SIZE];
    struct text failure;

    text_init(&failure, line, sizeof(line));
    int error = listeners_open(plan, listener, &configuration->listeners, &failure);
    if (error < 0 && config->is_admin_built_in) {
        text_add(message, "adit: warning: no admin page, since it");
        text_add(message, line + strlen("adit:"));
        return 0;
    }
    text_add(message, line);
    return error;
}

static int open_listeners(struct configuration *configuration, const struct config *config,
                          const struct configuration_opening *opening)
{
    const struct listener_set *named = &opening->command_line->listeners; /* on the command line */
    bool is_from_file = opening->command_line->config_path != NULL;
    const struct listeners_plan plan = {
        .wanted = &config->listeners,
        .before = &opening->before->listeners,
        .where = {
            [LISTENER_TUNNELS] = is_from_file && listener_set_first(named, LISTENER_TUNNELS) == NULL
                                     ? "in `listen`"
                                     : "with -l",
            [LISTENER_ADMIN] = is_from_file && listener_set_first(named, LISTENER_ADMIN) == NULL
                                   ? "in `admin`"
                                   : "with -a",
        }};
    int error = 0;

    for (size_t i = 0; i < config->listeners.count && error == 0; i++) {
        const struct listener *listener = &config->listeners.all[i];

        if (listener->use == LISTENER_ADMIN)
            error = open_admin(configuration, config, &plan, listener, opening->message);
        else
            error = listeners_open(&plan, listener, &configuration->listeners, opening->message);
    }
    return error;
}

static int open_parts(struct configuration *configuration, const struct config *config,
                      const struct configuration_opening *opening)
{
    configuration->drain_timeout_ms = config->values.drain_timeout_ms;
    int error = take_control_path(configuration, config, opening->before);
    if (error == 0)
        error = take_log(configuration, config, opening->message);
    if (error == 0)
        error = open_listeners(configuration, config, opening);
    if (error == 0)
        error = make_bundle(configuration, opening->recorder, opening->message);
    return error;
}

/* Tells what has become empty since the last configuration. This comes first, since other
 * diagnostics may be many. */
static void tell_emptied(const struct configuration *before, const struct config *config,
                         struct text *message)
{
    struct diagnostics *diagnostics = diagnostics_create();

    if (diagnostics == NULL)
        return;
    config_sources_compare(before->sources, config, diagnostics);
    diagnostics_print(diagnostics, message);
    diagnostics_destroy(diagnostics);
}

int configuration_load(struct configuration *configuration, const struct command_line *command_line,
                       const struct configuration *before, struct text *message)
{
    const struct config_overrides overrides = snapshot_overrides(command_line);
    struct configuration loaded;
    struct bundle_recorder recorder;
    const struct configuration_opening opening = {command_line, before, &recorder, message};
    struct diagnostics *diagnostics = NULL;
    struct config *config = NULL;

    configuration_init(&loaded);
    bundle_recorder_init(&recorder,
                         is_reload(before) ? BUNDLE_RELOAD_PATIENCE_MS : BUNDLE_START_PATIENCE_MS);
    int error = config_parse(&recorder.reader, command_line->config_path, &overrides, &config,
                             &diagnostics);
    if (error == 0)
        tell_emptied(before, config, message);
    if (diagnostics != NULL)
        diagnostics_print(diagnostics, message);
    else
        text_add(message, "adit: no memory for the configuration\n");
    if (error == 0)
        error = config_sources_create(config, &loaded.sources);
    if (error == 0)
        error = open_parts(&loaded, config, &opening);
    if (error == 0) {
        warn_of_control(config, before, message);
        *configuration = loaded;
    } else {
        configuration_drop(&loaded, before);
    }
    diagnostics_destroy(diagnostics);
    config_destroy(config);
    bundle_recorder_finish(&recorder);
    return error;
}

/* The order says what each descriptor is: the bundle, the log if it is a file, then the listeners
 * in the order of the bundle. */
int configuration_send(const struct configuration *configuration, int channel_fd)
{
    const struct listener_set *listeners = &configuration->listeners;
    int fds[CHANNEL_FDS_MAX];
    size_t count = 0;

    fds[count++] = configuration->bundle_fd;
    if (configuration->log_fd >= 0)
        fds[count++] = configuration->log_fd;
    for (size_t i = 0; i < listeners->count; i++)
        fds[count++] = listeners->all[i].fd;
    return channel_send_all(channel_fd, CHANNEL_CONFIG, fds, count, "", 0);
}

void configuration_stop_listening(struct configuration *configuration)
{
    struct listener_set kept = configuration->listeners;

    listener_set_keep(&kept, LISTENER_ADMIN);
    listener_set_close(&configuration->listeners, &kept);
    configuration->listeners = kept;
}

int configuration_reopen_log(struct configuration *configuration)
{
    if (configuration->log_path == NULL)
        return 0;
    int fd = log_file_open(configuration->log_path);
    if (fd < 0)
        return fd;
    close(configuration->log_fd);
    configuration->log_fd = fd;
    return 0;
}

void configuration_drop(struct configuration *configuration, const struct configuration *kept)
{
    listener_set_close(&configuration->listeners, kept != NULL ? &kept->listeners : NULL);
    if (configuration->bundle_fd >= 0)
        close(configuration->bundle_fd);
    if (configuration->log_fd >= 0)
        close(configuration->log_fd);
    free(configuration->log_path);
    config_sources_destroy(configuration->sources);
    free(configuration->control_path);
    configuration_init(configuration);
}
