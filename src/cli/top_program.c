/* Wherever adit lies, adit-top lies beside it (a build folder, somebody's ~/bin) or, as installed,
 * in the libexec folder of the same prefix. It is looked for from adit's own file and not in PATH,
 * so both are always of one version.
 */
#include "cli/top_program.h"

#include "base/contract.h"
#include "system/say.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Finds the folder of this program; "" when that can't be found out. */
static void top_program_find_folder(char ret_folder[PATH_MAX])
{
    ssize_t length = readlink("/proc/self/exe", ret_folder, PATH_MAX - 1);

    ret_folder[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(ret_folder, '/');
    if (slash != NULL)
        *slash = '\0';
}

int top_program_run(const char *control_path)
{
    static const char *const places[] = {"adit-top", "../libexec/adit/adit-top"};
    char folder[PATH_MAX];
    char path[PATH_MAX + 32]; /* room for the longer one of the two paths */

    top_program_find_folder(folder);
    for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, places[i]);
        execl(path, "adit-top", control_path, NULL); /* a path that is NULL ends the words */
        if (errno != ENOENT) {
            say("can't run %s: %s", path, strerror(errno));
            return 1;
        }
    }
    say("top is the program adit-top, and it is neither in %s nor in %s/../libexec/adit; install "
        "it "
        "together with adit ('adit ps' and 'adit stats' work without)",
        folder, folder);
    return 1;
}
