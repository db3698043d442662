"""The books balance: tunnels of every kind of ending and refusals of every kind make exactly the
lines that they should, field by field, and the sums over the log, the metrics, and what was really
sent agree to the byte.

Everything happens in a namespace of its own with a scripted name server, so that even the failures
of names and routes are on purpose.
"""

import json
import re
import signal
import socket
from collections import Counter
from urllib.parse import quote

import pytest

from support.adit import split_address
from support.checks import eventually
from support.client import ESTABLISHED, Client, connect_head
from support.logs import entries, whole_lines
from support.metrics import scrape
from support.names import NXDOMAIN, SERVFAIL, SILENT, Answer, ScriptedNames
from support.origins import Blackhole, Echo, Recorder, Resetter, Source, closed_port, pattern
from support.users import basic, htpasswd

ZONE = {
    "open.test": Answer("127.0.0.1"),
    "internal.test": Answer("127.0.0.1"),
    "nowhere.test": Answer("192.0.2.1"),
    "empty.test": Answer(),
    "missing.test": Answer(rcode=NXDOMAIN),
    "broken.test": Answer(rcode=SERVFAIL),
    "silent.test": SILENT,
}
CONFIG = """listen 127.0.0.1:0
users file "htpasswd"
log "access.log" format {log_format}
resolver timeout 500ms
timeout head 500ms
timeout dial 500ms
timeout half-closed 1s
timeout stuck 1s
timeout idle 3s
timeout drain 1s
limit tunnels 1 per user
deny to *.ads.test as "no ads"
deny port 9
allow to internal.test as "by name"
report deny to asked.test as "asked"
allow user alice to asked.test as "asked's"
allow user alice to loopback port {guarded} as "alice's"
report deny port {watched} as "watched"
allow from 127.0.0.1 to any, special as "open"
"""
LISTENER, PORT_9_RULE = "127.0.0.1", "adit.conf:13"
# The counters that every line belongs to one of, then the others that are booked.
BOOKED = [*(f'adit_tunnels_total{{front="h1",outcome="{outcome}"}}'
            for outcome in ("established", "denied", "asked", "failed", "cancelled")),
          "adit_requests_refused_total", "adit_auth_failures_total", "adit_reported_total",
          *(f'adit_bytes_total{{direction="{direction}"}}' for direction in ("up", "down"))]
# What says how long something took is checked to be there, not to be equal.
LOOSE = ("time", "stamp", "id", "reason", "dns_ms", "dial_ms", "duration_ms")
BULK_UP, BULK_DOWN = pattern(3_000_000, 1), pattern(2_500_000, 2)


