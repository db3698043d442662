/* Every failure has an answer, and every errno of a dial means the right one. */
#include "tunnel/tunnel_error.h"

#include "wire/http1_reply.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void every_row_can_be_answered(void **state)
{
    char printable[96] = "";

    (void)state;
    for (char byte = ' '; byte <= '~'; byte++)
        printable[byte - ' '] = byte;
    for (unsigned error = 1; error < TUNNEL_ERROR_COUNT; error++) {
        const struct tunnel_error_row *row = tunnel_error_row(error);

        assert_true(row->status >= 400 && row->status <= 599);
        assert_true(strlen(row->token) > 0);
        assert_true(strlen(row->text) > 0);
        /* ASCII alone, and whole in the reason phrase. */
        assert_int_equal(strspn(row->text, printable), strlen(row->text));
        assert_true(strlen(row->text) <= HTTP1_PHRASE_MAX);
        assert_true(strlen(row->manual) > 0);
        /* Who is told to come back is told when. */
        assert_int_equal(row->retry_after_s > 0, row->status == 429 || row->status == 503);
    }
}

static void an_errno_means_what_the_client_must_know(void **state)
{
    static const struct {
        int error;
        enum tunnel_error expected;
    } cases[] = {
        {ECONNREFUSED, TUNNEL_ERROR_REFUSED},     {ETIMEDOUT, TUNNEL_ERROR_DIAL_TIMEOUT},
        {ECONNRESET, TUNNEL_ERROR_RESET},         {ENETUNREACH, TUNNEL_ERROR_UNREACHABLE},
        {EHOSTUNREACH, TUNNEL_ERROR_UNREACHABLE}, {EAFNOSUPPORT, TUNNEL_ERROR_UNREACHABLE},
        {EPERM, TUNNEL_ERROR_UNREACHABLE},        {EADDRNOTAVAIL, TUNNEL_ERROR_NO_RESOURCES},
        {EMFILE, TUNNEL_ERROR_NO_RESOURCES},      {ENOBUFS, TUNNEL_ERROR_NO_RESOURCES},
        {ENOMEM, TUNNEL_ERROR_NO_RESOURCES},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(tunnel_error_from_errno(-cases[i].error), cases[i].expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_can_be_answered),
        cmocka_unit_test(an_errno_means_what_the_client_must_know),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
