/* net/tcp_memory: what the kernel says of its memory for TCP. */
#include "net/tcp_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <unistd.h>

#define HEAD                                                                                       \
    "protocol  size sockets  memory press maxhdr  slab module     cl co di sh ss gs se re sp\n"

static void test_the_line_of_tcp(void **state)
{
    static const char calm[] =
        HEAD "TCPv6     2432      0     999   yes    192   yes  kernel      y  y  y  y\n"
             "MPTCP     1936      0     114   yes      0   yes  kernel      y  y  y  y\n"
             "TCP       2304      1     114   no     192   yes  kernel      y  y  y  y\n"
             "NETLINK   1096      0      -1   NI       0   no   kernel      n  n  n  n\n";
    static const char full[] =
        HEAD "TCP       2304 123456 575796   yes    192   yes  kernel      y  y  y  y\n";
    struct tcp_memory memory;

    (void)state;
    assert_true(tcp_memory_parse(calm, &memory));
    assert_int_equal(memory.used, 114 * sysconf(_SC_PAGESIZE));
    assert_false(memory.is_short);
    assert_true(tcp_memory_parse(full, &memory));
    assert_int_equal(memory.used, 575796 * sysconf(_SC_PAGESIZE));
    assert_true(memory.is_short);
}

static void test_what_is_not_understood(void **state)
{
    static const char *const texts[] = {
        "",
        HEAD,
        HEAD "TCP",
        HEAD "TCP \n",
        HEAD "TCP       2304      1\n",
        HEAD "TCP       2304      1    114\n",
        HEAD "TCP       2304      1    many   no    192\n",
        HEAD "TCPv6     2432      0     114   no     192   yes  kernel\n",
    };
    struct tcp_memory memory;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        assert_false(tcp_memory_parse(texts[i], &memory));
    assert_false(tcp_memory_read(-ENOENT, &memory));
}

static void test_this_machine(void **state)
{
    struct tcp_memory memory;
    int fd = tcp_memory_open();

    (void)state;
    assert_true(fd >= 0);
    assert_true(tcp_memory_read(fd, &memory));
    assert_true(tcp_memory_read(fd, &memory)); /* again, from the beginning */
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_line_of_tcp),
        cmocka_unit_test(test_what_is_not_understood),
        cmocka_unit_test(test_this_machine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
