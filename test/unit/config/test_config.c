/* config/: texts of config.cases and what comes of them; files, limits and --print beside. */
#include "config/config.h"
#include "config/config_sources.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUTPUT_SIZE = 256 * 1024 };

/* -- files in memory */

struct memory_file {
    const char *path;
    const char *text;
    size_t length; /* 0: strlen */
    int error;
};

struct memory_reader {
    struct config_reader reader;
    const struct memory_file *files;
    size_t count;
};

static int read_file(struct config_reader *reader, const char *path, size_t size_max,
                     const char **ret_bytes, size_t *ret_length)
{
    struct memory_reader *memory = container_of(reader, struct memory_reader, reader);

    for (size_t i = 0; i < memory->count; i++) {
        const struct memory_file *file = &memory->files[i];

        if (strcmp(file->path, path) != 0)
            continue;
        size_t length = file->length > 0 || file->error < 0 ? file->length : strlen(file->text);
        if (file->error < 0)
            return file->error;
        if (length > size_max)
            return -EFBIG;
        *ret_bytes = file->text;
        *ret_length = length;
        return 0;
    }
    return -ENOENT;
}

/* Only `PREFIX*`; the last file comes first. */
static int glob_files(struct config_reader *reader, const char *pattern,
                      void (*add)(void *self, const char *path), void *self)
{
    struct memory_reader *memory = container_of(reader, struct memory_reader, reader);
    size_t length = strcspn(pattern, "*");

    for (size_t i = memory->count; i > 0; i--)
        if (strncmp(memory->files[i - 1].path, pattern, length) == 0)
            add(self, memory->files[i - 1].path);
    return 0;
}

/* A test's environment: pairs of name and value. */
static const char *const variables[] = {
    "EMPTY",   "",     "HOST", "a.example", "VERDICT", "allow",  "MANY",    "b, c", "QUOTE",
    "a\"b\\c", "LINE", "a\nb", "BAD",       "\xff",    "NESTED", "${HOST}", "CIDR", "10.0.0.0/8",
};

static const char *time_zone;

static int read_variable(struct config_reader *reader, const char *name, const char **ret_value)
{
    static char large[5000];

    memset(large, 'x', sizeof(large) - 1);
    *ret_value = large;
    if (strcmp(name, "LARGE") == 0)
        return 0;
    *ret_value = strcmp(name, "TZ") == 0 ? time_zone : "/zones";
    if (time_zone != NULL && strncmp(name, "TZ", 2) == 0)
        return 0;
    for (size_t i = 0; i < ARRAY_LENGTH(variables); i += 2) {
        *ret_value = variables[i + 1];
        if (strcmp(variables[i], name) == 0)
            return 0;
    }
    return -ENOENT;
}

struct result {
    int error;
    struct config *config;
    char output[OUTPUT_SIZE]; /* diagnostics */
    struct text text;
};

static void add_piece(void *self, const char *bytes, size_t length)
{
    text_add_bytes(self, bytes, length);
}

static struct listener_set listening_at(const char *address, enum listener_use use)
{
    struct ip_endpoint written;

    assert_int_equal(ip_endpoint_parse(address, strlen(address), &written), 0);
    return (struct listener_set){.all = {listener_of(use, &written)}, .count = 1};
}

/* 0: there is none. */
static uint16_t admin_port(const struct result *result)
{
    const struct listener *admin = listener_set_first(&result->config->listeners, LISTENER_ADMIN);

    return admin != NULL ? admin->written.port : 0;
}

static void parse_files(struct result *result, const struct memory_file *files, size_t count,
                        const struct config_overrides *overrides)
{
    struct memory_reader memory = {{read_file, glob_files, read_variable}, files, count};
    struct diagnostics *diagnostics = NULL;

    result->config = NULL;
    text_init(&result->text, result->output, sizeof(result->output));
    result->error = config_parse(&memory.reader, count > 0 ? files[0].path : NULL, overrides,
                                 &result->config, &diagnostics);
    assert_true(result->error == 0 || result->error == -EINVAL);
    assert_int_equal(result->error == 0, diagnostics_error_count(diagnostics) == 0);
    diagnostics_print(diagnostics, &result->text);
    diagnostics_destroy(diagnostics);
}

static struct result *parse_text(const char *text)
{
    struct result *result = calloc(1, sizeof(*result));
    struct memory_file file = {"/etc/adit.conf", text, strlen(text), 0};

