"""adit as a process: start, arguments, listeners, who may connect, limits, death of the worker,
draining, signals, the control socket, and surroundings that are not as they should be."""

import fcntl
import os
import random
import re
import signal
import socket
import stat
import subprocess
import threading
import time
from pathlib import Path

import pytest

from support.adit import children_of, is_sanitized, run_adit, split_address
from support.client import ESTABLISHED, Client, Response, connect_head, open_tunnel, request
from support.names import Answer, ScriptedNames
from support.netns import connect_namespaces
from support.origins import Echo, Recorder, Sink, pattern

COMMANDS = ("stats", "drain")


def echoes(client, data=b"ping"):
    client.send(data)
    return client.read_exact(len(data)) == data


def works(proxy, server, **options):
    with open_tunnel(proxy.address, server.authority, **options) as client:
        return echoes(client)


def connects(address):
    """Whether anybody takes a connection there."""
    try:
        Client(address).close()
        return True
    except ConnectionRefusedError:
        return False


def eventually(check, timeout=5, what="it never came"):
    deadline = time.monotonic() + timeout
    while not check():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


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
    assert time.monotonic() - started < 5
    assert proxy.log_lines(event="close")


def test_end_without_tunnels_is_immediate(adit):
    proxy = adit()
    started = time.monotonic()
    proxy.signal(signal.SIGTERM)
    assert proxy.wait() == 0
    assert time.monotonic() - started < 5


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
        assert proxy.wait(timeout=5) == 0
        assert client.read_to_end()[0] == b""


def test_second_signal_right_behind_the_first(adit, origin):
    server = origin(Echo)
    proxy = adit()
    with open_tunnel(proxy.address, server.authority):
        proxy.signal(signal.SIGTERM)
        proxy.signal(signal.SIGINT)
        assert proxy.wait(timeout=5) == 0


def test_drain_ends_after_thirty_seconds(adit, origin):
    server = origin(Echo)
    proxy = adit()
    with open_tunnel(proxy.address, server.authority):
        started = time.monotonic()
        proxy.signal(signal.SIGTERM)
        assert proxy.wait(timeout=40) == 0
        assert 29 < time.monotonic() - started < 33
    assert proxy.log_lines(event="close")[0]["closed_by"] == "drained"


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
                                              if pid != victim], timeout=3)
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
    assert time.monotonic() - started < (5 if is_sanitized() else 2)  # 1 s, and the tunnel itself


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


def test_no_worker_survives_its_supervisor(adit):
    """Killed the hard way, the supervisor leaves nobody behind on its ports."""
    proxy = adit()
    worker = proxy.worker_pid
    proxy.signal(signal.SIGKILL)
    assert proxy.wait() == -signal.SIGKILL
    assert not Path(f"/proc/{worker}").exists()


# -- arguments and listeners

@pytest.mark.parametrize("workers", [1, 2, 3])
def test_worker_threads(adit, origin, workers):
    proxy = adit("-w", workers)
    assert proxy.workers == workers
    assert len(os.listdir(f"/proc/{proxy.worker_pid}/task")) >= workers
    server = origin(Echo)
    for _ in range(20):
        assert works(proxy, server)


def test_default_is_a_thread_for_each_core(adit):
    assert adit().workers == len(os.sched_getaffinity(0))


def test_one_child_in_calm(adit):
    proxy = adit()
    assert len(children_of(proxy.pid)) == 1
    assert children_of(proxy.worker_pid) == []


def test_several_listeners(adit, origin):
    server = origin(Echo)
    proxy = adit("-l", "127.0.0.1:0", "-l", "127.0.0.4:0", "-l", "[::1]:0")
    assert [split_address(address)[0] for address in proxy.listeners] == [
        "127.0.0.1", "127.0.0.4", "::1"]
    for address in proxy.listeners:
        with open_tunnel(address, server.authority) as client:
            assert echoes(client)
            line = proxy.wait_for_log(event="open", client=client.name)
        assert line["listener"] == address


def test_start_line(adit):
    proxy = adit("-w", "2")
    assert proxy.stderr().splitlines()[0] == (
        f"adit 0.1.0 listening on {proxy.address} (2 workers); try: "
        f"curl -v --http1.1 --proxy http://{proxy.address}/ https://example.com/")


def test_built_in_defaults(adit, namespace, keep, tmp_path):
    """No argument at all: 127.0.0.1:10800, and the control socket in XDG_RUNTIME_DIR."""
    (tmp_path / "run").mkdir()
    environment = {"XDG_RUNTIME_DIR": str(tmp_path / "run")}
    with namespace():
        server = keep(Echo())
        proxy = adit(defaults=True, env=environment)
        assert proxy.address == "127.0.0.1:10800"
        assert works(proxy, server)
        done = run_adit("stats", env=dict(os.environ, **environment))
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "adit.sock").is_socket()


