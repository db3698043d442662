/* The admin page, built into the binary by scripts/embed-page. */
#ifndef ADMIN_PAGE_H
#define ADMIN_PAGE_H

#include <stddef.h>

struct page {
    const char *bytes;
    size_t length;
    const char *security_policy; /* Content-Security-Policy: its own script and style, no others */
};

/* Returns the page, which is static. */
const struct page *page_get(void);

#endif
