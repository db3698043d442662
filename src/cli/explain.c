/* `adit explain` without a running adit. It makes the snapshot that a start would make, but listens
 * nowhere. The lookup needs a loop and a resolver; both live only for the one question.
 */
#include "cli/explain.h"

#include "cli/check.h"
#include "dns/resolver.h"
#include "loop/loop.h"
#include "process/file_text.h"
#include "process/file_watch.h"
#include "system/say.h"
#include "worker/explanation.h"
#include "worker/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_FAILED = 1 };

struct explain {
    struct explanation explanation;
    struct loop *loop;
    struct resolver *resolver;
    struct file_text *files[WATCHED_FILE_COUNT];
    bool is_ended;
    enum explanation_outcome outcome; /* valid when it has ended */
};

static void explain_ended(struct explanation *explanation, enum explanation_outcome outcome)
{
    struct explain *explain = container_of(explanation, struct explain, explanation);

    explain->is_ended = true;
    explain->outcome = outcome;
    loop_stop(explain->loop);
}

static struct file_text *explain_read_file(enum watched_file file)
{
    int fd = watched_file_open(file);
    struct file_text *text = file_text_read(fd);

    if (watched_file_is_unread(fd))
        say("warning: can't read %s: %s; going on without it", watched_file_path(file),
            strerror(-fd));
    if (fd >= 0)
        close(fd);
    if (text == NULL || (file == WATCHED_HOSTS && file_text_parse_hosts(text) < 0))
        say("no memory for %s", watched_file_path(file));
    return text;
}

/* Gives the resolver the hosts file and the name servers. What can't be read is reported and left
 * out: an answer without it is better than none. */
static void use_files(struct explain *explain, const struct snapshot *snapshot)
{
    for (size_t i = 0; i < WATCHED_FILE_COUNT; i++)
        explain->files[i] = explain_read_file((enum watched_file)i);
    const struct file_text *hosts = explain->files[WATCHED_HOSTS];
    if (hosts != NULL && hosts->hosts != NULL) {
        resolver_use_hosts(explain->resolver, hosts->hosts);
        size_t line = hosts_file_first_line_left_out(hosts->hosts);
        if (line > 0)
            say(FILE_TEXT_LEFT_OUT, line);
    }
    snapshot_use_servers(snapshot, explain->resolver, explain->files[WATCHED_RESOLV_CONF]);
}

/* Asks and waits for the end of the explanation, which may come before the loop has run at all.
 * Returns 0 or -errno. */
static int explain_ask(struct explain *explain, const struct question *question,
                       const struct snapshot *snapshot)
{
    const struct config_values *values = &snapshot->config->values;
    int error = resolver_create(explain->loop, values->dns_timeout_ms, NULL, &explain->resolver);

    if (error < 0)
        return error;
    use_files(explain, snapshot);
    explanation_start(&explain->explanation, question, snapshot, false, explain->resolver, stdout,
                      explain_ended);
    if (!explain->is_ended)
        error = loop_run(explain->loop);
    explanation_cancel(&explain->explanation);
    resolver_destroy(explain->resolver);
    for (size_t i = 0; i < WATCHED_FILE_COUNT; i++)
        file_text_release(explain->files[i]);
    return error;
}

static int explain_question(const struct question *question, const struct snapshot *snapshot)
{
    struct explain explain = {.outcome = EXPLANATION_FAILED};
    int error = loop_create(&explain.loop);

    if (error == 0) {
        error = explain_ask(&explain, question, snapshot);
        loop_destroy(explain.loop);
    }
    if (error < 0) {
        say("can't look it up: %s", strerror(-error));
        return EXIT_FAILED;
    }
    return explanation_exit_status(explain.outcome);
}

/* Returns the listeners that a start would have, as far as the policy needs to know them. Nothing
 * is bound, so a port that is left to the system stays 0. */
static struct listener_set list_listeners(const struct config *config)
{
    struct listener_set listeners = config->listeners;

    for (size_t i = 0; i < listeners.count; i++)
        listeners.all[i].takes_v4 =
            listener_set_lets_take_v4(&listeners, &listeners.all[i].written);
    return listeners;
}

int explain_run(const struct options *options)
{
    struct snapshot *snapshot;
    struct config *config;

    if (check_load(options, true, &config) < 0)
        return EXIT_FAILED;
    const struct listener_set listeners = list_listeners(config);
    int error = snapshot_create(config, &listeners, &snapshot);
    if (error < 0) {
        say("no memory for the configuration");
        return EXIT_FAILED;
    }
    int status = explain_question(&options->question, snapshot);
    snapshot_release(snapshot);
    return status;
}
