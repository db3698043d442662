/* policy/policy against the naive evaluator of fuzz/fuzz_policy.c, over random policies: the same
 * ones every time. */
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

enum { POLICIES = 40000, BYTES = 400, CROWDS = 4000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void agrees_with_the_naive_evaluator(void **state)
{
    static const struct hash_seed seed = {{2, 3}};
    uint8_t bytes[BYTES];

    for (uint32_t i = 0; i < POLICIES; i++) {
        for (size_t at = 0; at < BYTES; at += sizeof(uint64_t)) {
            const uint32_t counter[] = {i, (uint32_t)at};
            uint64_t random = hash_bytes(&seed, counter, sizeof(counter));
            memcpy(bytes + at, &random, sizeof(random));
        }
        assert_int_equal(LLVMFuzzerTestOneInput(bytes, BYTES), 0);
    }
}

/* Few bytes make it many rules. */
static void agrees_about_many_rules(void **state)
{
    for (uint64_t i = 0; i < CROWDS; i++) {
        uint64_t seed = (i + 1) * 0x9e3779b97f4a7c15;
        uint8_t bytes[sizeof(seed)];

        memcpy(bytes, &seed, sizeof(seed));
        assert_int_equal(LLVMFuzzerTestOneInput(bytes, sizeof(bytes)), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_naive_evaluator),
        cmocka_unit_test(agrees_about_many_rules),
    };
    return cmocka_run_group_tests_name("policy/policy, random", tests, NULL, NULL);
}
