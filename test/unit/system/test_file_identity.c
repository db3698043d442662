/* system/file_identity: names and descriptors of one file, and of another one. */
#include "system/file_identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct file_identity identity_of(const char *path)
{
    struct stat status;

    assert_int_equal(stat(path, &status), 0);
    return file_identity_of(&status);
}

static void test_one_file_has_one_identity(void **state)
{
    assert_true(file_identity_equals(identity_of("/proc/self"), identity_of("/proc/self/.")));
    assert_false(file_identity_equals(identity_of("/proc/self"), identity_of("/proc/self/fd")));
}

/* Inodes are numbered per device. */
static void test_the_device_counts(void **state)
{
    struct file_identity one = {.device = 1, .inode = 7};
    struct file_identity other = {.device = 2, .inode = 7};

    assert_false(file_identity_equals(one, other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_file_has_one_identity),
        cmocka_unit_test(test_the_device_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
