"""What a tunnel costs in system calls and instructions: counts, never times.

Costs.calls(log, pause_s=0.0) gives {system call: how many per tunnel}, made by the threads that carry
tunnels ("adit-0"; neither the main thread nor the log's writer) and counted by strace.
Costs.instructions(log, inside=None) gives the user instructions per tunnel of all threads but the
log's writer, counted by valgrind; with inside, only those inside of that function and what it
calls, which no turn of the loop more or less can blur. Either runs two adits, with SHORT and with
LONG tunnels one after the other, and divides the difference: what a start and an end cost falls
out. `log` is what follows that word in the configuration.

Costs.allocations(log) gives the calls of malloc and the like a tunnel, of the same threads.

A tunnel here is: connect, CONNECT to an address, 200, 100 bytes there and back, FIN both ways.
With `drive=run_round_trips` it is 100 bytes there and back on one open tunnel.
Sanitizers make calls and instructions of their own: with one, the tunnels run and count as nothing.
"""

import re
import signal
import time
from collections import Counter

import pytest

from support.adit import is_sanitized, thread_of
from support.client import open_tunnel
from support.origins import Echo

SHORT, LONG = 20, 150
BYTES = b"x" * 100
STRACE = ("strace", "-D", "-ff", "-qq", "-o")
CALLGRIND = ("valgrind", "-q", "--tool=callgrind", "--separate-threads=yes")
CALL = re.compile(r"^(\w+)\(", re.MULTILINE)
INSTRUCTIONS = re.compile(r"^(?:summary|totals): (\d+)", re.MULTILINE)
NAME = re.compile(r"^c?fn=\((\d+)\) (.+)$", re.MULTILINE)
CALLED = re.compile(r"^cfn=\((\d+)\).*\ncalls=(\d+)", re.MULTILINE)
ALLOCATORS = {"malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "strdup", "strndup"}
CARRIER = "adit-0"
WRITER = "writer_run"  # the function that only the log's writer is in


def run_tunnels(proxy, server, count, pause_s=0.0):
    for _ in range(count):
        time.sleep(pause_s)
        with open_tunnel(proxy.address, server.authority) as client:
            client.send(BYTES)
            assert client.read_exact(len(BYTES)) == BYTES
            client.shutdown_write()
            assert client.read_to_end() == (b"", "fin")


def run_round_trips(proxy, server, count, pause_s=0.0):
    with open_tunnel(proxy.address, server.authority) as client:
        for _ in range(count):
            client.send(BYTES)
            assert client.read_exact(len(BYTES)) == BYTES
        client.shutdown_write()
        assert client.read_to_end() == (b"", "fin")


def end(proxy):
    """In its own time: the second signal of stop() could cut off what the tool still writes."""
    proxy.process.send_signal(signal.SIGTERM)
    proxy.process.wait(60)
    proxy.stop()


def allocations_in(text):
    """How often functions that allocate were called, in what callgrind wrote."""
    names = dict(NAME.findall(text))
    return sum(int(calls) for function, calls in CALLED.findall(text) if names[function] in ALLOCATORS)


class Costs:
    def __init__(self, adit, server, folder):
        self.adit = adit
        self.server = server
        self.folder = folder

    def start(self, log, tool):
        config = self.folder / "adit.conf"
        config.write_text(f"log {log}\nallow from loopback to any address loopback not port 25\n")
        return self.adit("-c", config, "-w", "1", prefix=() if is_sanitized() else tool)

    def count_calls(self, log, tunnels, pause_s, drive):
        trace = self.folder / f"trace{tunnels}"
        proxy = self.start(log, (*STRACE, trace))
        drive(proxy, self.server, tunnels, pause_s)
        thread = thread_of(proxy.worker_pid, CARRIER)
        end(proxy)
        if is_sanitized():
            return Counter()
        return Counter(CALL.findall(trace.with_suffix(f".{thread}").read_text()))

    def calls(self, log, pause_s=0.0, drive=run_tunnels):
        more = self.count_calls(log, LONG, pause_s, drive)
        more.subtract(self.count_calls(log, SHORT, pause_s, drive))
        return {call: count / (LONG - SHORT) for call, count in more.items()}

    def profiles(self, log, tunnels, options):
        counts = self.folder / f"counts{tunnels}"
        proxy = self.start(log, (*CALLGRIND, f"--callgrind-out-file={counts}.%p", *options))
        run_tunnels(proxy, self.server, tunnels)
        worker = proxy.worker_pid
        end(proxy)
        texts = [path.read_text() for path in self.folder.glob(f"{counts.name}.{worker}-*")]
        return [text for text in texts if WRITER not in text]

    def count_instructions(self, log, tunnels, options):
        texts = self.profiles(log, tunnels, options)
        return sum(int(INSTRUCTIONS.search(text).group(1)) for text in texts)

    def instructions(self, log, inside=None):
        options = [f"--toggle-collect={inside}"] if inside else []
        more = self.count_instructions(log, LONG, options)
        more -= self.count_instructions(log, SHORT, options)
        return more / (LONG - SHORT)

    def allocations(self, log):
        more, fewer = (sum(map(allocations_in, self.profiles(log, tunnels, ())))
                       for tunnels in (LONG, SHORT))
        assert is_sanitized() or fewer > 20, "a start allocates: were calls found at all?"
        return (more - fewer) / (LONG - SHORT)


@pytest.fixture
def costs(adit, origin, tmp_path):
    return Costs(adit, origin(Echo), tmp_path)


@pytest.fixture
def json_log(tmp_path):
    return f'"{tmp_path}/access.log" format json'


def test_a_log_costs_no_system_call(costs, json_log):
    """The writer stays awake when lines come steadily, slowly as well: nobody wakes it for one."""
    silent, logging = costs.calls("off", pause_s=0.02), costs.calls(json_log, pause_s=0.02)
    more = {call: count - silent.get(call, 0) for call, count in logging.items()}
    more.pop("epoll_wait", None)  # how often the loop turns is the machine's doing
    assert sum(more.values()) < 0.5, more


def test_a_log_costs_few_instructions(costs, json_log):
    """Both lines of a tunnel in less than 2,000 instructions, the clock's and the ring's too."""
    logging = costs.instructions(json_log, inside="access_log_write")
    silent = costs.instructions("off", inside="access_log_write")
    assert logging - silent < 2000
    assert is_sanitized() or logging > silent > 0


def assert_calls(calls, expected):
    """No call more; waiting for events is the machine's doing."""
    calls.pop("epoll_wait", None)
    more = {call: count for call, count in calls.items() if count > expected.get(call, 0) + 0.2}
    assert not more, calls
    assert is_sanitized() or sum(calls.values()) > 0.9 * sum(expected.values())


def test_calls_of_a_tunnel(costs):
    """The list in doc/performance.md. A call more in each tunnel fails."""
    assert_calls(costs.calls("off"), {
        "accept4": 1, "recvfrom": 5, "sendto": 3, "socket": 1, "setsockopt": 2, "connect": 1,
        "epoll_ctl": 2, "shutdown": 1, "close": 2})


def test_calls_of_a_round_trip(costs):
    assert_calls(costs.calls("off", drive=run_round_trips), {"recvfrom": 2, "sendto": 2})


def test_a_trace_that_nobody_watches_is_not_written(costs):
    """Each step is a look at one word then: no function of it is called."""
    called = {name for text in costs.profiles("off", SHORT, ()) for _, name in NAME.findall(text)}
    assert not [name for name in called if name.startswith(("tunnel_trace", "trace_write"))]
    assert is_sanitized() or "tunnel_move_to" in called


def test_a_tunnel_allocates_nothing(costs):
    """Its objects come from slabs."""
    assert costs.allocations("off") < 0.1


def test_instructions_of_a_tunnel(costs):
    """Of its thread, in user code, without a log; a turn of the loop more or less is 300."""
    assert costs.instructions("off") < 13000
