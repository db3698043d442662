/* Reads the configuration in the same way as a start does, so that both find the same mistakes. It
 * stops where a start would begin to open sockets and files. `adit explain` loads its configuration
 * here, too.
 */
#include "cli/check.h"

#include "process/bundle.h"
#include "system/say.h"
#include "worker/snapshot.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* All diagnostics are printed into one buffer and written at once, so that they stay together on a
 * stderr that others write to. `diagnostics` is NULL when there was no memory to keep any. */
static void print_diagnostics(const struct diagnostics *diagnostics)
{
    size_t size = (DIAGNOSTICS_KEPT_MAX + 1) * (size_t)DIAGNOSTIC_TEXT_SIZE;
    char *buffer = malloc(size);
    struct text text;

    if (buffer == NULL || diagnostics == NULL) {
        say("no memory for the configuration");
        free(buffer);
        return;
    }
    text_init(&text, buffer, size);
    diagnostics_print(diagnostics, &text);
    fputs(buffer, stderr);
    free(buffer);
}

static void write_piece(void *self, const char *bytes, size_t length)
{
    fwrite(bytes, 1, length, self);
}

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

static void print_summary(const struct options *options, size_t errors, size_t warnings)
{
    const char *path = options->command_line.config_path;

    fprintf(errors > 0 ? stderr : stdout, "%s: %zu error%s, %zu warning%s\n",
            path != NULL ? path : "built-in", errors, plural(errors), warnings, plural(warnings));
}

int check_load(const struct options *options, bool is_quiet, struct config **ret_config)
{
    struct config_overrides overrides = snapshot_overrides(&options->command_line);
    char folder[PATH_MAX];
    struct bundle_recorder recorder;
    struct diagnostics *diagnostics = NULL;

    overrides.folder = getcwd(folder, sizeof(folder));
    bundle_recorder_init(&recorder, BUNDLE_START_PATIENCE_MS);
    int error = config_parse(&recorder.reader, options->command_line.config_path, &overrides,
                             ret_config, &diagnostics);
    if (error < 0 || !is_quiet) {
        print_diagnostics(diagnostics);
        if (error == 0 && !options->is_print_asked)
            config_print_list_files(*ret_config, write_piece, stdout);
        if (diagnostics != NULL && !options->is_print_asked)
            print_summary(options, diagnostics_error_count(diagnostics),
                          diagnostics_warning_count(diagnostics));
    }
    diagnostics_destroy(diagnostics);
    bundle_recorder_finish(&recorder);
    return error;
}

int check_run(const struct options *options)
{
    struct config *config = NULL;
    int error = check_load(options, false, &config);

    if (error == 0 && options->is_print_asked)
        config_print(config, write_piece, stdout);
    config_destroy(config);
    return error == 0 ? 0 : 1;
}
