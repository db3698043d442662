/* The real resolver (src/dns/) in the simulated kernel: askers ask for names at their time, some of
 * them change their mind; c-ares answers by script. Each scenario is run as it stands and with
 * every fault at every step (c-ares's calls, allocations, epoll).
 *
 *   sim_names                          all, as cmocka tests
 *   sim_names SCENARIO [STEP FAULT]    one run
 */
#include "sim_ares.h"
#include "sim_kernel.h"

#include "dns/hosts_file.h"
#include "dns/resolver.h"
#include "loop/loop.h"

#include <ares.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    ASKS_MAX = 16,
    CROWD = 140,
    TIMEOUT_MS = 5000,
    REPORTS_MAX = 4,
    WAITS_MAX = 20000,
    TESTS_MAX = 32,
};

struct ask {
    const char *name;
    uint64_t at_ms, cancel_at_ms;  /* since the start; cancel 0: never */
    bool cancels_in_answer;        /* from within the first on_answer */
    uint8_t client;                /* of 10.0.0.0/24; the crowd is 0 */
    enum resolver_status v6, v4;   /* in a clean run */
    unsigned by_ms, not_before_ms; /* when the last answer comes, since the start; by 0: any time */
};

struct scenario {
    const char *name;
    struct ask asks[ASKS_MAX];
    unsigned crowd; /* so many ask for N.crowd at 0 besides */
    const char *hosts;
    const char *servers; /* set at 0 */
    uint64_t change_servers_at_ms;
    uint64_t destroy_at_ms; /* before everything was answered; 0: at the end */
    unsigned questions;     /* clean run: that c-ares took */
};

static const struct sim_zone zones[] = {
    {".ok.example", .status = ARES_SUCCESS, .delay_ms = 20, .ttl_s = 60, .records = 2},
    {".many.example", .status = ARES_SUCCESS, .delay_ms = 20, .ttl_s = 60, .records = 30},
    {".brief.example", .status = ARES_SUCCESS, .delay_ms = 20, .ttl_s = 0, .records = 1},
    {".slow.example", .status = ARES_SUCCESS, .delay_ms = 3000, .ttl_s = 60, .records = 1},
    {".late.example", .status = ARES_SUCCESS, .delay_ms = 7000, .ttl_s = 60, .records = 1},
    {".sync.example", .status = ARES_SUCCESS, .delay_ms = 0, .ttl_s = 60, .records = 1},
    {".silent.example", .is_silent = true},
    {".nx.example", .status = ARES_ENOTFOUND, .delay_ms = 20, .ttl_s = 10},
    {".empty.example", .status = ARES_SUCCESS, .delay_ms = 20, .ttl_s = 60, .records = 0},
    {".fail.example", .status = ARES_ESERVFAIL, .delay_ms = 20},
    {".crowd", .status = ARES_SUCCESS, .delay_ms = 1000, .ttl_s = 60, .records = 1},
    {.suffix = NULL},
};

#define OK .v6 = RESOLVER_OK, .v4 = RESOLVER_OK
#define ALL(status) .v6 = (status), .v4 = (status)

