/* The grammar of the configuration language: only its forms. The actions (build_*.c) find out what
 * a word means, and the lexer knows the keywords.
 *
 * An error ends at the next newline or, inside the braces of `listen`, at the end of the setting,
 * so that one run reports many errors. Look-ahead correction (LAC) makes the list of expected words
 * exact.
 */
%define api.pure full
%define api.prefix {grammar_}
%define api.token.prefix {TOKEN_}
%define api.location.type {struct config_place}
%define parse.error custom
%define parse.lac full
%locations
%param {struct config_builder *builder}
%expect 0

%code requires {
#include "config/builder.h"
}

%union {
    struct config_word word;
    struct vector words;
    struct log_draft log;
    struct admin_draft admin;
    enum policy_condition_kind kind;
    bool flag;
}

%code {
#include "config/suggest.h"

#include <string.h>

#define YYMAXDEPTH 2000
/* A place goes from the first to the last token, or covers only the first one when they are not in
 * one line. */
#define YYLLOC_DEFAULT(current, parts, count)                                                      \
    do {                                                                                           \
        if ((count) > 0) {                                                                         \
            (current) = YYRHSLOC(parts, 1);                                                        \
            if ((current).line == YYRHSLOC(parts, count).line)                                     \
                (current).column_end = YYRHSLOC(parts, count).column_end;                          \
        } else {                                                                                   \
            (current) = YYRHSLOC(parts, 0);                                                        \
            (current).column = (current).column_end;                                               \
        }                                                                                          \
    } while (0)

static int grammar_lex(GRAMMAR_STYPE *value, GRAMMAR_LTYPE *place, struct config_builder *builder)
{
    int token = lexer_next(builder->lexer, &value->word, place);

    /* `control` counts even as an ordinary word: a comma or brace in front of it may be the
     * mistake. */
    builder->is_control_begun |= token == TOKEN_CONTROL ||
                                 (token == TOKEN_WORD && strcmp(value->word.text, "control") == 0);
    builder->words_before[0] = builder->words_before[1];
    builder->words_before[1] = token == TOKEN_WORD ? value->word.text : NULL;
    return token;
}

static void grammar_error(const GRAMMAR_LTYPE *place, struct config_builder *builder,
                          const char *message)
{
    builder_error(builder, place, message, NULL);
}

/* After so many errors the text is probably no configuration, and working out what was expected
 * takes minutes for a million errors. */
static bool is_enough(struct config_builder *builder, const struct config_place *place)
{
    enum { ERRORS_MAX = 500 };

    if (diagnostics_error_count(builder->diagnostics) + builder->strays.count < ERRORS_MAX)
        return false;
    builder_error(builder, place, "too many errors: the rest is not read", NULL);
    return true;
}

static void append(struct config_builder *builder, struct vector *words,
                   const struct config_word *word)
{
    struct config_word *item = vector_push(&builder->draft->arena, words, sizeof(*item));

    if (item != NULL)
        *item = *word;
}

/* Sets a part of a statement. A second one is reported. */
static void set_part(struct config_builder *builder, const struct config_place *place,
                     struct vector *part, const struct vector *values)
{
    if (part->count > 0)
        builder_error(builder, place, "this stands twice: write all of it behind the first", NULL);
    *part = *values;
}

static struct vector start(struct config_builder *builder, const struct config_word *word)
{
    struct vector words = {0};

    append(builder, &words, word);
    return words;
}
}

