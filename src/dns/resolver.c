/* The resolver brings together the queries, what is known already, and the questions that are being
 * asked.
 *
 * A name is looked for in this order: localhost (RFC 6761 6.3), the hosts file, the cache, the
 * questions that wait or are asked already. When none of them has it, it becomes a new question,
 * which is in one of these states:
 *   in line    - in the line of each client that waits for it, until it is the turn of one of them
 *                (base/fair_line.h), whose place at work the question then has;
 *   asked      - c-ares has it;
 *   again      - c-ares gave it back; it is asked anew in the next turn;
 *   answered   - by c-ares or by its deadline; its waiters are told in the next turn, by a task;
 *   abandoned  - its deadline answered it, but c-ares still holds it. When c-ares lets go, a good
 *                answer still fills the cache, so that the next try of a client finds it.
 * The deadline runs from the first ask, time in line included.
 *
 * The surprise is in c-ares: it may answer from within ares_query, and answer other questions than
 * the one that is being asked. So its answers reach the waiters only through the task; only what is
 * known already is told from within resolver_ask.
 *
 * c-ares takes new name servers only while it has no question, and the old servers may be gone. So
 * when the servers change, all questions that are asked are taken back and asked anew, and the
 * cache is emptied.
 *
 * What c-ares still holds of abandoned questions is bounded too: 512 begin every timeout, and
 * c-ares gives each up after a little over four timeouts.
 */
#include "dns/resolver.h"

#include "base/hash.h"
#include "dns/dns_answer.h"
#include "dns/dns_cache.h"
#include "dns/dns_channel.h"
#include "dns/hosts_file.h"
#include "dns/resolv_conf.h"
#include "loop/loop.h"
#include "observe/counters.h"
#include "wire/authority.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* A client has at most half of the questions, so that others find room at once. The number in line
 * needs no bound here, since each question in line belongs to a tunnel, and these are bounded. */
static const struct fair_limits line_limits = {
    .total = 512, .per_client = 256, .waiting_per_client = UINT_MAX};

enum {
    QUESTION_BUCKETS = 1024, /* those in line make the chains longer, and they are few */
    RESOLVER_FAMILY_COUNT = 2,
    NAME_LENGTH_MAX = 253,
};

struct resolver_question {
    struct hash_link by_name; /* until it is answered */
    struct list link;         /* in one of the resolver's lists; in none while in line */
    struct list waiters;      /* resolver_waiter.link */
    struct fair_place place;  /* at work; out while in line and when answered */
    struct deadline deadline;
    struct resolver *resolver;
    struct dns_answer answer;
    struct dns_key key;
    bool is_asked; /* c-ares holds it: not to be freed */
    bool is_answered;
    char name[];
};

struct resolver {
    struct loop *loop;
    uint64_t timeout_ms;
    struct hash_seed seed;
    struct dns_channel channel;
    struct dns_cache cache;
    const struct hosts_file *hosts; /* NULL: none */
    struct resolv_server_list servers;
    bool are_servers_set;

    struct hash_table questions;
    struct hash_link *question_buckets[QUESTION_BUCKETS];
    struct fair_line line;
    struct list again;
    struct list asked;
    struct list answered;
    struct list abandoned;
    struct task tell;

    struct counters *counters; /* NULL: nobody counts */
    struct garbage garbage;
};

/* AAAA is asked first (RFC 8305 3). */
static const enum ip_family families[RESOLVER_FAMILY_COUNT] = {IP_V6, IP_V4};

static const char *const status_names[] = {
    [RESOLVER_OK] = "ok",
    [RESOLVER_NO_DATA] = "no_data",
    [RESOLVER_NXDOMAIN] = "nxdomain",
    [RESOLVER_SERVFAIL] = "servfail",
    [RESOLVER_TIMEOUT] = "timeout",
    [RESOLVER_FAILED] = "failed",
};
static_assert(ARRAY_LENGTH(status_names) == RESOLVER_STATUS_COUNT, "a name for every status");

