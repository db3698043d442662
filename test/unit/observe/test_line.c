/* Values of a line, read back by a decoder for each format that is as strict as the strictest that
 * people use: JSON as RFC 8259 has it, logfmt as go-logfmt's decoder does. Both are written here
 * anew, so that they share no mistake with the code.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "observe/line.h"

#include <stdlib.h>
#include <string.h>

enum { VALUE_MAX = 64, LIMIT = 512, ROUNDS = 20000 };

static const struct line_piece name_user = LINE_TEXT("user");
static const struct line_piece name_status = LINE_NUMBER("status");

/* One field of outside bytes and one behind it. */
static size_t put(enum log_format format, const char *value, size_t length, size_t limit, char *out)
{
    static char bytes[LINE_SIZE];
    struct line line;
    const char *start;

    line_begin(&line, bytes, format);
    line_add_bytes(&line, &name_user, value, length, limit);
    line_add_number(&line, &name_status, 407);
    size_t size = line_end(&line, &start);
    memcpy(out, start, size);
    out[size] = '\0';
    return size;
}

/* -- decoders */

static uint32_t take_hex(const char **next)
{
    uint32_t value = 0;

    for (int i = 0; i < 4; i++) {
        const char *digits = "0123456789abcdef";
        const char *digit = **next != '\0' ? strchr(digits, **next) : NULL;

        assert_non_null(digit);
        value = value * 16 + (uint32_t)(digit - digits);
        (*next)++;
    }
    return value;
}

/* From behind the opening quote to behind the closing one. go-logfmt unquotes as JSON does. */
static void take_string(const char **next, struct text *out)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";

    while (**next != '"') {
        size_t size = text_utf8_length(*next, strlen(*next));

        assert_true((unsigned char)**next >= ' ');
        assert_int_not_equal(size, 0);
        if (**next != '\\') {
            text_add_bytes(out, *next, size);
            *next += size;
            continue;
        }
        (*next)++;
        if (**next == 'u') {
            (*next)++;
            text_add_utf8(out, take_hex(next)); /* none beyond U+FFFF is written so */
            continue;
        }
        const char *letter = **next != '\0' ? strchr(letters, **next) : NULL;
        assert_non_null(letter);
        text_add_char(out, meanings[letter - letters]);
        (*next)++;
    }
    (*next)++;
}

static void expect_word(const char **next, const char *word)
{
    assert_memory_equal(*next, word, strlen(word));
    *next += strlen(word);
}

static void decode_json(const char *line, struct text *out)
{
    expect_word(&line, "{\"user\":\"");
    take_string(&line, out);
    expect_word(&line, ",\"status\":407}");
    assert_int_equal(*line, '\0');
}

static void decode_logfmt(const char *line, struct text *out)
{
    expect_word(&line, "user=");
    if (*line == '"') {
        line++;
        take_string(&line, out);
    } else {
        for (; *line > ' '; line++) { /* a bare value of go-logfmt ends at a blank or control */
            assert_true(*line != '=' && *line != '"');
            text_add_char(out, *line);
        }
        assert_string_not_equal(out->start, "null"); /* which is no string */
    }
    expect_word(&line, " status=407");
    assert_int_equal(*line, '\0');
}

/* -- what must come out */

static void expect_decoded(struct text *out, const char *value, size_t length, bool is_json)
{
    for (size_t at = 0; at < length;) {
        size_t size = text_utf8_length(value + at, length - at);

        if (size > 0)
            text_add_bytes(out, value + at, size);
        else
            text_add_utf8(out, is_json ? (unsigned char)value[at] : 0xfffd);
        at += size > 0 ? size : 1;
    }
}

