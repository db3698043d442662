/* config/users_file: what is taken, what is refused, and what an unknown user must cost. */
#include "config/users_file.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define X10 "abcdefghij"
#define X22 X10 X10 "kl"
#define X43 X10 X10 X10 X10 "klm"
#define X53 X43 X10
#define X86 X43 X43
#define YESCRYPT "$y$j9T$salt$" X43
#define BCRYPT "$2b$10$" X53
#define SHA512 "$6$salt$" X86
#define SHA256 "$5$salt$" X43
#define APR1 "$apr1$saltsalt$" X22

enum { OUTPUT_SIZE = 8192 };

/* The file's verdict; what was said goes to `output`. */
static int parse(const char *text, char output[OUTPUT_SIZE], struct users_file **ret_users)
{
    struct diagnostics *diagnostics = diagnostics_create();
    struct text out;

    int error = users_file_parse(text, strlen(text), "htpasswd", diagnostics, ret_users);
    text_init(&out, output, OUTPUT_SIZE);
    diagnostics_print(diagnostics, &out);
    assert_int_equal(error == 0, diagnostics_error_count(diagnostics) == 0);
    diagnostics_destroy(diagnostics);
    return error;
}

static void takes_good_hashes(void **state)
{
    static const struct {
        const char *hash;
        enum user_hash_kind kind;
    } rows[] = {
        {YESCRYPT, USER_HASH_YESCRYPT},
        {BCRYPT, USER_HASH_BCRYPT},
        {"$2y$05$" X53, USER_HASH_BCRYPT},
        {"$2a$05$" X53, USER_HASH_BCRYPT},
        {SHA512, USER_HASH_SHA512},
        {"$6$rounds=10000$salt$" X86, USER_HASH_SHA512},
        {SHA256, USER_HASH_SHA256},
        {"$5$rounds=1000$salt$" X43, USER_HASH_SHA256},
        {"$6$$" X86, USER_HASH_SHA512},
        {"$6$rounds=999999999$saltsaltsaltsalt$" X86, USER_HASH_SHA512},
        {"$y$j75$$" X43, USER_HASH_YESCRYPT},
        {"$y$./.$salt$" X43, USER_HASH_YESCRYPT},

    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char text[256];
        char output[OUTPUT_SIZE];
        struct users_file *users;

        snprintf(text, sizeof(text), "# ours\n\nalice:%s\r\n", rows[i].hash);
        assert_int_equal(parse(text, output, &users), 0);
        assert_string_equal(output, "");
        assert_int_equal(users_file_count(users), 1);
        assert_int_equal(users_file_at(users, 0)->kind, rows[i].kind);
        assert_string_equal(users_file_at(users, 0)->hash, rows[i].hash);
        users_file_destroy(users);
    }
}