%token YYEOF 0 "end of file"
%token <word> WORD "a word" STRING "a string"
%token NEWLINE "end of line" COMMA "','" SEMICOLON "';'" OPEN "'{'" CLOSE "'}'"
%token UNCLOSED_STRING "a string without its end"
%token BAD_VARIABLE "a variable that is not set"
%token LISTEN "listen" ADMIN "admin" CONTROL "control" USERS "users" GROUP "group" LIST "list" RESOLVER "resolver"
%token LIMIT "limit" TIMEOUT "timeout" LOG "log" INCLUDE "include"
%token REPORT "report" ALLOW "allow" DENY "deny"
%token TLS "tls" CERTIFICATE "certificate" KEY "key" CLIENT_CA "client-ca"
%token NAME "name"
%token OFF "off" FILE "file" LENIENT "lenient" PER "per" STDERR "stderr" STDOUT "stdout" FORMAT "format" EVENTS "events"
%token FROM "from" USER "user" TO "to" ADDRESS "address" PORT "port" LISTENER "listener"
%token TIME "time" PROTOCOL "protocol" SNI "sni" JA4 "ja4" NOT "not" AS "as"

%type <word> value name per timeout list_name group_name
%type <words> values braced times time
%type <log> log
%type <admin> admin
%type <kind> kind kind_name
%type <flag> not report verdict lenient

%%

file: statements ;

statements: %empty | statements statement ;

statement:
    NEWLINE
  | body NEWLINE { builder->statement_count++; }
  | INCLUDE value NEWLINE { builder_include(builder, &$2); }
  | error NEWLINE {
        lexer_resume(builder->lexer);
        yyerrok;
        if (is_enough(builder, &@2))
            YYABORT;
    }
  ;

body:
    LISTEN value listen_block { build_listen(builder, &$2); }
  | ADMIN admin { build_admin(builder, &@1, &$2); }
  | ADMIN OFF { build_admin_off(builder, &@1); }
  | CONTROL value { build_control(builder, &@1, &$2); }
  | USERS FILE value { build_users(builder, &@1, &$3); }
  | GROUP group_name braced { build_group(builder, &$2, &$3); }
  | LIST list_name braced { build_list(builder, &$2, &$3); }
  | LIST list_name FILE value lenient { build_list_file(builder, &$2, &$4, $5); }
  | RESOLVER values timeout { build_resolver(builder, &@1, &$2, &$3); }
  | RESOLVER TIMEOUT value { build_resolver(builder, &@1, NULL, &$3); }
  | LIMIT name value per { build_setting(builder, "limit", &$2, &$3, &$4); }
  | TIMEOUT name value {
        struct config_word none = {0};

        build_setting(builder, "timeout", &$2, &$3, &none);
    }
  | LOG log { build_log(builder, &@1, &$2); }
  | report verdict conditions { build_rule(builder, &@2, $1, $2, NULL); }
  | report verdict conditions AS value { build_rule(builder, &@2, $1, $2, &$5); }
  ;

value: WORD | STRING ;
name: WORD ;
list_name: WORD { $$ = $1; build_begin_list(builder, &$1); } ;
group_name: WORD { $$ = $1; build_begin_group(builder, &$1); } ;
values: value { $$ = start(builder, &$1); } | values COMMA value { $$ = $1; append(builder, &$$, &$3); } ;

braced:
    OPEN CLOSE { $$ = (struct vector){0}; }
  | OPEN values CLOSE { $$ = $2; }
  | OPEN values COMMA CLOSE { $$ = $2; }
  ;

listen_block: %empty | OPEN listen_settings CLOSE ;
listen_settings: listen_setting | listen_settings separator listen_setting ;
separator:
    sign {
        yyerrok;
        if (is_enough(builder, &@1))
            YYABORT;
    }
  ;
sign: SEMICOLON | NEWLINE ;
listen_setting:
    %empty
  | TLS CERTIFICATE value KEY value { build_tls(builder, &@1); }
  | CLIENT_CA value { build_tls(builder, &@1); }
  | error
  ;

lenient: %empty { $$ = false; } | LENIENT { $$ = true; } ;
timeout: %empty { $$ = (struct config_word){0}; } | TIMEOUT value { $$ = $2; } ;
per: %empty { $$ = (struct config_word){0}; } | PER name { $$ = $2; } ;

