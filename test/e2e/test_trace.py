"""adit trace: every step of a tunnel's life as it happens, of the tunnels asked for and no others."""

import os
import re
import socket
import subprocess
import time

import pytest

from support.adit import binary, run_adit
from support.checks import echoes, eventually
from support.client import Client, connect_head, open_tunnel, request
from support.origins import Echo, Source, closed_port
from support.users import basic, htpasswd

LINE = re.compile(r"(\S+Z) (\S+) (\S+) (\S+) (.+)")


class Trace:
    """A running `adit trace`; steps() are (id, client, target, what) so far."""

    def __init__(self, proxy, folder, *words):
        self.path = folder / f"trace{time.monotonic_ns()}"
        with open(self.path, "wb") as out:
            self.process = subprocess.Popen([binary(), "trace", "-s", proxy.socket_path, *words],
                                            stdout=out, stderr=subprocess.STDOUT)

    def text(self):
        return self.path.read_text()

    def steps(self):
        return [LINE.fullmatch(line).groups()[1:] for line in self.text().splitlines()]

    def whats(self):
        return [what for *_, what in self.steps()]

    def close(self):
        self.process.kill()
        self.process.wait(20)


@pytest.fixture
def trace(keep, tmp_path):
    """trace(proxy, *words): a trace that has begun: it has seen a tunnel that was opened for it."""
    def begin(proxy, *words):
        trace = keep(Trace(proxy, tmp_path, *words))
        if "--host" in words or not words:
            host = words[1] if words else "127.0.0.1"
            dead = f"{host}:{closed_port()}"
            def is_seen():
                request(proxy.address, connect_head(dead))
                return dead in trace.text()
            eventually(is_seen)
            trace.dead = dead
        return trace

    return begin


def life_of(trace, target):
    return [what for _, _, name, what in trace.steps() if name == target]


def test_a_whole_life_in_order(adit, origin, trace):
    server = origin(Echo)
    proxy = adit()
    seen = trace(proxy, "--host", "localhost")
    target = f"localhost:{server.port}"
    with open_tunnel(proxy.address, target) as client:
        assert echoes(client, b"x" * 100)
        client.shutdown_write()
        assert client.read_to_end() == (b"", "fin")
    eventually(lambda: "closed" in life_of(seen, target))
    life = life_of(seen, target)
    order = ["judging", "verdict on the name: continue", "resolving", "DNS on IPv4: ok, 1 address",
             "verdict on 127.0.0.1: allow by built-in", "dial 127.0.0.1: begins",
             "dial 127.0.0.1: connected", "established", "relaying", "client: FIN", "target: FIN",
             "ended by client_eof, bytes up 100, down 100", "closed"]
    assert [what for what in life if what in order] == order
    assert {"queued", "dialling"} <= set(life)
    assert {name for _, _, name, _ in seen.steps()} <= {target, seen.dead}
    ids = {number for number, _, name, _ in seen.steps() if name == target}
    assert ids == {proxy.wait_for_log(event="close")["id"]}


def test_a_refusal_and_bulk(adit, keep, trace):
    """And a reset, which ends it."""
    source = keep(Source(b"x" * (8 << 20)))
    proxy = adit()
    seen = trace(proxy)
    assert life_of(seen, seen.dead)[-3:] == ["dial 127.0.0.1: ECONNREFUSED",
                                             "answer 502 connection_refused", "closed"]
    with open_tunnel(proxy.address, source.authority) as client:
        client.read_exact(8 << 20)
        eventually(lambda: "target: bulk" in life_of(seen, source.authority))
        client.reset()
    eventually(lambda: "closed" in life_of(seen, source.authority))


def test_by_client_and_by_id(adit, origin, trace, keep):
    """One of an id ends with its tunnel."""
    server = origin(Echo)
    proxy = adit()
    mine, other = (keep(open_tunnel(proxy.address, server.authority, source=source))
                   for source in ("127.0.0.1", "127.0.5.1"))
    lines = [line.split() for line in proxy.control("ps").stdout.splitlines()]
    ids = {line[lines[0].index("CLIENT")]: line[0] for line in lines[1:]}
    by_id = trace(proxy, ids[mine.name])
    by_client = trace(proxy, "--client", "127.0.5.0/24")

    def is_seen():
        with open_tunnel(proxy.address, server.authority, source="127.0.5.2"):
            return "relaying" in by_client.whats()
    eventually(is_seen)
    other.shutdown_write()
    assert other.read_to_end() == (b"", "fin")
    assert by_id.process.poll() is None
    mine.shutdown_write()
    assert mine.read_to_end() == (b"", "fin")
    assert by_id.process.wait(20) == 0
    assert by_id.whats()[-1] == "closed" and {step[0] for step in by_id.steps()} == {ids[mine.name]}
    assert {step[1].rpartition(":")[0] for step in by_client.steps()} == {"127.0.5.1", "127.0.5.2"}
    done = proxy.control("trace", ids[mine.name])
    assert done.returncode == 1 and "no such tunnel" in done.stderr