    parse_files(result, &file, 1, NULL);
    return result;
}

static void destroy(struct result *result)
{
    config_destroy(result->config);
    free(result);
}

/* -- the table */

/* A case: its name behind `=== `, the text, `---`, and what is printed: every diagnostic, then
 * `ok` or `bad`. */
static void check_case(char *name, char *text, const char *expected)
{
    struct result *result = parse_text(text);

    text_add(&result->text, result->error == 0 ? "ok\n" : "bad\n");
    if (strcmp(result->output, expected) != 0) {
        fail_msg("%s:\n--- expected\n%s--- found\n%s", name, expected, result->output);
    }
    destroy(result);
}

static char *load(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = calloc(1, OUTPUT_SIZE);

    assert_non_null(file);
    assert_in_range(fread(text, 1, OUTPUT_SIZE - 1, file), 1, OUTPUT_SIZE - 2);
    fclose(file);
    return text;
}

static void does_what_the_table_says(void **state)
{
    char *table = load(TEST_DATA "/config.cases");
    size_t count = 0;

    for (char *at = strstr(table, "=== "); at != NULL; count++) {
        char *next = strstr(at, "\n=== ");
        char *text = strchr(at, '\n') + 1;
        char *line = strstr(text - 1, "\n---\n");

        assert_non_null(line);
        if (next != NULL)
            next[1] = '\0';
        text[-1] = '\0';
        line[1] = '\0';
        check_case(at + 4, text, line + 5);
        if (next != NULL)
            next[1] = '=';
        at = next != NULL ? next + 1 : NULL;
    }
    assert_in_range(count, 60, 1000);
    free(table);
}

/* -- values */

static const char rich[] =
    "listen 127.0.0.1:3128\nlisten [::1]:8080 { }\n"
    "admin 127.0.0.1:10801 name dash.example.com, \"name\" user any\n"
    "users file \"users\"\ngroup ops { alice, \"bob smith\", }\ngroup ops { any }\n"
    "list corp { 10.0.0.0/8, *.Corp.Example., \"intranet\",\n  ::ffff:192.0.2.1 }\n"
    "list nets { 10.0.0.0/8 } # addresses only\nlist corp file \"lists/corp.txt\" lenient\n"
    "resolver 127.0.0.53, [::1]:5353, [fe80::1%eth0]:54 timeout 3s\n"
    "limit tunnels 20000\nlimit tunnels 200 per user\nlimit rate 50/s per client\n"
    "limit bandwidth 10MB/s per tunnel\ntimeout head 1500ms\ntimeout idle 1h30m\n"
    "log \"access.log\" format json events open, auth_failure\n"
    "deny port 25\n"
    "deny to corp, localhost, \"printer\" as \"a \\\"quoted\\\" name\"\n"
    "allow user @ops, \"any\", \"port\", any to *.example.com, 192.0.2.0/24 port 443, 8000-8099\n"
    "allow from not nets, loopback, private, 192.0.2.7 address special, private,\n"
    "  loopback listener 127.0.0.1:3128\n"
    "report deny not time Mon-Fri 08:00-18:00, Sat, 22:00-06:00, Fri-Mon 00:00-24:00 user mallory\n"
    "allow protocol not tls sni *.example.com, corp ja4 t13d\n";

static const struct memory_file rich_files[] = {
    {"/etc/adit/adit.conf", rich, 0, 0},
    {"/etc/adit/users", "alice:$2y$05$abcdefghijklmnopqrstuvABCDEFGHIJKLMNOPQRSTUVWXYZabcde\n", 0,
     0},
    {"/etc/adit/lists/corp.txt", "# ours\nfile.example\n\n 10.1.0.0/16 # net\r\n", 0, 0},
};