static const struct scenario scenarios[] = {
    {"one-name", {{"a.ok.example", OK, .not_before_ms = 20, .by_ms = 40}}, .questions = 2},
    {"no-question-twice",
     {{"a.ok.example", OK}, {"a.ok.example", OK}, {"a.ok.example", .at_ms = 10, OK, .by_ms = 40}},
     .questions = 2},
    {"from-the-cache",
     {{"a.ok.example", OK}, {"a.ok.example", .at_ms = 50000, OK, .by_ms = 50002}},
     .questions = 2},
    {"out-of-the-cache",
     {{"a.ok.example", OK},
      {"a.ok.example", .at_ms = 61000, OK, .not_before_ms = 61020, .by_ms = 61040}},
     .questions = 4},
    {"a-ttl-of-0-is-1-s",
     {{"a.brief.example", OK},
      {"a.brief.example", .at_ms = 500, OK, .by_ms = 502},
      {"a.brief.example", .at_ms = 1500, OK}},
     .questions = 4},
    {"more-records-than-fit", {{"a.many.example", OK}}, .questions = 2},
    {"negative-answers",
     {{"a.nx.example", ALL(RESOLVER_NXDOMAIN)},
      {"b.empty.example", ALL(RESOLVER_NO_DATA)},
      {"a.nx.example", .at_ms = 9000, ALL(RESOLVER_NXDOMAIN), .by_ms = 9002},
      {"a.nx.example", .at_ms = 12000, ALL(RESOLVER_NXDOMAIN)}},
     .questions = 6},
    {"failure",
     {{"a.fail.example", ALL(RESOLVER_SERVFAIL)},
      {"a.fail.example", .at_ms = 2000, ALL(RESOLVER_SERVFAIL)}},
     .questions = 4},
    {"silence",
     {{"a.silent.example", ALL(RESOLVER_TIMEOUT), .not_before_ms = 5000, .by_ms = 5050},
      {"b.ok.example", .at_ms = 100, OK, .by_ms = 140}},
     .questions = 4},
    {"an-answer-that-is-late-serves-the-next",
     {{"a.late.example", ALL(RESOLVER_TIMEOUT), .not_before_ms = 5000, .by_ms = 5050},
      {"a.late.example", .at_ms = 7500, OK, .by_ms = 7502}},
     .questions = 2},
    {"answered-from-within",
     {{"a.sync.example", OK, .by_ms = 10}, {"b.sync.example", OK}},
     .questions = 4},
    {"cancelled",
     {{"a.slow.example", .cancel_at_ms = 100, OK},
      {"b.slow.example", .cancel_at_ms = 100, OK},
      {"b.slow.example", OK},
      {"a.slow.example", .at_ms = 3500, OK, .by_ms = 3502}},
     .questions = 4},
    {"cancelled-in-its-answer",
     {{"a.ok.example", .cancels_in_answer = true, OK},
      {"a.ok.example", .cancels_in_answer = true, OK},
      {"a.ok.example", OK},
      {"a.ok.example", .at_ms = 100, .cancels_in_answer = true, OK},
      {"b.sync.example", .cancels_in_answer = true, OK}},
     .questions = 4},
    {"hosts-and-localhost",
     {{"printer.lan", .v6 = RESOLVER_NO_DATA, .v4 = RESOLVER_OK, .by_ms = 2},
      {"localhost", OK, .by_ms = 2},
      {"x.localhost", OK, .by_ms = 2}},
     .hosts = "10.0.0.9 printer.lan printer # the loud one\n"},
    {"a-crowd",
     {{"a.ok.example", OK, .not_before_ms = 1000, .by_ms = 1200},
      /* In line until nobody waits for it any more: never asked. */
      {"gone.ok.example", .cancel_at_ms = 100, OK}},
     .crowd = CROWD,
     .questions = 2 * CROWD + 2},
    /* What the crowd waits for, its last in line included, others have at once. */
    {"beside-a-crowd",
     {{"a.ok.example", .client = 1, OK, .by_ms = 40},
      {"n139.crowd", .client = 2, OK, .not_before_ms = 1000, .by_ms = 1020},
      {"b.ok.example", .client = 3, .at_ms = 500, OK, .by_ms = 540}},
     .crowd = CROWD,
     .questions = 2 * CROWD + 4},
    {"new-servers",
     {{"a.slow.example", OK, .not_before_ms = 4000, .by_ms = 4100},
      {"b.ok.example", OK},
      {"b.ok.example", .at_ms = 2000, OK}},
     .servers = "nameserver 192.0.2.53\n",
     .change_servers_at_ms = 1000,
     .questions = 8},
    {"destroyed-under-questions",
     {{"a.silent.example", .cancel_at_ms = 100, OK},
      {"b.slow.example", .cancel_at_ms = 100, OK},
      {"c.ok.example", OK}},
     .destroy_at_ms = 6000,
     .questions = 6},
};