class World:
    """A running adit, and the book of what its log must say.

    expected   the log's lines, without the fields in LOOSE
    sums       what its counters must say, by name
    """

    def __init__(self, adit, namespace, etc, keep, folder, mode, log_format):
        self.keep, self.log_format, self.folder = keep, log_format, folder
        self.namespace = namespace()
        self.namespace.own("10.0.0.0/8")
        self.expected, self.sums, self.looked_up = [], {}, []
        with self.namespace:
            names = keep(ScriptedNames(ZONE))
            self.guarded, self.watched = self.start(Echo), self.start(Echo)
            (folder / "htpasswd").write_text(htpasswd("alice"))
            (folder / "adit.conf").write_text(CONFIG.format(
                log_format=log_format, guarded=self.guarded.port, watched=self.watched.port))
            self.proxy = adit("-c", folder / "adit.conf", "-w", "1", "-s", folder / "sock",
                              "-a", "127.0.0.1:0",
                              defaults=True, env={"ADIT_RELAY": mode},
                              etc=etc(resolv_conf=names.resolv_conf))

    def start(self, kind, *args, **options):
        with self.namespace:
            return self.keep(kind(*args, **options))

    def client(self, **options):
        with self.namespace:
            client = Client(self.proxy.address, **options)
        client.own_name = client.name
        return client

    # -- the log

    def log(self):
        """Its events; the notices about the process itself are no matter here."""
        text = (self.folder / "access.log").read_text()
        lines = entries(whole_lines(text), self.log_format)
        return [line for line in lines if "level" not in line]

    def lines_expected(self):
        if self.log_format != "squid":
            return self.expected
        return [as_squid(line) for line in self.expected if line["event"] != "open"]

    def wait_for_lines(self):
        eventually(lambda: len(self.log()) >= len(self.lines_expected()),
                   what=f"{len(self.log())} of {len(self.lines_expected())} lines")

    def expect(self, event, client, **fields):
        line = {"event": event, "client": client.own_name, "listener": self.proxy.address,
                "http": "1.1", **fields}
        self.expected.append({key: value for key, value in line.items() if value is not None})

    def count(self, name, amount=1):
        self.sums[name] = self.sums.get(name, 0) + amount

    # -- tunnels

    def open(self, target, server=None, fields=(), receive_buffer=None, **line):
        """A client whose tunnel is open, and the line that says so."""
        client = self.client(receive_buffer=receive_buffer)
        client.send(connect_head(target, *fields))
        assert client.read_response(has_body=False).status == 200
        client.line = {"target": target, "address": server.authority if server else target,
                       "verdict": "allow", "rule": "open", **line}
        self.expect("open", client, status=200, **client.line)
        self.count('adit_tunnels_total{front="h1",outcome="established"}')
        return client

    def closed(self, client, closed_by, up, down):
        self.expect("close", client, closed_by=closed_by, up_bytes=up, down_bytes=down,
                    **client.line)
        self.count('adit_bytes_total{direction="up"}', up)
        self.count('adit_bytes_total{direction="down"}', down)
        client.close()
        self.wait_for_lines()

    # -- refusals

    def refuse(self, target, status, error, counted, head=None, fields=(), event="deny",
               verdict="allow", rule="open", source=None, **line):
        with self.client(source=source) as client:
            client.send(head or connect_head(target, *fields))
            assert client.read_response().status == status
            client.read_to_end()
        self.expect(event, client, target=target, status=status, error=error, verdict=verdict,
                    rule=rule, **line)
        self.count(counted)
        self.wait_for_lines()

    def asked(self, target, **line):
        self.refuse(target, 407, "http_request_denied",
                    'adit_tunnels_total{front="h1",outcome="asked"}',
                    **{"verdict": "ask", **line})

    def denied(self, target, status=403, error="http_request_denied", **line):
        self.refuse(target, status, error, 'adit_tunnels_total{front="h1",outcome="denied"}',
                    **{"verdict": "deny", **line})

    def failed(self, target, status, error, **line):
        self.refuse(target, status, error, 'adit_tunnels_total{front="h1",outcome="failed"}', **line)

    def malformed(self, head, status, target=None):
        self.refuse(target, status, "http_request_error", "adit_requests_refused_total", head=head,
                    verdict=None, rule=None, http=None)

    # -- the audit

    def check_log(self):
        self.wait_for_lines()
        lines, all_expected = self.log(), self.lines_expected()
        strict = [{key: value for key, value in line.items() if key not in LOOSE}
                  for line in lines]
        wrong = [(number, sorted(line.items() ^ expected.items()))
                 for number, (line, expected) in enumerate(zip(strict, all_expected), 1)
                 if line != expected]
        assert not wrong, "\n".join(map(str, wrong))
        assert len(strict) == len(all_expected)
        if self.log_format == "squid":
            return
        assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)
        for line in lines:
            check_loose_fields(line)
        check_ids(lines)

    def counters(self):
        """Every series of /metrics."""
        with self.namespace:
            return scrape(self.proxy)

    def check_stats(self):
        """`adit stats` says the same, in the same words."""
        said = self.proxy.control("stats").stdout
        said = {name: int(value) for name, value in re.findall(r"^(adit_\S+) (\d+)$", said, re.M)}
        for name in BOOKED:
            assert said[name] == self.sums.get(name, 0), name

    def check_counters(self):
        booked = {name: self.sums.get(name, 0) for name in BOOKED}
        booked["adit_tunnels_open"] = 0
        found = {}

        def is_balanced():  # a counter moves a moment behind its line
            series = self.counters().series
            found.update({name: series.get(name) for name in booked})
            return found == booked

        try:
            eventually(is_balanced)
        finally:
            assert found == booked
        self.check_stats()
        if self.log_format == "squid":  # a line a tunnel, whose bytes are those to the client
            assert self.sums['adit_bytes_total{direction="down"}'] == sum(
                line["bytes"] - len(ESTABLISHED) for line in self.log()
                if line["code"] == "TCP_TUNNEL")
        else:
            self.check_sums()

    def check_sums(self):
        """The log and the metrics agree without the test's help."""
        lines, metrics = self.log(), self.counters()
        closed = [line for line in lines if line["event"] == "close"]
        for direction in ("up", "down"):
            passed = sum(line[f"{direction}_bytes"] for line in closed)
            assert metrics.get("adit_bytes_total", direction=direction) == passed
            assert metrics.get("adit_tunnel_bytes_sum", direction=direction) == passed
        assert metrics.get("adit_tunnel_seconds_count") == len(closed)
        assert metrics.get("adit_tunnels_total") + metrics.get(
            "adit_requests_refused_total") == len(lines) - len(closed)
        for family, field in (("adit_dns_seconds", "dns_ms"), ("adit_dial_seconds", "dial_ms")):
            waits = [line[field] for line in lines if field in line and line["event"] != "close"]
            assert metrics.get(family + "_count") == len(waits)
            assert round(1000 * metrics.get(family + "_sum")) == sum(waits)
        for name, label, tally in (
                ("adit_errors_total", "error", Counter(
                    line["error"] for line in lines if "error" in line)),
                ("adit_denied_total", "rule", Counter(
                    line["rule"] for line in lines if line.get("verdict") == "deny"))):
            counted = metrics.by(name, label)
            assert {key: value for key, value in counted.items() if value} == tally, name