static void reads_values(void **state)
{
    struct result *result = calloc(1, sizeof(*result));

    parse_files(result, rich_files, ARRAY_LENGTH(rich_files), NULL);
    if (result->error < 0)
        fail_msg("%s", result->output);
    const struct config *config = result->config;
    assert_int_equal(listener_set_count(&config->listeners, LISTENER_TUNNELS), 2);
    assert_int_equal(config->listeners.all[0].written.port, 3128);
    assert_int_equal(config->values.head_timeout_ms, 1500);
    assert_int_equal(config->values.idle_timeout_ms, 5400000);
    assert_int_equal(config->values.dial_timeout_ms, 10000);
    assert_int_equal(config->values.dns_timeout_ms, 3000);
    assert_int_equal(config->values.tunnels_max, 20000);
    assert_int_equal(config->values.user_tunnels_max, 200);
    assert_int_equal(config->values.client_tunnels_max, 0);
    assert_int_equal(config->values.client_rate_per_s, 50);
    assert_int_equal(config->values.tunnel_bytes_per_s, 10 << 20);
    assert_int_equal(config->admin_name_count, 2);
    assert_string_equal(config->admin_names[0], "dash.example.com");
    assert_true(config->has_resolver);
    assert_int_equal(config->resolver.servers[0].endpoint.port, 53);
    assert_int_equal(config->resolver.servers[1].endpoint.port, 5353);
    assert_string_equal(config->log_path, "/etc/adit/access.log");
    assert_string_equal(config->users_path, "/etc/adit/users");
    assert_int_equal(config->log_events, 1 << CONFIG_LOG_OPEN | 1 << CONFIG_LOG_AUTH_FAILURE);
    assert_non_null(config->users);
    assert_true(config->policy.has_users);
    assert_int_equal(config->policy.rule_count, 6);
    assert_string_equal(config->policy.rules[0].name, "adit.conf:19");
    assert_string_equal(config->policy.rules[1].name, "a \"quoted\" name");
    assert_int_equal(config->policy.groups[0].user_count, 3);
    assert_string_equal(config->policy.groups[0].users[2], "any");
    const struct policy_value *values = config->policy.rules[1].conditions[0].values;
    assert_int_equal(values[0].kind, POLICY_VALUE_LIST);
    assert_int_equal(values[1].kind, POLICY_VALUE_NAME);
    assert_int_equal(values[2].kind, POLICY_VALUE_NAME);
    destroy(result);
}

/* Rules without a name are known by their line, which printing moves. */
static void drop_places(char *text)
{
    for (char *mark = strstr(text, " # adit.conf:"); mark != NULL;
         mark = strstr(mark, " # adit.conf:")) {
        char *end = strchr(mark, '\n');

        memmove(mark, end, strlen(end) + 1);
    }
}

static void prints_what_parses_to_the_same(void **state)
{
    struct result *first = calloc(1, sizeof(*first));
    struct result *second = calloc(1, sizeof(*second));
    char *once = calloc(2, OUTPUT_SIZE);
    char *twice = once + OUTPUT_SIZE;
    struct text text;

    parse_files(first, rich_files, ARRAY_LENGTH(rich_files), NULL);
    text_init(&text, once, OUTPUT_SIZE);
    config_print(first->config, add_piece, &text);
    struct memory_file files[] = {
        {"/etc/adit/adit.conf", once, 0, 0}, rich_files[1], rich_files[2]};
    parse_files(second, files, ARRAY_LENGTH(files), NULL);
    if (second->error < 0)
        fail_msg("%s\n%s", second->output, once);
    text_init(&text, twice, OUTPUT_SIZE);
    config_print(second->config, add_piece, &text);
    drop_places(once);
    drop_places(twice);
    assert_string_equal(once, twice);
    assert_non_null(strstr(once, "allow user @ops, \"any\", \"port\", any to *.example.com, "
                                 "192.0.2.0/24 port 443, 8000-8099"));
    assert_non_null(
        strstr(once, "not Mon-Fri 08:00-18:00, Sat 00:00-24:00, 22:00-06:00, Fri-Mon "));
    free(once);
    destroy(first);
    destroy(second);
}

static void prints_the_control_socket_without_an_admin_page(void **state)
{
    static const struct memory_file file = {
        "/a.conf", "admin off\ncontrol \"/run/a.sock\"\nallow from loopback\n", 0, 0};
    struct result *result = calloc(1, sizeof(*result));
    char printed[OUTPUT_SIZE];
    struct text text;

    parse_files(result, &file, 1, NULL);
    assert_int_equal(result->error, 0);
    text_init(&text, printed, sizeof(printed));
    config_print(result->config, add_piece, &text);
    assert_non_null(strstr(printed, "admin off\ncontrol \"/run/a.sock\"\n"));
    destroy(result);
}

/* Unnamed rules of files with the same name are told apart, by no more of the path than that
 * takes. */