log:
    value { $$ = (struct log_draft){.target = CONFIG_LOG_FILE, .path = $1}; }
  | STDERR { $$ = (struct log_draft){.target = CONFIG_LOG_STDERR}; }
  | STDOUT { $$ = (struct log_draft){.target = CONFIG_LOG_STDOUT}; }
  | OFF { $$ = (struct log_draft){.target = CONFIG_LOG_OFF}; }
  | log FORMAT name { $$ = $1; $$.format = $3; }
  | log EVENTS values { $$ = $1; $$.events = $3; }
  ;

admin:
    value { $$ = (struct admin_draft){.address = $1}; }
  | admin USER values { $$ = $1; set_part(builder, &@2, &$$.users, &$3); }
  | admin FROM values { $$ = $1; set_part(builder, &@2, &$$.from, &$3); }
  | admin NAME values { $$ = $1; set_part(builder, &@2, &$$.names, &$3); }
  ;

report: %empty { $$ = false; } | REPORT { $$ = true; } ;
verdict: ALLOW { $$ = true; } | DENY { $$ = false; } ;
conditions: %empty { build_begin_rule(builder); } | conditions condition ;
condition:
    not kind not values {
        if ($1 && $3)
            builder_error(builder, &@3, "'not' stands twice: once negates all values", NULL);
        build_condition(builder, $2, $1 || $3, &$4);
    }
  | not time_name not times {
        if ($1 && $3)
            builder_error(builder, &@3, "'not' stands twice: once negates all values", NULL);
        build_condition(builder, POLICY_TIME, $1 || $3, &$4);
    }
  ;
not: %empty { $$ = false; } | NOT { $$ = true; } ;
time_name: TIME { builder->condition_kind = POLICY_TIME; } ;
kind: kind_name { $$ = $1; builder->condition_kind = $1; } ;
kind_name:
    FROM { $$ = POLICY_FROM; }
  | USER { $$ = POLICY_USER; }
  | TO { $$ = POLICY_TO; }
  | ADDRESS { $$ = POLICY_ADDRESS; }
  | PORT { $$ = POLICY_PORT; }
  | LISTENER { $$ = POLICY_LISTENER; }
  | PROTOCOL { $$ = POLICY_PROTOCOL; }
  | SNI { $$ = POLICY_SNI; }
  | JA4 { $$ = POLICY_JA4; }
  ;
/* Two words per value: days and hours. A second word that is not given has no text. */
times: time | times COMMA time { struct config_word *words = $3.items; $$ = $1; append(builder, &$$, &words[0]); append(builder, &$$, &words[1]); } ;
time:
    WORD {
        struct config_word none = {0};

        $$ = start(builder, &$1);
        append(builder, &$$, &none);
    }
  | WORD WORD { $$ = start(builder, &$1); append(builder, &$$, &$2); }
  ;

%%

enum { EXPECTED_MAX = 24 };

static bool is_word_token(yysymbol_kind_t kind)
{
    return kind == YYSYMBOL_WORD || kind == YYSYMBOL_STRING;
}

/* Finds the expected keyword of which the word may be a misspelling. */
static void find_suggestion(const yysymbol_kind_t *expected, int count,
                            struct suggestion *suggestion)
{
    for (int i = 0; i < count; i++)
        if (!is_word_token(expected[i]))
            suggestion_try(suggestion, yysymbol_name(expected[i]));
}

static bool is_expected(const yysymbol_kind_t *expected, int count, yysymbol_kind_t kind)
{
    for (int i = 0; i < count; i++)
        if (expected[i] == kind)
            return true;
    return false;
}

static bool is_statement(const yysymbol_kind_t *expected, int count)
{
    return is_expected(expected, count, YYSYMBOL_LISTEN);
}

