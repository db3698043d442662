/*
 * bench-load: runs one row against one proxy and prints one JSON object.
 *
 *   bench-load --row tunnels --tunnels 32 --count 8000 --proxy 127.0.0.1:10800 --pid 4711
 *
 * Exit: 0 measured, 1 something went wrong (the JSON says what), 2 usage. bench/run drives it.
 */
#include "load.h"
#include "row.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct arguments {
    const struct row *row;
    double timeout_s;
    struct load_settings load;
    struct row_settings settings;
};

static void usage(FILE *out)
{
    fprintf(out, "usage: bench-load --row ROW (--proxy 127.x.x.x:PORT [--pid PID] | --direct)\n"
                 "                  [--relay PORT] [--tunnels N] [--flows N] [--count N]\n"
                 "                  [--bytes N] [--seconds S] [--settle S] [--timeout S]\n"
                 "                  [--origins N]\n\n"
                 "  --pid      root of the proxy's process tree; without it no CPU is measured\n"
                 "  --direct   no proxy: what this machine and this generator can do\n"
                 "  --relay    send no CONNECT: that proxy forwards to 127.0.1.1-16, this port\n"
                 "  --tunnels  open at once (default 64)\n"
                 "  --count    tunnels opened in all, at most (8000)\n"
                 "  --bytes    bulk bytes of one exchange, on each flow (16e6)\n"
                 "  --flows    mixed: bulk flows beside the chats (8)\n"
                 "  --seconds  how long it is measured (1)\n"
                 "  --settle   how long idle tunnels rest before they are measured (2.5)\n"
                 "  --timeout  after which the row has failed (60)\n"
                 "  --origins  processes for the origins, beside the clients' (0: the same one)\n"
                 "\nrows:\n");
    for (size_t i = 0; row_at(i); i++)
        fprintf(out, "  %-10s %s\n", row_at(i)->name, row_at(i)->summary);
}

static void usage_fail(const char *what, const char *value)
{
    fprintf(stderr, "bench-load: %s %s (see bench-load --help)\n", what, value);
    exit(2);
}

static double number_parse(const char *option, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (*end || end == text || !(value > 0 && value < 1e15))
        usage_fail(option, "needs a number above 0");
    return value;
}

static void proxy_parse(const char *text, struct sockaddr_in *ret_address)
{
    char host[INET_ADDRSTRLEN] = "";
    unsigned port = 0;
    char rest;
    struct sockaddr_in address = {.sin_family = AF_INET};
    if (sscanf(text, "%15[0-9.]:%u%c", host, &port, &rest) != 2 || port == 0 || port > 65535 ||
        inet_pton(AF_INET, host, &address.sin_addr) != 1)
        usage_fail("--proxy needs ADDR:PORT, not", text);
    /* A load generator has no business with machines that did not ask for it. */
    if (ntohl(address.sin_addr.s_addr) >> 24 != 127)
        usage_fail("only a proxy on 127.0.0.0/8 is loaded, not", text);
    address.sin_port = htons((uint16_t)port);
    *ret_address = address;
}

enum argument_option {
    OPTION_ROW = 1,
    OPTION_PROXY,
    OPTION_DIRECT,
    OPTION_PID,
    OPTION_RELAY,
    OPTION_FLOWS,
    OPTION_TUNNELS,
    OPTION_COUNT,
    OPTION_BYTES,
    OPTION_SECONDS,
    OPTION_SETTLE,
    OPTION_TIMEOUT,
    OPTION_ORIGINS,
    OPTION_HELP,
};