const char *resolver_status_name(enum resolver_status status)
{
    REQUIRE(status < RESOLVER_STATUS_COUNT);
    return status_names[status];
}

static void resolver_count(struct resolver *resolver, enum counter counter)
{
    if (resolver->counters != NULL)
        counter_add(resolver->counters, counter, 1);
}

/* ---- questions ---- */

static struct resolver_question *question_find(const struct resolver *resolver,
                                               const struct dns_key *key)
{
    struct hash_link *link = hash_table_first(&resolver->questions, key->hash);

    for (; link != NULL; link = hash_table_next(link)) {
        struct resolver_question *question = container_of(link, struct resolver_question, by_name);

        if (question->key.family == key->family && question->key.name_length == key->name_length &&
            memcmp(question->name, key->name, key->name_length) == 0)
            return question;
    }
    return NULL;
}

/* From here on the question can't be found any more: a query for this name finds the cache, or
 * begins a new question. */
static void question_close(struct resolver_question *question)
{
    hash_table_remove(&question->resolver->questions, &question->by_name);
    deadline_cancel(question->resolver->loop, &question->deadline);
}

/* Gives back the question's place at work, or the places in line of all who wait for it. */
static void leave_line(struct resolver_question *question)
{
    struct fair_line *line = &question->resolver->line;

    fair_line_leave(line, &question->place);
    for (struct list *link = question->waiters.next; link != &question->waiters; link = link->next)
        fair_line_leave(line, &container_of(link, struct resolver_waiter, link)->place);
}

static void question_answer(struct resolver_question *question, const struct dns_answer *answer)
{
    struct resolver *resolver = question->resolver;

    question_close(question);
    question->is_answered = true;
    question->answer = *answer;
    dns_cache_insert(&resolver->cache, &question->key, answer, loop_now_ms(resolver->loop));
    leave_line(question);
    list_remove(&question->link);
    list_append(&resolver->answered, &question->link);
    task_post(resolver->loop, &resolver->tell);
}

static void question_is_late(struct deadline *deadline)
{
    struct resolver_question *question = container_of(deadline, struct resolver_question, deadline);
    struct dns_answer answer;

    dns_answer_init(&answer, RESOLVER_TIMEOUT);
    question_answer(question, &answer);
}

/* Makes a question that is in line, with its deadline running. Returns NULL when there is no
 * memory. */
static struct resolver_question *question_create(struct resolver *resolver,
                                                 const struct dns_key *key)
{
    struct resolver_question *question = calloc(1, sizeof(*question) + key->name_length + 1);

    if (question == NULL)
        return NULL;
    memcpy(question->name, key->name, key->name_length);
    question->key = *key;
    question->key.name = question->name;
    question->resolver = resolver;
    list_init(&question->waiters);
    list_init(&question->link);
    hash_table_insert(&resolver->questions, &question->by_name, key->hash);
    deadline_init(&question->deadline, question_is_late);
    deadline_set(resolver->loop, &question->deadline,
                 loop_now_ms(resolver->loop) + resolver->timeout_ms);
    return question;
}

static void question_free(struct resolver_question *question)
{
    REQUIRE(list_is_empty(&question->waiters));
    leave_line(question);
    list_remove(&question->link);
    free(question);
}

/* c-ares lets go of a question that its deadline has answered already. */
static void question_came_late(struct resolver_question *question, const struct dns_answer *answer)
{
    struct resolver *resolver = question->resolver;

    if (answer != NULL && dns_answer_is_conclusive(answer))
        dns_cache_insert(&resolver->cache, &question->key, answer, loop_now_ms(resolver->loop));
    /* The task frees it, because its waiters may be being told at this moment. */
    list_remove(&question->link);
    list_append(&resolver->answered, &question->link);
    task_post(resolver->loop, &resolver->tell);
}

/* dns_channel's on_answer; may come from within question_ask. A question that was taken back (the
 * servers change, or the resolver ends) is asked again, and so is one that c-ares gave up before
 * its deadline, as it does over TCP: it sends nothing twice over one connection. */
