/* Prints the figures in the text format 0.0.4 of Prometheus. */
#ifndef ADMIN_METRICS_H
#define ADMIN_METRICS_H

#include "admin/stats.h"
#include "base/contract.h"

#include <stddef.h>

/* The Content-Type of that format. */
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Returns the whole page, which the caller frees, or NULL when there is no memory. */
char *metrics_print(const struct stats *stats, size_t *ret_length) MUST_CHECK;

#endif
