/* dns/resolver with real c-ares, real sockets and a scripted name server on the same loop. The
 * names tell the server what to do. */
#include "dns/hosts_file.h"
#include "resolver_fixture.h"

#include "base/contract.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fixture fixture;
static struct ns_question kept[1024]; /* questions that the script did not answer */
static unsigned kept_count;
static unsigned first_type;
static bool is_silent;

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static void add_usual_addresses(struct ns_message *reply, const struct ns_question *question,
                                const char *name)
{
    if (question->type == DNS_A)
        ns_add_a(reply, name, 60, "192.0.2.1");
    else
        ns_add_aaaa(reply, name, 60, "2001:db8::1");
}

static void add_many_addresses(struct ns_message *reply, const struct ns_question *question)
{
    for (unsigned i = 0; i < 1000; i++)
        add_usual_addresses(reply, question, NULL);
}

static void answer_usual(const struct ns_question *question)
{
    static struct ns_message reply;

    ns_begin(&reply, question, NOERROR);
    add_usual_addresses(&reply, question, NULL);
    name_server_send(question, &reply);
}

static void answer_code(const struct ns_question *question, unsigned rcode)
{
    static struct ns_message reply;

    ns_begin(&reply, question, rcode);
    name_server_send(question, &reply);
}

static void answer_truncated(const struct ns_question *question)
{
    static struct ns_message reply;

    ns_begin(&reply, question, NOERROR);
    if (question->tcp_fd < 0)
        ns_set_truncated(&reply);
    else
        add_many_addresses(&reply, question);
    name_server_send(question, &reply);
}

/* Over TCP, only who asks again is answered. */
static void answer_second_over_tcp(const struct ns_question *question)
{
    static struct ns_message reply;

    ns_begin(&reply, question, NOERROR);
    ns_set_truncated(&reply);
    if (question->tcp_fd < 0)
        name_server_send(question, &reply);
    else if (kept_count < 2)
        kept[kept_count++] = *question;
    else
        answer_usual(question);
}

/* A forged id first, then another question, then the truth. */
static void answer_after_forgeries(const struct ns_question *question)
{
    static struct ns_message reply;
    struct ns_question forged = *question;

    forged.id ^= 1;
    ns_begin(&reply, &forged, NOERROR);
    ns_add_a(&reply, NULL, 60, "192.0.2.66");
    name_server_send(question, &reply);
    forged = *question;
    forged.name[0] = 'x';
    ns_begin(&reply, &forged, NOERROR);
    ns_add_a(&reply, NULL, 60, "192.0.2.66");
    name_server_send(question, &reply);
    answer_usual(question);
}

static void answer_alias(const struct ns_question *question)
{
    static struct ns_message reply;

    ns_begin(&reply, question, NOERROR);
    ns_add_cname(&reply, NULL, 60, "real.example");
    add_usual_addresses(&reply, question, "real.example");
    name_server_send(question, &reply);
}

static void answer_garbage(const struct ns_question *question)
{
    static struct ns_message reply;

    ns_begin(&reply, question, NOERROR);
    add_usual_addresses(&reply, question, NULL);
    reply.length--;
    name_server_send(question, &reply);
}

static void answer_by_name(const struct ns_question *question)
{
    const char *name = question->name;

    if (first_type == 0)
        first_type = question->type;
    if (starts_with(name, "nxdomain"))
        answer_code(question, NXDOMAIN);
    else if (starts_with(name, "nodata") ||
             (starts_with(name, "v4only") && question->type != DNS_A))
        answer_code(question, NOERROR);
    else if (starts_with(name, "servfail"))
        answer_code(question, SERVFAIL);
    else if (starts_with(name, "refused"))
        answer_code(question, REFUSED);
    else if (starts_with(name, "formerr"))
        answer_code(question, FORMERR);
    else if (starts_with(name, "truncated"))
        answer_truncated(question);
    else if (starts_with(name, "slow_tcp"))
        answer_second_over_tcp(question);
    else if (starts_with(name, "forged"))
        answer_after_forgeries(question);
    else if (starts_with(name, "alias"))
        answer_alias(question);
    else if (starts_with(name, "garbage"))
        answer_garbage(question);
    else
        answer_usual(question);
}

static void script(const struct ns_question *question)
{
    if ((is_silent || starts_with(question->name, "silent")) && kept_count < ARRAY_LENGTH(kept))
        kept[kept_count++] = *question;
    else if (!is_silent)
        answer_by_name(question);
}

