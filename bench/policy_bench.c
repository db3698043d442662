/* What an evaluation costs, and what lists cost: nanoseconds a verdict, bytes an entry.
 *
 * Every row is run in rounds of a few milliseconds, and the best and the median round are printed:
 * on a busy machine the best is nearest to the truth. Names are looked up in random order, so that
 * a large list is not in the cache for nothing. --json prints the medians, as bench-load does.
 */
#include "policy/name_set.h"
#include "policy/network_set.h"
#include "policy/policy.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 15, FACTS = 4096, NAME_SIZE = 48 };
#define ROUND_NS 10e6
#define BATCH 256 /* evaluations between two looks at the clock */

static const struct ip_address client = {IP_V4, {127, 0, 0, 1}};
static const struct ip_address public_address = {IP_V4, {93, 184, 216, 34}};
static const struct policy_value any = {.kind = POLICY_VALUE_ANY};

/* What --json prints; empty without it. */
static struct {
    bool is_wanted;
    size_t count;
    struct measure {
        const char *key;
        double value;
    } measures[32];
} json;

static void keep_measure(const char *key, double value)
{
    if (key != NULL && json.count < sizeof(json.measures) / sizeof(*json.measures))
        json.measures[json.count++] = (struct measure){key, value};
}

static double now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static uint64_t next_random(void)
{
    static uint64_t state = 88172645463325252;

    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static void must(int result)
{
    if (result == 0)
        return;
    fprintf(stderr, "policy-bench: out of memory\n");
    exit(1);
}

static void print_name(char *name, size_t number)
{
    snprintf(name, NAME_SIZE, "host-%zu.tracker-%zu.example", number, number % 997);
}

static struct ip_network make_network(size_t number)
{
    uint32_t bits = (uint32_t)number * 2654435761u; /* spreads over the whole space, each once */
    const uint8_t bytes[] = {(uint8_t)(bits >> 24), (uint8_t)(bits >> 16), (uint8_t)(bits >> 8),
                             (uint8_t)bits};

    return (struct ip_network){.address = ip_address_from_v4(bytes), .prefix_length = 32};
}

/* -- a row */

struct subject {
    struct policy_source source;
    size_t name_count;           /* names asked for are among the first ones; 0: "www.example" */
    const struct ip_address *at; /* NULL: the name phase */
    bool is_random_address;
};

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static void prepare_facts(const struct subject *subject, struct policy_facts *facts,
                          char (*names)[NAME_SIZE], struct ip_address *addresses)
{
    for (size_t i = 0; i < FACTS; i++) {
        strcpy(names[i], "www.example.com");
        if (subject->name_count > 0)
            print_name(names[i], next_random() % subject->name_count);
        addresses[i] = make_network(next_random()).address;
        facts[i] = (struct policy_facts){
            .client = &client,
            .host = names[i],
            .host_length = strlen(names[i]),
            .address = subject->is_random_address ? &addresses[i] : subject->at,
            .port = 443,
            .is_inside_known = true,
        };
    }
}

/* Nanoseconds an evaluation, over one round. */
static double run_round(const struct policy *policy, const struct policy_facts *facts,
                        uint64_t *sum)
{
    double began_ns = now_ns();
    double elapsed_ns = 0;
    size_t done = 0;

    while (elapsed_ns < ROUND_NS) {
        for (size_t i = 0; i < BATCH; i++) {
            struct verdict verdict;
            policy_evaluate(policy, &facts[done++ % FACTS], &verdict);
            *sum += verdict.rule_index;
        }
        elapsed_ns = now_ns() - began_ns;
    }
    return elapsed_ns / (double)done;
}

static void run_row(const char *title, const char *key, const struct subject *subject)
{
    static char names[FACTS][NAME_SIZE];
    static struct ip_address addresses[FACTS];
    static struct policy_facts facts[FACTS];
    double rounds[ROUNDS];
    struct policy *policy;
    uint64_t sum = 0; /* so that no evaluation is optimised away */

    double began_ns = now_ns();

    must(policy_compile(&subject->source, NULL, 0, &policy));
    double compile_ms = (now_ns() - began_ns) / 1e6;
    prepare_facts(subject, facts, names, addresses);
    for (size_t round = 0; round < ROUNDS; round++)
        rounds[round] = run_round(policy, facts, &sum);
    qsort(rounds, ROUNDS, sizeof(*rounds), compare_doubles);
    keep_measure(key, rounds[ROUNDS / 2]);
    if (!json.is_wanted)
        printf("%-52s %8.0f %8.0f ns, compiled in %4.1f ms  (%llx)\n", title, rounds[0],
               rounds[ROUNDS / 2], compile_ms, (unsigned long long)sum);
    policy_destroy(policy);
}

/* -- policies */

enum rule_shape { BY_NAME, BY_SUFFIX, BY_NETWORK, BY_LIST, BY_OWN_LIST, BY_PORT };

static struct policy_value make_value(enum rule_shape shape, char *name, size_t number)
{
    print_name(name, number);
    switch (shape) {
    case BY_NAME:
        return (struct policy_value){.kind = POLICY_VALUE_NAME, .text = name};
    case BY_SUFFIX:
        return (struct policy_value){.kind = POLICY_VALUE_SUFFIX, .text = name};
    case BY_NETWORK:
        return (struct policy_value){.kind = POLICY_VALUE_NETWORK, .network = make_network(number)};
    case BY_LIST:
    case BY_OWN_LIST:
        return (struct policy_value){.kind = POLICY_VALUE_LIST,
                                     .index = shape == BY_OWN_LIST ? number : 0};
    default:
        return (struct policy_value){.kind = POLICY_VALUE_PORTS, .ports = {1, 2}};
    }
}

/* `count` denials of one value each, and an allow behind them. `lists`: as many for BY_OWN_LIST,
 * else one. */
static void run_rules(const char *title, const char *key, enum rule_shape shape, size_t count,
                      const struct policy_list *lists, struct subject subject)
{
    struct policy_rule_source *rules = calloc(count + 1, sizeof(*rules));
    struct policy_condition *conditions = calloc(count + 1, sizeof(*conditions));
    struct policy_value *values = calloc(count, sizeof(*values));
    char(*names)[NAME_SIZE] = calloc(count, NAME_SIZE);

    must(rules && conditions && values && names ? 0 : -1);
    for (size_t i = 0; i < count; i++) {
        values[i] = make_value(shape, names[i], i);
        conditions[i] =
            (struct policy_condition){.kind = shape == BY_PORT ? POLICY_PORT : POLICY_TO,
                                      .values = &values[i],
                                      .value_count = 1};
        rules[i] = (struct policy_rule_source){.conditions = &conditions[i], .condition_count = 1};
    }
    conditions[count] =
        (struct policy_condition){.kind = POLICY_TO, .values = &any, .value_count = 1};
    rules[count] = (struct policy_rule_source){
        .is_allow = true, .conditions = &conditions[count], .condition_count = 1};
    subject.source = (struct policy_source){.rules = rules,
                                            .rule_count = count + 1,
                                            .lists = lists,
                                            .list_count = shape == BY_OWN_LIST ? count : 1};
    run_row(title, key, &subject);
    free(names);
    free(values);
    free(conditions);
    free(rules);
}

/* -- lists */

static size_t heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

/* `keys`: of milliseconds and of bytes each. */
static void print_load(const char *what, size_t count, double milliseconds, double bytes,
                       const char *const *keys)
{
    if (keys != NULL) {
        keep_measure(keys[0], milliseconds);
        keep_measure(keys[1], bytes);
    }
    if (!json.is_wanted)
        printf("%9zu %s load in %4.0f ms, %3.0f bytes each\n", count, what, milliseconds, bytes);
}

static struct name_set *load_names(size_t count, const char *const *keys)
{
    size_t before = heap_bytes();
    double began_ns = now_ns();
    char name[NAME_SIZE];
    struct name_set *set;

    must(name_set_create(&set));
    for (size_t i = 0; i < count; i++) {
        print_name(name, i);
        must(name_set_add(set, name, strlen(name), i % 2));
    }
    print_load("names", name_set_count(set), (now_ns() - began_ns) / 1e6,
               (double)(heap_bytes() - before) / (double)count, keys);
    return set;
}

static struct network_set *load_networks(size_t count)
{
    size_t before = heap_bytes();
    double began_ns = now_ns();
    struct network_set *set;

    must(network_set_create(&set));
    for (size_t i = 0; i < count; i++) {
        struct ip_network network = make_network(i);
        must(network_set_add(set, &network));
    }
    print_load("addresses", network_set_count(set), (now_ns() - began_ns) / 1e6,
               (double)(heap_bytes() - before) / (double)count, NULL);
    return set;
}

/* Of 10 names and 10 addresses each, no two alike. */
static void run_own_lists(const char *title, const char *key, size_t count, struct subject subject)
{
    struct policy_list *lists = calloc(count, sizeof(*lists));

    must(lists ? 0 : -1);
    for (size_t i = 0; i < count; i++) {
        struct name_set *names;
        struct network_set *networks;

        must(name_set_create(&names));
        must(network_set_create(&networks));
        for (size_t entry = i * 10; entry < i * 10 + 10; entry++) {
            char name[NAME_SIZE];
            const struct ip_network network = make_network(entry);

            print_name(name, entry);
            must(name_set_add(names, name, strlen(name), false));
            must(network_set_add(networks, &network));
        }
        lists[i] = (struct policy_list){.names = names, .networks = networks};
    }
    run_rules(title, key, BY_OWN_LIST, count, lists, subject);
    for (size_t i = 0; i < count; i++) {
        name_set_destroy((struct name_set *)lists[i].names);
        network_set_destroy((struct network_set *)lists[i].networks);
    }
    free(lists);
}

static void run_many_rules(const struct policy_list *small, struct subject public)
{
    run_rules("1,000 rules of a name", "ns_1000_names", BY_NAME, 1000, small, public);
    run_rules("1,000 rules of a suffix", "ns_1000_suffixes", BY_SUFFIX, 1000, small, public);
    run_rules("1,000 rules of a block", "ns_1000_blocks", BY_NETWORK, 1000, small, public);
    run_rules("1,000 rules of a port", "ns_1000_ports", BY_PORT, 1000, small, public);
    run_rules("1,000 rules of a list of 10 names", "ns_1000_lists", BY_LIST, 1000, small, public);
    run_own_lists("1,000 rules of a list each", "ns_1000_own_lists", 1000, public);
    run_rules("10,000 rules of a name", "ns_10000_names", BY_NAME, 10000, small, public);
    run_rules("10,000 rules of a block", "ns_10000_blocks", BY_NETWORK, 10000, small, public);
    run_rules("10,000 rules of a port", "ns_10000_ports", BY_PORT, 10000, small, public);
    run_own_lists("10,000 rules of a list each", "ns_10000_own_lists", 10000, public);
}

static void print_json(void)
{
    printf("{\"ok\": true, \"row\": \"policy\", \"measures\": {");
    for (size_t i = 0; i < json.count; i++)
        printf("%s\"%s\": %.6g", i ? ", " : "", json.measures[i].key, json.measures[i].value);
    printf("}, \"resets\": 0, \"generator_busy\": 0}\n");
}

int main(int argc, char **argv)
{
    static const char *const million_keys[] = {"million_names_load_ms", "million_names_bytes_each"};

    json.is_wanted = argc == 2 && strcmp(argv[1], "--json") == 0;
    if (argc > 1 && !json.is_wanted) {
        fprintf(stderr, "usage: policy-bench [--json]\n");
        return 2;
    }
    struct policy_list large = {.names = load_names(100000, NULL),
                                .networks = load_networks(100000)};
    struct policy_list names = {.names = load_names(1000000, million_keys)};
    struct policy_list small = {.names = load_names(10, NULL)};
    const struct subject by_name = {.at = NULL};
    const struct subject hit_or_miss = {.name_count = 200000, .at = &public_address};
    const struct subject addresses = {.is_random_address = true};
    const struct subject public = {.at = &public_address};

    if (!json.is_wanted)
        printf("%-52s %8s %8s\n", "a verdict", "best", "median");
    run_rules("1 rule, no match", NULL, BY_PORT, 1, &small, public);
    run_rules("1,000 rules of a name, name phase", NULL, BY_NAME, 1000, &small, by_name);
    run_rules("1,000 rules of a block, name phase", NULL, BY_NETWORK, 1000, &small, by_name);
    run_many_rules(&small, public);
    run_rules("a list of 100,000 names and 100,000 addresses: names", "ns_list_of_names", BY_LIST,
              1, &large, hit_or_miss);
    run_rules("the same list: addresses", "ns_list_of_addresses", BY_LIST, 1, &large, addresses);
    run_rules("a list of 1,000,000 names", "ns_list_of_million", BY_LIST, 1, &names, hit_or_miss);
    name_set_destroy((struct name_set *)large.names);
    network_set_destroy((struct network_set *)large.networks);
    name_set_destroy((struct name_set *)names.names);
    name_set_destroy((struct name_set *)small.names);
    if (json.is_wanted)
        print_json();
    return 0;
}