static void tells_files_of_one_name_apart(void **state)
{
    static const struct memory_file files[] = {
        {"/etc/adit/adit.conf", "include \"conf.d/*\"\ndeny port 25\ninclude \"/rules.conf\"\n", 0,
         0},
        {"/etc/adit/conf.d/a/rules.conf", "deny port 26\n", 0, 0},
        {"/etc/adit/conf.d/b/rules.conf", "deny port 27\nallow from loopback as \"named\"\n", 0, 0},
        {"/etc/adit/conf.d/b/conf.d/a/rules.conf", "deny port 28\n", 0, 0},
        {"/etc/adit/conf.d/mine-rules.conf", "\ndeny port 29\n", 0, 0},
        {"/rules.conf", "deny port 30\n", 0, 0},
    };
    /* As glob_files has them; with the name and the place of the named one. */
    static const char *const places[] = {
        "adit/conf.d/a/rules.conf:1",
        "b/conf.d/a/rules.conf:1",
        "b/rules.conf:1",
        "b/rules.conf:2",
        "mine-rules.conf:2",
        "adit.conf:2",
        "/rules.conf:1",
    };
    struct result *result = calloc(1, sizeof(*result));

    parse_files(result, files, ARRAY_LENGTH(files), NULL);
    assert_int_equal(result->error, 0);
    assert_int_equal(result->config->policy.rule_count, ARRAY_LENGTH(places));
    for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
        const struct policy_rule_source *rule = &result->config->policy.rules[i];

        assert_string_equal(rule->place, places[i]);
        assert_string_equal(rule->name, i == 3 ? "named" : places[i]);
    }
    destroy(result);
}

/* -- the built-in configuration and the command line */

static void has_a_configuration_built_in(void **state)
{
    struct result *result = calloc(1, sizeof(*result));
    struct ip_network from;
    const struct listener_set named = listening_at("0.0.0.0:1", LISTENER_TUNNELS);
    struct config_overrides overrides = {.from = &from, .from_count = 1};

    parse_files(result, NULL, 0, NULL);
    assert_int_equal(result->error, 0);
    assert_string_equal(result->output, "");
    assert_int_equal(result->config->policy.rule_count, 1);
    assert_string_equal(result->config->policy.rules[0].name, "built-in");
    assert_int_equal(result->config->listeners.all[0].written.port, 10800);
    assert_true(result->config->is_admin_built_in);
    assert_int_equal(admin_port(result), 10801);
    config_destroy(result->config);

    assert_int_equal(ip_network_parse("10.0.0.0/8", 10, &from), 0);
    overrides.listeners = &named;
    parse_files(result, NULL, 0, &overrides);
    assert_int_equal(result->error, 0);
    assert_int_equal(listener_set_count(&result->config->listeners, LISTENER_TUNNELS), 1);
    assert_int_equal(result->config->listeners.all[0].written.port, 1);
    assert_int_equal(result->config->policy.rule_count, 2);
    assert_string_equal(result->config->policy.rules[1].name, "--from 10.0.0.0/8");
    destroy(result);
}

static void has_the_admin_page_where_the_command_line_says(void **state)
{
    struct result *result = calloc(1, sizeof(*result));
    const struct memory_file file = {"/a.conf", "admin 127.0.0.1:7\nallow from loopback\n", 0, 0};
    struct listener_set admin = listening_at("127.0.0.1:8", LISTENER_ADMIN);
    const struct listener_set built_in_page = listening_at("127.0.0.1:10801", LISTENER_TUNNELS);
    const struct config_overrides named = {.listeners = &admin};
    const struct config_overrides off = {.is_admin_off = true};

    for (size_t file_count = 0; file_count < 2; file_count++) {
        parse_files(result, &file, file_count, &named);
        assert_int_equal(result->error, 0);
        assert_false(result->config->is_admin_built_in);
        assert_int_equal(admin_port(result), 8);
        config_destroy(result->config);
        parse_files(result, &file, file_count, &off);
        assert_int_equal(result->error, 0);
        assert_int_equal(admin_port(result), 0);
        config_destroy(result->config);
    }
    admin = listening_at("192.0.2.1:8", LISTENER_ADMIN);
    parse_files(result, NULL, 0, &named);
    assert_int_equal(result->error, -EINVAL);
    assert_non_null(strstr(result->output, "-a: the admin page beyond loopback needs a password"));
    const struct memory_file open = {"/a.conf", "admin 127.0.0.1:7 from any\nallow from loopback\n",
                                     0, 0};
    parse_files(result, &open, 1, &named);
    assert_int_equal(result->error, -EINVAL);
    assert_non_null(strstr(result->output, "/a.conf:1:24: error: the admin page beyond loopback"));
    admin = listening_at("127.0.0.1:10800", LISTENER_ADMIN);
    parse_files(result, NULL, 0, &named);
    assert_int_equal(result->error, -EINVAL);
    assert_non_null(
        strstr(result->output, "error: -a: the admin page needs an address of its own"));
    const struct config_overrides elsewhere = {.listeners = &built_in_page};
    parse_files(result, NULL, 0, &elsewhere);
    assert_int_equal(result->error, 0);
    assert_true(result->config->is_admin_built_in);
    config_destroy(result->config);
    free(result);
}