/* Whether wrong answers must be held back, and whom `check` names. */
static void knows_hashes_of_different_cost(void **state)
{
    static const struct {
        const char *text;
        bool is_mixed;
        const char *message; /* "": nothing is said */
    } rows[] = {
        {"", false, ""},
        {"a:" BCRYPT, false, ""},
        {"a:" BCRYPT "\nb:" BCRYPT, false, ""},
        {"a:$2a$10$" X53 "\nb:$2y$10$" X53 "\nc:" BCRYPT, false, ""},
        {"a:" SHA512 "\nb:$6$rounds=5000$salt$" X86, true, ""},
        {"a:$5$salt$" X43 "\nb:$5$saltsaltsalt$" X43, true, ""},
        {"a:$y$j9T$salt$" X43 "\nb:$y$j9/$salt$" X43, true, ""},
        {"a:" SHA512 "\n\nb:" BCRYPT "\nc:" SHA256, true,
         "htpasswd:1:1: warning: hashes quicker to guess than that of 'b' (bcrypt): 'a', 'c'; hash "
         "these passwords anew, in the same way; until then every wrong password is answered as "
         "late as the slowest hash takes"},
        {"a:" BCRYPT "\nb:$2b$12$" X53, true,
         "htpasswd:1:1: warning: hashes quicker to guess than that of 'b' (bcrypt): 'a'; hash"},
        {"z:" YESCRYPT "\na:" SHA512 "\nb:" SHA512 "\nc:" SHA512 "\nd:" SHA512 "\ne:" SHA512
         "\nf:" SHA512 "\ng:" SHA512,
         true,
         "htpasswd:2:1: warning: hashes quicker to guess than that of 'z' (yescrypt): 'a', 'b', "
         "'c', 'd', 'e' and 2 more; hash"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char output[OUTPUT_SIZE];
        struct users_file *users = NULL;

        assert_int_equal(parse(rows[i].text, output, &users), 0);
        assert_int_equal(users_file_is_mixed(users), rows[i].is_mixed);
        if (rows[i].message[0] == '\0' ? output[0] != '\0'
                                       : strstr(output, rows[i].message) == NULL)
            fail_msg("%s: %s", rows[i].text, output);
        users_file_destroy(users);
    }
}

/* Editors and people put a byte order mark in front, and blanks anywhere. */
static void reads_over_marks_and_blanks(void **state)
{
    static const char *const rows[] = {
        "\xef\xbb\xbf"
        "alice:" SHA512,
        " alice:" SHA512,
        "\talice:" SHA512,
        "alice :" SHA512,
        "alice\t : \t" SHA512 " \t\r\n",
        "\xef\xbb\xbf \r\n\xef\xbb\xbf  alice: " SHA512, /* of two files put together */
        "\xef\xbb\xbf# ours\n   # theirs\n  \n alice:" SHA512,
        "\xef\xbb\xbf\nalice:" SHA512,
        "\xc2\xa0"
        "alice:" SHA512, /* U+00A0: copied from a web page */
        "alice\xc2\xa0:\xc2\xa0" SHA512 "\xc2\xa0 \xc2\xa0",
        " \xef\xbb\xbf"
        "alice\xef\xbb\xbf :" SHA512 "\xef\xbb\xbf\r\n",
        "\xc2\xa0\n\t\xef\xbb\xbf \xef\xbb\xbf# ours\nalice:" SHA512,
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char output[OUTPUT_SIZE];
        struct users_file *users = NULL;

        assert_int_equal(parse(rows[i], output, &users), 0);
        assert_string_equal(output, "");
        assert_int_equal(users_file_count(users), 1);
        assert_non_null(users_file_find(users, "alice", 5));
        assert_string_equal(users_file_at(users, 0)->hash, SHA512);
        users_file_destroy(users);
    }
}

/* What is trimmed is no name, and blanks tell nobody apart. */
static void blanks_make_no_names(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } rows[] = {
        {" :" SHA512, "htpasswd:1:1: error: write USER:HASH"},
        {"\xef\xbb\xbf:" SHA512, "htpasswd:1:1: error: write USER:HASH"},
        {"\xef\xbb\xbf"
         "alice:" SHA512 "\n alice :" SHA512,
         "htpasswd:2:1: error: user 'alice': is in"},
        {" alice : secret", "htpasswd:1:1: error: user 'alice': this is a plain password"},
        {"\xc2\xa0:" SHA512, "htpasswd:1:1: error: write USER:HASH"},
        {"\xe2\x80\x8b"
         "alice:" SHA512,
         ": the name has a character that nobody sees, U+200B; write it anew, without"},
        {"alice\xe2\x80\x8d:" SHA512, "U+200D"},
        {"al\xc2\xa0ice:" SHA512, "U+00A0"},
        {"al\xef\xbb\xbfice:" SHA512, "U+FEFF"},
        {"al\xc2\xadice:" SHA512, "U+00AD"},
        {"al\xe3\x80\x80ice:" SHA512, "U+3000"},
        {"alice\xf3\xa0\x80\xa0:" SHA512, "U+E0020"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char output[OUTPUT_SIZE];
        struct users_file *users = NULL;

        assert_int_equal(parse(rows[i].text, output, &users), -EINVAL);
        if (strstr(output, rows[i].message) == NULL)
            fail_msg("%s: %s", rows[i].text, output);
    }
}

static void keeps_blanks_inside_a_name(void **state)
{
    char output[OUTPUT_SIZE];
    struct users_file *users;

    assert_int_equal(parse("al ice:" SHA512, output, &users), 0);
    assert_non_null(users_file_find(users, "al ice", 6));
    users_file_destroy(users);
    /* What is seen is taken, and so is Latin-1. */
    assert_int_equal(parse("J\xc3\xb6rg \xe2\x82\xac \xf0\x9f\x98\x80:" SHA512
                           "\nj\xf6rg\xa0:" SHA512,
                           output, &users),
                     0);
    assert_int_equal(users_file_count(users), 2);
    users_file_destroy(users);
}

static void refuses_the_rest(void **state)
{
    static const struct {
        const char *line;
        const char *message;
    } rows[] = {
        {"alice:secret", "htpasswd:1:1: error: user 'alice': this is a plain password, or a kind"},
        {"alice:", "htpasswd:1:1: error: user 'alice': this is a plain password, or a kind"},
        {"alice:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "error: user 'alice': {SHA} is one unsalted"},
        {"alice:$1$salt$" X22, "error: user 'alice': MD5 crypt is not taken; run `htpasswd -B"},
        {"alice:!", "error: user 'alice': this account is locked"},
        {"alice:$2b$10$" X43, "error: user 'alice': the hash is cut or damaged"},
        {"alice:$2b$99$" X53, "error: user 'alice': the hash is cut or damaged"},
        {"alice:$2b$10", "error: user 'alice': the hash is cut or damaged"},
        {"alice:$2b$10$salt$" X53, "error: user 'alice': the hash is cut or damaged"},
        {"alice:$y$", "error: user 'alice': the hash is cut or damaged"},
        {"alice:$6$salt", "error: user 'alice': the hash is cut or damaged"},
        {"alice:$6$rounds=0900000$salt$" X86, "error: user 'alice': the hash is cut or damaged"},
        {"alice:$6$rounds=01000$salt$" X86, "error: user 'alice': the hash is cut or damaged"},
        {"alice:$5$rounds=9999999999$salt$" X43, "error: user 'alice': the hash is cut or damaged"},
        {"alice:$5$rounds=1000000000$salt$" X43, "error: user 'alice': the hash is cut or damaged"},
        {"alice:$5$rounds=999$salt$" X43, "error: user 'alice': the hash is cut or damaged"},
        {"alice:$5$rounds=$salt$" X43, "error: user 'alice': the hash is cut or damaged"},
        {"alice:$5$rounds=1000x$salt$" X43, "error: user 'alice': the hash is cut or damaged"},
        {"alice:$6$rounds=1000$" X86, "error: user 'alice': the hash is cut or damaged"},
        {"alice:$6$salt$more$" X86, "error: user 'alice': the hash is cut or damaged"},
        {"alice:$6$saltsaltsaltsalts$" X86, "error: user 'alice': the hash is cut or damaged"},
        {"alice:$y$zzz$salt$" X43, "error: user 'alice': the hash is cut or damaged"},
        {"alice:$y$$salt$" X43, "error: user 'alice': the hash is cut or damaged"},
        {"alice:$y$j9$salt$" X43, "error: user 'alice': the hash is cut or damaged"},
        {"alice:$y$j9T0$salt$" X43, "error: user 'alice': the hash is cut or damaged"},
        {"alice:$y$j.T$salt$" X43, "error: user 'alice': the hash is cut or damaged"},
        {"alice:$y$9T$j$salt$" X43, "error: user 'alice': the hash is cut or damaged"},
        {"alice:$y$j9T$sa=t$" X43, "error: user 'alice': the hash is cut or damaged"},
        {"alice:$2b$10$abc=" X43 "abcdef", "error: user 'alice': the hash is cut or damaged"},
        {"alice:$apr1$salt$salt$" X22, "error: user 'alice': the hash is cut or damaged"},
        {"alice:" SHA512 " ", ""},
        {"alice:" SHA512 "\nbob:" SHA512 "\nalice:" SHA512,
         ":3:1: error: user 'alice': is in this"},
        {"alice", "error: write USER:HASH"},
        {":" SHA512, "error: write USER:HASH"},
        {"al\x01ice:" SHA512, "error: write USER:HASH"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char output[OUTPUT_SIZE];
        struct users_file *users = NULL;
        int error = parse(rows[i].line, output, &users);

        assert_int_equal(error, rows[i].message[0] == '\0' ? 0 : -EINVAL);
        if (strstr(output, rows[i].message) == NULL)
            fail_msg("%s: %s", rows[i].line, output);
        /* What may be a password is in no message. */
        assert_null(strstr(output, "secret"));
        assert_null(strstr(output, "W6ph"));
        users_file_destroy(users);
    }
}

static void warns_of_apr1(void **state)
{
    char output[OUTPUT_SIZE];
    struct users_file *users;

    assert_int_equal(parse("bob:" APR1 "\n", output, &users), 0);
    assert_non_null(strstr(output, "htpasswd:1:1: warning: user 'bob': $apr1$"));
    assert_int_equal(users_file_at(users, 0)->kind, USER_HASH_APR1);
    users_file_destroy(users);
    assert_int_equal(parse("a:" APR1 "\nb:" APR1 "\nc:" APR1 "\n", output, &users), 0);
    assert_non_null(strstr(output, "htpasswd:1:1: warning: user 'a': $apr1$"));
    assert_non_null(strstr(output, "a better hash (and 2 more)\n"));
    assert_null(strstr(output, "htpasswd:2:"));
    users_file_destroy(users);
}

static void finds_users(void **state)
{
    char output[OUTPUT_SIZE];
    struct users_file *users;

    assert_int_equal(parse("Alice:" SHA512 "\nbob:" SHA256, output, &users), 0);
    assert_string_equal(users_file_find(users, "bob", 3)->hash, SHA256);
    assert_string_equal(users_file_find(users, "Alice", 5)->hash, SHA512);
    assert_null(users_file_find(users, "alice", 5));
    assert_null(users_file_find(users, "Alic", 4));
    assert_null(users_file_find(users, "bob\0", 4));
    users_file_destroy(users);
    assert_int_equal(parse("", output, &users), 0);
    assert_null(users_file_find(users, "bob", 3));
    assert_null(users_file_costliest(users));
    users_file_destroy(users);
}

static void knows_the_costliest(void **state)
{
    /* The costlier one is the second. */
    static const char *const rows[][2] = {
        {APR1, SHA512},
        {SHA512, "$6$rounds=10000$salt$" X86},
        {SHA512, YESCRYPT},
        {YESCRYPT, BCRYPT},
        {"$2b$08$" X53, YESCRYPT},
        {"$2b$08$" X53, "$2b$09$" X53},
        {YESCRYPT, "$y$jCT$salt$" X43},
        {BCRYPT, "$y$jCT$salt$" X43},
        {BCRYPT, "$6$rounds=999999$salt$" X86},
        {"$6$rounds=50000$salt$" X86, BCRYPT},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char output[OUTPUT_SIZE];
        char text[512];
        struct users_file *users;

        for (int turn = 0; turn < 2; turn++) {
            snprintf(text, sizeof(text), "a:%s\nb:%s\n", rows[i][turn], rows[i][1 - turn]);
            assert_int_equal(parse(text, output, &users), 0);
            assert_string_equal(users_file_costliest(users)->hash, rows[i][1]);
            users_file_destroy(users);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_good_hashes),
        cmocka_unit_test(refuses_the_rest),
        cmocka_unit_test(warns_of_apr1),
        cmocka_unit_test(finds_users),
        cmocka_unit_test(knows_the_costliest),
        cmocka_unit_test(reads_over_marks_and_blanks),
        cmocka_unit_test(knows_hashes_of_different_cost),
        cmocka_unit_test(blanks_make_no_names),
        cmocka_unit_test(keeps_blanks_inside_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
