"""Running out of descriptors and of local ports; what an idle tunnel costs."""

import os
import random
import re
import signal
import time
from pathlib import Path

import pytest

from support.checks import answers_200, echoes, eventually, works
from support.client import ESTABLISHED, Client, connect_head, open_tunnel
from support.origins import Echo, Sink, pattern
from support.page import ask


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


def has_no_connection(proxy):
    return re.search(r"connections_open\W+0\b", proxy.control("stats").stdout) is not None


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
        # A wave that overtakes the ends of the last one would find no room at all.
        eventually(lambda: has_no_connection(proxy), what="a wave stayed")
    eventually(lambda: answers_200(proxy, server), what="it never recovered")


# What one client's connections wait for, that lock nobody else out.
IDLERS = {"one byte": b"C", "half a head": b"CONNECT a.test:443 HTTP/1.1\r\nHost:",
          "a refusal to be taken": b"x\r\n\r\n"}


@pytest.mark.parametrize("limit,count", [(64, 100), (1024, 700)])
@pytest.mark.parametrize("kind", IDLERS)
def test_connections_without_a_request_make_room(adit, origin, keep, limit, count, kind):
    """More of one client's than there is room for: others are served, each of them, and one that
    is as slow but has few of them keeps its place."""
    server = origin(Echo)
    proxy = adit("-l", "127.0.0.1:0", "-l", "[::1]:0",
                 prefix=["prlimit", f"--nofile={limit}:{limit}"])
    ours, theirs = proxy.listeners
    slow = keep(Client(theirs))
    slow.send(b"CONNECT ")
    idle = [keep(Client(ours)) for _ in range(count)]
    for client in idle:
        client.send(IDLERS[kind])
    for _ in range(20):
        with open_tunnel(theirs, server.authority) as client:
            assert echoes(client)
    slow.send(connect_head(server.authority)[len("CONNECT "):])
    assert slow.read_until(b"\r\n\r\n") == ESTABLISHED
    if kind != "a refusal to be taken":
        response = idle[0].read_response()
        assert (response.status, response.error) == (408, "http_request_error")
        assert "made room" in proxy.wait_for_log(client=idle[0].name)["reason"]
    assert echoes(keep(open_tunnel(ours, server.authority)))  # and the same client, too
    assert "can't accept" not in proxy.stderr()


def is_full(proxy):
    count = {name: int(re.search(rf"{name}\W+(\d+)", proxy.control("stats").stdout).group(1))
             for name in ("connections_open", "tunnels_max")}
    return count["connections_open"] >= count["tunnels_max"]


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("kind", IDLERS)
@pytest.mark.usefixtures("many_clients")
def test_a_burst_waits_for_the_room_that_others_make(adit, keep, tmp_path, workers, kind):
    """Those who must make room are often another thread's, so that it takes a moment."""
    server = keep(Echo())
    rules = tmp_path / "rules.conf"
    rules.write_text("allow from any to any, special\n")
    proxy = adit("-c", rules, "-w", workers, "-l", "0.0.0.0:10800",
                 prefix=["prlimit", "--nofile=256:256"])
    idle = [keep(Client("127.0.0.1:10800", source="10.0.0.1")) for _ in range(120)]
    for client in idle:
        client.send(IDLERS[kind])
    eventually(lambda: is_full(proxy), what="there is room left")
    os.kill(proxy.worker_pid, signal.SIGSTOP)  # so that the burst is there at once
    burst = [keep(Client("127.0.0.1:10800", source="10.0.0.2")) for _ in range(70)]
    for client in burst:
        client.send(connect_head(server.authority))
    os.kill(proxy.worker_pid, signal.SIGCONT)
    assert [client.read_response().status for client in burst] == [200] * len(burst)
    assert "can't accept" not in proxy.stderr()


def test_the_admin_page_and_the_tunnels_have_descriptors_of_their_own(adit, origin, keep):
    server = origin(Echo)
    proxy = adit(admin=True, prefix=["prlimit", "--nofile=64:64"])
    for _ in range(100):
        client = keep(Client(proxy.admin))
        client.send(b"GET ")
    tunnels = [keep(open_tunnel(proxy.address, server.authority)) for _ in range(10)]
    assert ask(proxy.admin, "/healthz").status == 200
    assert all(echoes(tunnel) for tunnel in tunnels)
    assert not answers_200(proxy, server)  # there is no room for another
    assert ask(proxy.admin, "/metrics").status == 200


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
    eventually(lambda: proxy.descriptors() <= before + spare, what="descriptors leak")
    assert works(proxy, echo)


def test_64_local_ports_and_200_tunnels_to_one_target(adit, namespace, keep):
    """Out of local ports: an answer for those who find none, nothing for the others to notice."""
    namespace = namespace()
    namespace.set("ipv4/ip_local_port_range", "40000 40063")
    with namespace:
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


def descriptor_table(pid):
    return int(re.search(r"^FDSize:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(),
                         re.MULTILINE).group(1))


@pytest.mark.parametrize("limit,size", [(64, 64), (4096, 4096)])
def test_descriptor_table_never_grows_while_serving(adit, origin, keep, limit, size):
    """A table that grows under several threads halts all of them for 20 ms, at 64, 128, 256 ..."""
    server = origin(Echo)
    proxy = adit(prefix=["prlimit", f"--nofile={limit}:{limit}"])
    eventually(lambda: descriptor_table(proxy.worker_pid) >= size)
    for _ in range(min(200, limit // 8)):
        assert echoes(keep(open_tunnel(proxy.address, server.authority)))
    assert descriptor_table(proxy.worker_pid) == size
