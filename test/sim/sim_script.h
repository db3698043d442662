/* Words for scenarios: what an actor does, what a lookup finds, how an address behaves. */
#ifndef SIM_SIM_SCRIPT_H
#define SIM_SIM_SCRIPT_H

#include "sim_tunnel.h"

#include <errno.h>

#define ACTS(...)                                                                                  \
    (const struct sim_act[])                                                                       \
    {                                                                                              \
        __VA_ARGS__,                                                                               \
        {                                                                                          \
            .kind = ACT_END                                                                        \
        }                                                                                          \
    }
#define TEXT(string)                                                                               \
    {                                                                                              \
        .kind = ACT_TEXT, .text = (string)                                                         \
    }
#define DRIP(string, pause)                                                                        \
    {                                                                                              \
        .kind = ACT_TEXT, .text = (string), .size = 1, .ms = (pause)                               \
    }
#define SEND(bytes)                                                                                \
    {                                                                                              \
        .kind = ACT_SEND, .size = (bytes)                                                          \
    }
#define URGENT                                                                                     \
    {                                                                                              \
        .kind = ACT_URGENT                                                                         \
    }
#define PACED(bytes, pause)                                                                        \
    {                                                                                              \
        .kind = ACT_SEND_PACED, .size = (bytes), .ms = (pause)                                     \
    }
#define WAIT(time)                                                                                 \
    {                                                                                              \
        .kind = ACT_WAIT, .ms = (time)                                                             \
    }
#define AWAIT_BYTES(bytes)                                                                         \
    {                                                                                              \
        .kind = ACT_AWAIT_BYTES, .size = (bytes)                                                   \
    }
#define ANSWER                                                                                     \
    {                                                                                              \
        .kind = ACT_AWAIT_ANSWER                                                                   \
    }
#define END                                                                                        \
    {                                                                                              \
        .kind = ACT_AWAIT_END                                                                      \
    }
#define SHUT                                                                                       \
    {                                                                                              \
        .kind = ACT_SHUT                                                                           \
    }
#define CLOSE                                                                                      \
    {                                                                                              \
        .kind = ACT_CLOSE                                                                          \
    }
#define RESET                                                                                      \
    {                                                                                              \
        .kind = ACT_RESET                                                                          \
    }
#define DEAF                                                                                       \
    {                                                                                              \
        .kind = ACT_STOP_READING                                                                   \
    }
#define HEAR                                                                                       \
    {                                                                                              \
        .kind = ACT_START_READING                                                                  \
    }
#define STALL                                                                                      \
    {                                                                                              \
        .kind = ACT_STALL                                                                          \
    }
#define UNSTALL                                                                                    \
    {                                                                                              \
        .kind = ACT_UNSTALL                                                                        \
    }

#define HEAD "CONNECT host.example:443 HTTP/1.1\r\nHost: host.example:443\r\n\r\n"
#define HEAD_OF(credentials)                                                                       \
    "CONNECT host.example:443 HTTP/1.1\r\nProxy-Authorization: Basic " credentials "\r\n\r\n"
#define HEAD_V4 "CONNECT 192.0.2.1:443 HTTP/1.0\r\n\r\n"

#define V6 "2001:db8::1"
#define V6_OTHER "2001:db8::2"
#define V4 "192.0.2.1"
#define V4_OTHER "192.0.2.2"

#define LOOKUPS(...) .lookups = {__VA_ARGS__}
#define FOUND(delay, ...)                                                                          \
    {                                                                                              \
        RESOLVER_OK, (delay),                                                                      \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define MISSING(delay)                                                                             \
    {                                                                                              \
        RESOLVER_NO_DATA, (delay),                                                                 \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }
#define FAILED(status, delay)                                                                      \
    {                                                                                              \
        (status), (delay),                                                                         \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }
#define ONLY_V4 LOOKUPS(MISSING(3), FOUND(5, V4))

#define ROUTES(...) .routes = {__VA_ARGS__}
#define GOOD(where, delay)                                                                         \
    {                                                                                              \
        .address = (where), .port = 443, .delay_ms = (delay)                                       \
    }
#define BAD(where, delay, why)                                                                     \
    {                                                                                              \
        .address = (where), .port = 443, .delay_ms = (delay), .error = (why)                       \
    }
#define HOLE(where)                                                                                \
    {                                                                                              \
        .address = (where), .port = 443, .error = SIM_ROUTE_BLACKHOLE                              \
    }
#define DIRECT ROUTES(GOOD(V4, 2))

#define KIB(n) ((size_t)(n) << 10)
#define MIB(n) ((size_t)(n) << 20)
#define BOTH_EOF .client_ending = ENDS_WITH_EOF, .target_ending = ENDS_WITH_EOF
#define LARGE                                                                                      \
    .product_sizes = {MIB(1), MIB(1)}, .client_sizes = {MIB(1), MIB(1)},                           \
    .target_sizes = {MIB(1), MIB(1)}

#endif