def test_no_password_comes_in(adit, tmp_path, trace, origin):
    server = origin(Echo)
    (tmp_path / "htpasswd").write_text(htpasswd("alice"))
    path = tmp_path / "adit.conf"
    path.write_text('listen 127.0.0.1:0\nusers file "htpasswd"\nallow user alice to any, special\n')
    proxy = adit("-c", path, "-s", tmp_path / "sock", defaults=True)
    seen = Trace(proxy, tmp_path, "--host", "*.localhost")
    head = connect_head(f"a.localhost:{server.port}", basic("alice"))
    secret = re.search(rb"(?i)basic (\S+)", head).group(1).decode()

    def is_seen():
        with Client(proxy.address) as client:
            client.send(head)
            client.read_until(b"\r\n\r\n")
        return "closed" in seen.whats()
    try:
        eventually(is_seen)
        assert secret not in seen.text() and "alice" not in seen.text()
    finally:
        seen.close()


def test_a_slow_reader_is_told_what_he_lost(adit, origin):
    """And holds nobody up."""
    server = origin(Echo)
    proxy = adit()
    with socket.socket(socket.AF_UNIX) as control:
        control.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        control.settimeout(20)
        control.connect(proxy.socket_path)
        control.sendall(b"trace {}\n")
        assert control.recv(12) == b'{"ok":true}\n'
        for _ in range(400):
            with open_tunnel(proxy.address, server.authority) as client:
                client.shutdown_write()
                assert client.read_to_end() == (b"", "fin")
        data = b""
        while not re.search(rb'\{"lost":[1-9]\d*\}\n', data):
            more = control.recv(1 << 16)
            assert more
            data += more
    with open_tunnel(proxy.address, server.authority) as client:
        assert echoes(client)


def test_four_trace_at_once(adit, trace):
    proxy = adit()
    traces = [trace(proxy) for _ in range(4)]
    done = proxy.control("trace")
    assert done.returncode == 1 and "four trace already" in done.stderr
    traces[0].close()
    trace(proxy).close()


def test_the_end_of_adit_ends_it(adit, trace):
    proxy = adit()
    seen = trace(proxy)
    proxy.stop()
    assert seen.process.wait(20) == 1
    assert seen.text().splitlines()[-1].startswith("adit: the trace ended: ")


@pytest.mark.parametrize("words", [
    ["trace", "a", "b"], ["trace", "ID"], ["trace", "--client", "x"], ["trace", "--host", "a..b"],
    ["trace", "--user", "alice"],
], ids=" ".join)
def test_malformed_words(words):
    done = run_adit(*words, "-s", "/nonexistent/sock")
    assert done.returncode == 2, done
    assert done.stdout == "" and len(done.stderr.splitlines()) == 1


def trace_until_it_ends(proxy, out):
    """(status, stderr) of an `adit trace` into `out`, which takes nothing; steps come until it ends."""
    process = subprocess.Popen([binary(), "trace", "-s", proxy.socket_path], stdout=out, stderr=subprocess.PIPE)
    def has_ended():
        request(proxy.address, connect_head(f"127.0.0.1:{closed_port()}"))
        return process.poll() is not None
    eventually(has_ended)
    return process.wait(20), process.communicate()[1]


def test_output_that_nobody_takes(adit):
    proxy = adit()
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as pipe:
        assert trace_until_it_ends(proxy, pipe) == (1, b"")
    with open("/dev/full", "wb") as full:
        assert trace_until_it_ends(proxy, full) == (1, b"adit: can't write to stdout: No space left on device\n")


@pytest.mark.parametrize("answer", [b"hello\n", b'{"ok":false}\n', b'{"ok\n'])
def test_an_answer_that_makes_no_sense(tmp_path, answer):
    path = str(tmp_path / "sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        process = subprocess.Popen([binary(), "trace", "-s", path], stderr=subprocess.PIPE)
        with listener.accept()[0] as client:
            client.sendall(answer)
            assert process.wait(20) == 1
    assert process.communicate()[1] == b"adit: refused: the answer can't be read; is that the same version of adit?\n"