static void refuses_an_open_listener_of_the_command_line(void **state)
{
    struct result *result = calloc(1, sizeof(*result));
    const struct listener_set named = listening_at("192.0.2.1:1", LISTENER_TUNNELS);
    struct config_overrides overrides = {.listeners = &named};
    struct memory_file file = {"/a.conf", "allow to a.example port 443\n", 0, 0};

    parse_files(result, &file, 1, &overrides);
    assert_int_equal(result->error, -EINVAL);
    assert_non_null(strstr(result->output, "refusing to listen on 192.0.2.1:1"));
    file.text = "deny port 25\n";
    parse_files(result, &file, 1, &overrides);
    assert_int_equal(result->error, -EINVAL);
    assert_non_null(strstr(result->output, "nothing says who may use the proxy"));
    destroy(result);
}

/* -- files */

static void suggests_users_with_names_of_any_length(void **state)
{
    static const char hash[] = ":$2y$05$abcdefghijklmnopqrstuvABCDEFGHIJKLMNOPQRSTUVWXYZabcde\n";
    char text[512];
    char users[512];
    char expected[512];
    struct memory_file files[] = {{"/a.conf", text, 0, 0}, {"/users", users, 0, 0}};
    struct result *result = calloc(1, sizeof(*result));

    (void)snprintf(users, sizeof(users), "%0128d%s", 1, hash);
    for (int length = 125; length <= 128; length++) {
        (void)snprintf(text, sizeof(text), "users file \"users\"\nallow user \"%0*d\" port 443\n",
                       length, 2);
        (void)snprintf(expected, sizeof(expected), "no '%0*d'; did you mean '%0128d'?", length, 2,
                       1);
        parse_files(result, files, ARRAY_LENGTH(files), NULL);
        assert_int_equal(strstr(result->output, expected) != NULL, length > 126);
        config_destroy(result->config);
    }
    free(result);
}

static void warns_of_users_that_no_file_has(void **state)
{
    struct memory_file files[] = {
        {"/a.conf",
         "users file \"users\"\ngroup ops { alice, bob }\n"
         "admin 127.0.0.1:1 user carol\nallow user @ops, alcie, alice, any port 443\n",
         0, 0},
        {"/users", "alice:$2y$05$abcdefghijklmnopqrstuvABCDEFGHIJKLMNOPQRSTUVWXYZabcde\n", 0, 0},
    };
    struct result *result = calloc(1, sizeof(*result));

    parse_files(result, files, ARRAY_LENGTH(files), NULL);
    assert_int_equal(result->error, 0);
    assert_string_equal(result->output,
                        "/a.conf:2:20: warning: the users file has no 'bob' (and 2 more)\n"
                        "    group ops { alice, bob }\n                       ^~~\n");
    config_destroy(result->config);
    files[1].text = "# nobody yet\n";
    parse_files(result, files, ARRAY_LENGTH(files), NULL);
    assert_string_equal(result->output,
                        "/a.conf:1:1: warning: the users file is empty: nobody can log in\n"
                        "    users file \"users\"\n    ^~~~~\n");
    destroy(result);
}

