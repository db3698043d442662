"""adit as a process: draining, signals, death of the worker, and surroundings that are not as they
should be."""

import calendar
import contextlib
import ctypes
import fcntl
import os
import pty
import re
import select
import signal
import socket
import subprocess
import termios
import threading
import time
from pathlib import Path

import pytest

from support.adit import binary, children_of
from support.checks import connects, echoes, eventually, works
from support.client import ESTABLISHED, Client, Response, connect_head, open_tunnel, request
from support.origins import Echo, Recorder
from support.patience import PATIENCE_S

# -- drain and signals

@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "command"])
def test_drain(adit, origin, how):
    """Live tunnels go on, nobody new is let in, the process ends with the last tunnel."""
    server = origin(Echo)
    proxy = adit()
    with open_tunnel(proxy.address, server.authority) as client:
        assert echoes(client)
        if how == "command":
            done = proxy.control("drain")
            assert done.returncode == 0, done.stderr
        else:
            proxy.signal(getattr(signal, how))
        eventually(lambda: not connects(proxy.address), what="the listener stays open")
        time.sleep(1)
        assert echoes(client, b"still here")
        assert proxy.process.poll() is None
        client.shutdown_write()
        assert client.read_to_end() == (b"", "fin")
    started = time.monotonic()
    assert proxy.wait() == 0
    assert time.monotonic() - started < 20  # a drain takes 30
    assert proxy.log_lines(event="close")


def test_end_without_tunnels_is_immediate(adit):
    proxy = adit()
    started = time.monotonic()
    proxy.signal(signal.SIGTERM)
    assert proxy.wait() == 0
    assert time.monotonic() - started < 20  # a drain takes 30


@pytest.mark.parametrize("first,second", [("SIGTERM", "SIGTERM"), ("SIGINT", "SIGINT"),
                                          ("SIGTERM", "SIGINT")])
def test_second_signal_ends_at_once(adit, origin, first, second):
    server = origin(Echo)
    proxy = adit()
    with open_tunnel(proxy.address, server.authority) as client:
        assert echoes(client)
        proxy.signal(getattr(signal, first))
        eventually(lambda: not connects(proxy.address))
        proxy.signal(getattr(signal, second))
        assert proxy.wait(timeout=20) == 0  # a drain takes 30
        assert client.read_to_end()[0] == b""
    # who sent them is told, and told apart
    us = f"uid {os.getuid()}, pid {os.getpid()}"
    assert f'"drain asked by {us}, with {first}"' in proxy.stderr()
    assert f'"an end at once asked by {us}, with {second}"' in proxy.stderr()


def test_the_latest_end_is_no_promise_too_early(adit, origin, tmp_path):
    server = origin(Echo)
    path = tmp_path / "adit.conf"
    path.write_text("listen 127.0.0.1:0\ntimeout drain 500ms\nallow from loopback to any, special\n")
    proxy = adit("-c", path)
    with open_tunnel(proxy.address, server.authority):
        proxy.signal(signal.SIGTERM)
        assert proxy.wait() == 0
    assert "(in 1 s) at the latest" in proxy.stderr()


