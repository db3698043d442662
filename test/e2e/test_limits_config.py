"""`limit tunnels`, `limit rate`, `limit bandwidth`: who is refused, with which words, who is not, and
that bytes flow as fast as the limit says (within a factor of two, over seconds)."""

import json
import os
import threading
import time

import pytest

from support.checks import echoes, eventually
from support.client import ESTABLISHED, Client, connect_head
from support.origins import Echo, Handler, Server, Sink
from support.users import basic, htpasswd

PER_S = 200_000
WARM_UP_S, MEASURED_S = 1.5, 3
ONE, OTHER = "10.0.0.9", "10.0.0.8"

pytestmark = pytest.mark.usefixtures("many_clients")


class Limited:
    """An adit with limits; with users when a limit is per user."""

    def __init__(self, adit, folder, limits, *args, **options):
        self.config = folder / "adit.conf"
        (folder / "htpasswd").write_text(htpasswd("alice", "bob"))
        self.write(limits)
        self.proxy = adit("-c", self.config, *args, **options)

    def write(self, limits):
        who = "user any" if "per user" in limits else "from any"
        users = 'users file "htpasswd"\n' if "per user" in limits else ""
        self.config.write_text(f"{limits}\n{users}allow {who} to any, special\n")

    def client(self, server, source="127.0.0.1", user=None, listener=None):
        client = Client(listener or self.proxy.address, source=source)
        client.send(connect_head(server.authority, *([basic(user)] if user else [])))
        return client

    def open(self, *args, **options):
        client = self.client(*args, **options)
        assert client.read_until(b"\r\n\r\n") == ESTABLISHED
        return client

    def tunnels(self):
        return [json.loads(line) for line in self.proxy.control("ps", "--json").stdout.splitlines()]

    def refusal(self, *args, **options):
        with self.client(*args, **options) as client:
            return client.read_response()


@pytest.fixture
def limited(adit, tmp_path):
    return lambda limits, *args, **options: Limited(adit, tmp_path, limits, *args, **options)


def check_refusal(limited, response, status, limit):
    assert (response.status, response.error) == (status, "connection_limit_reached")
    assert int(response.get("Retry-After")) > 0
    assert response.get("Connection") == "close"
    line = limited.proxy.wait_for_log(status=status)
    assert limit in line["reason"]
    assert limit in response.body.decode()


# -- tunnels

# (limit, status, the ones that count together, one that is not of them)
ALICE, BOB = {"user": "alice"}, {"user": "bob"}
COUNTED = {
    "limit tunnels": (503, [{}, {"source": ONE}], None),
    "limit tunnels per client": (429, [{"source": ONE}] * 2, {"source": OTHER}),
    "limit tunnels per user": (429, [ALICE, dict(ALICE, source=ONE)], BOB),
}


@pytest.mark.parametrize("limit", COUNTED)
def test_tunnels(limited, origin, keep, limit):
    status, together, other = COUNTED[limit]
    limited = limited(limit.replace("tunnels", "tunnels 2"))
    server = origin(Echo)
    held = [keep(limited.open(server, **options)) for options in together]
    for options in together:
        check_refusal(limited, limited.refusal(server, **options), status, limit)
    if other:
        assert echoes(keep(limited.open(server, **other)))
    for client in held:
        assert echoes(client)
    held[0].close()
    eventually(lambda: limited.refusal(server, **together[0]).status == 200)


@pytest.mark.parametrize("one,same,other", [
    ("2001:db8::1", "2001:db8::ffff:0:0:2", "2001:db8:0:1::1"),
    ("127.0.0.1", "127.9.9.9", "10.0.0.1"),
    ("10.0.0.1", "10.0.0.1", "10.0.0.2")])
def test_who_is_one_client(limited, origin, keep, one, same, other):
    limited = limited("limit tunnels 1 per client", "-l", "[::]:10801", "-l", "0.0.0.0:10800")
    server = origin(Echo)
    listener = "[2001:db8::]:10801" if ":" in one else "127.0.0.1:10800"
    held = keep(limited.open(server, source=one, listener=listener))
    check_refusal(limited, limited.refusal(server, source=same, listener=listener), 429,
                  "limit tunnels per client")
    assert echoes(keep(limited.open(server, source=other, listener=listener)))
    shown = {row["client"] for row in limited.tunnels()}
    assert held.name in shown  # people see the address itself


def test_a_refused_dial_gives_its_place_back(limited, origin, keep):
    limited = limited("limit tunnels 1 per client")
    server = origin(Echo)
    port = server.port
    server.close()
    for _ in range(5):
        assert limited.refusal(server).status == 502
    assert echoes(keep(limited.open(keep(Echo(port=port)))))


def test_limits_change_at_reload(limited, origin, keep):
    """Tunnels that are open go on, and count."""
    limited = limited("limit tunnels 1 per client")
    server = origin(Echo)
    first = keep(limited.open(server))
    assert limited.refusal(server).status == 429
    limited.write("limit tunnels 2 per client")
    assert limited.proxy.control("reload").returncode == 0
    second = keep(limited.open(server))
    assert limited.refusal(server).status == 429
    limited.write("limit tunnels 1 per client")
    assert limited.proxy.control("reload").returncode == 0
    assert echoes(first) and echoes(second)
    second.close()
    limited.proxy.wait_for_log(event="close")
    assert limited.refusal(server).status == 429
    first.close()
    eventually(lambda: limited.refusal(server).status == 200)


# -- rate

RATES = {
    "limit rate per client": ({"source": ONE}, {"source": OTHER}),
    "limit rate per user": (ALICE, BOB),
}


