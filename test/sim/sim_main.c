/* Runs the scenarios: as they stand, with every fault at every step, and a soak of random ones.
 *
 *   sim_tunnel                         all, as cmocka tests
 *   sim_tunnel list                    the scenarios and how many steps each takes
 *   sim_tunnel SCENARIO [STEP FAULT]   one run, with what was logged
 *   sim_tunnel soak SEED [LAST]        one run of the soak, or many
 */
#include "sim_tunnel.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { REPORTS_MAX = 4, SOAK_SEEDS = 3000, TESTS_MAX = 160 };

/* What is running, to be printed by whatever ends the program. */
static char replay[160];

static void print_replay(int signal_number)
{
    static const char prefix[] = "\nreplay with: sim_tunnel ";
    ssize_t ignored = write(STDERR_FILENO, prefix, sizeof(prefix) - 1);

    ignored = write(STDERR_FILENO, replay, strlen(replay));
    ignored = write(STDERR_FILENO, "\n", 1);
    (void)ignored;
    if (signal_number != 0) {
        signal(signal_number, SIG_DFL);
        raise(signal_number);
    }
}

/* Called by the sanitizers, where there are any, before they end the program. */
void __asan_on_error(void);
void __asan_on_error(void)
{
    print_replay(0);
}

static bool run_is_well(const struct sim_scenario *scenario, const struct sim_plan *plan,
                        struct sim_verdict *verdict)
{
    sim_tunnel_run(scenario, plan, verdict);
    if (verdict->problem[0] == 0)
        return true;
    fprintf(stderr, "sim_tunnel %s: %s\n", replay, verdict->problem);
    return false;
}

/* Every fault of the row at one step. The number of runs that were not well. */
static unsigned strike_step(const struct sim_scenario *scenario, unsigned step, enum sim_call call)
{
    const int *faults = sim_call_faults(call);
    unsigned bad = 0;

    for (unsigned i = 0; faults[i] != 0; i++) {
        struct sim_plan plan = {.fault_step = step, .fault = faults[i]};
        struct sim_verdict verdict;

        snprintf(replay, sizeof(replay), "%s %u %s (%s)", scenario->name, step,
                 sim_fault_name(faults[i]), sim_call_name(call));
        bad += !run_is_well(scenario, &plan, &verdict);
    }
    return bad;
}

static void scenario_holds(void **state)
{
    static unsigned char calls[SIM_STEPS_MAX];
    const struct sim_scenario *scenario = *state;
    struct sim_verdict verdict;
    unsigned bad = 0;

    snprintf(replay, sizeof(replay), "%s", scenario->name);
    assert_true(run_is_well(scenario, &(struct sim_plan){0}, &verdict));
    for (unsigned step = 1; step <= verdict.steps; step++)
        calls[step] = (unsigned char)sim_step_call(step);
    for (unsigned step = 1; step <= verdict.steps && bad < REPORTS_MAX; step++)
        bad += strike_step(scenario, step, calls[step]);
    assert_int_equal(bad, 0);
}

static struct sim_plan soak_plan(uint64_t seed)
{
    static const unsigned rates[] = {0, 30, 300}; /* of 10,000 steps */

    return (struct sim_plan){.seed = seed, .fault_rate = rates[seed % ARRAY_LENGTH(rates)]};
}

/* The number of runs that were not well. */
static unsigned soak(uint64_t first, uint64_t last)
{
    unsigned bad = 0;

    for (uint64_t seed = first; seed <= last && bad < REPORTS_MAX; seed++) {
        struct sim_plan plan = soak_plan(seed);
        struct sim_verdict verdict;

        snprintf(replay, sizeof(replay), "soak %llu", (unsigned long long)seed);
        bad += !run_is_well(sim_draw_scenario(seed), &plan, &verdict);
    }
    return bad;
}

static void soak_holds(void **state)
{
    assert_int_equal(soak(1, SOAK_SEEDS), 0);
}

/* The scenario at a place in the tables; NULL behind the last. */
static const struct sim_scenario *scenario_at(size_t index)
{
    static const struct sim_scenario *(*const tables[])(size_t *) = {sim_scenarios, sim_openings,
                                                                     sim_gates};

    for (size_t i = 0; i < ARRAY_LENGTH(tables); i++) {
        size_t count;
        const struct sim_scenario *table = tables[i](&count);

        if (index < count)
            return &table[index];
        index -= count;
    }
    return NULL;
}

static int list_scenarios(void)
{
    const struct sim_scenario *scenario;

    for (size_t i = 0; (scenario = scenario_at(i)) != NULL; i++) {
        struct sim_verdict verdict;

        sim_tunnel_run(scenario, &(struct sim_plan){0}, &verdict);
        printf("%-45s %5u steps %s\n", scenario->name, verdict.steps, verdict.problem);
    }
    return 0;
}

static int run_one(const struct sim_scenario *scenario, const struct sim_plan *plan)
{
    struct sim_verdict verdict;
    bool is_well = run_is_well(scenario, plan, &verdict);

    fprintf(stderr, "%u steps, %u faults\n", verdict.steps, verdict.injected);
    sim_tunnel_print();
    return is_well ? 0 : 1;
}

static int run_named(int count, char **words)
{
    const struct sim_scenario *scenario;
    struct sim_plan plan = {.is_verbose = true};

    if (count >= 3) {
        plan.fault_step = (unsigned)strtoul(words[1], NULL, 10);
        plan.fault = sim_fault_parse(words[2]);
    }
    snprintf(replay, sizeof(replay), "%s", words[0]);
    if (strcmp(words[0], "soak") == 0 && count >= 2) {
        uint64_t seed = strtoull(words[1], NULL, 10);

        if (count >= 3)
            return soak(seed, strtoull(words[2], NULL, 10)) > 0;
        plan = soak_plan(seed);
        plan.is_verbose = true;
        return run_one(sim_draw_scenario(seed), &plan);
    }
    for (size_t i = 0; (scenario = scenario_at(i)) != NULL; i++) {
        if (strcmp(scenario->name, words[0]) == 0)
            return run_one(scenario, &plan);
    }
    fprintf(stderr, "no scenario %s; see: sim_tunnel list\n", words[0]);
    return 2;
}

static int run_all(void)
{
    static struct CMUnitTest tests[TESTS_MAX];
    const struct sim_scenario *scenario;
    size_t count = 0;

    for (; (scenario = scenario_at(count)) != NULL && count + 1 < TESTS_MAX; count++)
        tests[count] = (struct CMUnitTest){
            .name = scenario->name, .test_func = scenario_holds, .initial_state = (void *)scenario};
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(soak_holds);
    return _cmocka_run_group_tests("sim_tunnel", tests, count, NULL, NULL);
}

int main(int count, char **words)
{
    signal(SIGABRT, print_replay);
    signal(SIGSEGV, print_replay);
    if (count == 1)
        return run_all();
    if (strcmp(words[1], "list") == 0)
        return list_scenarios();
    return run_named(count - 1, words + 1);
}