static const struct option options[] = {
    {"row", required_argument, NULL, OPTION_ROW},
    {"proxy", required_argument, NULL, OPTION_PROXY},
    {"direct", no_argument, NULL, OPTION_DIRECT},
    {"pid", required_argument, NULL, OPTION_PID},
    {"relay", required_argument, NULL, OPTION_RELAY},
    {"flows", required_argument, NULL, OPTION_FLOWS},
    {"tunnels", required_argument, NULL, OPTION_TUNNELS},
    {"count", required_argument, NULL, OPTION_COUNT},
    {"bytes", required_argument, NULL, OPTION_BYTES},
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"settle", required_argument, NULL, OPTION_SETTLE},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"origins", required_argument, NULL, OPTION_ORIGINS},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static void argument_take(struct arguments *arguments, int option, const char *value)
{
    switch (option) {
    case OPTION_ROW:
        arguments->row = row_find(value);
        if (!arguments->row)
            usage_fail("no row", value);
        break;
    case OPTION_PROXY:
        proxy_parse(value, &arguments->load.proxy);
        break;
    case OPTION_DIRECT:
        arguments->load.is_direct = true;
        break;
    case OPTION_PID:
        arguments->settings.proxy_pid = (pid_t)number_parse("--pid", value);
        break;
    case OPTION_RELAY:
        arguments->load.is_relay = true;
        arguments->load.origin_port = (uint16_t)number_parse("--relay", value);
        break;
    case OPTION_FLOWS:
        arguments->settings.flows = (uint32_t)number_parse("--flows", value);
        break;
    case OPTION_TUNNELS:
        arguments->settings.tunnels = (uint32_t)number_parse("--tunnels", value);
        break;
    case OPTION_COUNT:
        arguments->settings.count = (uint32_t)number_parse("--count", value);
        break;
    case OPTION_BYTES:
        arguments->settings.bytes = (uint64_t)number_parse("--bytes", value);
        break;
    case OPTION_SECONDS:
        arguments->settings.seconds = number_parse("--seconds", value);
        break;
    case OPTION_SETTLE:
        arguments->settings.settle_s = number_parse("--settle", value);
        break;
    case OPTION_TIMEOUT:
        arguments->timeout_s = number_parse("--timeout", value);
        break;
    case OPTION_ORIGINS:
        arguments->load.origin_processes = (uint32_t)number_parse("--origins", value);
        if (arguments->load.origin_processes > LOAD_ORIGINS)
            usage_fail("--origins: there are 16, not", value);
        break;
    case OPTION_HELP:
        usage(stdout);
        exit(0);
    default:
        usage_fail("unknown or incomplete option", "");
    }
}

static struct arguments arguments_parse(int argc, char **argv)
{
    struct arguments arguments = {
        .timeout_s = 60,
        .settings = {.tunnels = 64,
                     .count = 8000,
                     .bytes = 16000000,
                     .flows = 8,
                     .seconds = 1,
                     .settle_s = 2.5},
    };
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        argument_take(&arguments, option, optarg);
    if (optind < argc)
        usage_fail("no operand is taken:", argv[optind]);
    if (!arguments.row)
        usage_fail("--row", "is missing");
    if (arguments.load.is_direct == (arguments.load.proxy.sin_port != 0))
        usage_fail("either --proxy or --direct", "is needed");
    arguments.load.deadline_ns = clock_ns() + (uint64_t)(arguments.timeout_s * 1e9);
    return arguments;
}

static double own_cpu_s(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static void result_print(const struct row *row, const struct row_result *result, uint64_t resets,
                         double busy)
{
    printf("{\"ok\": true, \"row\": \"%s\", \"measures\": {", row->name);
    for (uint32_t i = 0; i < result->measures_len; i++)
        printf("%s\"%s\": %.6g", i ? ", " : "", result->measures[i].name,
               result->measures[i].value);
    printf("}, \"resets\": %llu, \"generator_busy\": %.2f}\n", (unsigned long long)resets, busy);
}

int main(int argc, char **argv)
{
    struct arguments arguments = arguments_parse(argc, argv);
    struct row_result result = {0};
    alarm((unsigned)arguments.timeout_s + 10); /* should the loop itself hang */
    uint64_t began_ns = clock_ns();
    struct load *load = load_create(&arguments.load);
    arguments.row->run(load, &arguments.settings, &result);
    double seconds = (double)(clock_ns() - began_ns) / 1e9;
    result_print(arguments.row, &result, load_resets(load), own_cpu_s() / seconds);
    load_destroy(load);
    return 0;
}