static int start_with(uint64_t timeout_ms)
{
    kept_count = 0;
    first_type = 0;
    is_silent = false;
    fixture_start(&fixture, timeout_ms, script);
    return 0;
}

static int start(void **state)
{
    return start_with(5000);
}

static int start_patient(void **state)
{
    return start_with(15000);
}

static int start_impatient(void **state)
{
    return start_with(500);
}

/* So that what takes hardly any time is done before, on a machine that is busy, too. */
static int start_rather_impatient(void **state)
{
    return start_with(2000);
}

static int stop(void **state)
{
    fixture_stop(&fixture);
    return 0;
}

static void asks_both_families(void **state)
{
    struct asker asker;

    fixture_ask(&fixture, &asker, "www.example");
    assert_int_equal(asker.count, 0); /* never from within */
    fixture_wait(&fixture, &asker);
    assert_told(&asker.v4, "ok 192.0.2.1");
    assert_told(&asker.v6, "ok 2001:db8::1");
    assert_int_equal(first_type, DNS_AAAA);
    assert_int_equal(fixture_questions(&fixture), 2);
    assert_int_equal(fixture.server.udp_count, 2);
}

static void understands_answers(void **state)
{
    static const struct {
        const char *name;
        const char *v4;
        const char *v6;
    } rows[] = {
        {"nxdomain.example", "nxdomain", "nxdomain"},
        {"nodata.example", "no_data", "no_data"},
        {"v4only.example", "ok 192.0.2.1", "no_data"},
        {"servfail.example", "servfail", "servfail"},
        {"refused.example", "servfail", "servfail"},
        {"formerr.example", "servfail", "servfail"},
        {"garbage.example", "failed", "failed"},
        {"alias.example", "ok 192.0.2.1", "ok 2001:db8::1"},
        {"truncated.example", "ok 192.0.2.1", "ok 2001:db8::1"},
        {"forged.example", "ok 192.0.2.1", "ok 2001:db8::1"},
        {"_under_score.example", "ok 192.0.2.1", "ok 2001:db8::1"},
        {"single", "ok 192.0.2.1", "ok 2001:db8::1"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct asker asker;

        fixture_ask_and_wait(&fixture, &asker, rows[i].name);
        assert_told(&asker.v4, rows[i].v4);
        assert_told(&asker.v6, rows[i].v6);
    }
}

static void takes_long_names(void **state)
{
    char name[254];
    struct asker asker;

    memset(name, 'a', sizeof(name));
    for (size_t i = 63; i < 253; i += 64)
        name[i] = '.';
    name[253] = '\0';
    fixture_ask_and_wait(&fixture, &asker, name);
    assert_told(&asker.v4, "ok 192.0.2.1");
}

/* Several long answers on one TCP connection: the edge comes once, c-ares reads piece by piece. */
static void reads_tcp_to_its_end(void **state)
{
    static struct asker askers[20];
    char name[64];

    for (size_t i = 0; i < ARRAY_LENGTH(askers); i++) {
        snprintf(name, sizeof(name), "truncated%zu.example", i);
        fixture_ask(&fixture, &askers[i], name);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(askers); i++) {
        fixture_wait(&fixture, &askers[i]);
        assert_told(&askers[i].v4, "ok 192.0.2.1");
        assert_int_equal(askers[i].v4.address_count, RESOLVER_ADDRESSES_MAX);
    }
}

static struct hosts_file *use_hosts(const char *text)
{
    struct hosts_file *hosts;

    assert_int_equal(hosts_file_parse(text, strlen(text), &hosts), 0);
    resolver_use_hosts(fixture.resolver, hosts);
    return hosts;
}

static void forget_hosts(struct hosts_file *hosts)
{
    resolver_use_hosts(fixture.resolver, NULL);
    hosts_file_destroy(hosts);
}

static void never_asks_for_localhost(void **state)
{
    static const char *const names[] = {"localhost", "a.localhost", "a.b.localhost"};
    static const char hosts[] = "192.0.2.66 localhost a.localhost\n";
    struct hosts_file *table = use_hosts(hosts);
    struct asker asker;

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        fixture_ask(&fixture, &asker, names[i]);
        assert_told(&asker.v4, "ok 127.0.0.1");
        assert_told(&asker.v6, "ok ::1");
    }
    assert_int_equal(fixture_questions(&fixture), 0);
    fixture_ask_and_wait(&fixture, &asker, "notlocalhost");
    assert_told(&asker.v4, "ok 192.0.2.1");
    forget_hosts(table);
}

