/* One function per field: it parses the word, and says what would have been right when it is wrong.
 */
#include "config/question.h"

#include "config/lexer.h"
#include "config/week_time.h"
#include "wire/basic_auth.h"

#include <errno.h>
#include <string.h>

/* Returns NULL, or what is wrong. */
typedef const char *take_function(struct question *question, const char *word);

static const char *question_take_target(struct question *question, const char *word)
{
    enum authority_error error = authority_parse(word, strlen(word), &question->target);

    return error == AUTHORITY_OK ? NULL : authority_error_text(error);
}

static const char *take_user(struct question *question, const char *word)
{
    (void)question;
    if (word[0] == '\0')
        return "a user name is needed";
    return strlen(word) <= BASIC_USER_MAX ? NULL : "a user name has 255 bytes at most";
}

static const char *take_client(struct question *question, const char *word)
{
    return ip_address_parse(word, strlen(word), &question->client) == 0
               ? NULL
               : "not an IP address; write 192.0.2.7 or fd00::7";
}

static const char *question_take_listener(struct question *question, const char *word)
{
    return ip_endpoint_parse(word, strlen(word), &question->listener) == 0
               ? NULL
               : "not a listener; write it as in its `listen`: 127.0.0.1:10800 or [::1]:10800";
}

/* 24:00 is not taken: as a point in time it is 00:00 of the next day. */
static const char *question_take_time(struct question *question, const char *word)
{
    enum { DAY_LENGTH = 3, TIME_LENGTH = DAY_LENGTH + 1 + MINUTE_LENGTH };
    int day = strlen(word) == TIME_LENGTH ? week_day_parse(word, DAY_LENGTH) : -1;

    if (day < 0 || word[DAY_LENGTH] != ' ' ||
        !day_minute_parse(word + DAY_LENGTH + 1, &question->minute) ||
        question->minute == MINUTES_OF_DAY)
        return "not a day and a time; write 'Sat 23:30', local time";
    question->weekday = (uint8_t)day;
    return NULL;
}

static const char *take_sni(struct question *question, const char *word)
{
    bool is_host = authority_parse_host(word, strlen(word), &question->sni) == AUTHORITY_OK &&
                   question->sni.address.family == IP_NONE;

    return is_host ? NULL : "not a host name";
}

static const char *take_protocol(struct question *question, const char *word)
{
    (void)question;
    return lexer_is_plain(word) && strlen(word) <= QUESTION_WORD_MAX
               ? NULL
               : "not a protocol; write it as in a rule: tls, http";
}

static const char *question_take_all(struct question *question, const char *word)
{
    (void)question;
    return strcmp(word, "yes") == 0 ? NULL : "write yes, or nothing";
}

static const struct {
    const char *name;
    take_function *take;
} question_fields[] = {
    [QUESTION_TARGET] = {"target", question_take_target},
    [QUESTION_USER] = {"user", take_user},
    [QUESTION_CLIENT] = {"client", take_client},
    [QUESTION_LISTENER] = {"listener", question_take_listener},
    [QUESTION_TIME] = {"time", question_take_time},
    [QUESTION_SNI] = {"sni", take_sni},
    [QUESTION_PROTOCOL] = {"protocol", take_protocol},
    [QUESTION_ALL] = {"all", question_take_all},
};
static_assert(ARRAY_LENGTH(question_fields) == QUESTION_FIELD_COUNT, "a row for every field");

void question_init(struct question *question)
{
    static const uint8_t loopback[4] = {127, 0, 0, 1};

    *question = (struct question){.client = ip_address_from_v4(loopback)};
}

int question_set(struct question *question, enum question_field field, const char *word,
                 const char **ret_problem)
{
    const char *problem = question_fields[field].take(question, word);

    if (problem == NULL) {
        question->words[field] = word;
        return 0;
    }
    *ret_problem = problem;
    return -EINVAL;
}

const char *question_field_name(enum question_field field)
{
    return question_fields[field].name;
}
