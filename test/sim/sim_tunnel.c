/* One run: build what a worker thread has, let the actors play until nothing moves any more, then
 * take everything down and look whether the kernel is as empty as before, and whether both ends and
 * the log tell the story that the scenario and the injected faults allow.
 */
#include "sim_tunnel.h"

#include "access/dial_gate.h"
#include "front/front.h"
#include "loop/loop.h"
#include "net/acceptor.h"
#include "net/room.h"
#include "net/tcp_memory.h"
#include "observe/counters.h"
#include "observe/trace.h"
#include "policy/policy.h"
#include "sim_auth.h"
#include "sim_log.h"
#include "sim_wrap.h"
#include "tunnel/relief.h"
#include "tunnel/tunnel.h"
#include "tunnel/tunnel_env.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLIENT_PORT = 5000, WAITS_MAX = 60000, LATEST_MS = 4 * 3600 * 1000, DRAIN_MS = 30000 };

/* An idle tunnel with its two streams: the goal is 512 bytes of PSS, this is the sum asked of
 * malloc. */
enum { IDLE_BYTES_MAX = 1024 };

static const struct ip_endpoint listener_endpoint = {
    .address = {.family = IP_V4, .bytes = {127, 0, 0, 1}},
    .port = 10800,
};

/* What a worker thread has. */
static struct world {
    const struct sim_scenario *scenario;
    const struct sim_plan *plan;
    uint64_t began_ms;
    struct listener listener;
    struct loop *loop;
    struct policy *policy;
    struct tunnel_policy held_policy;
    struct policy *new_policy; /* of a scenario that reloads */
    struct tunnel_policy new_held_policy;
    bool is_old_policy_free;
    struct dial_gate *gate;
    struct limits *limits;
    struct limit_pass used;
    struct relay_env *relays;
    struct resolver *resolver;
    struct front *front;
    struct acceptor *acceptor;
    struct counters counters;
    struct room *room;
    struct trace trace; /* nobody does */
    struct tunnel_env env;
    struct deadline drain, drain_over, reload;
    bool is_drained;
    uint64_t gone_ms; /* when the last connection was seen to be gone */
    size_t bytes_before, bytes_when_idle;
    unsigned pipes_when_idle;
    size_t pipe_bytes_when_idle;
    struct sim_actor client, target;
    unsigned targets;
    struct sim_verdict *verdict;
} world;

