/* Password hashes: every kind, made by openssl passwd and crypt(3); nothing else matches. */
#include "access/auth_hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define X8 "xxxxxxxx"
#define X32 X8 X8 X8 X8

struct row {
    const char *password;
    const char *hash;
};

static const struct row rows[] = {
    {"", "$apr1$AbC./019$SY.RfUKQQaFdvekW1qqDE1"},
    {"a", "$apr1$AbC./019$/LBoErSm0qOJTgTutTH0w."},
    {"password", "$apr1$AbC./019$.g8tUI5s35yLK5crirhIY/"},
    {"0123456789abcdef", "$apr1$AbC./019$WHYslksYjPKUStlU7TDgJ0"},
    {"0123456789abcdefg", "$apr1$AbC./019$d0J8fx6Xc45wIvZLbvbWB0"},
    {X32 X32 X32 X32, "$apr1$AbC./019$lxY0Msk6BbG1LA9WrEB0./"},
    {"pw", "$apr1$ab$RieuZkC7MNZo71UI4mVva0"},
    {"right", "$6$rounds=1000$salt$yiW6N.84VzeTC0bx5oZcI6R7GA6ccCfWQfaJEjLTn3tSOj35."
              "DFqvDPhk41tF8IpdfgKnpLGt5EmXsjEnq0Dy."},
    {"right", "$5$rounds=1000$salt$jmWlX.WMmU0.rE0RvWQVpnv3gAtcUKsIbtS2DDkjkW."},
    {"right", "$2b$04$abcdefghijklmnopqrstuuFmEfrkTQnczNzw475xE2VhDrK1uwJiC"},
    {"right", "$2y$04$abcdefghijklmnopqrstuuFmEfrkTQnczNzw475xE2VhDrK1uwJiC"},
    {"right", "$y$j75$abcdefgh$6pN.nhTFpsxYP2o9CigtXCpngd/Tp5zoKzyj/L0r3U1"},
};

static struct auth_hasher *hasher;

static int set_up(void **state)
{
    (void)state;
    hasher = auth_hasher_create();
    return hasher == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    auth_hasher_destroy(hasher);
    return 0;
}

static void every_kind_is_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        if (!auth_hash_is_of(hasher, rows[i].hash, rows[i].password))
            fail_msg("not of %s: %s", rows[i].password, rows[i].hash);
        if (auth_hash_is_of(hasher, rows[i].hash, "wrong"))
            fail_msg("of another password: %s", rows[i].hash);
    }
}

/* Each character of each hash counts, and so does its length. */
static void a_hash_counts_to_its_end(void **state)
{
    char hash[128];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        size_t length = strlen(rows[i].hash);

        strcpy(hash, rows[i].hash);
        hash[length - 1] = hash[length - 1] == '/' ? '.' : '/';
        assert_false(auth_hash_is_of(hasher, hash, rows[i].password));
        hash[length - 1] = '\0';
        assert_false(auth_hash_is_of(hasher, hash, rows[i].password));
        strcpy(hash, rows[i].hash);
        strcat(hash, ".");
        assert_false(auth_hash_is_of(hasher, hash, rows[i].password));
    }
}

static void what_is_no_hash_matches_nothing(void **state)
{
    static const char *const hashes[] = {
        "",       "*",       "*0",     "*1",     "right", "$",
        "$apr1$", "$apr1$$", "$9$x$y", "{SHA}x", "$6$",   "$2b$99$x",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(hashes); i++) {
        assert_false(auth_hash_is_of(hasher, hashes[i], "right"));
        assert_false(auth_hash_is_of(hasher, hashes[i], ""));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_known),
        cmocka_unit_test(a_hash_counts_to_its_end),
        cmocka_unit_test(what_is_no_hash_matches_nothing),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
