/* File contents: bounded, read from the start, freed with the last holder (the sanitizer looks). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "process/file_text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void test_no_file_is_empty(void **state)
{
    struct file_text *text = file_text_read(-1);

    assert_non_null(text);
    assert_int_equal(text->length, 0);
    file_text_release(text);
    file_text_release(NULL);
}

static void test_contents_from_the_start(void **state)
{
    FILE *file = tmpfile();

    fputs("127.0.0.1 localhost\n", file);
    fflush(file); /* leaves the descriptor's offset at the end */
    struct file_text *text = file_text_read(fileno(file));
    assert_non_null(text);
    assert_int_equal(text->length, 20);
    assert_memory_equal(text->bytes, "127.0.0.1 localhost\n", 20);
    assert_ptr_equal(file_text_hold(text), text);
    file_text_release(text);
    assert_int_equal(text->bytes[0], '1');
    file_text_release(text);
    fclose(file);
}

static void test_a_large_file_is_cut(void **state)
{
    FILE *file = tmpfile();

    assert_int_equal(ftruncate(fileno(file), (off_t)FILE_TEXT_MAX + 1), 0);
    struct file_text *text = file_text_read(fileno(file));
    assert_non_null(text);
    assert_int_equal(text->length, FILE_TEXT_MAX);
    file_text_release(text);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_file_is_empty),
        cmocka_unit_test(test_contents_from_the_start),
        cmocka_unit_test(test_a_large_file_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
