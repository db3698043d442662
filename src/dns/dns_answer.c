/* Makes an answer of the resolver from a DNS message. c-ares parses the addresses and follows
 * CNAMEs. The TTL of a negative answer comes from its SOA record (RFC 2308 section 5: the record's
 * TTL or its last field, whichever is less). It is read here, because c-ares only knows an SOA in
 * the answer section, and this one is in the authority section.
 *
 * The surprise: c-ares 1.18 reports "connection refused" when every server answered SERVFAIL or
 * REFUSED, so the two can't be told apart; both are RESOLVER_SERVFAIL.
 */
#include "dns/dns_answer.h"

/* ares_query and ares_parse_* are what version 1.18 has; later versions call them deprecated. */
#define CARES_NO_DEPRECATED
#include <ares.h>

#include <netinet/in.h>

/* RFC 1035 4.1.1, 4.1.2, 4.1.3 */
enum {
    HEADER_SIZE = 12,
    QUESTION_SIZE = 4,     /* behind the name */
    RECORD_HEAD_SIZE = 10, /* behind the name: type, class, TTL, length */
    TYPE_SOA = 6,
    SOA_NUMBERS_SIZE = 20, /* behind the two names; the last 4 bytes are the minimum */
};

/* What is left to read of a message that was not checked before: every step tests the bound first.
 */
struct reader {
    const unsigned char *at;
    const unsigned char *end;
};

/* A resource record behind its name. `data` is only what its length says. */
struct record {
    unsigned type;
    uint32_t ttl_s;
    struct reader data;
};

/* Numbers are big-endian (RFC 1035 2.3.2). */
static uint32_t load_number(const unsigned char *bytes, size_t size)
{
    uint32_t number = 0;

    for (size_t i = 0; i < size; i++)
        number = number << 8 | bytes[i];
    return number;
}

static bool skip_bytes(struct reader *reader, size_t size)
{
    if ((size_t)(reader->end - reader->at) < size)
        return false;
    reader->at += size;
    return true;
}

/* A compression pointer (its two highest bits are set) ends a name. Names are only skipped here, so
 * what it points to is not read, and a loop of pointers does no harm. */
static bool skip_name(struct reader *reader)
{
    while (reader->at < reader->end) {
        unsigned label = *reader->at;

        if (label >= 0xc0)
            return skip_bytes(reader, 2);
        if (!skip_bytes(reader, 1 + label))
            return false;
        if (label == 0)
            return true;
    }
    return false;
}

static bool skip_names(struct reader *reader, unsigned count)
{
    while (count > 0 && skip_name(reader))
        count--;
    return count == 0;
}

static bool read_record(struct reader *reader, struct record *ret_record)
{
    if (!skip_name(reader))
        return false;
    const unsigned char *head = reader->at;
    if (!skip_bytes(reader, RECORD_HEAD_SIZE))
        return false;
    ret_record->type = load_number(head, 2);
    ret_record->ttl_s = load_number(head + 4, 4);
    ret_record->data.at = reader->at;
    if (!skip_bytes(reader, load_number(head + 8, 2)))
        return false;
    ret_record->data.end = reader->at;
    return true;
}

/* Skips the sections before the authority section: the question and the answers. */
static bool skip_to_authority(struct reader *reader, unsigned questions, unsigned answers)
{
    struct record record;

    for (; questions > 0; questions--)
        if (!skip_name(reader) || !skip_bytes(reader, QUESTION_SIZE))
            return false;
    for (; answers > 0; answers--)
        if (!read_record(reader, &record))
            return false;
    return true;
}

/* Returns false when there is no SOA in the authority section, or when the message is malformed.
 * The counts of the sections stand in the header at 4, 6 and 8 (RFC 1035 4.1.1). */
static bool read_soa_ttl(const unsigned char *message, size_t length, uint32_t *ret_ttl_s)
{
    struct reader reader = {.at = message, .end = message + length};
    struct record record;

    if (!skip_bytes(&reader, HEADER_SIZE) ||
        !skip_to_authority(&reader, load_number(message + 4, 2), load_number(message + 6, 2)))
        return false;
    for (unsigned left = load_number(message + 8, 2); left > 0; left--) {
        if (!read_record(&reader, &record))
            return false;
        if (record.type != TYPE_SOA)
            continue;
        if (!skip_names(&record.data, 2) || record.data.end - record.data.at != SOA_NUMBERS_SIZE)
            return false;
        uint32_t minimum_s = load_number(record.data.end - 4, 4);
        *ret_ttl_s = record.ttl_s < minimum_s ? record.ttl_s : minimum_s;
        return true;
    }
    return false;
}