static void channel_answered(void *asker, const struct dns_answer *answer)
{
    struct resolver_question *question = asker;
    struct resolver *resolver = question->resolver;

    if (question->is_answered) {
        question->is_asked = false;
        question_came_late(question, answer);
    } else if (answer == NULL || answer->status == RESOLVER_TIMEOUT) {
        question->is_asked = false;
        list_remove(&question->link);
        list_append(&resolver->again, &question->link);
        task_post(resolver->loop, &resolver->tell);
    } else {
        question_answer(question, answer);
        question->is_asked = false;
    }
}

static bool set_servers(struct resolver *resolver)
{
    if (!resolver->are_servers_set)
        resolver->are_servers_set =
            dns_channel_set_servers(&resolver->channel, &resolver->servers) == 0;
    return resolver->are_servers_set;
}

static void question_ask(struct resolver_question *question)
{
    struct resolver *resolver = question->resolver;

    if (!set_servers(resolver)) {
        static const struct dns_answer out_of_memory = {.status = RESOLVER_FAILED};

        question_answer(question, &out_of_memory);
        return;
    }
    list_remove(&question->link);
    list_append(&resolver->asked, &question->link);
    question->is_asked = true;
    resolver_count(resolver, COUNTER_DNS_QUESTIONS);
    dns_channel_ask(&resolver->channel, question->name, question->key.family, channel_answered,
                    question);
}

/* Begins a question when it is the turn of one of its waiters; the others leave their lines. */
static void question_begin(struct resolver_question *question, struct fair_place *place)
{
    struct fair_place at_work;

    fair_place_move(&at_work, place);
    leave_line(question);
    question->place = at_work;
    question_ask(question);
}

/* Asks what c-ares gave back, then whatever has its turn in the line. */
static void ask_whose_turn_it_is(struct resolver *resolver)
{
    struct fair_place *place;
    struct list again;

    list_init(&again);
    list_move_all(&again, &resolver->again);
    while (!list_is_empty(&again))
        question_ask(container_of(again.next, struct resolver_question, link));
    while ((place = fair_line_next(&resolver->line)) != NULL)
        question_begin(container_of(place, struct resolver_waiter, place)->question, place);
}

/* ---- telling ---- */

static void tell_query(struct resolver_query *query, unsigned index,
                       const struct dns_answer *answer)
{
    struct resolver_answer told = {
        .family = families[index],
        .status = answer->status,
        .addresses = answer->addresses,
        .count = answer->count,
    };

    query->is_waiting_bits &= (uint8_t) ~(1U << index);
    query->on_answer(query, &told);
}

static struct resolver_query *query_of(struct resolver_waiter *waiter, unsigned index)
{
    return container_of(waiter - index, struct resolver_query, waiters[0]);
}

/* A waiter may cancel others or ask anew from within its callback, so each is taken from the list
 * first. */
static void tell_waiters(struct resolver_question *question)
{
    unsigned index = question->key.family == families[0] ? 0 : 1;

    while (!list_is_empty(&question->waiters)) {
        struct list *link = question->waiters.next;

        list_remove(link);
        tell_query(query_of(container_of(link, struct resolver_waiter, link), index), index,
                   &question->answer);
    }
}

static void free_questions(struct list *questions)
{
    for (struct list *next, *link = questions->next; link != questions; link = next) {
        struct resolver_question *question = container_of(link, struct resolver_question, link);

        next = link->next;
        if (!question->is_answered)
            question_close(question);
        question_free(question);
    }
}

static void tell_answered(struct task *task)
{
    struct resolver *resolver = container_of(task, struct resolver, tell);
    struct list done;

    list_init(&done);
    ask_whose_turn_it_is(resolver);
    while (!list_is_empty(&resolver->answered)) {
        struct resolver_question *question =
            container_of(resolver->answered.next, struct resolver_question, link);

        list_remove(&question->link);
        tell_waiters(question);
        list_remove(&question->link); /* c-ares may have let go of it meanwhile */
        list_append(question->is_asked ? &resolver->abandoned : &done, &question->link);
    }
    free_questions(&done);
}

/* ---- asking ---- */