def test_default_control_socket_that_cannot_be_made_is_a_warning(adit, origin):
    proxy = adit("-l", "127.0.0.1:0", defaults=True, env={"XDG_RUNTIME_DIR": "/nonexistent"})
    assert works(proxy, origin(Echo))
    assert "/nonexistent/adit.sock" in proxy.stderr()


def test_busy_port(adit):
    proxy = adit()
    done = run_adit("-l", proxy.address, "-s", proxy.folder / "other")
    assert done.returncode == 1
    assert proxy.address in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "in use" in done.stderr


def test_address_of_somebody_else(tmp_path):
    done = run_adit("-l", "203.0.113.1:0", "--from", "127.0.0.0/8", "-s", tmp_path / "sock")
    assert done.returncode == 1
    assert "203.0.113.1:0" in done.stderr


def test_one_busy_listener_of_two(adit):
    proxy = adit()
    done = run_adit("-l", "127.0.0.1:0", "-l", proxy.address, "-s", proxy.folder / "other")
    assert done.returncode == 1


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "203.0.113.1:8080", "[2001:db8::1]:0"])
def test_open_listener_does_not_start(listen, tmp_path):
    done = run_adit("-l", "127.0.0.1:0", "-l", listen, "-s", tmp_path / "sock")
    assert done.returncode == 1
    assert done.stdout == ""
    assert listen in done.stderr
    assert "--from" in done.stderr


def test_open_listener_with_from_starts(adit, origin):
    proxy = adit("-l", "0.0.0.0:0", "--from", "127.0.0.0/8")
    assert proxy.address == f"0.0.0.0:{proxy.port}"
    with open_tunnel(("127.0.0.1", proxy.port), origin(Echo).authority) as client:
        assert echoes(client)


BAD_COMMAND_LINES = [
    ["--nonsense"], ["-x"], ["nonsense"], ["-l"], ["-l", "127.0.0.1"], ["-l", "127.0.0.1:"],
    ["-l", ":8080"], ["-l", "127.0.0.1:65536"], ["-l", "127.0.0.1:+80"], ["-l", "::1:80"],
    ["-l", "127.1:80"], ["-w"], ["-w", "0"], ["-w", "-1"], ["-w", "x"], ["-w", "1x"],
    ["-w", "99999999999"], ["--from"], ["--from", "10.0.0.0/33"], ["--from", "10.0.0.1/8"],
    ["--from", "x"], ["--from", "10.0.0.0/"], ["-s"], ["stats", "operand"], ["drain", "now"],
    ["help", "nonsense"],
]