static void answers_from_hosts(void **state)
{
    static const char one[] = "192.0.2.7 known.example\n";
    static const char two[] = "2001:db8::7 known.example\n";
    struct hosts_file *first = use_hosts(one);
    struct asker asker;

    fixture_ask(&fixture, &asker, "known.example");
    assert_told(&asker.v4, "ok 192.0.2.7");
    assert_told(&asker.v6, "no_data");
    struct hosts_file *second = use_hosts(two);
    hosts_file_destroy(first);
    fixture_ask(&fixture, &asker, "known.example");
    assert_told(&asker.v4, "no_data");
    assert_told(&asker.v6, "ok 2001:db8::7");
    forget_hosts(second);
    assert_int_equal(fixture_questions(&fixture), 0);
    fixture_ask_and_wait(&fixture, &asker, "known.example");
    assert_told(&asker.v4, "ok 192.0.2.1");
}

static void answers_from_the_cache(void **state)
{
    static const char *const names[] = {"www.example", "nxdomain.example", "servfail.example"};
    struct asker first, second;

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        fixture_ask_and_wait(&fixture, &first, names[i]);
        fixture_ask(&fixture, &second, names[i]);
        assert_int_equal(second.count, 2);
        assert_int_equal(second.v4.status, first.v4.status);
        assert_string_equal(second.v6.first, first.v6.first);
    }
    assert_int_equal(counter_read(&fixture.counters, COUNTER_DNS_QUESTIONS), 6);
    assert_int_equal(counter_read(&fixture.counters, COUNTER_DNS_CACHE_MISSES), 6);
    assert_int_equal(counter_read(&fixture.counters, COUNTER_DNS_CACHE_HITS), 6);
}

static void asks_once_for_many(void **state)
{
    static struct asker askers[100];

    for (size_t i = 0; i < ARRAY_LENGTH(askers); i++)
        fixture_ask(&fixture, &askers[i], "www.example");
    for (size_t i = 0; i < ARRAY_LENGTH(askers); i++) {
        fixture_wait(&fixture, &askers[i]);
        assert_told(&askers[i].v4, "ok 192.0.2.1");
        assert_told(&askers[i].v6, "ok 2001:db8::1");
    }
    assert_int_equal(fixture.server.udp_count, 2);
}

static void tells_nothing_after_cancel(void **state)
{
    struct asker asker, other;

    fixture_ask(&fixture, &asker, "www.example");
    resolver_cancel(&asker.query);
    resolver_cancel(&asker.query);
    fixture_ask(&fixture, &other, "www.example"); /* the question is still on its way */
    fixture_wait(&fixture, &other);
    assert_told(&other.v4, "ok 192.0.2.1");
    assert_int_equal(asker.count, 0);
    assert_int_equal(fixture_questions(&fixture), 2);
    resolver_cancel(&other.query); /* done: harmless */
}

static void keeps_the_answer_that_nobody_waits_for(void **state)
{
    struct asker asker;

    fixture_ask(&fixture, &asker, "www.example");
    resolver_cancel(&asker.query);
    fixture_ask_the_cache(&fixture, &asker, "www.example");
    assert_told(&asker.v4, "ok 192.0.2.1");
    assert_int_equal(fixture.server.udp_count, 2);
}

static void cancel_when_told(struct resolver_query *query, const struct resolver_answer *answer)
{
    struct asker *asker = container_of(query, struct asker, query);

    (void)answer;
    asker->count++;
    resolver_cancel(query);
}

static void may_be_cancelled_when_told(void **state)
{
    struct asker asker = {.count = 0};

    /* From the loop, then from within resolver_ask. */
    for (unsigned round = 1; round <= 2; round++) {
        assert_int_equal(resolver_ask(fixture.resolver, &asker.query, "www.example",
                                      fixture_client(), cancel_when_told),
                         0);
        while (asker.count < round)
            fixture_turn(&fixture);
        fixture_turn_for(&fixture, 50);
        assert_int_equal(asker.count, round);
    }
    assert_int_equal(fixture_questions(&fixture), 2);
}

static struct asker next_asker;

static void ask_when_told(struct resolver_query *query, const struct resolver_answer *answer)
{
    struct asker *asker = container_of(query, struct asker, query);

    asker_is_told(query, answer);
    if (asker->count == 2)
        fixture_ask(&fixture, &next_asker, "servfail.example");
}

