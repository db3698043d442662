/* The configuration's tokens. Words are keywords only where a statement knows them, so that a user
 * may be called "log" and a list "client".
 */
#ifndef CONFIG_LEXER_H
#define CONFIG_LEXER_H

#include "base/contract.h"
#include "config/arena.h"
#include "config/diagnostics.h"

#include <stdbool.h>
#include <stddef.h>

struct config_builder;
struct config_reader;

/* A word or "string" of the text, with what the environment has in it; NUL-terminated and owned by
 * the arena. */
struct config_word {
    const char *text;
    size_t length;
    bool is_quoted;
    struct config_place place;
};

struct lexer {
    const char *at;
    const char *end;
    struct config_place place; /* file, line and its text */
    unsigned column;
    unsigned statement; /* a bit: which words are keywords now */
    unsigned depth;     /* of braces */
    bool is_at_start;   /* the last token ended a statement */
    bool is_continued;  /* the last token was a comma */
    unsigned open_line; /* of the last `{` */
    struct arena *arena;
    struct diagnostics *diagnostics;
    struct config_reader *reader; /* for the environment */
};

/* Contract: `file` and `text` stay as long as places of tokens are used. */
void lexer_init(struct lexer *lexer, const char *file, const char *text, size_t length,
                struct config_builder *builder);
/* No NUL, control or bad UTF-8 anywhere; else a diagnostic. lexer_next needs it. */
bool lexer_check_text(const struct lexer *lexer) MUST_CHECK;
/* The next token's number in grammar.y, its place, and its word if it has one. */
int lexer_next(struct lexer *lexer, struct config_word *ret_word, struct config_place *ret_place);
/* After an error: the next token begins a statement. */
void lexer_resume(struct lexer *lexer);

/* Whether a rule takes this word for a keyword, unless it is quoted. */
bool lexer_is_rule_keyword(const char *text);
/* Whether the word can be written without quotes: letters, digits and some signs. */
bool lexer_is_plain(const char *text);

#endif