def as_squid(line):
    """The same event as squid's native log has it."""
    code, size = "NONE_NONE", 0
    if line["event"] == "close":
        code, size = "TCP_TUNNEL", line["down_bytes"] + len(ESTABLISHED)
    elif line["event"] == "auth_failure" or line.get("verdict") in ("deny", "ask"):
        code = "TCP_DENIED"
    elif "status" not in line:
        code = "NONE_NONE_ABORTED"
    status = 200 if line["event"] == "close" else line.get("status", 0)
    return {
        "client": split_address(line["client"])[0], "code": code, "status": status, "bytes": size,
        "method": "CONNECT",
        "target": quote(line["target"], safe="-._:/[]@+,~") if "target" in line
        else "error:invalid-request",
        "user": quote(line["user"], safe="-._:/[]@+,~") if "user" in line else "-",
        "hierarchy": "HIER_DIRECT" if "address" in line else "HIER_NONE",
        "address": split_address(line["address"])[0] if "address" in line else "-", "type": "-"}


def check_loose_fields(line):
    is_name = bool(re.search(r"[a-z]", line.get("target", "")))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    assert ("reason" in line) == (line["event"] in ("deny", "auth_failure")), line
    assert ("duration_ms" in line) == (line["event"] == "close")
    if line["event"] in ("open", "close"):
        assert "dial_ms" in line
        assert ("dns_ms" in line) == is_name, line
    elif line.get("error", "").startswith(("dns_", "destination_")):
        assert ("dns_ms" in line) == is_name, line


def check_ids(lines):
    """A tunnel's two lines share an id, nobody else has it, and the open comes first."""
    events = {}
    for line in lines:
        events.setdefault(line["id"], []).append(line["event"])
    assert set(map(tuple, events.values())) <= {("open", "close"), ("deny",), ("auth_failure",)}


@pytest.fixture
def world(adit, namespace, etc, keep, tmp_path):
    def make(mode="auto", log_format="json"):
        return World(adit, namespace, etc, keep, tmp_path, mode, log_format)

    return make


# -- endings

def end_by_client(world):
    """Chat, then bulk up and down; the client is done first."""
    echo = world.start(Echo)
    client = world.open(f"open.test:{echo.port}", echo)
    for message in (b"x", b"hello" * 100):
        client.send(message)
        assert client.read_exact(len(message)) == message
    client.shutdown_write()
    assert client.read_to_end() == (b"", "fin")
    world.closed(client, "client_eof", 501, 501)