/* Writes `a, b or c`. A word and a string are the same to a person, so they are named once. */
static void add_expected(struct text *out, const yysymbol_kind_t *expected, int count)
{
    const char *names[EXPECTED_MAX];
    int named = 0;
    bool is_start = is_statement(expected, count);

    for (int i = 0; i < count; i++) {
        if (is_start && (expected[i] == YYSYMBOL_YYEOF || expected[i] == YYSYMBOL_NEWLINE))
            continue;
        if (expected[i] == YYSYMBOL_STRING && i > 0 && expected[i - 1] == YYSYMBOL_WORD)
            names[named - 1] = "a value";
        else
            names[named++] = yysymbol_name(expected[i]);
    }
    for (int i = 0; i < named; i++) {
        if (i > 0)
            text_add(out, i + 1 < named ? ", " : " or ");
        text_add(out, names[i]);
    }
}

static void add_unexpected(struct text *out, const struct config_place *place, yysymbol_kind_t kind)
{
    if (kind == YYSYMBOL_UNCLOSED_STRING || kind == YYSYMBOL_NEWLINE || kind == YYSYMBOL_YYEOF) {
        text_add(out, yysymbol_name(kind));
        return;
    }
    text_add_char(out, '\'');
    diagnostics_add_source(out, place);
    text_add_char(out, '\'');
}

/* Notes a stray word when a condition could stand in its place. Returns false when none could, or
 * when the token is not a word. */
static bool take_stray(struct config_builder *builder, const yypcontext_t *context,
                       const yysymbol_kind_t *expected, int count,
                       const struct suggestion *suggestion)
{
    char buffer[512];
    struct text message;

    if (!is_expected(expected, count, YYSYMBOL_FROM) || !is_expected(expected, count, YYSYMBOL_TO) ||
        !is_word_token(yypcontext_token(context)))
        return false;
    text_init(&message, buffer, sizeof(buffer));
    add_expected(&message, expected, count);
    build_stray(builder, yypcontext_location(context),
                is_expected(expected, count, YYSYMBOL_COMMA), suggestion, buffer);
    return true;
}

static int yyreport_syntax_error(const yypcontext_t *context, struct config_builder *builder)
{
    const struct config_place *place = yypcontext_location(context);
    yysymbol_kind_t kind = yypcontext_token(context);
    yysymbol_kind_t expected[EXPECTED_MAX];
    int count = yypcontext_expected_tokens(context, expected, EXPECTED_MAX);
    char buffer[512];
    char word[64];
    struct text message;
    struct text source;
    struct suggestion suggestion;

    builder->is_cut = true;
    if (kind == YYSYMBOL_YYUNDEF)
        return 0; /* no memory: the arena knows */
    if (kind == YYSYMBOL_BAD_VARIABLE)
        return 0; /* the lexer said why */
    text_init(&message, buffer, sizeof(buffer));
    text_init(&source, word, sizeof(word));
    if (kind == YYSYMBOL_UNCLOSED_STRING) {
        builder_error(builder, place, "this string has no end: a \" is missing on its line", NULL);
        return 0;
    }
    suggestion_init(&suggestion, word);
    if (kind == YYSYMBOL_WORD) {
        diagnostics_add_source(&source, place);
        find_suggestion(expected, count, &suggestion);
    }
    if (take_stray(builder, context, expected, count, &suggestion))
        return 0;
    text_add(&message, kind == YYSYMBOL_WORD && is_statement(expected, count)
                           ? "unknown statement "
                           : "unexpected ");
    add_unexpected(&message, place, kind);
    if (kind == YYSYMBOL_YYEOF && builder->lexer->depth > 0) {
        text_add(&message, ": the '{' of line ");
        text_add_decimal(&message, builder->lexer->open_line);
        text_add(&message, " is still open");
    }
    if (suggestion.nearest != NULL) {
        suggestion_print(&message, &suggestion);
    } else if (count > 0) {
        text_add(&message, "; expected ");
        add_expected(&message, expected, count);
    }
    builder_error(builder, place, buffer, NULL);
    return 0;
}
