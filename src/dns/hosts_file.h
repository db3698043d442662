/* A table of the names in a hosts(5) file, which are answered without a question. Pure.
 *
 * Canonical names and aliases count alike, a name may have several addresses on several lines, case
 * and a trailing dot do not matter. A line whose address is not understood is left out.
 *
 * People keep lists of a million blocked names in this file: all of it is taken. A name costs 8
 * bytes, 2 to 4 bytes of an index, and an address where that differs from the line before.
 */
#ifndef DNS_HOSTS_FILE_H
#define DNS_HOSTS_FILE_H

#include "base/contract.h"
#include "base/ip_address.h"

#include <stdbool.h>
#include <stddef.h>

struct hosts_file;

/* In bytes; enough for ten million names. A line that goes beyond it is not read, and neither are
 * the lines behind it. */
#define HOSTS_FILE_SIZE_MAX (256UL * 1024 * 1024)

/* Contract: `text` stays as it is until the table, which points into it, is destroyed. Returns 0 or
 * -ENOMEM. */
int hosts_file_parse(const char *text, size_t length, struct hosts_file **ret_hosts) MUST_CHECK;
/* Harmless with NULL. */
void hosts_file_destroy(struct hosts_file *hosts);

/* Returns the number (from 1) of the first line that was not read, or 0 when all were read. */
size_t hosts_file_first_line_left_out(const struct hosts_file *hosts);

/* Looks up `name`, in lower case without a trailing dot. Returns false when it is not in the file.
 * Otherwise gives the first `limit` addresses of this family in the file's order; there may be
 * none, when the name has only addresses of the other family. */
bool hosts_file_lookup(const struct hosts_file *hosts, const char *name, size_t length,
                       enum ip_family family, struct ip_address *ret_addresses, size_t limit,
                       size_t *ret_count);

/* Which name of the machine is looked for on the lines that have `own`, in lower case. */
enum hosts_own_name {
    HOSTS_OWN_FULL,  /* `own` with a domain, as in `127.0.1.1 box.corp.example box` */
    HOSTS_OWN_FIRST, /* the line's first name, which `hostname -f` prints, if it has a domain and is
                        not localhost.localdomain or similar */
};
/* Finds the first such name in the file. Returns false when there is none of less than `size`
 * bytes. */
bool hosts_file_find_own_name(const char *text, size_t length, const char *own,
                              enum hosts_own_name kind, char *ret_name, size_t size);

#endif