static void may_ask_when_told(void **state)
{
    struct asker asker = {.count = 0};

    next_asker.count = 0;
    assert_int_equal(resolver_ask(fixture.resolver, &asker.query, "www.example", fixture_client(),
                                  ask_when_told),
                     0);
    fixture_wait(&fixture, &asker);
    fixture_wait(&fixture, &next_asker);
    assert_told(&next_asker.v4, "servfail");
}

static void asks_the_next_server(void **state)
{
    struct name_server second;
    struct asker asker;
    char text[128];

    /* The first refuses packets, is silent, or says SERVFAIL. */
    fixture_set_servers(&fixture, "nameserver ::1\nnameserver 127.0.0.77\n");
    fixture_ask_and_wait(&fixture, &asker, "www.example");
    assert_told(&asker.v4, "ok 192.0.2.1");
    assert_told(&asker.v6, "ok 2001:db8::1");

    name_server_start(&second, fixture.loop, answer_usual);
    snprintf(text, sizeof(text), "nameserver 127.0.0.1:%u\nnameserver 127.0.0.1:%u\n",
             fixture.server.port, second.port);
    resolver_set_servers(fixture.resolver, text, strlen(text));
    fixture_ask_and_wait(&fixture, &asker, "silent.example");
    assert_told(&asker.v4, "ok 192.0.2.1");
    fixture_ask_and_wait(&fixture, &asker, "servfail.example");
    assert_told(&asker.v4, "ok 192.0.2.1");
    assert_told(&asker.v6, "ok 2001:db8::1");
    name_server_stop(&second);
}

/* At once, not by a retry: the first one would be due after 3 s. */
static void says_so_when_no_server_is_there(void **state)
{
    static const char text[] = "nameserver 127.0.0.77\n";
    uint64_t start_ms = loop_now_ms(fixture.loop);
    struct asker asker;

    resolver_set_servers(fixture.resolver, text, strlen(text));
    fixture_ask_and_wait(&fixture, &asker, "www.example");
    assert_told(&asker.v4, "servfail");
    assert_told(&asker.v6, "servfail");
    assert_true(loop_now_ms(fixture.loop) - start_ms < 3000);
}

/* The connection is writable already, so no edge comes for the second question. */
static void uses_an_open_tcp_connection(void **state)
{
    struct asker kept_asker, asker;
    uint64_t start_ms = loop_now_ms(fixture.loop);

    fixture_ask(&fixture, &kept_asker, "slow_tcp.example");
    while (kept_count < 2)
        fixture_turn(&fixture);
    fixture_ask_and_wait(&fixture, &asker, "truncated.example");
    assert_told(&asker.v4, "ok 192.0.2.1");
    assert_true(loop_now_ms(fixture.loop) - start_ms < 3000);
    resolver_cancel(&kept_asker.query);
}

static void gives_up_in_time(void **state)
{
    struct asker asker, other;
    uint64_t start_ms = loop_now_ms(fixture.loop);

    fixture_ask(&fixture, &asker, "silent.example");
    fixture_turn_for(&fixture, 50);
    fixture_ask_and_wait(&fixture, &other, "www.example"); /* slow names do not slow others */
    assert_int_equal(asker.count, 0);
    fixture_wait(&fixture, &asker);
    assert_told(&asker.v4, "timeout");
    assert_told(&asker.v6, "timeout");
    assert_true(loop_now_ms(fixture.loop) - start_ms >= 2000);
    assert_true(kept_count > 2); /* it was tried again meanwhile */
}

static void keeps_a_late_answer(void **state)
{
    struct asker asker;

    fixture_ask_and_wait(&fixture, &asker, "silent.example");
    assert_told(&asker.v4, "timeout");
    for (unsigned i = 0; i < kept_count; i++)
        answer_usual(&kept[i]);
    for (fixture_ask_the_cache(&fixture, &asker, "silent.example");
         asker.v4.status == RESOLVER_TIMEOUT || asker.v6.status == RESOLVER_TIMEOUT;
         fixture_ask_the_cache(&fixture, &asker, "silent.example"))
        fixture_turn(&fixture);
    assert_told(&asker.v4, "ok 192.0.2.1");
    assert_told(&asker.v6, "ok 2001:db8::1");
}

static void asks_again_over_tcp(void **state)
{
    struct asker asker;

    fixture_ask_and_wait(&fixture, &asker, "slow_tcp.example");
    assert_told(&asker.v4, "ok 192.0.2.1");
    assert_told(&asker.v6, "ok 2001:db8::1");
    assert_true(fixture.server.tcp_count >= 4);
}