@pytest.mark.parametrize("limit", RATES)
def test_rate(limited, origin, limit):
    """A burst of one second's worth is served, the rest is told when to come again."""
    one, other = RATES[limit]
    limited = limited(limit.replace("rate", "rate 5/s"))
    server = origin(Echo)
    limited.refusal(server, **other)  # hashes are computed now, not while tunnels are counted
    started = time.monotonic()
    statuses = [limited.refusal(server, **one).status for _ in range(60)]
    seconds = time.monotonic() - started
    assert set(statuses) == {200, 429}
    assert 5 <= statuses.count(200) <= 5 + 5 * seconds + 1
    check_refusal(limited, _until_refused(limited, server, one), 429, limit)
    assert limited.refusal(server, **other).status == 200
    eventually(lambda: limited.refusal(server, **one).status == 200)


def _until_refused(limited, server, options):
    for _ in range(100):
        response = limited.refusal(server, **options)
        if response.status != 200:
            return response
    raise AssertionError("the rate is not limited")


# -- bandwidth

class Firehose(Server):
    """Sends for ever."""

    def handle(self, connection):
        block = bytes(1 << 16)
        while True:
            connection.sendall(block)


def flow(clients):
    """Bytes per second that come down through each client, over seconds, behind the first burst."""
    for client in clients:
        client.socket.setblocking(False)
    counts = [0] * len(clients)
    warm = time.monotonic() + WARM_UP_S
    end = warm + MEASURED_S
    while (now := time.monotonic()) < end:
        for i, client in enumerate(clients):
            try:
                size = len(client.socket.recv(1 << 20))
            except BlockingIOError:
                continue
            counts[i] += size if now >= warm else 0
        time.sleep(0.005)
    return [count / MEASURED_S for count in counts]


def is_near(rate, limit=PER_S):
    return limit / 2 <= rate <= limit * 2


@pytest.fixture(params=["copy", "splice"])
def mode(request):
    return {"env": {"ADIT_RELAY": request.param}}


def test_bandwidth_of_a_tunnel(limited, origin, keep, mode):
    """Each tunnel for itself."""
    limited = limited(f"limit bandwidth {PER_S // 1000}k/s per tunnel", **mode)
    server = origin(Firehose)
    rates = flow([keep(limited.open(server)) for _ in range(2)])
    assert all(map(is_near, rates)), rates


@pytest.mark.parametrize("per,one,other", [
    ("client", {"source": ONE}, {"source": OTHER}), ("user", ALICE, BOB)],
    ids=["client", "user"])
def test_bandwidth_is_shared(limited, origin, keep, mode, per, one, other):
    """Three tunnels of one share what a single one of another has for himself."""
    limited = limited(f"limit bandwidth {PER_S // 1000}k/s per {per}", **mode)
    server = origin(Firehose)
    clients = [keep(limited.open(server, **options)) for options in (one, one, one, other)]
    rates = flow(clients)
    assert is_near(sum(rates[:3])), rates
    assert is_near(rates[3]), rates
    assert all(rate > PER_S / 30 for rate in rates), rates  # nobody starves


def test_bandwidth_upwards(limited, origin, keep, mode):
    """And every byte arrives."""
    limited = limited(f"limit bandwidth {PER_S // 1000}k/s per tunnel", **mode)
    client = keep(limited.open(origin(Sink)))
    size = 5 * PER_S
    started = time.monotonic()
    client.send(bytes(size))
    client.shutdown_write()
    answer, ending = client.read_to_end()
    seconds = time.monotonic() - started
    assert answer.split()[1] == str(size).encode()
    assert ending == "fin"
    assert is_near(size / seconds), seconds


def test_directions_are_apart(limited, origin, keep, mode):
    """Up and down at once: each has the whole."""
    limited = limited(f"limit bandwidth {PER_S // 1000}k/s per tunnel", **mode)
    received = [0]

    def both(connection):
        threading.Thread(target=read_all, args=(connection,), daemon=True).start()
        while True:
            connection.sendall(bytes(1 << 16))

    def read_all(connection):
        while data := connection.recv(1 << 20):
            received[0] += len(data)

    def write_all(client):
        while True:
            try:
                client.socket.send(bytes(1 << 14))
            except BlockingIOError:
                time.sleep(0.005)
            except OSError:
                return  # closed at the end of the test

    client = keep(limited.open(origin(Handler, both)))
    client.socket.setblocking(False)
    threading.Thread(target=write_all, args=(client,), daemon=True).start()
    began, before = time.monotonic(), received[0]
    down = flow([client])[0]
    up = (received[0] - before) / (time.monotonic() - began)
    assert is_near(down) and is_near(up), (up, down)


def test_waiting_costs_no_time(limited, origin, keep, mode):
    """Twenty throttled tunnels: the worker sleeps, it does not spin."""
    limited = limited("limit bandwidth 100k/s per client", **mode)
    server = origin(Firehose)
    clients = [keep(limited.open(server)) for _ in range(20)]

    def cpu_s():
        with open(f"/proc/{limited.proxy.worker_pid}/stat") as file:
            fields = file.read().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = cpu_s()
    flow(clients)
    assert cpu_s() - before < (WARM_UP_S + MEASURED_S) / 4


def test_a_throttled_tunnel_holds_up_nobody(limited, origin, keep):
    limited = limited("limit bandwidth 50k/s per client")
    greedy = keep(limited.open(origin(Firehose), source=ONE))
    server = origin(Echo)
    for _ in range(20):
        with limited.open(server) as client:
            assert echoes(client)
    assert greedy.receive()
