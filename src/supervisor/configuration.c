/* Everything is read and judged before anything is opened, and everything is opened before anything
 * is given up: a reload that fails leaves no trace. The parsed form is not kept; the worker parses
 * the same bytes again.
 */
#include "supervisor/configuration.h"

#include "process/bundle.h"
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
    const struct settings *settings;
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

static bool is_reload(const struct configuration *before)
{
    return before->bundle_fd >= 0;
}

/* Where the socket is: a reload does not move it. */
static int take_control_path(struct configuration *configuration, const struct config *config,
                             const struct configuration *before)
{
    const char *path = is_reload(before) ? before->control_path : config->control_path;

    if (path == NULL)
        return 0;
    configuration->control_path = strdup(path);
    return configuration->control_path != NULL ? 0 : -ENOMEM;
}

/* The old socket stays where those who talk to it look. */
static void warn_of_control(const struct config *config, const struct configuration *before,
                            struct text *message)
{
    const char *old = before->control_path != NULL ? before->control_path : "";
    const char *new = config->control_path != NULL ? config->control_path : "";

    if (is_reload(before) && strcmp(old, new) != 0)
        text_add(message, "adit: warning: `control` moves at the next start only; until then the "
                          "socket stays where it is\n");
}

static void add_extra(struct sent_listener *extra, size_t *count, const struct listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++) {
        extra[*count].written = listeners->written[i];
        extra[*count].bound = listeners->endpoints[i];
        extra[*count].id = listeners->ids[i];
        extra[*count].takes_v4 = listeners->takes_v4[i];
        ++*count;
    }
}

static int make_bundle(struct configuration *configuration, const struct bundle_recorder *recorder,
                       struct text *message)
{
    struct sent_listener extra[CONFIG_LISTENERS_MAX + 1];
    size_t count = 0;

    memset(extra, 0, sizeof(extra));
    add_extra(extra, &count, &configuration->listeners);
    add_extra(extra, &count, &configuration->admin);
    if (configuration->admin.count > 0)
        extra[count - 1].is_admin = true;
    int fd = bundle_create(recorder, extra, count * sizeof(*extra));
    if (fd >= 0) {
        configuration->bundle_fd = fd;
        return 0;
    }
    text_add(message, "adit: can't keep the configuration in memory: ");
    text_add(message, strerror(-fd));
    text_add(message, fd == -EFBIG ? "; raise the limit of file sizes (ulimit -f)\n" : "\n");
    return fd;
}

static int open_listeners(struct configuration *configuration, const struct config *config,
                          const struct configuration_opening *opening)
{
    const struct settings *settings = opening->settings;
    bool is_from_file = settings->config_path != NULL && settings->listener_count == 0;
    const struct listeners_plan plan = {.endpoints = config->listeners,
                                        .count = config->listener_count,
                                        .before = &opening->before->listeners,
                                        .others = &opening->before->admin,
                                        .also = config->has_admin ? &config->admin : NULL,
                                        .where = is_from_file ? "in `listen`" : "with -l"};

    return listeners_open(&plan, &configuration->listeners, opening->message);
}

/* The built-in one is a courtesy: somebody else's port, another adit's page, is no reason to end.
 */
static int open_admin(struct configuration *configuration, const struct config *config,
                      const struct configuration_opening *opening)
{
    const struct settings *settings = opening->settings;
    bool is_from_file = settings->config_path != NULL && !settings->has_admin;
    const struct listeners_plan plan = {.endpoints = &config->admin,
                                        .count = 1,
                                        .before = &opening->before->admin,
                                        .others = &opening->before->listeners,
                                        .beside = &configuration->listeners,
                                        .where = is_from_file ? "in `admin`" : "with -a"};
    char line[ADMIN_MESSAGE_SIZE];
    struct text failure;

    if (!config->has_admin)
        return 0;
    text_init(&failure, line, sizeof(line));
    int error = listeners_open(&plan, &configuration->admin, &failure);
    if (error < 0 && config->is_admin_built_in) {
        text_add(opening->message, "adit: warning: no admin page, since it");
        text_add(opening->message, line + strlen("adit:"));
        return 0;
    }
    text_add(opening->message, line);
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
        error = open_admin(configuration, config, opening);
    if (error == 0)
        error = make_bundle(configuration, opening->recorder, opening->message);
    return error;
}

/* First of all, since others may be many. */
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

int configuration_load(struct configuration *configuration, const struct settings *settings,
                       const struct configuration *before, struct text *message)
{
    const struct config_overrides overrides = snapshot_overrides(settings);
    struct configuration loaded;
    struct bundle_recorder recorder;
    const struct configuration_opening opening = {settings, before, &recorder, message};
    struct diagnostics *diagnostics = NULL;
    struct config *config = NULL;

    configuration_init(&loaded);
    bundle_recorder_init(&recorder,
                         is_reload(before) ? BUNDLE_RELOAD_PATIENCE_MS : BUNDLE_START_PATIENCE_MS);
    int error =
        config_parse(&recorder.reader, settings->config_path, &overrides, &config, &diagnostics);
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

int configuration_send(const struct configuration *configuration, int channel_fd)
{
    const struct listeners *listeners = &configuration->listeners;
    int fds[CHANNEL_FDS_MAX];
    size_t count = 0;

    fds[count++] = configuration->bundle_fd;
    if (configuration->log_fd >= 0)
        fds[count++] = configuration->log_fd;
    for (size_t i = 0; i < listeners->count; i++)
        fds[count++] = listeners->fds[i];
    if (configuration->admin.count > 0)
        fds[count++] = configuration->admin.fds[0];
    return channel_send_all(channel_fd, CHANNEL_CONFIG, fds, count, "", 0);
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
    listeners_close_others(&configuration->listeners, kept != NULL ? &kept->listeners : NULL);
    listeners_close_others(&configuration->admin, kept != NULL ? &kept->admin : NULL);
    if (configuration->bundle_fd >= 0)
        close(configuration->bundle_fd);
    if (configuration->log_fd >= 0)
        close(configuration->log_fd);
    free(configuration->log_path);
    config_sources_destroy(configuration->sources);
    free(configuration->control_path);
    configuration_init(configuration);
}
