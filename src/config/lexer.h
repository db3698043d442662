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

/* A word or "string" of the text, in which variables are already replaced. It is NUL-terminated and
 * owned by the arena. */
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
    unsigned statement; /* one of statement_bits in lexer.c: which words are keywords now */
    unsigned depth;     /* how many braces are open */
    bool is_at_start;   /* the last token ended a statement */
    bool is_continued;  /* the last token was a comma */
    unsigned open_line; /* of the last `{` */
    struct arena *arena;
    struct diagnostics *diagnostics;
    struct config_reader *reader; /* for the environment */
};

/* Begins to read a text. Contract: `file` and `text` stay valid as long as places of tokens are
 * used. */
void lexer_init(struct lexer *lexer, const char *file, const char *text, size_t length,
                struct config_builder *builder);
/* Returns true when the text has no NUL, no control and no bad UTF-8; otherwise adds a diagnostic.
 * lexer_next may be called only after this succeeded. */
bool lexer_check_text(const struct lexer *lexer) MUST_CHECK;
/* Takes the next token. Returns its number in grammar.y; sets its place, and its word if it has
 * one. */
int lexer_next(struct lexer *lexer, struct config_word *ret_word, struct config_place *ret_place);
/* To be called after an error: the next token then begins a statement. */
void lexer_resume(struct lexer *lexer);

/* True when a rule takes this word for a keyword unless it is quoted. */
bool lexer_is_rule_keyword(const char *text);
/* True when the word can be written without quotes: letters, digits and some signs. */
bool lexer_is_plain(const char *text);

#endif
