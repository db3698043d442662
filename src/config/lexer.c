/* Turns text into tokens.
 *
 * A newline is a token that ends a statement, with three exceptions: behind a comma, on an empty
 * line, and in the braces of `list` and `group` it is a blank. The first word of a statement
 * decides which words are keywords until its end: `keywords` below has one bit per statement.
 *
 * The value of a variable (`${NAME}`) is a part of the word in which it stands, whatever it
 * contains, and is not cut into tokens. A word that is made so may be a keyword, as in `log
 * ${LOG:-stderr}`.
 *
 * The text was checked to be UTF-8 without controls before the first token is asked for.
 */
#include "config/lexer.h"

#include "base/ascii.h"
#include "base/lines.h"
#include "config/builder.h"
#include "config/config.h"
#include "config/grammar.h"
#include "config/variable.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

enum statement_bits {
    AT_START = 1 << 0,
    IN_LISTEN = 1 << 1,
    IN_ADMIN = 1 << 2,
    IN_FILE = 1 << 3, /* users, list */
    IN_RESOLVER = 1 << 4,
    IN_LIMIT = 1 << 5,
    IN_LOG = 1 << 6,
    IN_REPORT = 1 << 7,
    IN_RULE = 1 << 8,
    IN_OTHER = 1 << 9, /* no keywords */
    IN_BRACES = 1 << 10,
    IN_PATH = 1 << 11, /* behind `file` */
};

/* `where` says where a word is a keyword; `statement`, what the lexer is in after it (0: no
 * change). */
static const struct {
    const char *word;
    int token;
    unsigned where;
    unsigned statement;
} keywords[] = {
    {"listen", TOKEN_LISTEN, AT_START, IN_LISTEN},
    {"admin", TOKEN_ADMIN, AT_START, IN_ADMIN},
    {"control", TOKEN_CONTROL, AT_START, IN_OTHER},
    {"users", TOKEN_USERS, AT_START, IN_FILE},
    {"group", TOKEN_GROUP, AT_START, IN_OTHER},
    {"list", TOKEN_LIST, AT_START, IN_FILE},
    {"resolver", TOKEN_RESOLVER, AT_START, IN_RESOLVER},
    {"limit", TOKEN_LIMIT, AT_START, IN_LIMIT},
    {"timeout", TOKEN_TIMEOUT, AT_START, IN_OTHER},
    {"log", TOKEN_LOG, AT_START, IN_LOG},
    {"include", TOKEN_INCLUDE, AT_START, IN_OTHER},
    {"report", TOKEN_REPORT, AT_START, IN_REPORT},
    {"allow", TOKEN_ALLOW, AT_START | IN_REPORT, IN_RULE},
    {"deny", TOKEN_DENY, AT_START | IN_REPORT, IN_RULE},
    {"tls", TOKEN_TLS, IN_LISTEN, 0},
    {"certificate", TOKEN_CERTIFICATE, IN_LISTEN, 0},
    {"key", TOKEN_KEY, IN_LISTEN, 0},
    {"client-ca", TOKEN_CLIENT_CA, IN_LISTEN, 0},
    {"off", TOKEN_OFF, IN_ADMIN | IN_LOG, 0},
    {"file", TOKEN_FILE, IN_FILE, IN_PATH},
    {"lenient", TOKEN_LENIENT, IN_PATH, 0},
    {"timeout", TOKEN_TIMEOUT, IN_RESOLVER, 0},
    {"per", TOKEN_PER, IN_LIMIT, 0},
    {"stderr", TOKEN_STDERR, IN_LOG, 0},
    {"stdout", TOKEN_STDOUT, IN_LOG, 0},
    {"format", TOKEN_FORMAT, IN_LOG, 0},
    {"events", TOKEN_EVENTS, IN_LOG, 0},
    {"from", TOKEN_FROM, IN_RULE | IN_ADMIN, 0},
    {"user", TOKEN_USER, IN_RULE | IN_ADMIN, 0},
    {"name", TOKEN_NAME, IN_ADMIN, 0},
    {"to", TOKEN_TO, IN_RULE, 0},
    {"address", TOKEN_ADDRESS, IN_RULE, 0},
    {"port", TOKEN_PORT, IN_RULE, 0},
    {"listener", TOKEN_LISTENER, IN_RULE, 0},
    {"time", TOKEN_TIME, IN_RULE, 0},
    {"protocol", TOKEN_PROTOCOL, IN_RULE, 0},
    {"sni", TOKEN_SNI, IN_RULE, 0},
    {"ja4", TOKEN_JA4, IN_RULE, 0},
    {"not", TOKEN_NOT, IN_RULE, 0},
    {"as", TOKEN_AS, IN_RULE, 0},
};

