/* htpasswd files: whatever is taken is found again, has a known kind and no control in its name;
 * the costliest is one of them. */
#include "config/users_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

static void check_users(const struct users_file *users)
{
    size_t count = users_file_count(users);
    bool is_costliest_known = count == 0;

    for (size_t i = 0; i < count; i++) {
        const struct user *user = users_file_at(users, i);
        size_t length = strlen(user->name);

        CHECK(length > 0 && length <= USER_NAME_MAX && strchr(user->name, ':') == NULL);
        CHECK(users_file_find(users, user->name, length) == user);
        CHECK(user->kind < USER_HASH_KIND_COUNT && user->hash[0] == '$');
        is_costliest_known |= users_file_costliest(users) == user;
    }
    CHECK(is_costliest_known);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct diagnostics *diagnostics = diagnostics_create();
    struct users_file *users = NULL;
    int error = users_file_parse((const char *)data, size, "htpasswd", diagnostics, &users);

    CHECK(error == 0 || error == -EINVAL);
    CHECK((error == 0) == (diagnostics_error_count(diagnostics) == 0));
    CHECK((error == 0) == (users != NULL));
    if (users != NULL)
        check_users(users);
    users_file_destroy(users);
    diagnostics_destroy(diagnostics);
    return 0;
}
