"""The kernel's memory for TCP runs short: the client whose tunnels hold most of it loses some, nobody
else loses anything. The machine's own memory is left alone: adit is shown another
/proc/net/protocols."""

import contextlib
import os
import re
import resource
import time
from pathlib import Path

import pytest

from support.checks import echoes, eventually
from support.client import open_tunnel
from support.origins import Echo, Source, pattern

TUNNELS = 30
DATA = pattern(4_000_000)

# The rest of /proc is as it was.
OWN_PROC = """
mount -t tmpfs proc /proc && mkdir /proc/real /proc/net && mount -t proc proc /proc/real &&
ln -s real/self real/sys /proc && printf '%s' "$1" >/proc/net/protocols && shift && exec "$@"
"""

# LeakSanitizer looks for /proc/PID, which is not there.
NO_LEAK_CHECK = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}


def protocols(used, is_short):
    pages = used // resource.getpagesize()
    return ("protocol  size sockets  memory press maxhdr  slab module     cl co di\n"
            f"TCPv6     2432      0  {pages}   no     192   yes  kernel      y  y  y\n"
            "UDP       1344      0       0   NI       0   yes  kernel      y  y  y\n"
            f"TCP       2304      1  {pages}   {'yes' if is_short else 'no '}    192   yes  kernel\n")


def held(proxy):
    """Bytes that wait to be read at the clients of `proxy`."""
    ports = {f"{int(listener.rpartition(':')[2]):04X}" for listener in proxy.listeners}
    lines = [line.split() for name in ("tcp", "tcp6") for line in
             Path("/proc/net", name).read_text().splitlines()[1:]]
    return sum(int(line[4].partition(":")[0], 16) for line in lines
               if line[1].rpartition(":")[2] in ports)


@pytest.fixture
def proxy(adit):
    """One thread, so that it alone has what a client is spared."""
    prefix = ["unshare", "--mount", "sh", "-c", OWN_PROC, "sh", protocols(0, False)]
    return adit("-w", "1", "-l", "127.0.0.1:0", "-l", "[::1]:0", prefix=prefix, env=NO_LEAK_CHECK)


def show(proxy, used, is_short):
    Path(f"/proc/{proxy.pid}/root/proc/net/protocols").write_text(protocols(used, is_short))


def ended(proxy):
    return proxy.log_lines(event="close", closed_by="tcp_memory")


def is_stuck(proxy):
    """Whether nothing moves any more."""
    before = proxy.control("ps", "--json").stdout
    time.sleep(0.3)
    return re.findall('"down_bytes":[0-9]+', proxy.control("ps", "--json").stdout) == \
        re.findall('"down_bytes":[0-9]+', before)


def test_who_holds_most_of_it_loses_some(proxy, origin):
    source, echo = origin(Source, DATA), origin(Echo)
    with contextlib.ExitStack() as stack:
        honest = stack.enter_context(open_tunnel(proxy.listeners[1], source.authority))
        chat = stack.enter_context(open_tunnel(proxy.listeners[1], echo.authority))
        for _ in range(TUNNELS):
            stack.enter_context(open_tunnel(proxy.address, source.authority))
        eventually(lambda: is_stuck(proxy))
        assert ended(proxy) == []

        # One client may hold half of it, and all together four times as much.
        show(proxy, 8 * held(proxy), True)
        # It may have stopped looking, for nothing moves: a tunnel that opens wakes it.
        stack.enter_context(open_tunnel(proxy.listeners[1], echo.authority))
        eventually(lambda: ended(proxy))
        eventually(lambda: is_stuck(proxy))
        show(proxy, 0, False)

        lines = ended(proxy)
        assert 0 < len(lines) < TUNNELS  # it was spared a share, too
        assert {line["client"].rpartition(":")[0] for line in lines} == {"127.0.0.1"}
        assert "tunnels of 127.0.0.1, the client with most bytes" in proxy.stderr()
        assert f"adit_tcp_memory_ended_total {len(lines)}\n" in proxy.control("stats").stdout
        assert echoes(chat)
        assert honest.read_exact(len(DATA)) == DATA


def test_where_all_together_hold_too_much_nobody_is_spared(proxy, origin):
    source = origin(Source, DATA)
    with contextlib.ExitStack() as stack:
        for number in range(TUNNELS):
            stack.enter_context(open_tunnel(proxy.listeners[number % 2], source.authority))
        eventually(lambda: is_stuck(proxy))
        show(proxy, 2 * held(proxy), True)
        stack.enter_context(open_tunnel(proxy.address, source.authority))
        eventually(lambda: len({line["client"].rpartition(":")[0] for line in ended(proxy)}) == 2)


def test_where_it_cannot_be_read_nothing_is_ended(adit, origin):
    source = origin(Source, DATA)
    prefix = ["unshare", "--mount", "sh", "-c", OWN_PROC, "sh", "protocol size\n"]
    proxy = adit("-w", "1", prefix=prefix, env=NO_LEAK_CHECK)
    with contextlib.ExitStack() as stack:
        for _ in range(TUNNELS):
            stack.enter_context(open_tunnel(proxy.address, source.authority))
        eventually(lambda: is_stuck(proxy))
        assert ended(proxy) == []