/* Every file's in the order of its lines, whenever they were found. */
static void sorts_what_it_says(void **state)
{
    static const struct memory_file files[] = {
        {"/a.conf", "deny to nowhere\ninclude \"b.conf\"\nallow to a..b\ndeny to none\n", 0, 0},
        {"/b.conf", "deny to a..b\ndeny to neither, x..y\n", 0, 0},
    };
    static const char *const places[] = {"/b.conf:1:9:", "/b.conf:2:9:",  "/b.conf:2:18:",
                                         "/a.conf:1:9:", "/a.conf:3:10:", "/a.conf:4:9:"};
    struct result *result = calloc(1, sizeof(*result));
    const char *before = result->output;

    parse_files(result, files, ARRAY_LENGTH(files), NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
        const char *place = strstr(before, places[i]);

        if (place == NULL)
            fail_msg("%s: %s", places[i], result->output);
        before = place;
    }
    destroy(result);
}

/* TZ and TZDIR of the environment, and one zone that is installed. */
static void warns_of_a_time_zone_that_is_none(void **state)
{
    static const struct {
        const char *zone;
        bool is_known;
    } rows[] = {
        {"Europe/Berlin", true},
        {":Europe/Berlin", true},
        {"/zones/Europe/Berlin", true},
        {"", true},
        {":", true},
        {"UTC", true},
        {"GMT", true},
        {"Etc/UTC", true},
        {":Etc/GMT-0", true},
        {"Etc/Zulu", true},
        {"Greenwich", true},
        {"Etc/GMT-1", false},
        {"Etc/Berlin", false},
        {"CET-1CEST", true},
        {"<+03>-3", true},
        {"EST5EDT,M3.2.0", true},
        {"Europe/Berln", false},
        {"Europe", false},
        {"CEST", false},
        {"Berlin", false},
        {"/zones/text", false},
        {"/zones/none", false},
        {"<+03>", false},
        {"A-1", false},
    };
    static const struct memory_file files[] = {
        {"/a.conf", "deny time 08:00-18:00\ndeny time Sat\nallow from loopback port 443\n", 0, 0},
        {"/zones/Europe/Berlin", "TZif2", 0, 0},
        {"/zones/text", "Berlin", 0, 0},
        {"/zones/Europe", "", 0, -EISDIR},
    };
    struct result *result = calloc(1, sizeof(*result));

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        time_zone = rows[i].zone;
        parse_files(result, files, ARRAY_LENGTH(files), NULL);
        assert_int_equal(result->error, 0);
        if (rows[i].is_known
                ? result->output[0] != '\0'
                : strstr(result->output, "/a.conf:1:1: warning: the environment's TZ") == NULL)
            fail_msg("%s: %s", rows[i].zone, result->output);
        config_destroy(result->config);
    }
    time_zone = NULL;
    free(result);
}

static void reads_included_files(void **state)
{
    static const struct memory_file files[] = {
        {"/etc/adit.conf", "include \"conf.d/*\"\ninclude \"conf.d/none*\"\ninclude one\n", 0, 0},
        {"/etc/conf.d/b", "deny port 2 as \"second\"\n", 0, 0},
        {"/etc/conf.d/a", "deny port 1 as \"first\"\nbad\n", 0, 0},
        {"/etc/one", "deny port 3 as \"third\"", 0, 0},
        {"/etc/conf.d/c", "include \"../conf.d/d\"\ninclude /etc/adit.conf", 0, 0},
    };
    struct result *result = calloc(1, sizeof(*result));

    parse_files(result, files, ARRAY_LENGTH(files), NULL);
    assert_int_equal(result->error, -EINVAL);
    assert_non_null(strstr(result->output, "/etc/conf.d/a:2:1: error: unknown statement 'bad'"));
    assert_non_null(strstr(result->output, "/etc/conf.d/c:1:9: error: can't read "
                                           "'/etc/conf.d/../conf.d/d': there is no such file"));
    assert_non_null(
        strstr(result->output, "/etc/conf.d/c:2:9: error: '/etc/adit.conf' includes itself"));
    destroy(result);
}

static void sorts_what_a_pattern_matches(void **state)
{
    static const struct memory_file files[] = {
        {"/etc/adit.conf", "include \"conf.d/*\"\ninclude \"none.d/*\"\ndeny port 9\n", 0, 0},
        {"/etc/conf.d/b", "deny port 2", 0, 0},
        {"/etc/conf.d/c", "deny port 3", 0, 0},
        {"/etc/conf.d/a", "deny port 1\ndeny port 1\n", 0, 0},
    };
    static const char *const names[] = {"a:1", "a:2", "b:1", "c:1", "adit.conf:3"};
    struct result *result = calloc(1, sizeof(*result));

    parse_files(result, files, ARRAY_LENGTH(files), NULL);
    assert_int_equal(result->error, 0);
    assert_int_equal(result->config->policy.rule_count, ARRAY_LENGTH(names));
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        assert_string_equal(result->config->policy.rules[i].name, names[i]);
    destroy(result);
}