/* ---- one run ---- */

struct asker {
    struct resolver_query query;
    struct deadline begin, change_of_mind;
    struct ask ask;
    char name[32];
    bool is_asked, is_refused, is_cancelled;
    unsigned answers[2]; /* AAAA, A */
    enum resolver_status statuses[2];
    uint64_t answered_ms, asked_ms;
};

static struct {
    const struct scenario *scenario;
    struct loop *loop;
    struct resolver *resolver;
    struct hosts_file *hosts; /* NULL: none */
    uint64_t began_ms;
    struct asker askers[ASKS_MAX + CROWD];
    unsigned asker_count;
    struct deadline change, end;
    bool is_over;
    char problem[256];
} world;

static char replay[160];

static void problem(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void problem(const char *format, ...)
{
    va_list arguments;

    if (world.problem[0] != 0)
        return;
    va_start(arguments, format);
    vsnprintf(world.problem, sizeof(world.problem), format, arguments);
    va_end(arguments);
}

static void check_addresses(const struct resolver_answer *answer)
{
    if ((answer->status == RESOLVER_OK) != (answer->count > 0))
        problem("%s with %zu addresses", resolver_status_name(answer->status), answer->count);
    if (answer->count > RESOLVER_ADDRESSES_MAX)
        problem("%zu addresses", answer->count);
    for (size_t i = 0; i < answer->count; i++) {
        if (answer->addresses[i].family != answer->family)
            problem("an address of the other family");
    }
}

static void on_answer(struct resolver_query *query, const struct resolver_answer *answer)
{
    struct asker *asker = container_of(query, struct asker, query);
    unsigned index = answer->family == IP_V6 ? 0 : 1;

    if (asker->is_cancelled)
        problem("%s: told after it was cancelled", asker->name);
    asker->answers[index]++;
    asker->statuses[index] = answer->status;
    asker->answered_ms = sim_now_ms();
    check_addresses(answer);
    if (asker->ask.cancels_in_answer) {
        resolver_cancel(query);
        asker->is_cancelled = true;
    }
}

static void begin(struct deadline *deadline)
{
    struct asker *asker = container_of(deadline, struct asker, begin);

    asker->asked_ms = sim_now_ms();
    if (world.resolver == NULL)
        return;
    const uint8_t client[4] = {10, 0, 0, asker->ask.client};
    struct ip_address address = ip_address_from_v4(client);

    if (resolver_ask(world.resolver, &asker->query, asker->name, &address, on_answer) == 0)
        asker->is_asked = true;
    else
        asker->is_refused = true;
}

static void change_mind(struct deadline *deadline)
{
    struct asker *asker = container_of(deadline, struct asker, change_of_mind);

    if (!asker->is_asked)
        return;
    resolver_cancel(&asker->query);
    asker->is_cancelled = true;
}

static void change_servers(struct deadline *deadline)
{
    static const char text[] = "nameserver 192.0.2.54\nnameserver 192.0.2.55\n";

    resolver_set_servers(world.resolver, text, strlen(text));
}

static void destroy(struct deadline *deadline)
{
    resolver_destroy(world.resolver);
    world.resolver = NULL;
}

static void add_asker(const struct ask *ask, const char *name)
{
    struct asker *asker = &world.askers[world.asker_count++];

    asker->ask = *ask;
    snprintf(asker->name, sizeof(asker->name), "%s", name);
    deadline_init(&asker->begin, begin);
    deadline_init(&asker->change_of_mind, change_mind);
    deadline_set(world.loop, &asker->begin, world.began_ms + ask->at_ms);
    if (ask->cancel_at_ms > 0)
        deadline_set(world.loop, &asker->change_of_mind, world.began_ms + ask->cancel_at_ms);
}

static void call_askers(void)
{
    const struct scenario *scenario = world.scenario;
    static const struct ask in_crowd = {.name = "", OK};

    for (unsigned i = 0; i < scenario->crowd; i++) {
        char name[32];

        snprintf(name, sizeof(name), "n%u.crowd", i);
        add_asker(&in_crowd, name);
    }
    for (unsigned i = 0; i < ASKS_MAX && scenario->asks[i].name != NULL; i++)
        add_asker(&scenario->asks[i], scenario->asks[i].name);
    deadline_init(&world.change, change_servers);
    deadline_init(&world.end, destroy);
    if (scenario->change_servers_at_ms > 0)
        deadline_set(world.loop, &world.change, world.began_ms + scenario->change_servers_at_ms);
    if (scenario->destroy_at_ms > 0)
        deadline_set(world.loop, &world.end, world.began_ms + scenario->destroy_at_ms);
}

static int create_all(void)
{
    const struct scenario *scenario = world.scenario;
    int error = loop_create(&world.loop);

    if (error == 0)
        error = resolver_create(world.loop, TIMEOUT_MS, NULL, &world.resolver);
    if (error == 0 && scenario->hosts != NULL)
        error = hosts_file_parse(scenario->hosts, strlen(scenario->hosts), &world.hosts);
    if (error == 0)
        resolver_use_hosts(world.resolver, world.hosts);
    if (error == 0 && scenario->servers != NULL)
        resolver_set_servers(world.resolver, scenario->servers, strlen(scenario->servers));
    return error;
}

static void play(void)
{
    call_askers();
    while (!sim_is_quiet() && world.problem[0] == 0) {
        if (loop_turn(world.loop) < 0)
            problem("loop_turn failed");
        if (sim_waits() > WAITS_MAX)
            problem("a livelock");
    }
}

static bool is_told(const struct asker *asker, unsigned index)
{
    return asker->answers[index] == 1;
}

static void check_asker(const struct asker *asker)
{
    const struct ask *ask = &asker->ask;
    enum resolver_status expected[2] = {ask->v6, ask->v4};

    for (unsigned i = 0; i < 2; i++) {
        if (asker->answers[i] > 1)
            problem("%s: told %u times", asker->name, asker->answers[i]);
        if (asker->is_asked && !asker->is_cancelled && !is_told(asker, i))
            problem("%s: never told", asker->name);
        if (sim_faults_injected() == 0 && is_told(asker, i) && asker->statuses[i] != expected[i])
            problem("%s: %s", asker->name, resolver_status_name(asker->statuses[i]));
    }
    if (asker->is_refused && asker->answered_ms != 0)
        problem("%s: told after -ENOMEM", asker->name);
    if (asker->answered_ms > asker->asked_ms + TIMEOUT_MS + 10)
        problem("%s: told too late", asker->name);
    if (sim_faults_injected() > 0 || asker->answered_ms == 0)
        return;
    uint64_t at_ms = asker->answered_ms - world.began_ms;
    if (at_ms < ask->not_before_ms || (ask->by_ms > 0 && at_ms > ask->by_ms))
        problem("%s: told after %u ms", asker->name, (unsigned)at_ms);
}

static void check_all(void)
{
    for (unsigned i = 0; i < world.asker_count; i++)
        check_asker(&world.askers[i]);
    if (sim_open_descriptors() > 0 || sim_allocated_bytes() > 0) {
        problem("%u descriptors, %zu bytes leak", sim_open_descriptors(), sim_allocated_bytes());
        sim_print_leaks();
    }
    if (sim_ares_held() > 0)
        problem("c-ares holds %u questions", sim_ares_held());
    if (sim_faults_injected() == 0 && sim_ares_asked() != world.scenario->questions)
        problem("%u questions", sim_ares_asked());
}

static bool run_is_well(const struct scenario *scenario, const struct sim_plan *plan)
{
    memset(&world, 0, sizeof(world));
    world.scenario = scenario;
    sim_start(plan);
    sim_ares_script(zones);
    world.began_ms = sim_now_ms();
    if (create_all() == 0)
        play();
    else if (sim_faults_injected() == 0)
        problem("could not be set up");
    if (world.problem[0] == 0) {
        if (world.resolver != NULL)
            resolver_destroy(world.resolver);
        if (world.loop != NULL)
            loop_destroy(world.loop);
        hosts_file_destroy(world.hosts);
        check_all();
    }
    sim_finish();
    if (world.problem[0] != 0)
        fprintf(stderr, "sim_names %s: %s\n", replay, world.problem);
    return world.problem[0] == 0;
}

/* ---- all runs ---- */

static void print_replay(int signal_number)
{
    static const char prefix[] = "\nreplay with: sim_names ";
    ssize_t ignored = write(STDERR_FILENO, prefix, sizeof(prefix) - 1);

    ignored = write(STDERR_FILENO, replay, strlen(replay));
    ignored = write(STDERR_FILENO, "\n", 1);
    (void)ignored;
    if (signal_number != 0) {
        signal(signal_number, SIG_DFL);
        raise(signal_number);
    }
}

void __asan_on_error(void);
void __asan_on_error(void)
{
    print_replay(0);
}

static void scenario_holds(void **state)
{
    static unsigned char calls[SIM_STEPS_MAX];
    const struct scenario *scenario = *state;
    unsigned bad = 0;

    snprintf(replay, sizeof(replay), "%s", scenario->name);
    assert_true(run_is_well(scenario, &(struct sim_plan){0}));
    unsigned steps = sim_steps();
    for (unsigned step = 1; step <= steps; step++)
        calls[step] = (unsigned char)sim_step_call(step);
    for (unsigned step = 1; step <= steps && bad < REPORTS_MAX; step++) {
        const int *faults = sim_call_faults(calls[step]);

        for (unsigned i = 0; faults[i] != 0; i++) {
            struct sim_plan plan = {.fault_step = step, .fault = faults[i]};

            snprintf(replay, sizeof(replay), "%s %u %s (%s)", scenario->name, step,
                     sim_fault_name(faults[i]), sim_call_name(calls[step]));
            bad += !run_is_well(scenario, &plan);
        }
    }
    assert_int_equal(bad, 0);
}

static int run_named(int count, char **words)
{
    struct sim_plan plan = {.is_verbose = true};

    snprintf(replay, sizeof(replay), "%s", words[0]);
    if (count >= 3) {
        plan.fault_step = (unsigned)strtoul(words[1], NULL, 10);
        plan.fault = sim_fault_parse(words[2]);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(scenarios); i++) {
        if (strcmp(scenarios[i].name, words[0]) != 0)
            continue;
        bool is_well = run_is_well(&scenarios[i], &plan);
        fprintf(stderr, "%u steps, %u questions\n", sim_steps(), sim_ares_asked());
        return is_well ? 0 : 1;
    }
    fprintf(stderr, "no scenario %s\n", words[0]);
    return 2;
}

int main(int count, char **words)
{
    static struct CMUnitTest tests[TESTS_MAX];

    signal(SIGABRT, print_replay);
    signal(SIGSEGV, print_replay);
    if (count > 1)
        return run_named(count - 1, words + 1);
    static_assert(ARRAY_LENGTH(scenarios) <= TESTS_MAX, "room for all");
    for (size_t i = 0; i < ARRAY_LENGTH(scenarios); i++)
        tests[i] = (struct CMUnitTest){.name = scenarios[i].name,
                                       .test_func = scenario_holds,
                                       .initial_state = (void *)&scenarios[i]};
    return _cmocka_run_group_tests("sim_names", tests, ARRAY_LENGTH(scenarios), NULL, NULL);
}