static uint32_t clamp(uint32_t value, uint32_t low, uint32_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* Without an SOA the answer keeps the shortest time, which dns_answer_init sets. */
static void read_negative(const unsigned char *message, int length, enum resolver_status status,
                          struct dns_answer *ret_answer)
{
    uint32_t ttl_s;

    dns_answer_init(ret_answer, status);
    if (message != NULL && length > 0 && read_soa_ttl(message, (size_t)length, &ttl_s))
        ret_answer->ttl_s = clamp(ttl_s, DNS_NEGATIVE_TTL_MIN_S, DNS_NEGATIVE_TTL_MAX_S);
}

/* All addresses of an answer expire with the first of them. A TTL with the highest bit set counts
 * as 0 (RFC 2181 section 8); c-ares hands it over as a negative number. */
static void answer_add_address(struct dns_answer *answer, struct ip_address address, int ttl_s)
{
    uint32_t bounded_s = clamp(ttl_s < 0 ? 0 : (uint32_t)ttl_s, DNS_TTL_MIN_S, DNS_TTL_MAX_S);

    answer->addresses[answer->count++] = address;
    if (answer->ttl_s > bounded_s)
        answer->ttl_s = bounded_s;
}

static int read_a(const unsigned char *message, int length, struct dns_answer *answer)
{
    struct ares_addrttl records[RESOLVER_ADDRESSES_MAX];
    int count = RESOLVER_ADDRESSES_MAX;
    int status = ares_parse_a_reply(message, length, NULL, records, &count);

    for (int i = 0; status == ARES_SUCCESS && i < count; i++)
        answer_add_address(answer, ip_address_from_v4((const uint8_t *)&records[i].ipaddr),
                           records[i].ttl);
    return status;
}

static int read_aaaa(const unsigned char *message, int length, struct dns_answer *answer)
{
    struct ares_addr6ttl records[RESOLVER_ADDRESSES_MAX];
    int count = RESOLVER_ADDRESSES_MAX;
    int status = ares_parse_aaaa_reply(message, length, NULL, records, &count);

    for (int i = 0; status == ARES_SUCCESS && i < count; i++)
        answer_add_address(answer, ip_address_from_v6((const uint8_t *)&records[i].ip6addr),
                           records[i].ttl);
    return status;
}

/* An answer without addresses of the family is a negative one: it may hold only a CNAME. When there
 * was no memory, the failure is adit's own, and is not kept (its TTL is 0). */
static void read_positive(const unsigned char *message, int length, enum ip_family family,
                          struct dns_answer *ret_answer)
{
    *ret_answer = (struct dns_answer){.status = RESOLVER_OK, .ttl_s = DNS_TTL_MAX_S};
    int status = family == IP_V4 ? read_a(message, length, ret_answer)
                                 : read_aaaa(message, length, ret_answer);
    if (status == ARES_ENOMEM) {
        dns_answer_init(ret_answer, RESOLVER_FAILED);
        ret_answer->ttl_s = 0;
    } else if (status != ARES_SUCCESS && status != ARES_ENODATA) {
        dns_answer_init(ret_answer, RESOLVER_FAILED);
    } else if (ret_answer->count == 0) {
        read_negative(message, length, RESOLVER_NO_DATA, ret_answer);
    }
}

void dns_answer_read(int ares_status, const unsigned char *message, int length,
                     enum ip_family family, struct dns_answer *ret_answer)
{
    switch (ares_status) {
    case ARES_SUCCESS:
        read_positive(message, length, family, ret_answer);
        break;
    case ARES_ENODATA:
        read_negative(message, length, RESOLVER_NO_DATA, ret_answer);
        break;
    case ARES_ENOTFOUND:
        read_negative(message, length, RESOLVER_NXDOMAIN, ret_answer);
        break;
    case ARES_ESERVFAIL:
    case ARES_EREFUSED:
    case ARES_ENOTIMP:
    case ARES_EFORMERR:
    case ARES_ECONNREFUSED:
        dns_answer_init(ret_answer, RESOLVER_SERVFAIL);
        break;
    case ARES_ETIMEOUT:
        dns_answer_init(ret_answer, RESOLVER_TIMEOUT);
        break;
    case ARES_ENOMEM:
        dns_answer_init(ret_answer, RESOLVER_FAILED);
        ret_answer->ttl_s = 0;
        break;
    default:
        dns_answer_init(ret_answer, RESOLVER_FAILED);
        break;
    }
}

void dns_answer_init(struct dns_answer *answer, enum resolver_status status)
{
    answer->status = status;
    answer->count = 0;
    answer->ttl_s = dns_answer_is_conclusive(answer) ? DNS_NEGATIVE_TTL_MIN_S : DNS_FAILURE_TTL_S;
}

bool dns_answer_is_conclusive(const struct dns_answer *answer)
{
    return answer->status == RESOLVER_OK || answer->status == RESOLVER_NO_DATA ||
           answer->status == RESOLVER_NXDOMAIN;
}