static void assert_harmless(const char *line)
{
    static const char *const harmful[] = {"\x7f", "\xd8\x9c"};

    for (const char *at = line; *at != '\0'; at++) {
        const unsigned char *bytes = (const unsigned char *)at;

        assert_true(bytes[0] >= ' ');
        assert_false(bytes[0] == 0xc2 && bytes[1] < 0xa0); /* C1 */
        assert_false(bytes[0] == 0xe2 && bytes[1] == 0x80 && bytes[2] >= 0xa8 && bytes[2] <= 0xae);
        assert_false(bytes[0] == 0xe2 && bytes[1] == 0x81 && bytes[2] >= 0xa6 && bytes[2] <= 0xa9);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(harmful); i++)
        assert_null(strstr(line, harmful[i]));
}

static void check(const char *value, size_t length)
{
    char line[LINE_SIZE + 1];
    char decoded[LINE_SIZE];
    char expected[LINE_SIZE];
    struct text text;

    for (enum log_format format = LOG_FORMAT_LOGFMT; format <= LOG_FORMAT_JSON; format++) {
        put(format, value, length, LIMIT, line);
        assert_harmless(line);
        text_init(&text, decoded, sizeof(decoded));
        if (format == LOG_FORMAT_JSON)
            decode_json(line, &text);
        else
            decode_logfmt(line, &text);
        text_init(&text, expected, sizeof(expected));
        expect_decoded(&text, value, length, format == LOG_FORMAT_JSON);
        assert_string_equal(decoded, expected);
    }
}

static void test_every_character(void **state)
{
    char value[8];
    struct text text;

    for (uint32_t character = 1; character < 0x11000; character++) {
        if (character >= 0xd800 && character <= 0xdfff)
            continue;
        text_init(&text, value, sizeof(value));
        text_add_char(&text, 'a');
        text_add_utf8(&text, character);
        check(value, text.length);
    }
}

/* Mostly bytes that mean something to somebody. */
static char random_byte(unsigned *seed)
{
    static const char telling[] = "\"\\=\n\r\t \x1b\x7f\xc2\x85\xe2\x80\xa8\xae\xff\xf0\x9f";
    int dice = rand_r(seed);

    return dice % 4 == 0 ? (char)(1 + dice / 4 % 255)
                         : telling[(size_t)dice / 4 % (sizeof(telling) - 1)];
}

static void test_random_bytes(void **state)
{
    unsigned seed = 8;
    char value[VALUE_MAX];

    for (int round = 0; round < ROUNDS; round++) {
        size_t length = 1 + (size_t)rand_r(&seed) % VALUE_MAX;

        for (size_t i = 0; i < length; i++)
            value[i] = random_byte(&seed);
        check(value, length);
    }
}

static void test_words_that_mean_something(void **state)
{
    check("null", 4);
    check("nul", 3);
    check("true", 4);
    check("\xef\xbf\xbd", 3);
}

/* Whatever is cut can still be read, and is no longer than asked for. */
static void test_cuts_can_be_read(void **state)
{
    unsigned seed = 9;
    char value[VALUE_MAX];
    char line[LINE_SIZE + 1];
    char decoded[LINE_SIZE];
    struct text text;

    for (int round = 0; round < ROUNDS; round++) {
        size_t limit = 8 + (size_t)rand_r(&seed) % VALUE_MAX;

        for (size_t i = 0; i < VALUE_MAX; i++)
            value[i] = random_byte(&seed);
        text_init(&text, decoded, sizeof(decoded));
        assert_true(put(LOG_FORMAT_JSON, value, VALUE_MAX, limit, line) <=
                    limit + strlen("{\"user\":\"\",\"status\":407}"));
        decode_json(line, &text);
        text_init(&text, decoded, sizeof(decoded));
        assert_true(put(LOG_FORMAT_LOGFMT, value, VALUE_MAX, limit, line) <=
                    limit + strlen("user= status=407"));
        decode_logfmt(line, &text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_character),
        cmocka_unit_test(test_random_bytes),
        cmocka_unit_test(test_words_that_mean_something),
        cmocka_unit_test(test_cuts_can_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