def test_the_terminal_ends_it(tmp_path):
    """Ctrl+C: no process sends that signal."""
    master, terminal = pty.openpty()
    process = subprocess.Popen([binary(), "-l", "127.0.0.1:0", "-a", "off", "-s", str(tmp_path / "sock")],
                               stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
                               preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    said = b""
    try:
        while b"draining" not in said:
            if b"listening on" in said and b"^C" not in said:
                os.write(master, b"\x03")
            assert select.select([master], [], [], PATIENCE_S)[0], said
            said += os.read(master, 4096)
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        os.close(master)
        os.close(terminal)
    assert b"drain asked by the terminal, with SIGINT" in said


def test_second_signal_right_behind_the_first(adit, origin):
    server = origin(Echo)
    proxy = adit()
    with open_tunnel(proxy.address, server.authority):
        proxy.signal(signal.SIGTERM)
        proxy.signal(signal.SIGINT)
        assert proxy.wait(timeout=20) == 0  # a drain takes 30


def test_drain_ends_after_thirty_seconds(adit, origin):
    server = origin(Echo)
    proxy = adit()
    with open_tunnel(proxy.address, server.authority):
        started = time.monotonic()
        proxy.signal(signal.SIGTERM)
        assert proxy.wait() == 0
        assert time.monotonic() - started > 29
    assert proxy.log_lines(event="close")[0]["closed_by"] == "drained"


def test_drain_says_until_when(adit, origin, tmp_path):
    """On a wall clock, since whoever reads it waits for the end; and by the configured time."""
    server = origin(Echo)
    config = tmp_path / "adit.conf"
    config.write_text("listen 127.0.0.1:0\ntimeout drain 90s\nallow from loopback to any, special\n")
    proxy = adit("-c", config)
    with open_tunnel(proxy.address, server.authority):
        before = time.time()
        proxy.signal(signal.SIGTERM)
        said = eventually(lambda: re.search(r"at (\S+) \S+ \(in (\d+) s\)", proxy.stderr()))
        ends = [time.strftime("%H:%M:%S", time.localtime(before + 90 + late)) for late in range(60)]
        assert said.group(1) in ends and said.group(2) == "90"
        proxy.signal(signal.SIGTERM)
        assert proxy.wait() == 0


def test_who_waits_at_the_drain_gets_an_answer(adit, origin):
    """The accept queue is emptied with 503 (or served, when that was quicker): never a reset."""
    server = origin(Echo)
    proxy = adit()
    worker = proxy.worker_pid
    os.kill(worker, signal.SIGSTOP)
    clients = [Client(proxy.address) for _ in range(60)]
    for client in clients:
        client.send(connect_head(server.authority))
    proxy.signal(signal.SIGTERM)
    time.sleep(0.1)
    os.kill(worker, signal.SIGCONT)
    for client in clients:
        response = Response(client.read_until(b"\r\n\r\n"))
        assert response.status in (200, 503)
        if response.status == 503:
            assert int(response.get("Retry-After")) > 0
        client.close()
    assert proxy.wait() == 0


def test_a_drain_refuses_who_has_not_asked(adit):
    """Whoever is connected and has said nothing yet gets the 503 at once, not its head's timeout."""
    proxy = adit()
    with Client(proxy.address) as idle, Client(proxy.address) as begun:
        begun.send(b"CONNECT 127.0.0.1:1 HT")
        eventually(lambda: 'adit_connections_open 2' in proxy.control("stats").stdout)
        started = time.monotonic()
        proxy.signal(signal.SIGTERM)
        assert Response(idle.read_until(b"\r\n\r\n")).status == 503
        assert time.monotonic() - started < 8  # the head's timeout is 10 s
        # a request that has begun is awaited on: its answer comes when it is there
        begun.send(b"TP/1.1\r\n\r\n")
        assert Response(begun.read_until(b"\r\n\r\n")).status == 503
    assert proxy.wait() == 0
    denied = proxy.log_lines(event="deny")
    assert sorted(line.get("target", "") for line in denied) == ["", "127.0.0.1"]
    assert {line["status"] for line in denied} == {"503"}


# -- a worker dies

def test_killed_worker_is_replaced(adit, origin):
    """Within a second, and no connect is refused meanwhile."""
    server = origin(Echo)
    proxy = adit()
    assert works(proxy, server)
    failures, stop = [], threading.Event()

    def knock():
        while not stop.wait(0.005):
            try:
                Client(proxy.address).close()
            except OSError as error:
                failures.append(repr(error))

    knocker = threading.Thread(target=knock)
    knocker.start()
    try:
        for _ in range(3):
            victim = proxy.worker_pid
            os.kill(victim, signal.SIGKILL)
            eventually(lambda victim=victim: [pid for pid in children_of(proxy.pid)
                                              if pid != victim])
            # Connected while nobody accepts: served as soon as the new worker does.
            assert works(proxy, server)
            time.sleep(0.3)
    finally:
        stop.set()
        knocker.join()
    assert failures == []


def test_replaced_within_a_second(adit, origin):
    server = origin(Echo)
    proxy = adit()
    os.kill(proxy.worker_pid, signal.SIGKILL)
    started = time.monotonic()
    assert works(proxy, server)
    assert time.monotonic() - started < 10  # 1 s, on a machine that has time


def test_drain_works_with_a_replaced_worker(adit, origin):
    server = origin(Echo)
    proxy = adit()
    os.kill(proxy.worker_pid, signal.SIGKILL)
    with open_tunnel(proxy.address, server.authority) as client:
        proxy.signal(signal.SIGTERM)
        eventually(lambda: not connects(proxy.address))
        assert echoes(client)
    assert proxy.wait() == 0


def test_control_socket_works_with_a_replaced_worker(adit, origin):
    proxy = adit()
    os.kill(proxy.worker_pid, signal.SIGKILL)
    assert works(proxy, origin(Echo))
    assert proxy.control("stats").returncode == 0


def worker_voice(proxy):
    """A copy of the worker's end of the channel to its supervisor."""
    syscall, pidfd_getfd = ctypes.CDLL(None, use_errno=True).syscall, 438
    worker = proxy.worker_pid
    pidfd = os.pidfd_open(worker)
    for number in sorted(map(int, os.listdir(f"/proc/{worker}/fd"))):
        if not os.readlink(f"/proc/{worker}/fd/{number}").startswith("socket:"):
            continue
        fd = syscall(pidfd_getfd, pidfd, number, 0)
        assert fd >= 0, os.strerror(ctypes.get_errno())
        found = socket.socket(fileno=fd)
        if found.type == socket.SOCK_SEQPACKET:
            os.close(pidfd)
            return found
        found.close()
    raise AssertionError("the worker has no channel")


HOSTS, CONFIG, RELOADED, READY, TAKEN = 0, 2, 4, 7, 9


NO_WORKER_SENDS = {
    "kind-255": (b"\xff", 0), "kind-10": (b"\x0a", 0), "empty": (b"", 0),
    "empty-with-descriptors": (b"", 3), "hosts": (bytes([HOSTS]), 1),
    "config": (bytes([CONFIG]), 4), "reloaded": (bytes([RELOADED]) + b"+1\n", 0),
    "ready-again": (bytes([READY]), 0), "ready-with-descriptors": (bytes([READY]), 250),
    "taken-nothing": (bytes([TAKEN]), 0), "taken-lines": (bytes([TAKEN]) + b"\nadit: forged", 0),
    "long": (b"\x05" * 60_000, 0),
}


@pytest.mark.parametrize("message,descriptors", NO_WORKER_SENDS.values(), ids=NO_WORKER_SENDS)
def test_a_worker_that_says_what_no_worker_says(adit, origin, message, descriptors):
    """It is replaced, whatever it sent; the supervisor keeps nothing of it, and serves on."""
    server = origin(Echo)
    proxy = adit()
    assert works(proxy, server)
    supervisor = Path(f"/proc/{proxy.pid}/fd")
    before = len(list(supervisor.iterdir()))
    victim = proxy.worker_pid
    with worker_voice(proxy) as voice:
        socket.send_fds(voice, [message], [voice.fileno()] * descriptors)
    eventually(lambda: victim not in children_of(proxy.pid))
    assert works(proxy, server)
    assert len(list(supervisor.iterdir())) == before
    assert proxy.control("reload").returncode == 0
    said = proxy.stderr()
    assert f"adit: worker {victim} sent what no worker sends (" in said
    assert f"adit: worker {victim} was ended by signal 9" in said
    assert "forged" not in said
    proxy.signal(signal.SIGTERM)
    assert proxy.wait() == 0


def test_a_worker_that_hangs_up_but_lives(adit, origin):
    """Without a channel it is of no use."""
    server = origin(Echo)
    proxy = adit()
    victim = proxy.worker_pid
    os.kill(victim, signal.SIGSTOP)
    with worker_voice(proxy) as voice:
        voice.shutdown(socket.SHUT_RDWR)
    eventually(lambda: victim not in children_of(proxy.pid))
    assert works(proxy, server)
    assert proxy.control("reload").returncode == 0
    assert f"adit: worker {victim} does not end in time; killed it" in proxy.stderr()


def test_no_worker_survives_its_supervisor(adit):
    """Killed the hard way, the supervisor leaves nobody behind on its ports."""
    proxy = adit()
    worker = proxy.worker_pid
    proxy.signal(signal.SIGKILL)
    assert proxy.wait() == -signal.SIGKILL
    assert not Path(f"/proc/{worker}").exists()


# -- surroundings

def test_stderr_that_nobody_reads(adit, origin, keep):
    """A full pipe: tunnels go on, what is lost is counted, SIGTERM still ends it."""
    server = origin(Echo)
    read_end, write_end = os.pipe()
    said = bytearray()

    def read_start_line():
        if b"\n" not in said:
            said.extend(os.read(read_end, 4096))
        return said.decode()

    proxy = adit(stderr=write_end, wait=False)
    proxy.wait_for_start(read_start_line)
    for _ in range(1500):
        open_tunnel(proxy.address, server.authority).close()
    assert works(proxy, server)
    assert not fcntl.fcntl(write_end, fcntl.F_GETFL) & os.O_NONBLOCK
    os.close(write_end)
    os.set_blocking(read_end, False)
    text = b""
    deadline = time.monotonic() + PATIENCE_S
    while b"drop" not in text:  # once somebody reads, the loss shows
        assert time.monotonic() < deadline, text[-500:]
        try:
            text += os.read(read_end, 1 << 16)
        except BlockingIOError:
            time.sleep(0.05)
            open_tunnel(proxy.address, server.authority).close()
    proxy.stop()
    os.close(read_end)


def test_stderr_that_nobody_reads_at_the_end(adit, origin):
    """SIGTERM ends it in time though the log can't be written."""
    server = origin(Echo)
    read_end, write_end = os.pipe()
    proxy = adit(stderr=write_end, wait=False)
    proxy.wait_for_start(lambda: os.read(read_end, 4096).decode())
    for _ in range(1000):
        open_tunnel(proxy.address, server.authority).close()
    proxy.signal(signal.SIGTERM)
    assert proxy.wait() == 0
    os.close(read_end)
    os.close(write_end)


def test_stderr_whose_reader_is_gone(adit, origin):
    server = origin(Echo)
    read_end, write_end = os.pipe()
    proxy = adit(stderr=write_end, wait=False)
    proxy.wait_for_start(lambda: os.read(read_end, 4096).decode())
    os.close(read_end)
    os.close(write_end)
    for _ in range(50):
        assert works(proxy, server)


def test_a_terminal_that_stops_who_writes_to_it(tmp_path):
    """`stty tostop` stops a process in the background that writes (SIGTTOU). adit would neither
    accept nor end any more."""
    master, terminal = pty.openpty()
    script = 'stty tostop; set -m; "$0" -l 127.0.0.1:0 -a off -s "$1" & echo "pid $!"; read end'
    shell = subprocess.Popen(["sh", "-c", script, binary(), str(tmp_path / "sock")],
                             stdin=terminal, stdout=terminal, stderr=terminal,
                             start_new_session=True,
                             preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    said = b""
    try:
        while b"listening on" not in said or b"pid " not in said:
            assert select.select([master], [], [], 15)[0], f"it is stopped: {said}"
            said += os.read(master, 4096)
    finally:
        pid = int(re.search(rb"pid (\d+)", said).group(1))
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)
        os.write(master, b"\n")
        assert shell.wait(PATIENCE_S) == 0
        os.close(master)
        os.close(terminal)


@pytest.mark.parametrize("closed", ["<&-", "<&- >&-"])
def test_closed_standard_descriptors(adit, origin, closed):
    proxy = adit(prefix=["sh", "-c", f'exec "$@" {closed}', "sh"])
    assert works(proxy, origin(Echo))


def test_closed_stderr_does_not_leak_the_log_into_a_tunnel(adit, origin, tmp_path):
    """With descriptor 2 free a socket could become "stderr"; no log line may go there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    proxy = adit("-l", f"127.0.0.1:{port}", prefix=["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"],
                 wait=False)
    proxy.port, proxy.address = port, f"127.0.0.1:{port}"
    eventually(lambda: connects(proxy.address))
    server = origin(Recorder)
    for number in range(20):
        with open_tunnel(proxy.address, server.authority) as client:
            client.send(b"mine alone")
            client.shutdown_write()
            assert server.wait_for_ending(number + 1) == "fin"
            assert client.read_to_end() == (b"", "fin")
    assert all(record == b"mine alone" for record in server.received)


def shares(proxy, server, count, open_all):
    """How many of `count` tunnels each thread carries, the fewest first."""
    before = proxy.watched()
    with contextlib.ExitStack() as stack:
        open_all(proxy, server, count, stack)
        after = proxy.watched()
    carried = sorted((after[name] - before[name]) // 2 for name in before)
    assert carried.pop(0) == 0, "the main thread carries none"
    assert sum(carried) == count
    return carried


def one_by_one(proxy, server, count, stack):
    for _ in range(count):
        assert echoes(stack.enter_context(open_tunnel(proxy.address, server.authority)))


def test_threads_share_tunnels_that_open_one_by_one(adit, origin):
    """All threads sleep then, and the kernel would wake the same one each time."""
    assert shares(adit("-w", "4"), origin(Echo), 40, one_by_one)[-1] <= 15


def at_once(proxy, server, count, stack):
    clients = [stack.enter_context(Client(proxy.address)) for _ in range(count)]
    for client in clients:
        client.send(connect_head(server.authority))
    for client in clients:
        assert client.read_exact(len(ESTABLISHED)) == ESTABLISHED


@pytest.mark.parametrize("count", [8, 64])
def test_threads_share_tunnels_that_open_at_once(adit, origin, count):
    """A thread that accepts while the others are still waking hands over what is too much."""
    for _ in range(5):
        assert shares(adit("-w", "2"), origin(Echo), count, at_once)[-1] <= 0.75 * count


def test_empty_environment(adit, origin):
    proxy = adit(clean_env={})
    assert works(proxy, origin(Echo))


def test_hostile_environment(adit, origin):
    """Locale, time zone and HOSTALIASES of the caller change nothing."""
    hostile = {"LC_ALL": "tr_TR.UTF-8", "TZ": "America/St_Johns", "HOSTALIASES": "/etc/passwd",
               "RES_OPTIONS": "ndots:9 debug", "LOCALDOMAIN": "evil.test", "PATH": "/nonexistent"}
    proxy = adit(env=hostile, prefix=["/usr/bin/env"])
    assert works(proxy, origin(Echo))
    with open_tunnel(proxy.address, f"LOCALHOST:{origin(Echo).port}") as client:
        assert echoes(client)
        line = proxy.wait_for_log(event="open", client=client.name)
    assert line["time"].endswith("Z")
    assert abs(_epoch(line["time"]) - time.time()) < 60


def _epoch(text):
    return calendar.timegm(time.strptime(text.partition(".")[0], "%Y-%m-%dT%H:%M:%S"))


def test_blocked_and_ignored_signals_are_not_inherited(adit):
    """Started by something that ignores SIGTERM or SIGINT, as nohup and shells do."""
    proxy = adit(prefix=["sh", "-c", 'trap "" TERM PIPE CHLD; exec "$@"', "sh"])
    proxy.signal(signal.SIGTERM)
    assert proxy.wait() == 0


def test_removed_working_directory(adit, origin, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    proxy = adit(prefix=["sh", "-c", f'cd "{gone}"; rmdir "{gone}"; exec "$@"', "sh"])
    assert works(proxy, origin(Echo))


def test_calm_costs_nothing(adit, origin):
    """Idle, with idle tunnels: the worker sleeps (its timers do not spin)."""
    server = origin(Echo)
    proxy = adit()
    clients = [open_tunnel(proxy.address, server.authority) for _ in range(20)]
    time.sleep(2)
    before = cpu_ticks(proxy.worker_pid)
    time.sleep(3)
    assert cpu_ticks(proxy.worker_pid) - before <= 3  # of 300
    for client in clients:
        client.close()


def cpu_ticks(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_early_requests_see_no_half_started_proxy(adit, origin):
    """The moment the start line is out, requests are served."""
    server = origin(Echo)
    for _ in range(5):
        proxy = adit()
        response, _, _ = request(proxy.address, b"GET / HTTP/1.1\r\n\r\n")
        assert response.status == 405
        with Client(proxy.address) as client:
            client.send(connect_head(server.authority))
            assert client.read_exact(len(ESTABLISHED)) == ESTABLISHED
        proxy.stop()


# -- processors

def quota_prefix(time_us):
    """A /sys/fs/cgroup of a container with so much time in 100 ms, of version 1 and 2."""
    script = ('mount -t tmpfs cgroup /sys/fs/cgroup && mkdir /sys/fs/cgroup/cpu && '
              'echo "$0 100000" >/sys/fs/cgroup/cpu.max && '
              'echo "$0" >/sys/fs/cgroup/cpu/cpu.cfs_quota_us && '
              'echo 100000 >/sys/fs/cgroup/cpu/cpu.cfs_period_us && exec "$@"')
    return ["unshare", "--mount", "sh", "-c", script, str(time_us)]


def test_threads_go_by_the_cpu_quota(adit):
    """A container with one processor of a large machine does not get a thread a core."""
    cores = len(os.sched_getaffinity(0))
    assert adit(prefix=quota_prefix(70000)).workers == 1
    assert adit(prefix=quota_prefix(cores * 100000 - 1)).workers == cores
    assert adit("-w", "3", prefix=quota_prefix(70000)).workers == 3