static void problem(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void problem(const char *format, ...)
{
    va_list arguments;

    if (world.verdict->problem[0] != 0)
        return;
    va_start(arguments, format);
    vsnprintf(world.verdict->problem, sizeof(world.verdict->problem), format, arguments);
    va_end(arguments);
}

#define EXPECT(condition, ...)                                                                     \
    do {                                                                                           \
        if (!(condition))                                                                          \
            problem(__VA_ARGS__);                                                                  \
    } while (0)

/* ---- setting up ---- */

static struct sim_tcp_sizes sizes_or_default(struct sim_tcp_sizes sizes)
{
    return sizes.send != 0 ? sizes : (struct sim_tcp_sizes){65536, 65536};
}

static void target_accepted(void *self, struct sim_tcp *end)
{
    if (world.targets++ == 0)
        sim_actor_start(&world.target, end);
    else /* a second connection of a race: it is closed again without a byte */
        sim_tcp_close(end, false);
}

static void accepted(void *self, int fd, const struct ip_endpoint *client, unsigned slot,
                     bool is_last_descriptor)
{
    if (is_last_descriptor) {
        __wrap_close(fd);
        return;
    }
    front_accept(world.front, fd, client, slot);
}

static void begin_drain(struct deadline *deadline)
{
    world.env.is_draining = true;
    acceptor_stop(world.acceptor, 4096);
    front_drain(world.front);
    deadline_set(world.loop, &world.drain_over, loop_now_ms(world.loop) + DRAIN_MS);
}

static void end_drain(struct deadline *deadline)
{
    world.is_drained = true;
    tunnel_close_all(&world.env);
}

static void look(void *self)
{
    world.bytes_when_idle = sim_allocated_bytes() - world.bytes_before;
    world.pipes_when_idle = sim_pipes_open();
    world.pipe_bytes_when_idle = sim_pipe_bytes();
}

static void lay_routes(void)
{
    for (unsigned i = 0; i < SIM_ROUTES_MAX && world.scenario->routes[i].address != NULL; i++) {
        struct sim_route route = world.scenario->routes[i];

        route.target = sizes_or_default(world.scenario->target_sizes);
        route.product = sizes_or_default(world.scenario->product_sizes);
        route.accepted = target_accepted;
        sim_add_route(&route);
    }
}

/* "allow from loopback to any, special" and "allow from 10.0.0.0/8 to any" */
static int compile_policy(struct policy **ret_policy)
{
    static const struct policy_value loopback = {.kind = POLICY_VALUE_LOOPBACK};
    static const struct policy_value network = {.kind = POLICY_VALUE_NETWORK,
                                                .network = {{IP_V4, {10}}, 8}};
    static const struct policy_value anywhere[] = {{.kind = POLICY_VALUE_ANY},
                                                   {.kind = POLICY_VALUE_SPECIAL}};
    static const struct policy_condition conditions[] = {
        {.kind = POLICY_FROM, .values = &loopback, .value_count = 1},
        {.kind = POLICY_TO, .values = anywhere, .value_count = 2},
        {.kind = POLICY_FROM, .values = &network, .value_count = 1},
        {.kind = POLICY_TO, .values = anywhere, .value_count = 1},
    };
    static const struct policy_rule_source rules[] = {
        {.is_allow = true,
         .name = "built-in",
         .place = "built-in",
         .conditions = conditions,
         .condition_count = 2},
        {.is_allow = true,
         .name = "--from 10.0.0.0/8",
         .place = "--from 10.0.0.0/8",
         .conditions = conditions + 2,
         .condition_count = 2},
    };
    static struct policy_source source = {.rules = rules};

    source.rule_count = world.scenario->has_network_rule ? 2 : 1;
    return policy_compile(&source, &listener_endpoint, 1, ret_policy);
}

static int create_policy(void)
{
    int error = compile_policy(&world.policy);

    if (error == 0 && world.scenario->reload_at_ms > 0)
        error = compile_policy(&world.new_policy);
    return error;
}

/* The world itself holds the one in force. */
static void nobody_holds_it(struct tunnel_policy *policy)
{
    if (policy != &world.held_policy || world.env.policy == policy)
        abort(); /* a tunnel gave back more than it held */
    world.is_old_policy_free = true;
    policy_destroy(world.policy);
    world.policy = NULL;
}

/* As a worker thread takes a new configuration: whoever is under way goes on with the old policy.
 */
static void reload_now(struct deadline *deadline)
{
    bool is_used = !list_is_empty(&world.env.tunnels);

    (void)deadline;
    world.new_held_policy = (struct tunnel_policy){
        .holders = 1, .destroy = nobody_holds_it, .compiled = world.new_policy};
    world.env.policy = &world.new_held_policy;
    tunnel_policy_release(&world.held_policy);
    EXPECT(!is_used || !world.is_old_policy_free, "the policy of an open tunnel is gone");
}

static void fill_env(void)
{
    world.held_policy =
        (struct tunnel_policy){.holders = 1, .destroy = nobody_holds_it, .compiled = world.policy};
    world.env = (struct tunnel_env){
        .loop = world.loop,
        .resolver = world.resolver,
        .policy = &world.held_policy,
        .dial_gate = world.gate,
        .users = world.scenario->has_users ? sim_auth_users() : NULL,
        .limits = world.limits,
        .limit_values = world.scenario->limits,
        .relays = world.relays,
        .room = world.room,
        .trace = &world.trace,
        .counters = &world.counters,
        .log = sim_log_ring(),
        .listeners = &world.listener,
        .listener_count = 1,
        .timeouts = {.dial_ms = 10000,
                     .idle_ms = 3600000,
                     .half_closed_ms = 60000,
                     .stuck_ms = 900000},
    };
    access_ids_init(&world.env.ids, 7, 0);
    list_init(&world.env.openings);
    list_init(&world.env.tunnels);
}

static int create_limits(void)
{
    struct ip_address client;
    int error = limits_create(&world.limits);

    if (error < 0 || !world.scenario->is_limit_used)
        return error;
    error = ip_address_parse("127.0.0.1", 9, &client);
    if (error < 0)
        return error;
    enum limit limit =
        limits_enter(world.limits, &world.scenario->limits, &client, NULL, 0, &world.used);
    return limit == LIMIT_NONE ? 0 : -ENOMEM;
}

/* net/tcp_memory.h: the kernel's figures. */
bool __wrap_tcp_memory_read(int fd, struct tcp_memory *ret_memory);
bool __wrap_tcp_memory_read(int fd, struct tcp_memory *ret_memory)
{
    *ret_memory =
        (struct tcp_memory){.used = 65536, .is_short = world.scenario->is_tcp_memory_short};
    return true;
}

static int create_all(void)
{
    const struct sim_scenario *scenario = world.scenario;
    struct fair_limits dials = {.total = 1024, .per_client = 128, .waiting_per_client = 2048};
    struct relay_limits relays = {
        .mode = scenario->mode,
        .pipes = scenario->pipes ? scenario->pipes : 4,
        .stash_bytes = scenario->stash_bytes ? scenario->stash_bytes : 64u << 20,
    };
    struct front_timeouts timeouts = {.head_ms = 10000};
    struct acceptor_owner owner = {.accepted = accepted, .is_shared = true};
    int error = loop_create(&world.loop);

    if (error == 0)
        error = create_policy();
    if (error == 0)
        error = dial_gate_create(&dials, &world.gate);
    if (error == 0)
        error = room_create(scenario->is_full           ? 0
                            : scenario->has_little_room ? 2
                                                        : 1000,
                            &world.room);
    if (error == 0)
        error = create_limits();
    if (error == 0)
        error =
            relay_env_create(world.loop, &relays, &world.counters, sim_log_ring(), &world.relays);
    if (error == 0)
        error = resolver_create(world.loop, 5000, &world.counters, &world.resolver);
    if (error == 0) {
        fill_env();
        error = relief_create(&world.env, -1, 1, &world.env.relief);
    }
    if (error == 0) {
        error = front_create(&world.env, &timeouts, &world.front);
    }
    if (error == 0)
        error =
            acceptor_create(world.loop, &owner, &world.counters, sim_log_ring(), &world.acceptor);
    if (error == 0)
        error = acceptor_add(world.acceptor, &world.listener);
    return error;
}

static void destroy_all(void)
{
    if (world.acceptor != NULL)
        acceptor_destroy(world.acceptor);
    if (world.front != NULL)
        front_destroy(world.front);
    if (world.resolver != NULL)
        resolver_destroy(world.resolver);
    if (world.env.relief != NULL)
        relief_destroy(world.env.relief);
    if (world.relays != NULL)
        relay_env_destroy(world.relays);
    if (world.gate != NULL)
        dial_gate_destroy(world.gate);
    if (world.room != NULL)
        room_destroy(world.room);
    limits_leave(&world.used, sim_now_ms());
    if (world.limits != NULL)
        limits_destroy(world.limits);
    if (world.policy != NULL)
        policy_destroy(world.policy);
    if (world.new_policy != NULL)
        policy_destroy(world.new_policy);
    if (world.loop != NULL) {
        deadline_cancel(world.loop, &world.drain);
        deadline_cancel(world.loop, &world.drain_over);
        deadline_cancel(world.loop, &world.reload);
        loop_destroy(world.loop);
    }
}

static void call_client(void)
{
    const struct sim_scenario *scenario = world.scenario;
    const char *address = scenario->client_address ? scenario->client_address : "127.0.0.1";

    sim_actor_start(&world.client, sim_dial_listener(world.listener.fd, address, CLIENT_PORT,
                                                     sizes_or_default(scenario->client_sizes),
                                                     sizes_or_default(scenario->product_sizes)));
}

static void prepare(const struct sim_scenario *scenario, struct sim_verdict *verdict)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(10800), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_storage storage = {0};

    memset(&world, 0, sizeof(world));
    *verdict = (struct sim_verdict){0};
    world.verdict = verdict;
    world.scenario = scenario;
    world.began_ms = sim_now_ms();
    world.client = (struct sim_actor){.side = SIM_CLIENT,
                                      .script = scenario->client,
                                      .expects = scenario->is_echo ? SIM_CLIENT : SIM_TARGET};
    world.target = (struct sim_actor){.side = SIM_TARGET,
                                      .script = scenario->target,
                                      .expects = SIM_CLIENT,
                                      .is_echo = scenario->is_echo};
    memcpy(&storage, &address, sizeof(address));
    world.listener = listener_of(LISTENER_TUNNELS, &listener_endpoint);
    world.listener.fd = sim_listen(&storage);
    deadline_init(&world.drain, begin_drain);
    deadline_init(&world.drain_over, end_drain);
    deadline_init(&world.reload, reload_now);
    sim_log_reset();
    sim_resolver_script(scenario->lookups);
    sim_auth_script(scenario->auth_delay_ms);
    sim_gate_use(&scenario->gate, &world.client, &world.target);
    lay_routes();
}