@pytest.mark.parametrize("words", BAD_COMMAND_LINES, ids=" ".join)
def test_bad_command_line(words):
    """Exit status 2; stderr says what was wrong, in few lines, and names the word."""
    done = run_adit(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert 1 <= len(done.stderr.splitlines()) <= 3
    assert words[-1] in done.stderr


def test_version():
    done = run_adit("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, "adit 0.1.0\n", "")


@pytest.mark.parametrize("words", [["--help"], ["help"]])
def test_help(words):
    done = run_adit(*words)
    assert (done.returncode, done.stderr) == (0, "")
    for word in ("adit", "-l", "-w", "-s", "--from", "--version", "127.0.0.1:10800", *COMMANDS):
        assert word in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(command):
    done = run_adit("help", command)
    assert (done.returncode, done.stderr) == (0, "")
    assert command in done.stdout and "-s" in done.stdout


def test_help_goes_into_a_closed_pipe():
    """`adit --help | head -1` must not hang or crash."""
    done = subprocess.run(["sh", "-c", '"$0" --help | head -1', _binary()], capture_output=True,
                          timeout=20)
    assert done.returncode == 0 and done.stdout


def _binary():
    from support.adit import binary
    return binary()


# -- who may connect

PUBLIC, PUBLIC6 = "1.2.3.4", "2a00:77::1"  # addresses of the namespace's own; nothing leaves it


class Office:
    """adit's namespace, 10.77.0.1, joined by a cable to a client's, 10.77.0.2; a public-looking
    address of adit's side serves as the world."""

    def __init__(self, namespace, keep, adit, etc, *args):
        self.inside, self.outside = namespace(), namespace()
        connect_namespaces(self.inside, self.outside)
        self.outside.ip("addr", "add", "10.77.0.3/24", "dev", "veth0")
        self.inside.ip("addr", "add", f"{PUBLIC}/32", "dev", "lo")
        self.inside.ip("addr", "add", f"{PUBLIC6}/128", "dev", "lo", "nodad")
        with self.inside:
            self.names = keep(ScriptedNames({
                "public.test": Answer(PUBLIC), "private.test": Answer("127.0.0.1"),
                "office.test": Answer("10.77.0.1"), "mapped.test": Answer("::ffff:127.0.0.1"),
                "mixed.test": Answer("127.0.0.1", PUBLIC)}))
            self.world = keep(Recorder(host="0.0.0.0"))
            self.world6 = keep(Recorder(host="::1", port=self.world.port))
            self.public6 = keep(Recorder(host=PUBLIC6, port=self.world.port))
            self.adit = adit(*args, etc=etc(resolv_conf=self.names.resolv_conf))

    def ask(self, target, source="10.77.0.2", to="10.77.0.1"):
        """The status and error that a client from outside gets."""
        with self.outside, Client((to, self.adit.port), source=source) as client:
            client.send(connect_head(f"{target}:{self.world.port}"))
            head = client.read_until(b"\r\n\r\n")
            response = Response(head)
            return response.status, response.error

    def accepted(self):
        return self.world.accepted + self.world6.accepted + self.public6.accepted


def test_client_beyond_loopback_is_denied(namespace, keep, adit, etc):
    office = Office(namespace, keep, adit, etc, "-l", "0.0.0.0:0", "--from", "127.0.0.0/8")
    for target in (PUBLIC, "public.test", "127.0.0.1", "localhost", "private.test"):
        assert office.ask(target) == (403, "http_request_denied")
    assert office.accepted() == 0
    assert office.names.queries == []  # denied for sure: nothing is looked up
    line = office.adit.wait_for_log(event="deny")
    assert line["client"].startswith("10.77.0.2:")
    assert (line["verdict"], line["rule"], line["status"]) == ("deny", "default", "403")


SPECIAL = ["127.0.0.1", "10.77.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "localhost",
           "x.localhost", "private.test", "office.test", "mapped.test", "169.254.169.254",
           "168.63.129.16", "100.64.0.1", "192.0.2.1", "224.0.0.1", "255.255.255.255", "[fd77::1]",
           "[fe80::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::127.0.0.1]", "[2001:db8::1]"]


def test_from_reaches_the_world_and_nothing_special(namespace, keep, adit, etc):
    office = Office(namespace, keep, adit, etc, "-l", "0.0.0.0:0", "--from", "10.77.0.2/32")
    for target in (PUBLIC, "public.test", f"[::ffff:{PUBLIC}]", f"[{PUBLIC6}]"):
        assert office.ask(target) == (200, None), target
    eventually(lambda: office.accepted() == 4)
    before = office.accepted()
    for target in SPECIAL:
        assert office.ask(target) == (403, "destination_ip_prohibited"), target
    assert office.accepted() == before
    assert office.ask(PUBLIC, source="10.77.0.3") == (403, "http_request_denied")


def test_only_the_allowed_address_of_a_name_is_dialled(namespace, keep, adit, etc):
    office = Office(namespace, keep, adit, etc, "-l", "0.0.0.0:0", "--from", "10.77.0.0/24")
    for _ in range(5):
        assert office.ask("mixed.test") == (200, None)
    for line in office.adit.wait_for_log(event="open", count=5):
        assert line["address"] == f"{PUBLIC}:{office.world.port}"


def test_from_over_ipv6(namespace, keep, adit, etc):
    office = Office(namespace, keep, adit, etc, "-l", "[::]:0", "--from", "fd77::2/128")
    assert office.ask(PUBLIC, source="fd77::2", to="fd77::1") == (200, None)
    assert office.ask("[::1]", source="fd77::2", to="fd77::1") == (403, "destination_ip_prohibited")


def test_loopback_clients_keep_their_right_beside_from(adit, origin):
    """--from adds; who sits on the machine may still reach what he could reach by himself."""
    proxy = adit("-l", "127.0.0.1:0", "--from", "10.0.0.0/8")
    assert works(proxy, origin(Echo))


# -- limits of descriptors

def test_64_descriptors_and_500_clients(adit, origin):
    """As many as there is room for are served, the others get 503, nobody waits, nobody who was
    served notices; afterwards everything is as before."""
    server = origin(Echo)
    proxy = adit(prefix=["prlimit", "--nofile=64:64"])
    clients = [Client(proxy.address) for _ in range(500)]
    for client in clients:
        client.send(connect_head(server.authority))
    served = []
    for client in clients:
        response = client.read_response()
        if response.status == 200:
            served.append(client)
        else:
            assert response.status == 503
            assert response.error == "connection_limit_reached"
            assert int(response.get("Retry-After")) > 0
            assert client.read_to_end() == (b"", "fin")
    assert 8 <= len(served) <= 32
    for client in served:
        assert echoes(client)
    for client in clients:
        client.close()
    eventually(lambda: answers_200(proxy, server), what="it never recovered")
    assert len(proxy.stderr().splitlines()) < 500 + 2 * len(served) + 20


def answers_200(proxy, server, **options):
    with Client(proxy.address, **options) as client:
        client.send(connect_head(server.authority))
        return client.read_response().status == 200


def test_64_descriptors_waves(adit, origin):
    """Again and again over the limit: it stays as good as new."""
    server = origin(Echo)
    proxy = adit(prefix=["prlimit", "--nofile=64:64"])
    for _ in range(5):
        clients = [Client(proxy.address) for _ in range(120)]
        for client in clients:
            client.send(connect_head(server.authority))
        assert {client.read_response().status for client in clients} == {200, 503}
        for client in clients:
            client.close()
    eventually(lambda: answers_200(proxy, server), what="it never recovered")


def test_silent_clients_at_the_limit_do_not_stall_others(adit, origin):
    """100 who connect and send half a head: whoever comes next gets an answer, 200 or 503."""
    server = origin(Echo)
    proxy = adit(prefix=["prlimit", "--nofile=64:64"])
    silent = [Client(proxy.address) for _ in range(100)]
    for client in silent:
        client.send(b"CONNECT ")
    with Client(proxy.address, timeout=5) as client:
        client.send(connect_head(server.authority))
        assert client.read_response().status in (200, 503)
    for client in silent:
        client.close()
    eventually(lambda: answers_200(proxy, server), what="it never recovered")


def test_descriptor_limit_is_raised(adit):
    proxy = adit(prefix=["prlimit", "--nofile=256:4096"])
    limits = Path(f"/proc/{proxy.worker_pid}/limits").read_text()
    assert re.search(r"Max open files +4096 +4096", limits)


def test_two_descriptors_for_an_idle_tunnel(adit, origin):
    server = origin(Echo)
    proxy = adit()
    assert works(proxy, server)
    time.sleep(0.3)
    before = proxy.descriptors()
    clients = [open_tunnel(proxy.address, server.authority) for _ in range(200)]
    assert proxy.descriptors() == before + 400
    for client in clients:
        client.close()
    eventually(lambda: proxy.descriptors() == before)


def test_descriptors_are_back_after_a_storm(adit, origin):
    """Garbage, resets, half heads, refused and good tunnels, all at once, twice."""
    echo, sink = origin(Echo), origin(Sink)
    proxy = adit()
    assert works(proxy, echo)
    time.sleep(0.5)
    before = proxy.descriptors()
    chance = random.Random(1)
    for _ in range(2):
        clients = []
        for _ in range(400):
            client = Client(proxy.address)
            clients.append(client)
            kind = chance.randrange(7)
            if kind == 0:
                client.send(b"\x16\x03\x01garbage\r\n\r\n")
            elif kind == 1:
                client.send(connect_head(echo.authority)[:chance.randrange(1, 30)])
            elif kind == 2:
                client.send(connect_head("127.0.0.1:1"))
            elif kind == 3:
                client.send(connect_head(echo.authority))
                client.reset()
            elif kind == 4:
                client.send(connect_head(sink.authority) + pattern(chance.randrange(100_000)))
            elif kind == 5:
                client.send(connect_head("no-such-name.invalid:443"))
            else:
                client.send(connect_head(echo.authority) + b"x")
        time.sleep(0.5)
        for client in clients:
            if chance.random() < 0.5:
                client.close()
            elif client.socket.fileno() >= 0:
                client.reset()
    spare = 2 * proxy.workers  # a pooled pipe a thread
    eventually(lambda: proxy.descriptors() <= before + spare, timeout=8,
               what="descriptors leak")
    assert works(proxy, echo)


def test_64_local_ports_and_200_tunnels_to_one_target(adit, namespace, keep):
    """Out of local ports: an answer for those who find none, nothing for the others to notice."""
    namespace = namespace()
    with namespace:
        Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("40000 40063")
        server = keep(Echo(port=50000))
        proxy = adit("-l", "127.0.0.1:50001")
        clients, served = [], []
        for number in range(200):
            # Each client has an address of its own, so that clients have ports enough.
            client = keep(Client(proxy.address, source=f"127.0.1.{number + 1}"))
            client.send(connect_head(server.authority))
            clients.append(client)
        for client in clients:
            response = client.read_response()
            if response.status == 200:
                served.append(client)
            else:
                assert (response.status, response.error) == (503, "proxy_internal_error")
        assert 30 <= len(served) <= 64
        for client in served:
            assert echoes(client)
        for client in clients:
            client.reset()  # no TIME_WAIT
        eventually(lambda: answers_200(proxy, server, source="127.0.2.1"))


# -- the control socket

def test_control_socket_mode(adit):
    assert stat.S_IMODE(os.stat(adit().socket_path).st_mode) == 0o600


def test_control_socket_mode_despite_umask(adit):
    proxy = adit(prefix=["sh", "-c", 'umask 0; exec "$@"', "sh"])
    assert stat.S_IMODE(os.stat(proxy.socket_path).st_mode) == 0o600


def test_stats(adit, origin):
    server = origin(Echo)
    proxy = adit()
    with open_tunnel(proxy.address, server.authority) as client:
        assert echoes(client)
        done = proxy.control("stats")
        assert (done.returncode, done.stderr) == (0, "")
        assert re.search(r"tunnels_open\W+1\b", done.stdout), done.stdout
    proxy.wait_for_log(event="close")
    eventually(lambda: re.search(r"tunnels_open\W+0\b", proxy.control("stats").stdout))


@pytest.mark.parametrize("command", COMMANDS)
def test_command_without_a_running_adit(command, tmp_path):
    done = run_adit(command, "-s", tmp_path / "nobody")
    assert done.returncode == 1
    assert str(tmp_path / "nobody") in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_options_stand_before_or_behind(adit):
    proxy = adit()
    for words in (["stats", "-s", proxy.socket_path], ["-s", proxy.socket_path, "stats"]):
        assert run_adit(*words).returncode == 0


def test_stale_socket_is_replaced(adit, tmp_path):
    path = tmp_path / "stale"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    proxy = adit("-s", path)
    assert proxy.control("stats").returncode == 0


def test_live_socket_is_not_taken(adit):
    proxy = adit()
    done = run_adit("-l", "127.0.0.1:0", "-s", proxy.socket_path)
    assert done.returncode == 1
    assert proxy.socket_path in done.stderr
    assert proxy.control("stats").returncode == 0


def test_file_in_the_way_of_the_socket_is_left_alone(tmp_path):
    path = tmp_path / "file"
    path.write_text("precious")
    done = run_adit("-l", "127.0.0.1:0", "-s", path)
    assert done.returncode == 1
    assert str(path) in done.stderr
    assert path.read_text() == "precious"


def test_socket_in_a_missing_folder(tmp_path):
    done = run_adit("-l", "127.0.0.1:0", "-s", tmp_path / "no" / "sock")
    assert done.returncode == 1
    assert str(tmp_path / "no" / "sock") in done.stderr


def test_socket_path_too_long(tmp_path):
    done = run_adit("-l", "127.0.0.1:0", "-s", tmp_path / ("x" * 200))
    assert done.returncode in (1, 2)
    assert done.stderr


@pytest.mark.parametrize("request_line", [b"nonsense\n", b"\n", b"stats extra\n", b"\0\xff\n",
                                          b"x" * 100_000 + b"\n", b"stats", b""])
def test_strange_requests_on_the_control_socket(adit, request_line):
    """Nothing on it harms the proxy; a request that makes no sense is answered or dropped."""
    proxy = adit()
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(proxy.socket_path)
        control.settimeout(10)
        try:
            control.sendall(request_line)
            control.shutdown(socket.SHUT_WR)
            while control.recv(65536):
                pass
        except (ConnectionResetError, BrokenPipeError):
            pass
    assert proxy.control("stats").returncode == 0


def test_idle_control_clients_hold_nobody_up(adit, keep):
    proxy = adit()
    for _ in range(100):
        control = keep(socket.socket(socket.AF_UNIX))
        control.settimeout(5)
        control.connect(proxy.socket_path)
    assert proxy.control("stats").returncode == 0


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
    deadline = time.monotonic() + 10
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
    assert proxy.wait(timeout=20) == 0
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
    eventually(lambda: connects(proxy.address), timeout=15)
    server = origin(Recorder)
    for number in range(20):
        with open_tunnel(proxy.address, server.authority) as client:
            client.send(b"mine alone")
            client.shutdown_write()
            assert server.wait_for_ending(number + 1) == "fin"
            assert client.read_to_end() == (b"", "fin")
    assert all(record == b"mine alone" for record in server.received)


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
    import calendar
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