static void bounds_the_number_of_files(void **state)
{
    struct memory_file files[20];
    char paths[20][8];
    char texts[20][64];
    struct result *result = calloc(1, sizeof(*result));

    for (size_t i = 0; i < 20; i++) {
        snprintf(paths[i], sizeof(paths[i]), "/%zu", i);
        snprintf(texts[i], sizeof(texts[i]), "include \"%zu\"\ninclude \"%zu\"\n", i + 1, i + 1);
        files[i] = (struct memory_file){paths[i], texts[i], 0, 0};
    }
    parse_files(result, files, 20, NULL);
    assert_int_equal(result->error, -EINVAL);
    assert_non_null(strstr(result->output, "includes are nested more than 16 deep"));
    destroy(result);
}

static void says_why_a_file_is_no_configuration(void **state)
{
    static const struct {
        struct memory_file file;
        const char *message;
    } rows[] = {
        {{"/a", "", 0, -EISDIR}, "error: can't read '/a': it is a directory, not a file\n"},
        {{"/a", "", 0, -ENOENT}, "error: can't read '/a': there is no such file\n"},
        {{"/a", "", 0, -EACCES}, "error: can't read '/a': no permission to read it\n"},
        {{"/a", "", 0, -EFBIG},
         "error: can't read '/a': it is too large: a configuration has at most 16 MiB\n"},
        {{"/a", "allow\nxx\0\n", 10, 0}, "/a:2:3: error: a NUL byte"},
        {{"/a", "ab\xc3(", 4, 0}, "/a:1:3: error: not UTF-8"},
        {{"/a", "\xc3\xa9\xed\xa0\x80", 5, 0}, "/a:1:2: error: not UTF-8"},
        {{"/a", "# \x1b[31m", 7, 0}, "/a:1:3: error: a control character (0x1b)"},
    };
    struct result *result = calloc(1, sizeof(*result));

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        parse_files(result, &rows[i].file, 1, NULL);
        assert_int_equal(result->error, -EINVAL);
        if (strncmp(result->output, rows[i].message, strlen(rows[i].message)) != 0)
            fail_msg("%s is not %s", result->output, rows[i].message);
    }
    destroy(result);
}

/* -- what a reload finds emptied */

static struct config_sources *find_sources(const struct memory_file *files, size_t count)
{
    struct result *result = calloc(1, sizeof(*result));
    struct config_sources *sources = NULL;

    parse_files(result, files, count, NULL);
    assert_string_equal(result->error < 0 ? result->output : "", "");
    assert_int_equal(config_sources_create(result->config, &sources), 0);
    destroy(result);
    return sources;
}

static void assert_told(const struct config_sources *before, const struct memory_file *files,
                        size_t count, const char *expected)
{
    struct result *result = calloc(1, sizeof(*result));
    struct diagnostics *diagnostics = diagnostics_create();

    parse_files(result, files, count, NULL);
    assert_int_equal(result->error, 0);
    config_sources_compare(before, result->config, diagnostics);
    text_init(&result->text, result->output, sizeof(result->output));
    diagnostics_print(diagnostics, &result->text);
    assert_string_equal(result->output, expected);
    diagnostics_destroy(diagnostics);
    destroy(result);
}

#define HASH "$5$ab$5ydlOaPxAq0VpamGFK.BZgHF7HlR0erJsH.F7VB19f0"

static const char emptied_text[] = "users file \"users\"\n"
                                   "include \"conf.d/*\"\n"
                                   "list ads file \"ads\"\n"
                                   "list ads file \"more\"\n"
                                   "list nets file \"ads\"\n"
                                   "list unused file \"unused\"\n"
                                   "deny to ads as \"advertising\"\n"
                                   "deny not to 10.0.0.0/8, nets\n"
                                   "report deny to ads\n"
                                   "deny to ads\n"
                                   "deny to ads, nets\n"
                                   "allow user any from loopback port 443 as \"people\"\n";