void lexer_init(struct lexer *lexer, const char *file, const char *text, size_t length,
                struct config_builder *builder)
{
    memset(lexer, 0, sizeof(*lexer));
    lexer->at = text + byte_order_mark_length(text, length);
    lexer->end = text + length;
    lexer->place.file = file;
    lexer->arena = &builder->draft->arena;
    lexer->diagnostics = builder->diagnostics;
    lexer->reader = builder->reader;
    lexer_resume(lexer);
}

void lexer_resume(struct lexer *lexer)
{
    lexer->statement = AT_START;
    lexer->depth = 0;
    lexer->is_at_start = true;
    lexer->is_continued = false;
}

/* -- the text as a whole */

static bool is_control(unsigned char byte)
{
    return (byte < ' ' && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7f;
}

static const char *find_line_end(const char *at, const char *end)
{
    const char *newline = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;

    return newline != NULL ? newline : end;
}

static bool refuse_byte(const struct lexer *lexer, struct config_place *place, const char *line,
                        unsigned char byte)
{
    char message[] = "a control character (0x..): the configuration is text";

    place->line_start = line;
    place->line_length = (size_t)(find_line_end(line, lexer->end) - line);
    place->column_end = place->column + 1;
    if (byte == 0) {
        diagnostics_add(lexer->diagnostics, false, place,
                        "a NUL byte: the configuration is text, and this is no text file");
        return false;
    }
    if (byte >= 0x80) {
        diagnostics_add(lexer->diagnostics, false, place,
                        "not UTF-8: save the file in that encoding");
        return false;
    }
    char *digits = strchr(message, '.');
    digits[0] = ascii_hex_digit(byte >> 4);
    digits[1] = ascii_hex_digit(byte);
    diagnostics_add(lexer->diagnostics, false, place, message);
    return false;
}

bool lexer_check_text(const struct lexer *lexer)
{
    const char *at = lexer->at;
    const char *line = at;
    struct config_place place = {.file = lexer->place.file, .line = 1, .column = 1};

    while (at < lexer->end) {
        size_t length = text_utf8_length(at, (size_t)(lexer->end - at));

        if (length == 0 || is_control((unsigned char)*at))
            return refuse_byte(lexer, &place, line, (unsigned char)*at);
        at += length;
        place.column++;
        if (at[-1] == '\n') {
            place.line++;
            place.column = 1;
            line = at;
        }
    }
    return true;
}

/* -- tokens */

static void lexer_advance(struct lexer *lexer)
{
    if (((unsigned char)*lexer->at & 0xc0) != 0x80)
        lexer->column++;
    lexer->at++;
}

static void lexer_begin_line(struct lexer *lexer)
{
    lexer->place.line++;
    lexer->column = 1;
    lexer->place.line_start = lexer->at;
    lexer->place.line_length = (size_t)(find_line_end(lexer->at, lexer->end) - lexer->at);
    if (lexer->place.line_length > 0 &&
        lexer->place.line_start[lexer->place.line_length - 1] == '\r')
        lexer->place.line_length--;
}

static bool is_word_byte(char byte)
{
    return strchr(" \t\r\n,;{}\"", byte) == NULL;
}

/* True when a newline at this point is a token. */
static bool is_newline_token(const struct lexer *lexer)
{
    if (lexer->is_continued || (lexer->is_at_start && lexer->depth == 0))
        return false;
    return !(lexer->statement & IN_BRACES);
}

/* Skips blanks and comments up to the next token. Returns true when that is a newline; the caller
 * takes it. */
static bool lexer_skip_blanks(struct lexer *lexer)
{
    while (lexer->at < lexer->end) {
        char byte = *lexer->at;

        if (byte == '#') {
            while (lexer->at < lexer->end && *lexer->at != '\n')
                lexer_advance(lexer);
        } else if (byte == ' ' || byte == '\t' || byte == '\r') {
            lexer_advance(lexer);
        } else if (byte == '\n') {
            bool is_token = is_newline_token(lexer);

            if (is_token)
                return true;
            lexer->at++;
            lexer_begin_line(lexer);
        } else {
            break;
        }
    }
    return false;
}

/* -- variables */

static void lexer_push(struct lexer *lexer, struct vector *bytes, const char *from, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        char *byte = vector_push(lexer->arena, bytes, 1);

        if (byte != NULL)
            *byte = from[i];
    }
}