/* ---- playing ---- */

static bool is_anything_alive(void)
{
    return front_connection_count(world.front) > 0 || !list_is_empty(&world.env.openings) ||
           !list_is_empty(&world.env.tunnels) || sim_resolver_waiting() > 0 ||
           sim_auth_is_waiting();
}

static void play(void)
{
    uint64_t latest_ms = world.began_ms + LATEST_MS;

    if (world.scenario->drain_at_ms > 0)
        deadline_set(world.loop, &world.drain, world.began_ms + world.scenario->drain_at_ms);
    if (world.scenario->reload_at_ms > 0)
        deadline_set(world.loop, &world.reload, world.began_ms + world.scenario->reload_at_ms);
    world.bytes_before = sim_allocated_bytes();
    if (world.scenario->look_at_ms > 0)
        sim_after(world.scenario->look_at_ms * 1000, look, NULL);
    while (!sim_is_quiet()) {
        int error = loop_turn(world.loop);

        EXPECT(error == 0, "loop_turn failed: %s", strerror(-error));
        EXPECT(sim_waits() < WAITS_MAX, "a livelock: %u turns", sim_waits());
        EXPECT(sim_now_ms() < latest_ms, "still at work after hours");
        if (world.verdict->problem[0] != 0)
            return;
        if (is_anything_alive())
            world.gone_ms = 0;
        else if (world.gone_ms == 0)
            world.gone_ms = sim_now_ms();
    }
    EXPECT(world.scenario->reload_at_ms == 0 || world.is_old_policy_free,
           "nobody uses the old policy, and it is not free");
    EXPECT(!is_anything_alive(), "hangs: %zu connections, %s tunnels, %u lookups, and no deadline",
           front_connection_count(world.front), list_is_empty(&world.env.tunnels) ? "no" : "some",
           sim_resolver_waiting());
}