class Taker(Recorder):
    """Reads `size` bytes, sends `data`, then FIN, then waits for the client's."""

    def __init__(self, size, data):
        self.size, self.data = size, data
        super().__init__()

    def handle(self, connection):
        left = self.size
        while left:
            left -= len(connection.recv(min(left, 1 << 18)))
        connection.sendall(self.data)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""


def end_by_target(world):
    """Megabytes each way, with the first of them right behind the head."""
    server = world.start(Taker, len(BULK_UP), BULK_DOWN)
    client = world.open(server.authority)
    client.send(BULK_UP)
    assert client.read_to_end() == (BULK_DOWN, "fin")
    client.shutdown_write()
    world.closed(client, "target_eof", len(BULK_UP), len(BULK_DOWN))


def reset_by_client(world):
    server = world.start(Recorder)
    client = world.open(server.authority)
    client.send(b"a few bytes")
    eventually(lambda: server.received and server.received[0] == b"a few bytes")
    client.reset()
    world.closed(client, "client_reset", 11, 0)


def reset_by_target(world):
    server = world.start(Resetter, after=7)
    client = world.open(server.authority)
    client.send(b"trigger")
    assert client.read_to_end() == (b"", "rst")
    world.closed(client, "target_reset", 7, 0)


def end_idle(world):
    echo = world.start(Echo)
    client = world.open(echo.authority)
    client.send(b"ping")
    assert client.read_exact(4) == b"ping"
    client.read_to_end()
    world.closed(client, "idle_timeout", 4, 4)


class Holder(Recorder):
    """Reads to FIN and then holds its own side open until the test is over."""

    def __init__(self):
        self.held = []
        super().__init__()

    def handle(self, connection):
        self.held.append(connection.dup())
        super().handle(connection)

    def close(self):
        for connection in self.held:
            connection.close()
        super().close()


def end_half_closed(world):
    server = world.start(Holder)
    client = world.open(server.authority)
    client.send(b"question")
    client.shutdown_write()
    client.read_to_end()
    world.closed(client, "half_closed_timeout", 8, 0)


def end_stuck(world):
    """The client reads nothing until adit gives the tunnel up: what it finds then in its own
    kernel and in adit's is all that was passed on."""
    server = world.start(Source, pattern(30_000_000, 3))
    client = world.open(server.authority, receive_buffer=65536)
    world.wait_for_lines()
    before = len(world.log())
    eventually(lambda: len(world.log()) > before)
    received, _ = client.read_to_end()
    assert len(received) > 65536
    world.closed(client, "stuck_timeout", 0, len(received))


def end_of_a_user(world):
    """alice's tunnel, and the second one that her limit forbids meanwhile."""
    target = world.guarded.authority
    client = world.open(target, fields=[basic("alice")], user="alice", rule="alice's")
    world.failed(target, 429, "connection_limit_reached", fields=[basic("alice")], user="alice",
                 rule=None)
    client.shutdown_write()
    client.read_to_end()
    world.closed(client, "client_eof", 0, 0)


def end_killed(world):
    """An operator ends it by its id."""
    echo = world.start(Echo)
    client = world.open(echo.authority)
    client.send(b"ping")
    assert client.read_exact(4) == b"ping"
    identity = json.loads(world.proxy.control("ps", "--json").stdout)["id"]
    assert world.proxy.control("kill", identity).returncode == 0
    client.read_to_end()
    world.closed(client, "killed", 4, 4)


def end_reported(world):
    """A rule that only reports is named in every line of the tunnel, and counted once."""
    client = world.open(world.watched.authority, report="watched")
    client.shutdown_write()
    client.read_to_end()
    world.closed(client, "client_eof", 0, 0)
    world.count("adit_reported_total")


ENDINGS = [end_by_client, end_by_target, reset_by_client, reset_by_target, end_idle,
           end_half_closed, end_stuck, end_of_a_user, end_killed,
           end_reported]


# -- refusals