static bool is_text(const char *value, size_t length)
{
    size_t step;

    for (size_t at = 0; at < length; at += step) {
        step = text_utf8_length(value + at, length - at);
        if (step == 0 || is_control((unsigned char)value[at]) || value[at] == '\n' ||
            value[at] == '\r')
            return false;
    }
    return true;
}

static bool refuse_variable(struct lexer *lexer, const struct config_place *place, const char *name,
                            const char *why)
{
    char buffer[DIAGNOSTIC_MESSAGE_SIZE];
    struct text message;

    text_init(&message, buffer, sizeof(buffer));
    text_add(&message, "the environment's ");
    text_add(&message, name);
    text_add(&message, why);
    diagnostics_add(lexer->diagnostics, false, place, buffer);
    return false;
}

/* Appends the variable's value to `bytes`. Returns false when it has none; that was reported. */
static bool push_value(struct lexer *lexer, const struct config_place *place,
                       const struct variable *variable, struct vector *bytes)
{
    const char *name = arena_copy(lexer->arena, variable->name, variable->name_length);
    const char *value = "";

    if (name == NULL)
        return false;
    int error = lexer->reader->environment(lexer->reader, name, &value);
    if (error == -ENOMEM) {
        lexer->arena->is_exhausted = true;
        return false;
    }
    if (variable->initial != NULL && (error < 0 || value[0] == '\0')) {
        lexer_push(lexer, bytes, variable->initial, variable->initial_length);
        return true;
    }
    if (error < 0)
        return refuse_variable(lexer, place, name,
                               " is not set: set it where adit is started, or write a default, as "
                               "in ${NAME:-default}");
    if (strlen(value) > VARIABLE_VALUE_MAX)
        return refuse_variable(lexer, place, name, " is longer than 4096 bytes");
    if (!is_text(value, strlen(value)))
        return refuse_variable(lexer, place, name,
                               " is no line of text: it has controls, or is not UTF-8");
    lexer_push(lexer, bytes, value, strlen(value));
    return true;
}

static bool take_variable(struct lexer *lexer, struct vector *bytes)
{
    struct config_place place = lexer->place;
    struct variable variable;
    bool is_good = variable_parse(lexer->at, find_line_end(lexer->at, lexer->end), &variable);
    const char *next = lexer->at + (is_good ? variable.length : 2);

    place.column = lexer->column;
    while (lexer->at < next)
        lexer_advance(lexer);
    place.column_end = lexer->column;
    if (is_good)
        return push_value(lexer, &place, &variable, bytes);
    diagnostics_add(lexer->diagnostics, false, &place,
                    "no variable: write ${NAME} or ${NAME:-default}, or in a string \\${");
    return false;
}

/* -- words */

/* Ends the text with a NUL and makes it the word. Returns false when there is no memory. */
static bool finish_word(struct lexer *lexer, struct vector *bytes, bool is_quoted,
                        struct config_word *word)
{
    lexer_push(lexer, bytes, "", 1);
    if (lexer->arena->is_exhausted)
        return false;
    *word = (struct config_word){
        .text = bytes->items, .length = bytes->count - 1, .is_quoted = is_quoted};
    return true;
}

static int lexer_take_string(struct lexer *lexer, struct config_word *word)
{
    struct vector bytes = {0};
    bool is_good = true;

    lexer_advance(lexer);
    while (lexer->at < lexer->end && *lexer->at != '"' && *lexer->at != '\n') {
        if (variable_begins(lexer->at, lexer->end)) {
            is_good &= take_variable(lexer, &bytes);
            continue;
        }
        if (*lexer->at == '\\' && lexer->at + 1 < lexer->end && lexer->at[1] != '\n')
            lexer_advance(lexer);
        lexer_push(lexer, &bytes, lexer->at, 1);
        lexer_advance(lexer);
    }
    if (!finish_word(lexer, &bytes, true, word))
        return TOKEN_GRAMMAR_UNDEF;
    if (lexer->at == lexer->end || *lexer->at == '\n')
        return TOKEN_UNCLOSED_STRING;
    lexer_advance(lexer);
    return is_good ? TOKEN_STRING : TOKEN_BAD_VARIABLE;
}

