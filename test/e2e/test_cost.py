"""What a tunnel costs in system calls and instructions: counts, never times.

Costs.calls(log, pause_s=0.0) gives {system call: how many a tunnel}, made by the threads that carry
tunnels ("adit-0"; neither the main thread nor the log's writer) and counted by strace.
Costs.instructions(log, inside=None) gives the user instructions a tunnel of all threads but the
log's writer, counted by valgrind; with inside, only those inside of that function and what it
calls, which no turn of the loop more or less can blur. Either runs two adits, with SHORT and with
LONG tunnels one after the other, and divides the difference: what a start and an end cost falls
out. `log` is what follows that word in the configuration.

A tunnel here is: connect, CONNECT to an address, 200, 100 bytes there and back, FIN both ways.
Sanitizers make calls and instructions of their own: with one, the tunnels run and count as nothing.
"""

import re
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


class Costs:
    def __init__(self, adit, server, folder):
        self.adit = adit
        self.server = server
        self.folder = folder

    def start(self, log, tool):
        config = self.folder / "adit.conf"
        config.write_text(f"log {log}\nallow from loopback to any address loopback not port 25\n")
        return self.adit("-c", config, "-w", "1", prefix=() if is_sanitized() else tool)

    def count_calls(self, log, tunnels, pause_s):
        trace = self.folder / f"trace{tunnels}"
        proxy = self.start(log, (*STRACE, trace))
        run_tunnels(proxy, self.server, tunnels, pause_s)
        thread = thread_of(proxy.worker_pid, CARRIER)
        proxy.stop()
        if is_sanitized():
            return Counter()
        return Counter(CALL.findall(trace.with_suffix(f".{thread}").read_text()))

    def calls(self, log, pause_s=0.0):
        more = self.count_calls(log, LONG, pause_s)
        more.subtract(self.count_calls(log, SHORT, pause_s))
        return {call: count / (LONG - SHORT) for call, count in more.items()}

    def count_instructions(self, log, tunnels, options):
        counts = self.folder / f"counts{tunnels}"
        proxy = self.start(log, (*CALLGRIND, f"--callgrind-out-file={counts}.%p", *options))
        run_tunnels(proxy, self.server, tunnels)
        worker = proxy.worker_pid
        proxy.stop()
        texts = [path.read_text() for path in self.folder.glob(f"{counts.name}.{worker}-*")]
        return sum(int(INSTRUCTIONS.search(text).group(1)) for text in texts if WRITER not in text)

    def instructions(self, log, inside=None):
        options = [f"--toggle-collect={inside}"] if inside else []
        more = self.count_instructions(log, LONG, options)
        more -= self.count_instructions(log, SHORT, options)
        return more / (LONG - SHORT)


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
