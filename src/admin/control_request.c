/* The object of `ps`, `kill` and `trace` is a filter for tunnels. Its members are id, user, host,
 * client, rule and min_bytes, each at most once. `kill` needs one that says which tunnels are
 * meant, so that nobody kills all of them by leaving something out. The members of `explain` are
 * the fields of a question (config/question.h).
 */
#include "admin/control_request.h"

#include "admin/json.h"
#include "config/setting.h"

#include <errno.h>
#include <string.h>

static const char *const kind_names[] = {"stats", "ps",      "kill", "reload",
                                         "drain", "explain", "trace"};
static_assert(ARRAY_LENGTH(kind_names) == CONTROL_KIND_COUNT, "a name for every request");

static int fail(const char **ret_problem, const char *problem)
{
    *ret_problem = problem;
    return -EINVAL;
}

/* Takes one member into the request. There is one such function for filters and one for questions.
 */
typedef int take_function(const char *name, const char *value, struct control_request *request,
                          const char **ret_problem);

static int control_request_take_word(const char *name, const char *value,
                                     struct control_request *request, const char **ret_problem)
{
    for (size_t i = 0; i < QUESTION_FIELD_COUNT; i++) {
        if (strcmp(name, question_field_name((enum question_field)i)) != 0)
            continue;
        size_t length = strlen(value);
        if (length > QUESTION_WORD_MAX)
            return fail(ret_problem, "a word of the question is too long");
        memcpy(request->words[i], value, length + 1);
        return 0;
    }
    return fail(ret_problem,
                "there are target, user, client, listener, time, sni, protocol and all");
}

static int control_request_take_member(const char *name, const char *value,
                                       struct control_request *request, const char **ret_problem)
{
    struct tunnel_filter *filter = &request->filter;

    if (strcmp(name, "id") == 0)
        return tunnel_filter_set_id(filter, value) == 0
                   ? 0
                   : fail(ret_problem, "id: as ps and the log show it");
    if (strcmp(name, "user") == 0)
        return tunnel_filter_set_user(filter, value) == 0
                   ? 0
                   : fail(ret_problem, "user: a name of 1 to 255 bytes");
    if (strcmp(name, "host") == 0)
        return tunnel_filter_set_host(filter, value) == 0
                   ? 0
                   : fail(ret_problem, "host: a name, *.suffix, .domain, an address or CIDR");
    if (strcmp(name, "client") == 0)
        return tunnel_filter_set_client(filter, value) == 0
                   ? 0
                   : fail(ret_problem, "client: an address, or a block without host bits");
    if (strcmp(name, "rule") == 0)
        return tunnel_filter_set_rule(filter, value) == 0
                   ? 0
                   : fail(ret_problem, "rule: as ps and the log show it");
    if (strcmp(name, "min_bytes") == 0)
        return setting_parse_size(value, &filter->min_bytes) == 0
                   ? 0
                   : fail(ret_problem, "min_bytes: a number, or as in \"64k\"");
    return fail(ret_problem, "there are id, user, host, client, rule and min_bytes");
}

static int read_members(const char *json, size_t length, take_function *take,
                        struct control_request *request, const char **ret_problem)
{
    static const char malformed[] = "malformed; as in: kill {\"user\":\"alice\"}";
    struct json_reader reader;
    char name[16]; /* longer than each name, so a name that is cut is still unknown */
    char value[CONTROL_REQUEST_MAX]; /* as long as a whole line, so no value is cut */

    json_reader_init(&reader, json, length);
    while (json_next(&reader, name, sizeof(name), value, sizeof(value))) {
        int error = take(name, value, request, ret_problem);

        if (error < 0)
            return error;
    }
    return json_is_at_end(&reader) ? 0 : fail(ret_problem, malformed);
}

static int find_kind(const char *word, size_t length, enum control_kind *ret_kind)
{
    for (size_t i = 0; i < CONTROL_KIND_COUNT; i++) {
        if (strlen(kind_names[i]) == length && memcmp(word, kind_names[i], length) == 0) {
            *ret_kind = (enum control_kind)i;
            return 0;
        }
    }
    return -EINVAL;
}

/* Returns what takes the members of this kind; NULL: such a request has no members. */
static take_function *take_of(enum control_kind kind)
{
    if (kind == CONTROL_EXPLAIN)
        return control_request_take_word;
    return kind == CONTROL_PS || kind == CONTROL_KILL || kind == CONTROL_TRACE
               ? control_request_take_member
               : NULL;
}

int control_request_parse(const char *line, size_t length, struct control_request *ret_request,
                          const char **ret_problem)
{
    static const char unknown[] =
        "unknown request; there are stats, ps, kill, reload, drain, explain and trace";
    const char *space = memchr(line, ' ', length);
    size_t word = space != NULL ? (size_t)(space - line) : length;
    struct control_request request = {.kind = CONTROL_STATS};

    REQUIRE(length < CONTROL_REQUEST_MAX);
    if (find_kind(line, word, &request.kind) < 0)
        return fail(ret_problem, unknown);
    take_function *take = take_of(request.kind);
    if (space != NULL && take == NULL)
        return fail(ret_problem, unknown);
    int error =
        space != NULL ? read_members(space + 1, length - word - 1, take, &request, ret_problem) : 0;
    if (error < 0)
        return error;
    if (request.kind == CONTROL_KILL && !tunnel_filter_is_pointed(&request.filter))
        return fail(ret_problem,
                    "kill whom? as in: kill {\"id\":\"4n0g2b\"}, or user, host, client "
                    "or rule");
    if (request.kind == CONTROL_TRACE && !tunnel_filter_is_of_ends(&request.filter))
        return fail(ret_problem, "trace takes id, client and host");
    *ret_request = request;
    return 0;
}