def refuse_by_policy(world):
    world.denied("x.ads.test:443", rule="no ads")
    world.denied("open.test:9", rule=PORT_9_RULE)
    world.denied("open.test:443", source="127.0.0.66", rule="default")
    world.denied("internal.test:443", error="destination_ip_prohibited", rule="by name",
                 source="127.0.0.66")
    world.denied(world.proxy.address, 502, "proxy_loop_detected", rule="default")


def refuse_who_asks(world):
    target = world.guarded.authority
    world.asked(target, rule="alice's")
    world.asked("asked.test:443", rule="asked's")  # the request that answers will be reported
    world.asked(target, rule=None, fields=["Proxy-Authorization: Negotiate x"])
    for name in ("alice", 'mallory" event=open', "a control\ncharacter"):
        guess_wrong(world, None if "\n" in name else name, name)
    for number in range(10):
        guess_wrong(world, "bob", "bob", f"wrong{number}", source="10.0.0.99")
    world.denied(target, 429, fields=[basic("bob", "wrong")], user="bob", verdict=None, rule=None,
                 source="10.0.0.99")


def guess_wrong(world, shown, name, password="wrong", **options):
    world.denied(world.guarded.authority, 407, event="auth_failure", verdict=None, rule=None,
                 fields=[basic(name, password)], user=shown, **options)
    world.count("adit_auth_failures_total")


def refuse_what_is_no_request(world):
    """What is no well-formed CONNECT is not believed: at most its target is shown."""
    world.malformed(b"CONNECT open.test HTTP/1.1\r\n\r\n", 400, "open.test")
    world.malformed(b"CONNECT open.test:1 HTTP/1.1\r\nbad field\r\n\r\n", 400)
    world.malformed(b"GET / HTTP/1.0\r\n\r\n", 405)
    world.malformed(b"BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n", 501)
    world.malformed(b"CONNECT open.test:1 HTTP/2.0\r\n\r\n", 505, "open.test:1")
    world.malformed(b"CONNECT open.test:1 HTTP/1.1\r\nx: y\r\n", 408)
    world.malformed(b"CONNECT " + b"x" * 20000 + b":1 HTTP/1.1\r\n\r\n", 414)
    world.malformed(b"CONNECT open.test:1 HTTP/1.1\r\n" + b"x: y\r\n" * 200 + b"\r\n", 431)


def refuse_what_fails(world):
    with world.namespace:
        refused = f"127.0.0.1:{closed_port()}"
    blackhole = world.start(Blackhole)
    world.failed("missing.test:443", 502, "dns_error")
    world.failed("broken.test:443", 502, "dns_error")
    world.failed("empty.test:443", 502, "destination_not_found")
    world.failed("silent.test:443", 504, "dns_timeout")
    world.failed(refused, 502, "connection_refused", address=refused)
    world.failed("nowhere.test:443", 502, "destination_ip_unroutable", address="192.0.2.1:443")
    world.failed(blackhole.authority, 504, "connection_timeout", address=blackhole.authority)


def leave_early(world):
    """The client goes while its target is dialled."""
    blackhole = world.start(Blackhole)
    client = world.client()
    client.send(connect_head(blackhole.authority))
    eventually(lambda: world.counters().get("adit_connections_open") == 1)
    client.reset()
    world.expect("deny", client, target=blackhole.authority, verdict="allow", rule="open")
    world.count('adit_tunnels_total{front="h1",outcome="cancelled"}')
    world.wait_for_lines()


REFUSALS = [refuse_by_policy, refuse_who_asks, refuse_what_is_no_request, refuse_what_fails,
            leave_early]


@pytest.mark.parametrize("log_format", ["json", "logfmt", "squid"])
@pytest.mark.parametrize("mode", ["copy", "splice"])
def test_the_books_balance(world, mode, log_format):
    world = world(mode, log_format)
    for act in ENDINGS + REFUSALS:
        act(world)
    world.check_log()
    world.check_counters()


def test_drained(world):
    """What still lives when the time of a drain is over."""
    world = world()
    echo = world.start(Echo)
    client = world.open(echo.authority)
    client.send(b"ping")
    assert client.read_exact(4) == b"ping"
    world.proxy.signal(signal.SIGTERM)
    client.read_to_end()
    world.closed(client, "drained", 4, 4)
    assert world.proxy.wait() == 0
    world.check_log()