static void lets_the_rest_wait_in_line(void **state)
{
    static struct asker askers[200];
    char name[64];

    is_silent = true;
    for (size_t i = 0; i < ARRAY_LENGTH(askers); i++) {
        snprintf(name, sizeof(name), "n%zu.example", i);
        fixture_ask(&fixture, &askers[i], name);
    }
    while (kept_count < 256)
        fixture_turn(&fixture);
    fixture_turn_for(&fixture, 50);
    assert_int_equal(fixture_questions(&fixture), 256);
    resolver_cancel(&askers[190].query); /* in line: never asked */
    is_silent = false;
    for (unsigned i = 0; i < 256; i++)
        answer_usual(&kept[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(askers); i++) {
        if (i == 190)
            continue;
        fixture_wait(&fixture, &askers[i]);
        assert_told(&askers[i].v4, "ok 192.0.2.1");
        assert_told(&askers[i].v6, "ok 2001:db8::1");
    }
    assert_int_equal(fixture_questions(&fixture), 398);
    assert_int_equal(askers[190].count, 0);
}

/* One client's slow names fill its own share; what it waits for last, somebody else asks at once.
 */
static void slow_names_of_one_client_delay_nobody_else(void **state)
{
    static const struct ip_address other_client = {.family = IP_V4, .bytes = {10, 0, 0, 2}};
    static struct asker askers[400];
    struct asker other, same;
    char name[64];

    for (size_t i = 0; i < ARRAY_LENGTH(askers); i++) {
        snprintf(name, sizeof(name), "silent%zu.example", i);
        fixture_ask(&fixture, &askers[i], i == ARRAY_LENGTH(askers) - 1 ? "last.example" : name);
    }
    while (fixture_questions(&fixture) < 256)
        fixture_turn(&fixture);
    fixture_turn_for(&fixture, 50);
    assert_int_equal(fixture_questions(&fixture), 256);
    fixture_ask_for(&fixture, &other, "www.example", &other_client);
    fixture_ask_for(&fixture, &same, "last.example", &other_client);
    fixture_wait(&fixture, &other);
    fixture_wait(&fixture, &same);
    assert_told(&other.v4, "ok 192.0.2.1");
    assert_told(&same.v4, "ok 192.0.2.1");
    assert_int_equal(fixture_questions(&fixture), 256 + 4);
    fixture_wait(&fixture, &askers[ARRAY_LENGTH(askers) - 1]); /* it gains by it */
    for (size_t i = 0; i < ARRAY_LENGTH(askers); i++)
        resolver_cancel(&askers[i].query);
}

static void bounds_the_time_in_line(void **state)
{
    static struct asker askers[300];
    char name[64];

    is_silent = true;
    for (size_t i = 0; i < ARRAY_LENGTH(askers); i++) {
        snprintf(name, sizeof(name), "n%zu.example", i);
        fixture_ask(&fixture, &askers[i], name);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(askers); i++) {
        fixture_wait(&fixture, &askers[i]);
        assert_told(&askers[i].v4, "timeout");
        assert_told(&askers[i].v6, "timeout");
    }
    is_silent = false;
    fixture_ask_and_wait(&fixture, &askers[0], "www.example"); /* the slots are free again */
    assert_told(&askers[0].v4, "ok 192.0.2.1");
}

static void asks_new_servers_anew(void **state)
{
    static const char silent[] = "nameserver 127.0.0.1:9\n";
    static struct asker askers[200];
    struct asker asker;
    char name[64];

    fixture_ask_and_wait(&fixture, &asker, "www.example");
    is_silent = true;
    for (size_t i = 0; i < ARRAY_LENGTH(askers); i++) {
        snprintf(name, sizeof(name), "n%zu.example", i);
        fixture_ask(&fixture, &askers[i], name);
    }
    while (fixture_questions(&fixture) < 2 + 256)
        fixture_turn(&fixture);
    fixture_turn_for(&fixture, 50);
    fixture_set_servers(&fixture, ""); /* the same: nothing happens */
    assert_int_equal(fixture_questions(&fixture), 2 + 256);
    is_silent = false;
    fixture_set_servers(&fixture, "nameserver ::1\n");
    assert_int_equal(fixture_questions(&fixture), 2 + 256 + 256);
    for (size_t i = 0; i < ARRAY_LENGTH(askers); i++) {
        fixture_wait(&fixture, &askers[i]);
        assert_told(&askers[i].v4, "ok 192.0.2.1");
        assert_told(&askers[i].v6, "ok 2001:db8::1");
    }
    fixture_ask(&fixture, &asker, "www.example"); /* the cache was forgotten */
    assert_int_equal(asker.count, 0);
    fixture_wait(&fixture, &asker);
    resolver_set_servers(fixture.resolver, silent, strlen(silent));
}

static unsigned kept_of(const char *name)
{
    unsigned count = 0;

    for (unsigned i = 0; i < kept_count; i++)
        count += starts_with(kept[i].name, name);
    return count;
}

/* c-ares gives the first tries up in 0.7 s when 0.5 s are to be enough. */
static void waits_as_long_as_it_is_told_later(void **state)
{
    struct asker before, after;

    fixture_ask(&fixture, &before, "silent1.example");
    while (kept_count < 2)
        fixture_turn(&fixture);
    resolver_set_timeout(fixture.resolver, 20000);
    fixture_ask(&fixture, &after, "silent2.example");
    while (kept_of("silent2") < 2)
        fixture_turn(&fixture);
    fixture_turn_for(&fixture, 1000);
    assert_told(&before.v4, "timeout"); /* its deadline stays */
    assert_int_equal(kept_of("silent2"), 2);
    for (unsigned i = 0; i < kept_count; i++)
        answer_usual(&kept[i]);
    fixture_wait(&fixture, &after);
    assert_told(&after.v4, "ok 192.0.2.1");
    assert_told(&after.v6, "ok 2001:db8::1");
    fixture_ask_and_wait(&fixture, &before, "www.example");
    assert_told(&before.v4, "ok 192.0.2.1");
}

static void ends_with_questions_on_their_way(void **state)
{
    static struct asker askers[200];
    char name[64];

    for (size_t i = 0; i < ARRAY_LENGTH(askers); i++) {
        snprintf(name, sizeof(name), i % 2 == 0 ? "silent%zu.example" : "truncated%zu.example", i);
        fixture_ask(&fixture, &askers[i], name);
    }
    fixture_turn_for(&fixture, 550); /* some are abandoned by now */
    for (size_t i = 0; i < ARRAY_LENGTH(askers); i++) {
        resolver_cancel(&askers[i].query);
        snprintf(name, sizeof(name), "other%zu.example", i);
        fixture_ask(&fixture, &askers[i], name);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(askers); i++)
        resolver_cancel(&askers[i].query);
}

static void opens_nothing_while_idle(void **state)
{
    struct asker asker;
    struct resolver *resolver = fixture.resolver;

    fixture_ask_and_wait(&fixture, &asker, "truncated.example");
    /* Destroyed and made anew in one turn: no event may reach the old one's memory. */
    assert_int_equal(resolver_create(fixture.loop, 300, &fixture.counters, &fixture.resolver), 0);
    resolver_destroy(resolver);
    fixture_set_servers(&fixture, "");
    fixture_ask_and_wait(&fixture, &asker, "truncated.example");
    assert_told(&asker.v4, "ok 192.0.2.1");
}

#define NORMAL(test) cmocka_unit_test_setup_teardown(test, start, stop)
#define PATIENT(test) cmocka_unit_test_setup_teardown(test, start_patient, stop)
#define IMPATIENT(test) cmocka_unit_test_setup_teardown(test, start_impatient, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NORMAL(asks_both_families),
        NORMAL(understands_answers),
        NORMAL(takes_long_names),
        NORMAL(reads_tcp_to_its_end),
        NORMAL(never_asks_for_localhost),
        NORMAL(answers_from_hosts),
        NORMAL(answers_from_the_cache),
        NORMAL(asks_once_for_many),
        NORMAL(tells_nothing_after_cancel),
        NORMAL(keeps_the_answer_that_nobody_waits_for),
        NORMAL(may_be_cancelled_when_told),
        NORMAL(may_ask_when_told),
        NORMAL(asks_the_next_server),
        PATIENT(says_so_when_no_server_is_there),
        PATIENT(uses_an_open_tcp_connection),
        cmocka_unit_test_setup_teardown(gives_up_in_time, start_rather_impatient, stop),
        IMPATIENT(keeps_a_late_answer),
        IMPATIENT(asks_again_over_tcp),
        NORMAL(lets_the_rest_wait_in_line),
        PATIENT(slow_names_of_one_client_delay_nobody_else),
        IMPATIENT(bounds_the_time_in_line),
        NORMAL(asks_new_servers_anew),
        IMPATIENT(waits_as_long_as_it_is_told_later),
        IMPATIENT(ends_with_questions_on_their_way),
        NORMAL(opens_nothing_while_idle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