static void answer_localhost(enum ip_family family, struct dns_answer *ret_answer)
{
    static const uint8_t v4[4] = {127, 0, 0, 1};
    static const uint8_t v6[16] = {[15] = 1};

    ret_answer->status = RESOLVER_OK;
    ret_answer->count = 1;
    ret_answer->addresses[0] = family == IP_V4 ? ip_address_from_v4(v4) : ip_address_from_v6(v6);
}

static bool look_up_hosts(const struct resolver *resolver, const struct dns_key *key,
                          struct dns_answer *ret_answer)
{
    if (resolver->hosts == NULL ||
        !hosts_file_lookup(resolver->hosts, key->name, key->name_length, key->family,
                           ret_answer->addresses, RESOLVER_ADDRESSES_MAX, &ret_answer->count))
        return false;
    ret_answer->status = ret_answer->count > 0 ? RESOLVER_OK : RESOLVER_NO_DATA;
    return true;
}

static bool find_known(struct resolver *resolver, const struct dns_key *key,
                       struct dns_answer *ret_answer)
{
    if (authority_host_is_localhost(key->name, key->name_length)) {
        answer_localhost(key->family, ret_answer);
        return true;
    }
    if (look_up_hosts(resolver, key, ret_answer))
        return true;
    if (dns_cache_lookup(&resolver->cache, key, loop_now_ms(resolver->loop), ret_answer)) {
        resolver_count(resolver, COUNTER_DNS_CACHE_HITS);
        return true;
    }
    resolver_count(resolver, COUNTER_DNS_CACHE_MISSES);
    return false;
}

static int wait_for(struct resolver *resolver, struct resolver_waiter *waiter,
                    const struct dns_key *key, const struct client_key *client)
{
    struct resolver_question *question = question_find(resolver, key);

    if (question == NULL)
        question = question_create(resolver, key);
    if (question == NULL)
        return -ENOMEM;
    waiter->question = question;
    list_append(&question->waiters, &waiter->link);
    if (!fair_place_is_out(&question->place))
        return 0; /* asked already */
    int error = fair_line_enter(&resolver->line, &waiter->place, client);
    if (error == 0)
        question_begin(question, &waiter->place);
    return error == -EINPROGRESS ? 0 : error;
}

static void query_init(struct resolver_query *query, struct resolver *resolver,
                       void (*on_answer)(struct resolver_query *, const struct resolver_answer *))
{
    for (unsigned i = 0; i < RESOLVER_FAMILY_COUNT; i++) {
        query->waiters[i] = (struct resolver_waiter){.question = NULL};
        list_init(&query->waiters[i].link);
    }
    query->resolver = resolver;
    query->on_answer = on_answer;
    query->is_waiting_bits = (1U << RESOLVER_FAMILY_COUNT) - 1;
}

int resolver_ask(struct resolver *resolver, struct resolver_query *query, const char *name,
                 const struct ip_address *client,
                 void (*on_answer)(struct resolver_query *, const struct resolver_answer *))
{
    struct dns_answer known[RESOLVER_FAMILY_COUNT];
    bool is_known[RESOLVER_FAMILY_COUNT];
    size_t length = strlen(name);
    struct dns_key key = {.name = name, .name_length = length};
    struct client_key asks = client_key_of(client);

    REQUIRE(length > 0 && length <= NAME_LENGTH_MAX);
    key.hash = hash_bytes(&resolver->seed, name, length);
    query_init(query, resolver, on_answer);
    for (unsigned i = 0; i < RESOLVER_FAMILY_COUNT; i++) {
        key.family = families[i];
        is_known[i] = find_known(resolver, &key, &known[i]);
        if (!is_known[i] && wait_for(resolver, &query->waiters[i], &key, &asks) < 0) {
            resolver_cancel(query);
            return -ENOMEM;
        }
    }
    /* Both questions are on their way before the caller is told, since it may cancel then. */
    for (unsigned i = 0; i < RESOLVER_FAMILY_COUNT; i++)
        if (is_known[i] && (query->is_waiting_bits & 1U << i))
            tell_query(query, i, &known[i]);
    return 0;
}

