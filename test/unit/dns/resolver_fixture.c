#include "resolver_fixture.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <string.h>

enum { GUARD_MS = 60 * 1000 };

static unsigned descriptors_before;

static unsigned count_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    unsigned count = 0;

    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static void guard_passed(struct deadline *deadline)
{
    container_of(deadline, struct fixture, guard)->is_late = true;
}

void fixture_start(struct fixture *fixture, uint64_t timeout_ms,
                   void (*script)(const struct ns_question *question))
{
    descriptors_before = count_descriptors();
    memset(&fixture->counters, 0, sizeof(fixture->counters));
    assert_int_equal(loop_create(&fixture->loop), 0);
    fixture->is_late = false;
    deadline_init(&fixture->guard, guard_passed);
    deadline_set(fixture->loop, &fixture->guard, loop_now_ms(fixture->loop) + GUARD_MS);
    name_server_start(&fixture->server, fixture->loop, script);
    assert_int_equal(
        resolver_create(fixture->loop, timeout_ms, &fixture->counters, &fixture->resolver), 0);
    fixture_set_servers(fixture, "");
}

void fixture_stop(struct fixture *fixture)
{
    if (fixture->is_late)
        return;
    resolver_destroy(fixture->resolver);
    name_server_stop(&fixture->server);
    deadline_cancel(fixture->loop, &fixture->guard);
    loop_destroy(fixture->loop);
    assert_int_equal(count_descriptors(), descriptors_before);
}

void fixture_set_servers(struct fixture *fixture, const char *before)
{
    char text[256];
    int length =
        snprintf(text, sizeof(text), "%snameserver 127.0.0.1:%u\n", before, fixture->server.port);

    resolver_set_servers(fixture->resolver, text, (size_t)length);
}

void asker_is_told(struct resolver_query *query, const struct resolver_answer *answer)
{
    struct asker *asker = container_of(query, struct asker, query);
    struct told *told = answer->family == IP_V4 ? &asker->v4 : &asker->v6;
    struct text text;

    told->count++;
    asker->count++;
    told->status = answer->status;
    told->address_count = answer->count;
    text_init(&text, told->first, sizeof(told->first));
    if (answer->count > 0)
        ip_address_print(&text, &answer->addresses[0]);
    assert_int_equal(answer->count > 0, answer->status == RESOLVER_OK);
}

void assert_told(const struct told *told, const char *expected)
{
    char buffer[128];

    assert_in_range(told->count, 0, 1);
    if (told->count == 0)
        snprintf(buffer, sizeof(buffer), "-");
    else
        snprintf(buffer, sizeof(buffer), "%s%s%s", resolver_status_name(told->status),
                 told->first[0] != '\0' ? " " : "", told->first);
    assert_string_equal(buffer, expected);
}

const struct ip_address *fixture_client(void)
{
    static const struct ip_address client = {.family = IP_V4, .bytes = {10, 0, 0, 1}};

    return &client;
}

void fixture_ask_for(struct fixture *fixture, struct asker *asker, const char *name,
                     const struct ip_address *client)
{
    memset(asker, 0, sizeof(*asker));
    assert_int_equal(resolver_ask(fixture->resolver, &asker->query, name, client, asker_is_told),
                     0);
}

void fixture_ask(struct fixture *fixture, struct asker *asker, const char *name)
{
    fixture_ask_for(fixture, asker, name, fixture_client());
}

void fixture_turn(struct fixture *fixture)
{
    assert_int_equal(loop_turn(fixture->loop), 0);
    if (fixture->is_late)
        fail_msg("waited for %d s in vain", GUARD_MS / 1000);
}

void fixture_wait(struct fixture *fixture, struct asker *asker)
{
    while (asker->count < 2)
        fixture_turn(fixture);
}

void fixture_ask_and_wait(struct fixture *fixture, struct asker *asker, const char *name)
{
    fixture_ask(fixture, asker, name);
    fixture_wait(fixture, asker);
}

void fixture_ask_the_cache(struct fixture *fixture, struct asker *asker, const char *name)
{
    for (;;) {
        fixture_ask(fixture, asker, name);
        if (asker->count == 2)
            return;
        resolver_cancel(&asker->query);
        fixture_turn(fixture);
    }
}

static void time_passed(struct deadline *deadline)
{
    (void)deadline;
}

void fixture_turn_for(struct fixture *fixture, uint64_t time_ms)
{
    struct deadline deadline;

    deadline_init(&deadline, time_passed);
    deadline_set(fixture->loop, &deadline, loop_now_ms(fixture->loop) + time_ms);
    while (deadline_is_set(&deadline))
        fixture_turn(fixture);
}

unsigned fixture_questions(const struct fixture *fixture)
{
    return (unsigned)counter_read(&fixture->counters, COUNTER_DNS_QUESTIONS);
}