/* Returns the token of the keyword, or TOKEN_WORD when the text is not a keyword here. The first
 * word of a statement also decides which words are keywords behind it. */
static int find_keyword(struct lexer *lexer, const char *text)
{
    for (size_t i = 0; i < ARRAY_LENGTH(keywords); i++) {
        if (!(keywords[i].where & lexer->statement) || strcmp(keywords[i].word, text) != 0)
            continue;
        if (keywords[i].statement != 0)
            lexer->statement = keywords[i].statement;
        return keywords[i].token;
    }
    if (lexer->statement & AT_START)
        lexer->statement = IN_OTHER;
    return TOKEN_WORD;
}

static int lexer_take_word(struct lexer *lexer, struct config_word *word)
{
    struct vector bytes = {0};
    bool is_good = true;

    while (lexer->at < lexer->end) {
        if (variable_begins(lexer->at, lexer->end)) {
            is_good &= take_variable(lexer, &bytes);
            continue;
        }
        if (!is_word_byte(*lexer->at))
            break;
        lexer_push(lexer, &bytes, lexer->at, 1);
        lexer_advance(lexer);
    }
    if (!finish_word(lexer, &bytes, false, word))
        return TOKEN_GRAMMAR_UNDEF;
    return is_good ? find_keyword(lexer, word->text) : TOKEN_BAD_VARIABLE;
}

static int take_sign(struct lexer *lexer)
{
    char byte = *lexer->at;

    lexer_advance(lexer);
    switch (byte) {
    case ',':
        return TOKEN_COMMA;
    case ';':
        return TOKEN_SEMICOLON;
    case '{':
        lexer->depth++;
        lexer->open_line = lexer->place.line;
        if (lexer->statement & (IN_FILE | IN_OTHER))
            lexer->statement = IN_BRACES;
        return TOKEN_OPEN;
    default:
        if (lexer->depth > 0)
            lexer->depth--;
        if (lexer->statement & IN_BRACES)
            lexer->statement = IN_OTHER;
        return TOKEN_CLOSE;
    }
}

static int take_newline(struct lexer *lexer)
{
    lexer->at++;
    lexer_begin_line(lexer);
    if (lexer->depth == 0)
        lexer_resume(lexer);
    return TOKEN_NEWLINE;
}

/* At the end of the text, a statement without a newline still gets one. */
static int take_end(struct lexer *lexer)
{
    if (lexer->is_at_start || lexer->depth > 0 || lexer->is_continued)
        return TOKEN_YYEOF;
    lexer_resume(lexer);
    return TOKEN_NEWLINE;
}

int lexer_next(struct lexer *lexer, struct config_word *ret_word, struct config_place *ret_place)
{
    int token;

    if (lexer->place.line == 0)
        lexer_begin_line(lexer);
    bool is_newline = lexer_skip_blanks(lexer);
    *ret_place = lexer->place;
    ret_place->column = lexer->column;
    ret_place->column_end = lexer->column + 1;
    if (is_newline)
        return take_newline(lexer);
    if (lexer->at == lexer->end)
        return take_end(lexer);
    if (*lexer->at == '"')
        token = lexer_take_string(lexer, ret_word);
    else if (is_word_byte(*lexer->at))
        token = lexer_take_word(lexer, ret_word);
    else
        token = take_sign(lexer);
    lexer->is_at_start = false;
    lexer->is_continued = token == TOKEN_COMMA;
    ret_place->column_end = lexer->column;
    ret_word->place = *ret_place;
    return token;
}

/* -- words for others */

bool lexer_is_rule_keyword(const char *text)
{
    for (size_t i = 0; i < ARRAY_LENGTH(keywords); i++)
        if (keywords[i].where & IN_RULE && strcmp(keywords[i].word, text) == 0)
            return true;
    return false;
}

bool lexer_is_plain(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (!ascii_is_letter(*at) && !ascii_is_digit(*at) && strchr("-_.", *at) == NULL)
            return false;
    }
    return text[0] != '\0';
}
