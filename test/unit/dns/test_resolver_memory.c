/* dns/resolver with every allocation failing in turn, ours (linked with --wrap) and c-ares's: each
 * ask is refused with -ENOMEM or answered for both families, and everything is given back. */
#include "dns/hosts_file.h"
#include "resolver_fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <ares.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct fixture fixture;
static unsigned steps_left; /* 0: nothing fails */
static bool has_failed;
static long allocated;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void __wrap_free(void *memory);

static bool fails_now(void)
{
    if (steps_left == 0 || --steps_left > 0)
        return false;
    has_failed = true;
    return true;
}

static void *counted(void *memory)
{
    allocated += memory != NULL;
    return memory;
}

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails_now() ? NULL : counted(__real_calloc(count, size));
}

void __wrap_free(void *memory)
{
    allocated -= memory != NULL;
    __real_free(memory);
}

/* c-ares's fail too, but are not counted: 1.34 loses some when it runs out of memory. (1.18 does
 * not; the sanitizer build looks.) */
static void *library_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

static void *library_realloc(void *memory, size_t size)
{
    return fails_now() ? NULL : realloc(memory, size);
}

static void script(const struct ns_question *question)
{
    static struct ns_message reply;

    ns_begin(&reply, question, NOERROR);
    if (question->name[0] == 't' && question->tcp_fd < 0)
        ns_set_truncated(&reply);
    else if (question->type == DNS_A)
        ns_add_a(&reply, NULL, 60, "192.0.2.1");
    else
        ns_add_aaaa(&reply, NULL, 60, "2001:db8::1");
    if (question->name[0] != 's') /* silent */
        name_server_send(question, &reply);
}

static void ask_all(struct resolver *resolver, struct asker *askers, const char *const *names,
                    size_t count)
{
    memset(askers, 0, count * sizeof(*askers));
    for (size_t i = 0; i < count; i++) {
        int error =
            resolver_ask(resolver, &askers[i].query, names[i], fixture_client(), asker_is_told);

        if (error < 0) {
            assert_int_equal(error, -ENOMEM);
            assert_true(has_failed);
            assert_int_equal(askers[i].count, 0);
            askers[i].count = 2;
        }
    }
    for (size_t i = 0; i < count; i++) {
        fixture_wait(&fixture, &askers[i]);
        assert_int_equal(askers[i].count, 2);
    }
}

static void run(struct resolver *resolver)
{
    static const char *const names[] = {"www.example", "known.example", "truncated.example",
                                        "silent.example"};
    static const char hosts[] = "192.0.2.7 known.example\n";
    struct asker askers[ARRAY_LENGTH(names)];

    struct hosts_file *table = NULL;

    int error = hosts_file_parse(hosts, strlen(hosts), &table);
    assert_true(error == 0 || (error == -ENOMEM && has_failed));
    resolver_use_hosts(resolver, table);
    fixture.resolver = resolver;
    fixture_set_servers(&fixture, "");
    ask_all(resolver, askers, names, ARRAY_LENGTH(names));
    /* Once more, half of it from the cache. */
    ask_all(resolver, askers, names, ARRAY_LENGTH(names) - 1);
    resolver_use_hosts(resolver, NULL);
    hosts_file_destroy(table);
}

/* True while there is an n-th allocation. */
static bool run_with_failure_at(unsigned n)
{
    struct resolver *resolver;
    long before = allocated;

    has_failed = false;
    steps_left = n;
    int error = resolver_create(fixture.loop, 40, NULL, &resolver);
    assert_true(error == 0 || (error == -ENOMEM && has_failed));
    if (error == 0) {
        run(resolver);
        resolver_destroy(resolver);
        fixture_turn_for(&fixture, 1);
    }
    steps_left = 0;
    assert_int_equal(allocated, before);
    return has_failed;
}

static void survives_every_failure(void **state)
{
    unsigned n = 1;

    assert_int_equal(
        ares_library_init_mem(ARES_LIB_INIT_ALL, library_malloc, __real_free, library_realloc),
        ARES_SUCCESS);
    for (bool is_more = true; is_more; n++) {
        struct resolver *resolver;

        fixture_start(&fixture, 40, script);
        resolver = fixture.resolver;
        is_more = run_with_failure_at(n);
        fixture.resolver = resolver;
        fixture_stop(&fixture);
    }
    assert_true(n > 50); /* the wrappers work */
    ares_library_cleanup();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(survives_every_failure)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