static void tells_what_was_emptied(void **state)
{
    struct memory_file files[] = {
        {"/etc/adit.conf", emptied_text, 0, 0},
        {"/etc/users", "a:" HASH "\nb:" HASH "\n", 0, 0},
        {"/etc/ads", "192.0.2.1\n192.0.2.2\n", 0, 0},
        {"/etc/more", "one.example\n", 0, 0},
        {"/etc/unused", "one.example\n", 0, 0},
        {"/etc/conf.d/a", "deny port 25\n", 0, 0},
    };
    static const char all[] =
        "/etc/users: warning: nothing is in it any more, it had 2 users; nobody can log in, and "
        "users are named by rule people\n"
        "/etc/conf.d/a: warning: nothing is in it any more, it had 1 statement\n"
        "/etc/ads: warning: nothing is in it any more, it had 2 entries; the list 'ads' is used by "
        "rule advertising, adit.conf:9, adit.conf:10 and 1 more\n"
        "/etc/more: warning: nothing is in it any more, it had 1 entry; the list 'ads' is used by "
        "rule advertising, adit.conf:9, adit.conf:10 and 1 more\n"
        "/etc/ads: warning: nothing is in it any more, it had 2 entries; the list 'nets' is used "
        "by "
        "rule adit.conf:8, adit.conf:11\n"
        "/etc/unused: warning: nothing is in it any more, it had 1 entry; the list 'unused' is "
        "used "
        "by no rule\n";
    size_t count = ARRAY_LENGTH(files);
    struct config_sources *full = find_sources(files, count);

    assert_told(NULL, files, count, "");
    assert_told(full, files, count, "");
    for (size_t i = 1; i < count; i++)
        files[i].text = "# nothing\n";
    assert_told(NULL, files, count, "");
    assert_told(full, files, count, all);
    struct config_sources *emptied = find_sources(files, count);
    assert_told(emptied, files, count, "");
    /* What is not named any more is no matter, but for statements. */
    assert_told(full, &(struct memory_file){"/etc/adit.conf", "deny port 25", 0, 0}, 1,
                "/etc/conf.d/a: warning: it is not included any more, it had 1 statement\n");
    assert_told(emptied, &(struct memory_file){"/etc/adit.conf", "deny port 25", 0, 0}, 1, "");
    config_sources_destroy(full);
    config_sources_destroy(emptied);
}

static void survives_floods(void **state)
{
    enum { SIZE = 1 << 20 };
    static const char *const pieces[] = {
        "{",           "x\n",  "deny to {",      "\"",           "list a { b,", "a,", "#\n",
        "deny to a, ", "not ", "group g { } \n", "listen 1 { x;"};
    char *text = malloc(SIZE);
    struct memory_file file = {"/a", text, SIZE, 0};
    struct result *result = calloc(1, sizeof(*result));

    for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++) {
        size_t length = strlen(pieces[i]);

        for (size_t j = 0; j < SIZE; j++)
            text[j] = pieces[i][j % length];
        parse_files(result, &file, 1, NULL);
        assert_false(result->text.is_truncated);
        config_destroy(result->config);
    }
    free(text);
    free(result);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(does_what_the_table_says),
        cmocka_unit_test(reads_values),
        cmocka_unit_test(prints_what_parses_to_the_same),
        cmocka_unit_test(prints_the_control_socket_without_an_admin_page),
        cmocka_unit_test(tells_files_of_one_name_apart),
        cmocka_unit_test(has_a_configuration_built_in),
        cmocka_unit_test(has_the_admin_page_where_the_command_line_says),
        cmocka_unit_test(refuses_an_open_listener_of_the_command_line),
        cmocka_unit_test(warns_of_a_time_zone_that_is_none),
        cmocka_unit_test(suggests_users_with_names_of_any_length),
        cmocka_unit_test(warns_of_users_that_no_file_has),
        cmocka_unit_test(sorts_what_it_says),
        cmocka_unit_test(reads_included_files),
        cmocka_unit_test(sorts_what_a_pattern_matches),
        cmocka_unit_test(bounds_the_number_of_files),
        cmocka_unit_test(says_why_a_file_is_no_configuration),
        cmocka_unit_test(tells_what_was_emptied),
        cmocka_unit_test(survives_floods),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