/* ---- checks of every run ---- */

static uint64_t count_of(enum counter counter)
{
    return counter_read(&world.counters, counter);
}

static size_t logged_number(const char *line, const char *field)
{
    const char *at = line != NULL ? strstr(line, field) : NULL;

    return at != NULL ? strtoul(at + strlen(field), NULL, 10) : 0;
}

static void check_empty(void)
{
    EXPECT(count_of(COUNTER_TUNNELS_OPEN) == 0, "%lld tunnels counted as open",
           (long long)count_of(COUNTER_TUNNELS_OPEN));
    EXPECT(count_of(COUNTER_CONNECTIONS_OPEN) == 0, "%lld connections counted as open",
           (long long)count_of(COUNTER_CONNECTIONS_OPEN));
    EXPECT(sim_open_descriptors() == 0, "%u descriptors leak", sim_open_descriptors());
    EXPECT(sim_allocated_bytes() == 0, "%zu bytes leak", sim_allocated_bytes());
    if (sim_open_descriptors() > 0 || sim_allocated_bytes() > 0)
        sim_print_leaks();
}

static void check_bytes(void)
{
    const struct sim_actor *client = &world.client, *target = &world.target;
    size_t down_sent = target->sent;

    EXPECT(!client->is_corrupt, "the client got a wrong byte at %zu", client->corrupt_at);
    EXPECT(!target->is_corrupt, "the target got a wrong byte at %zu", target->corrupt_at);
    EXPECT(target->received <= client->sent, "the target got %zu bytes, %zu were sent",
           target->received, client->sent);
    EXPECT(client->received <= down_sent, "the client got %zu bytes, %zu were sent",
           client->received, down_sent);
}

static void check_gate(void)
{
    EXPECT(sim_gate_problem() == NULL, "%s", sim_gate_problem());
    if (sim_gate_is_shut())
        EXPECT(world.client.received == 0 && world.target.received == 0,
               "bytes went past a gate that is shut");
}

static void check_refusal_text(void)
{
    const struct sim_actor *client = &world.client;
    const char *length = strstr(client->answer, "\r\nContent-Length: ");
    size_t body = client->answer_length - client->head_length;

    EXPECT(strstr(client->answer, "\r\nConnection: close\r\n") != NULL, "no Connection: close");
    EXPECT(strstr(client->answer, "\r\nProxy-Status: adit; error=") != NULL, "no Proxy-Status");
    EXPECT(length != NULL, "no Content-Length");
    /* A reset on the way may cost the body's end. */
    if (length != NULL && sim_faults_injected() == 0)
        EXPECT(strtoul(length + 18, NULL, 10) == body, "a body of %zu bytes", body);
    if (length != NULL)
        EXPECT(strtoul(length + 18, NULL, 10) >= body, "%zu bytes of body: more than promised",
               body);
}