static void waiter_stop(struct resolver_waiter *waiter)
{
    struct resolver_question *question = waiter->question;
    struct resolver *resolver = question->resolver;

    list_remove(&waiter->link);
    fair_line_leave(&resolver->line, &waiter->place);
    if (!list_is_empty(&question->waiters) || question->is_asked || question->is_answered)
        return;
    /* No query waits for it any more, and c-ares does not have it. */
    task_post(resolver->loop, &resolver->tell); /* it may have had a place at work */
    question_close(question);
    question_free(question);
}

void resolver_cancel(struct resolver_query *query)
{
    for (unsigned i = 0; i < RESOLVER_FAMILY_COUNT; i++)
        if (list_is_linked(&query->waiters[i].link))
            waiter_stop(&query->waiters[i]);
    query->is_waiting_bits = 0;
}

/* ---- life ---- */

void resolver_set_servers(struct resolver *resolver, const char *text, size_t length)
{
    struct resolv_server_list servers;

    resolv_conf_parse(text, length, &servers);
    resolver_use_servers(resolver, &servers);
}

void resolver_use_servers(struct resolver *resolver, const struct resolv_server_list *servers)
{
    if (resolv_server_list_equals(servers, &resolver->servers))
        return;
    resolver->servers = *servers;
    resolver->are_servers_set = false;
    dns_cache_flush(&resolver->cache);
    dns_channel_cancel_all(&resolver->channel);
    ask_whose_turn_it_is(resolver);
}

void resolver_set_timeout(struct resolver *resolver, uint64_t timeout_ms)
{
    resolver->timeout_ms = timeout_ms;
    if (dns_channel_set_timeout(&resolver->channel, timeout_ms) < 0)
        return;
    resolver->are_servers_set = false;
    ask_whose_turn_it_is(resolver);
}

void resolver_use_hosts(struct resolver *resolver, const struct hosts_file *hosts)
{
    resolver->hosts = hosts;
}

static void free_resolver(struct garbage *garbage)
{
    free(container_of(garbage, struct resolver, garbage));
}

int resolver_create(struct loop *loop, uint64_t timeout_ms, struct counters *counters,
                    struct resolver **ret_resolver)
{
    struct resolver *resolver = calloc(1, sizeof(*resolver));

    if (resolver == NULL)
        return -ENOMEM;
    resolver->loop = loop;
    resolver->timeout_ms = timeout_ms;
    resolver->counters = counters;
    hash_table_init(&resolver->questions, resolver->question_buckets, QUESTION_BUCKETS);
    dns_cache_init(&resolver->cache);
    list_init(&resolver->again);
    list_init(&resolver->asked);
    list_init(&resolver->answered);
    list_init(&resolver->abandoned);
    task_init(&resolver->tell, tell_answered);
    resolv_conf_parse("", 0, &resolver->servers);
    int error = 0;
    if (getrandom(&resolver->seed, sizeof(resolver->seed), 0) != sizeof(resolver->seed))
        error = -EIO;
    fair_line_init(&resolver->line, &line_limits, &resolver->seed);
    if (error == 0)
        error = dns_channel_init(&resolver->channel, loop, timeout_ms);
    if (error < 0) {
        free(resolver);
        return error;
    }
    *ret_resolver = resolver;
    return 0;
}

void resolver_destroy(struct resolver *resolver)
{
    /* c-ares gives back all that it holds: questions without a waiter come into the list of those
     * to be asked again, and abandoned ones into the list of the answered. */
    dns_channel_finish(&resolver->channel);
    ENSURE(list_is_empty(&resolver->asked) && list_is_empty(&resolver->abandoned));
    free_questions(&resolver->again);
    free_questions(&resolver->answered);
    fair_line_finish(&resolver->line);
    task_cancel(&resolver->tell);
    dns_cache_flush(&resolver->cache);
    /* Events of this turn may still refer to the watches of its sockets. */
    loop_free_later(resolver->loop, &resolver->garbage, free_resolver);
}
