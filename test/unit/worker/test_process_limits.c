/* What adit makes of the limits of the machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/process_limits.h"

#include "base/contract.h"

static void test_connections(void **state)
{
    static const struct {
        uint64_t descriptors;
        unsigned pipes;
        uint32_t connections;
    } rows[] = {
        {0, 0, 0},    {64, 0, 12},     {64, 2, 10},           {100, 3, 16},
        {128, 4, 20}, {1024, 32, 416}, {1048576, 48, 524176}, {UINT64_MAX, 256, UINT32_MAX},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        assert_int_equal(process_limits_connections(rows[i].descriptors, rows[i].pipes),
                         rows[i].connections);
}

static void test_admin(void **state)
{
    static const struct {
        uint64_t descriptors;
        unsigned connections;
    } rows[] = {{0, 0}, {64, 8}, {100, 12}, {512, 64}, {1048576, 64}, {UINT64_MAX, 64}};

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        assert_int_equal(process_limits_admin(rows[i].descriptors), rows[i].connections);
}

static void test_pipes(void **state)
{
    static const struct {
        uint64_t descriptors;
        long soft_pages;
        unsigned pipes;
    } rows[] = {
        {1048576, -1, 48},  {1048576, 16384, 48}, {1048576, 0, 256},    {1048576, 1 << 20, 256},
        {1048576, 1024, 3}, {1048576, 100, 0},    {1024, 16384, 32},    {1023, 16384, 31},
        {64, 16384, 2},     {64, 0, 2},           {UINT64_MAX, 0, 256},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        assert_int_equal(process_limits_pipes(rows[i].descriptors, rows[i].soft_pages),
                         rows[i].pipes);
}

static void test_the_machine_has_limits(void **state)
{
    struct process_limits limits;

    process_limits_read(&limits);
    assert_true(limits.descriptors > 0);
    assert_true(limits.connections > 0);
    assert_true(process_count_cores() >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections),
        cmocka_unit_test(test_admin),
        cmocka_unit_test(test_pipes),
        cmocka_unit_test(test_the_machine_has_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