static unsigned answered_status(void)
{
    const struct sim_actor *client = &world.client;

    if (client->head_length == 0 || strncmp(client->answer, "HTTP/1.1 ", 9) != 0)
        return 0;
    return (unsigned)strtoul(client->answer + 9, NULL, 10);
}

static void check_answer(void)
{
    static const char success[] = "HTTP/1.1 200 Connection established\r\n\r\n";
    const struct sim_actor *client = &world.client;

    if (client->head_length == 0)
        return;
    EXPECT(answered_status() >= 200 && answered_status() < 600, "the answer is no answer: %.40s",
           client->answer);
    if (!client->is_established) {
        check_refusal_text();
        EXPECT(world.target.received == 0, "bytes went to the target of a refused tunnel");
        return;
    }
    EXPECT(strcmp(client->answer, success) == 0, "a success of other bytes");
    EXPECT(client->dials_at_answer > 0, "a 200 before the dial succeeded");
    EXPECT(sim_log_count("event=open") == 1, "a 200 without its line in the log");
    /* In a soak the 200 may be late, by a vain send, and meet an event of the target in its turn.
     */
    EXPECT(world.plan->fault_rate > 0 || client->turn_of_bytes == 0 ||
               client->turn_of_bytes > client->turn_of_answer,
           "the target was read in the turn that wrote the 200");
}

static void check_log(void)
{
    unsigned opened = sim_log_count("event=open"), closed = sim_log_count("event=close");
    unsigned denied = sim_log_count("event=deny") + sim_log_count("event=auth_failure");
    const char *close_line = sim_log_find("event=close");

    EXPECT(opened == closed, "%u open lines, %u close lines", opened, closed);
    EXPECT(opened + denied <= 1, "%u open and %u deny lines", opened, denied);
    EXPECT(count_of(COUNTER_TUNNELS_ESTABLISHED) == opened, "established: %llu",
           (unsigned long long)count_of(COUNTER_TUNNELS_ESTABLISHED));
    uint64_t others = count_of(COUNTER_TUNNELS_DENIED) + count_of(COUNTER_TUNNELS_FAILED) +
                      count_of(COUNTER_TUNNELS_CANCELLED) + count_of(COUNTER_REQUESTS_REFUSED);
    EXPECT(others == denied, "%llu outcomes counted, %u deny lines", (unsigned long long)others,
           denied);
    EXPECT(logged_number(close_line, "up_bytes=") == count_of(COUNTER_BYTES_UP) &&
               logged_number(close_line, "down_bytes=") == count_of(COUNTER_BYTES_DOWN),
           "the close line counts other bytes than the counters");
    EXPECT(count_of(COUNTER_BYTES_UP) >= world.target.received &&
               count_of(COUNTER_BYTES_DOWN) >= world.client.received,
           "fewer bytes counted than arrived");
}

/* ---- checks against the scenario ---- */

static void check_ending(const char *who, const struct sim_actor *actor, enum sim_ending ending)
{
    if (ending == ENDS_ANYHOW)
        return;
    EXPECT(actor->is_reset == (ending != ENDS_WITH_EOF), "%s saw %s", who,
           actor->is_reset  ? "a reset"
           : actor->has_eof ? "a plain end"
                            : "no end");
    EXPECT(actor->has_eof || ending != ENDS_WITH_EOF_AND_RESET, "%s saw no FIN first", who);
}

static void check_story(void)
{
    const struct sim_scenario *scenario = world.scenario;
    const struct sim_actor *client = &world.client, *target = &world.target;

    EXPECT(answered_status() == scenario->status, "status %u instead of %u", answered_status(),
           scenario->status);
    if (scenario->may_lack) {
        EXPECT(target->received <= scenario->up && client->received <= scenario->down,
               "too many bytes: up %zu, down %zu", target->received, client->received);
    } else {
        EXPECT(target->received == scenario->up, "%zu of %zu bytes went up", target->received,
               scenario->up);
        EXPECT(client->received == scenario->down, "%zu of %zu bytes came down", client->received,
               scenario->down);
    }
    check_ending("the client", client, scenario->client_ending);
    check_ending("the target", target, scenario->target_ending);
    if (scenario->closed_by != NULL)
        EXPECT(sim_log_count(scenario->closed_by) == 1, "not closed by %s", scenario->closed_by);
    if (scenario->logged != NULL)
        EXPECT(sim_log_count(scenario->logged) == 1, "not logged: %s", scenario->logged);
}

static void check_costs(void)
{
    const struct sim_scenario *scenario = world.scenario;
    uint64_t lived_ms = world.gone_ms - world.began_ms;
    size_t peak = scenario->memory_peak ? scenario->memory_peak : (size_t)1 << 20;

    EXPECT(lived_ms >= scenario->not_before_ms, "gone after %llu ms already",
           (unsigned long long)lived_ms);
    EXPECT(scenario->not_after_ms == 0 || lived_ms <= scenario->not_after_ms,
           "gone after %llu ms only", (unsigned long long)lived_ms);
    EXPECT(sim_allocated_peak() - world.bytes_before <= peak, "held %zu bytes",
           sim_allocated_peak() - world.bytes_before);
    EXPECT(sim_pipes_made() >= scenario->pipes_made, "made %u pipes", sim_pipes_made());
    EXPECT(scenario->is_tcp_memory_short || sim_log_count("notice") == 0, "something was refused");
    EXPECT(!scenario->has_no_pipe || sim_pipes_made() == 0, "made %u pipes", sim_pipes_made());
    EXPECT(world.bytes_when_idle <= IDLE_BYTES_MAX, "an idle tunnel holds %zu bytes",
           world.bytes_when_idle);
    EXPECT(world.pipes_when_idle == scenario->pipes_when_idle, "%u pipes when idle",
           world.pipes_when_idle);
    EXPECT(world.pipe_bytes_when_idle == 0, "%zu bytes in a pipe", world.pipe_bytes_when_idle);
    EXPECT(sim_log_count("event=open") + sim_log_count("event=deny") +
                       sim_log_count("event=auth_failure") ==
                   1 ||
               scenario->status == 0,
           "an answer without a line in the log");
}

/* What was lacking was lacking here, so the way to the client was free. */
static void check_refusal_was_told(void)
{
    unsigned status = (unsigned)logged_number(sim_log_find("event=deny"), "status=");

    if (!world.scenario->has_no_story && world.scenario->status != 0 && status != 0)
        EXPECT(answered_status() == status, "logged status %u, the client got %u", status,
               answered_status());
}

static bool has_story(const struct sim_plan *plan)
{
    if (world.scenario->has_no_story)
        return false;
    if (plan->fault == SIM_FAULT_AT_ONCE && world.scenario->has_dial_story)
        return false;
    return sim_faults_injected() == 0 || sim_faults_are_benign();
}

void sim_tunnel_run(const struct sim_scenario *scenario, const struct sim_plan *plan,
                    struct sim_verdict *ret_verdict)
{
    sim_start(plan);
    prepare(scenario, ret_verdict);
    world.plan = plan;
    ret_verdict->was_set_up = create_all() == 0;
    if (ret_verdict->was_set_up) {
        call_client();
        play();
    } else {
        EXPECT(sim_faults_injected() > 0, "could not be set up");
    }
    bool is_worth_destroying = ret_verdict->problem[0] == 0;
    if (is_worth_destroying) {
        destroy_all();
        sim_close_fd(world.listener.fd);
        check_empty();
    }
    check_bytes();
    check_gate();
    if (ret_verdict->was_set_up && is_worth_destroying) {
        check_answer();
        check_log();
        if (has_story(plan))
            check_story();
        if (sim_faults_are_local())
            check_refusal_was_told();
        if (sim_faults_injected() == 0 && !scenario->has_no_story)
            check_costs();
    }
    ret_verdict->steps = sim_steps();
    ret_verdict->injected = sim_faults_injected();
    sim_finish();
}

static void print_actor(const char *who, const struct sim_actor *actor)
{
    fprintf(stderr, "  %s: at act %u, sent %zu, received %zu%s%s%s\n", who, actor->at, actor->sent,
            actor->received, actor->has_eof ? ", end" : "", actor->is_reset ? ", reset" : "",
            actor->is_closed ? ", closed" : "");
}

void sim_tunnel_print(void)
{
    sim_log_print();
    fprintf(stderr, "  answer: %.*s\n", (int)strcspn(world.client.answer, "\r"),
            world.client.answer);
    print_actor("client", &world.client);
    print_actor("target", &world.target);
}
