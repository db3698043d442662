"""What runs through a tunnel: every byte, once, in order, both ways; FIN stays FIN and RST stays
RST; nobody's slowness costs memory. Each case runs with the relay's own choice, copying only,
splicing from the first byte, and as somebody to whom the kernel refuses pipes."""

import contextlib
import fcntl
import hashlib
import os
import random
import re
import resource
import shutil
import signal
import socket
import struct
import tempfile
import threading
import time
from pathlib import Path

import pytest

from support.adit import binary, is_sanitized
from support.checks import eventually
from support.client import ESTABLISHED, Client, connect_head, open_tunnel, reset
from support.origins import (Echo, Handler, Recorder, Resetter, Sink, SlowReader, Source, pattern,
                             sha256)
from support.patience import PATIENCE_S

pytestmark = pytest.mark.parametrize("mode", ["auto", "copy", "splice", "refused"])
PIPE_BYTES = 1 << 20


@pytest.fixture
def hoard():
    """Pipes of this user, more than an ordinary one may have: the kernel refuses him another."""
    pages = int(Path("/proc/sys/fs/pipe-user-pages-soft").read_text())
    if pages == 0:
        pytest.skip("this kernel refuses nobody pipes")
    pipes = []
    try:
        for _ in range(pages * resource.getpagesize() // PIPE_BYTES + 1):
            pipes.append(os.pipe())
            try:
                fcntl.fcntl(pipes[-1][0], fcntl.F_SETPIPE_SZ, PIPE_BYTES)
            except PermissionError:  # the hoard is complete, and we are ordinary, too
                break
        yield
    finally:
        for descriptor in (end for pipe in pipes for end in pipe):
            os.close(descriptor)


def ordinary():
    """A command to be an ordinary user in the kernel's eyes, for whom pipes are counted."""
    if os.geteuid() != 0:
        return ()
    return ("setpriv", "--bounding-set", "-sys_resource,-sys_admin", "--")


def environment(mode):
    return {"ADIT_RELAY": "splice" if mode == "refused" else mode}


@pytest.fixture
def start(adit, mode, request):
    """Starts adit in this mode."""
    if mode != "refused":
        yield lambda *args: adit(*args, env=environment(mode))
        return
    request.getfixturevalue("hoard")
    started = []

    def start_refused(*args):
        started.append(adit(*args, env=environment(mode), prefix=ordinary()))
        return started[-1]

    yield start_refused
    for proxy in started:
        if not proxy.is_stopped:
            stats = proxy.control("stats").stdout
            assert re.search("^adit_pipes_refused_total [1-9]", stats, re.M)


@pytest.fixture
def proxy(start):
    return start()


def send_in_pieces(sock, data, seed, most=200_000, pauses=20):
    """data in pieces of random size, with `pauses` short pauses at random places."""
    chance = random.Random(seed)
    position, left = 0, pauses
    while position < len(data):
        size = chance.choice([1, 7, 100, 1460, 16384, 65536, chance.randrange(1, most)])
        sock.sendall(data[position:position + size])
        position += size
        if left and chance.random() < 0.2:
            left -= 1
            time.sleep(chance.random() * 0.02)


def in_thread(function, *args):
    thread = threading.Thread(target=function, args=args, daemon=True)
    thread.start()
    return thread


# -- bytes

@pytest.mark.parametrize("seed", range(4))
def test_random_chunks_both_ways(proxy, origin, seed):
    """Different data each way at the same time, random pieces and pauses, then FIN both ways."""
    up, down = pattern(3_000_000 + seed, seed), pattern(4_000_000 + seed, seed + 100)
    got = []

    def serve(connection):
        sender = in_thread(send_in_pieces, connection, down, seed)
        received = bytearray()
        while data := connection.recv(random.Random(seed).randrange(1, 100_000)):
            received += data
        got.append(bytes(received))
        sender.join()

    server = origin(Handler, serve)
    with open_tunnel(proxy.address, server.authority) as client:
        sender = in_thread(lambda: (send_in_pieces(client.socket, up, seed + 7),
                                    client.shutdown_write()))
        received, ending = client.read_to_end()
        sender.join()
    assert ending == "fin"
    assert sha256(received) == sha256(down)
    assert len(got) == 1 and sha256(got[0]) == sha256(up)
    line = proxy.wait_for_log(event="close")
    assert (int(line["up_bytes"]), int(line["down_bytes"])) == (len(up), len(down))


def test_switch_between_chat_and_bulk(proxy, origin):
    """Small messages, then bulk, then silence, then small ones again, several times over: the
    relay changes its pump in the middle of a stream."""
    server = origin(Echo)
    digest_sent, digest_got = hashlib.sha256(), hashlib.sha256()
    with open_tunnel(proxy.address, server.authority) as client:
        for round_number in range(4):
            for number in range(50):
                message = pattern(1 + number * 13, number)
                client.send(message)
                digest_sent.update(message)
                digest_got.update(client.read_exact(len(message)))
            bulk = pattern(6_000_000, round_number)
            sender = in_thread(client.send, bulk)
            digest_sent.update(bulk)
            digest_got.update(client.read_exact(len(bulk)))
            sender.join()
            time.sleep(0.3 if round_number else 2.5)  # idle pipes are given back within 2 s
        assert digest_sent.digest() == digest_got.digest()


def test_one_byte_at_a_time(proxy, origin):
    server = origin(Echo)
    data = pattern(300)
    with open_tunnel(proxy.address, server.authority) as client:
        for byte in data:
            client.send(bytes([byte]))
            assert client.read_exact(1) == bytes([byte])


def test_a_hundred_megabytes_down(proxy, origin):
    data = pattern(100_000_000, 5)
    server = origin(Source, data)
    digest, count = hashlib.sha256(), 0
    with open_tunnel(proxy.address, server.authority) as client:
        while block := client.receive(1 << 20):
            digest.update(block)
            count += len(block)
    assert (count, digest.hexdigest()) == (len(data), sha256(data))


def test_a_hundred_megabytes_up(proxy, origin):
    data = pattern(100_000_000, 6)
    server = origin(Sink)
    with open_tunnel(proxy.address, server.authority) as client:
        client.send(data)
        client.shutdown_write()
        answer, ending = client.read_to_end()
    assert answer.decode() == f"{sha256(data)} {len(data)}\n"
    assert ending == "fin"


def send_with_urgent_bytes(sock, data, seed, count=4):
    """data, of which `count` bytes at random places are sent as urgent ones; then the FIN."""
    position = 0
    for place in sorted(random.Random(seed).sample(range(len(data)), count)):
        sock.sendall(data[position:place])
        sock.send(data[place:place + 1], socket.MSG_OOB)
        position = place + 1
    sock.sendall(data[position:])
    sock.shutdown(socket.SHUT_WR)


def test_urgent_bytes_keep_their_place(proxy, origin):
    """Both ways, in the middle of bulk: a byte that is marked urgent is a byte like any other. The
    mark may come between an event and the read that it leads to, so it is tried many times."""
    got = []
    seeds = range(0, 40, 2)

    def serve(connection):
        seed = int.from_bytes(connection.recv(1, socket.MSG_WAITALL))
        sender = in_thread(send_with_urgent_bytes, connection, pattern(1_000_000, seed), seed)
        received = b"".join(iter(lambda: connection.recv(1 << 20), b""))
        sender.join()
        got.append((seed, sha256(received)))

    server = origin(Handler, serve)
    for seed in seeds:
        with open_tunnel(proxy.address, server.authority) as client:
            client.send(bytes([seed]))
            sender = in_thread(send_with_urgent_bytes, client.socket,
                               pattern(1_000_000, seed + 1), seed + 1)
            received, ending = client.read_to_end()
            sender.join()
        assert (sha256(received), ending) == (sha256(pattern(1_000_000, seed)), "fin"), seed
    eventually(lambda: len(got) == len(seeds))
    assert sorted(got) == [(seed, sha256(pattern(1_000_000, seed + 1))) for seed in seeds]


def test_urgent_bytes_of_a_chat(proxy, origin):
    """The first and the last bytes of a stream, and those behind the request's head, too."""
    server = origin(Recorder)
    with Client(proxy.address) as client:
        client.send(connect_head(server.authority))
        client.socket.send(b"1", socket.MSG_OOB)
        assert client.read_exact(len(ESTABLISHED)) == ESTABLISHED
        client.socket.send(b"2", socket.MSG_OOB)
        client.send(b"after" * 20_000)
        client.socket.send(b"3", socket.MSG_OOB)
        client.socket.send(b"4", socket.MSG_OOB)
        client.shutdown_write()
        assert server.wait_for_ending() == "fin"
    assert bytes(server.received[0]) == b"12" + b"after" * 20_000 + b"34"


def test_a_thousand_tunnels_each_with_its_own_data(proxy, origin):
    server = origin(Echo)
    clients = []
    try:
        for _ in range(1000):
            client = Client(proxy.address)
            client.send(connect_head(server.authority))
            clients.append(client)
        for client in clients:
            assert client.read_exact(len(ESTABLISHED)) == ESTABLISHED
        for turn in range(2):
            for number, client in enumerate(clients):
                client.send(pattern(1000 + number, number * 2 + turn))
            for number, client in enumerate(clients):
                expected = pattern(1000 + number, number * 2 + turn)
                assert client.read_exact(len(expected)) == expected, number
        for client in clients:
            client.shutdown_write()
        for client in clients:
            assert client.read_to_end() == (b"", "fin")
    finally:
        for client in clients:
            client.close()
    lines = proxy.wait_for_log(event="close", count=1000)
    sizes = sorted(int(line["up_bytes"]) for line in lines)
    assert sizes == sorted(2 * (1000 + number) for number in range(1000))


def test_eight_bulk_flows_beside_chats(proxy, origin):
    """Bulk never shuts the others out; everybody's bytes are his own."""
    data = pattern(20_000_000, 9)
    source, echo = origin(Source, data), origin(Echo)
    results = []

    def download():
        with open_tunnel(proxy.address, source.authority, timeout=60) as client:
            results.append(sha256(client.read_to_end()[0]))

    with open_tunnel(proxy.address, echo.authority) as chat:
        flows = [in_thread(download) for _ in range(8)]
        while any(flow.is_alive() for flow in flows):
            chat.send(b"ping")
            assert chat.read_exact(4) == b"ping"
        for flow in flows:
            flow.join()
    assert results == [sha256(data)] * 8


# -- half-close

def test_client_closes_first(proxy, origin):
    """Its FIN reaches the target; the answer comes behind it."""
    server = origin(Sink)
    with open_tunnel(proxy.address, server.authority) as client:
        client.send(b"question")
        client.shutdown_write()
        answer, ending = client.read_to_end()
    assert answer.decode() == f"{sha256(b'question')} 8\n"
    assert ending == "fin"


def test_target_closes_first(proxy, origin):
    """Its FIN reaches the client, who goes on sending for as long as it likes."""
    got = bytearray()

    def serve(connection):
        connection.sendall(b"that is all from me")
        connection.shutdown(socket.SHUT_WR)
        while data := connection.recv(65536):
            got.extend(data)

    server = origin(Handler, serve)
    data = pattern(2_000_000)
    with open_tunnel(proxy.address, server.authority) as client:
        assert client.read_to_end() == (b"that is all from me", "fin")
        time.sleep(0.5)
        send_in_pieces(client.socket, data, 1)
        client.shutdown_write()
        line = proxy.wait_for_log(event="close")
    eventually(lambda: len(got) >= len(data))  # the last ones may still be on their way
    assert bytes(got) == data
    assert int(line["up_bytes"]) == len(data)


@pytest.mark.parametrize("pause", [0, 0.5])
def test_fin_without_any_byte(proxy, origin, pause):
    server = origin(Recorder)
    with open_tunnel(proxy.address, server.authority) as client:
        time.sleep(pause)
        client.shutdown_write()
        assert server.wait_for_ending() == "fin"
        assert client.read_to_end() == (b"", "fin")
    assert proxy.wait_for_log(event="close")["closed_by"] in ("client_eof", "target_eof")


def test_long_answer_behind_a_half_close(proxy, origin):
    """The open direction moves bulk while the other one is closed."""
    data = pattern(10_000_000, 4)

    def serve(connection):
        while connection.recv(65536):
            pass
        send_in_pieces(connection, data, 3)

    server = origin(Handler, serve)
    with open_tunnel(proxy.address, server.authority) as client:
        client.send(b"go")
        client.shutdown_write()
        received, ending = client.read_to_end()
    assert (sha256(received), ending) == (sha256(data), "fin")


def test_fin_waits_for_bytes_that_are_stuck(proxy, origin):
    """The target sends a lot and closes; a client that reads slowly gets all of it, then FIN."""
    data = pattern(8_000_000, 8)
    server = origin(Source, data)
    with open_tunnel(proxy.address, server.authority, receive_buffer=8192) as client:
        time.sleep(1)
        received, ending = client.read_to_end()
    assert (sha256(received), ending) == (sha256(data), "fin")


# -- reset

def test_reset_of_the_client_reaches_the_target(proxy, origin):
    server = origin(Recorder)
    client = open_tunnel(proxy.address, server.authority)
    client.send(b"x")
    server.wait_for_accepted(1)
    time.sleep(0.1)
    client.reset()
    assert server.wait_for_ending() == "rst"
    assert proxy.wait_for_log(event="close")["closed_by"] == "client_reset"


def test_reset_of_the_target_reaches_the_client(proxy, origin):
    server = origin(Resetter, b"", after=1)
    with open_tunnel(proxy.address, server.authority) as client:
        client.send(b"x")
        assert client.read_to_end() == (b"", "rst")
    assert proxy.wait_for_log(event="close")["closed_by"] == "target_reset"


def test_reset_behind_a_few_bytes(proxy, origin):
    """Bytes sent before a reset arrive before it (the client reads at once)."""
    server = origin(Resetter, b"last words", after=1)
    with open_tunnel(proxy.address, server.authority) as client:
        client.send(b"x")
        data, ending = client.read_to_end()
    assert ending == "rst"
    assert data == b"last words"


class SendsThenResets(Handler):
    """Sends `data`, waits until the other kernel has all of it, then resets; .done is set then."""

    def __init__(self, data, **options):
        self.data = data
        self.done = threading.Event()
        super().__init__(self.serve, **options)

    def serve(self, connection):
        connection.sendall(self.data)
        wait_until_sent(connection)
        reset(connection)
        self.done.set()


def wait_until_sent(sock):
    """Until the peer's kernel has acknowledged every byte (or in vain)."""
    siocoutq = 0x5411
    deadline = time.monotonic() + PATIENCE_S
    while struct.unpack("i", fcntl.ioctl(sock, siocoutq, b"\0\0\0\0"))[0]:
        if time.monotonic() > deadline:
            return
        time.sleep(0.01)


def read_until_done(client, done):
    """Reads, in small bits, only as much as it takes for the sender to be done."""
    received = bytearray()
    while not done.wait(0.005):
        received += client.receive(20_000)
    return received


def read_slowly(client):
    parts = []
    while True:
        try:
            data = client.receive(20_000)
        except ConnectionResetError:
            return b"".join(parts), "rst"
        if not data:
            return b"".join(parts), "fin"
        parts.append(data)
        time.sleep(0.005)


@pytest.mark.parametrize("reading", ["at-once", "late", "slowly"])
def test_reset_never_overtakes_bytes_down(proxy, origin, reading):
    """The target sends 2.8 MB, then RST: every byte that left it reaches the client, then the RST."""
    data = pattern(2_800_000, 11)
    server = origin(SendsThenResets, data)
    small = None if reading == "at-once" else 100_000
    with open_tunnel(proxy.address, server.authority, receive_buffer=small) as client:
        received = bytearray()
        if reading == "late":
            received = read_until_done(client, server.done)
            time.sleep(2)
        rest, ending = read_slowly(client) if reading == "slowly" else client.read_to_end()
        received += rest
    assert len(received) == len(data)
    assert received == data
    assert ending == "rst"
    assert proxy.wait_for_log(event="close")["closed_by"] == "target_reset"


def test_reset_never_overtakes_bytes_up(proxy, origin):
    """The same from the client's side: it sends 2 MB and resets; the target reads slowly."""
    data = pattern(2_000_000, 12)
    got, endings = bytearray(), []

    def serve(connection):
        try:
            while block := connection.recv(20_000):
                got.extend(block)
                time.sleep(0.004)
            endings.append("fin")
        except ConnectionResetError:
            endings.append("rst")

    server = origin(Handler, serve, receive_buffer=100_000)
    client = open_tunnel(proxy.address, server.authority)
    client.send(data)
    wait_until_sent(client.socket)
    client.reset()
    deadline = time.monotonic() + PATIENCE_S
    while not endings:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert len(got) == len(data)
    assert got == data
    assert endings == ["rst"]


def test_a_client_that_goes_with_its_fin(proxy, origin):
    """It has sent all, and does not wait for the rest of an endless download: a FIN and a reset. All
    that it sent arrives, and the FIN behind. (Nothing is under way to it then: what comes for a
    socket that is gone has the kernel send a reset that may overtake the FIN.)"""
    poured = []  # how much, for each connection
    got = []

    def pour(connection, number):
        with contextlib.suppress(OSError):
            while True:
                poured[number] += connection.send(bytes(100_000))

    def is_stuck(number):
        before = poured[number:]
        time.sleep(0.3)
        return poured[number:] == before > [0]

    def serve(connection):
        poured.append(0)
        sender = in_thread(pour, connection, len(got))
        try:
            got.append(b"".join(iter(lambda: connection.recv(1 << 16), b"")))
        except OSError as error:
            got.append(error)
        sender.join()

    server = origin(Handler, serve)
    for number in range(3):
        client = open_tunnel(proxy.address, server.authority)
        eventually(lambda: is_stuck(number))
        client.send(b"last" * 1000)
        client.shutdown_write()
        client.close()
        eventually(lambda: len(got) > number)
    assert got == 3 * [b"last" * 1000]


def test_reset_of_one_tunnel_leaves_the_others_alone(proxy, origin):
    server = origin(Echo)
    with open_tunnel(proxy.address, server.authority) as calm:
        for number in range(50):
            storm = open_tunnel(proxy.address, server.authority)
            storm.send(pattern(100_000))
            storm.reset()
            calm.send(b"%d" % (number % 10))
            assert calm.read_exact(1) == b"%d" % (number % 10)


def test_write_error_one_way_leaves_the_other_way_alone(proxy, origin):
    """The target is gone, so what the client still sends can't be written; what the target had sent
    before is delivered in full all the same."""
    data = pattern(3_000_000, 13)
    server = origin(SendsThenResets, data)
    with open_tunnel(proxy.address, server.authority, receive_buffer=100_000) as client:
        received = read_until_done(client, server.done)
        for _ in range(10):
            client.send(b"nobody reads this" * 100)
            time.sleep(0.02)
        rest, ending = client.read_to_end()
    received += rest
    assert len(received) == len(data)
    assert received == data
    assert ending in ("rst", "fin")


# -- back-pressure and memory

def test_slow_reader_throttles_the_sender(proxy, origin, mode):
    """Nobody reads: the sender stops, memory does not grow; then every byte comes."""
    data = pattern(60_000_000, 14)
    server = origin(SlowReader)
    with open_tunnel(proxy.address, server.authority) as client:
        before = proxy.rss_kb()
        sent = []

        def send():
            view = memoryview(data)
            while view:
                count = client.socket.send(view[:1 << 18])
                sent.append(count)
                view = view[count:]
            client.shutdown_write()

        sender = in_thread(send)
        last = -1
        while sum(sent) != last:
            last = sum(sent)
            time.sleep(1)
        assert last < 40_000_000  # kernel buffers and a pipe, not all of it
        if not is_sanitized():
            assert proxy.rss_kb() - before < 4096
        server.go()
        sender.join()
        answer, _ = client.read_to_end()
    assert answer.decode() == f"{sha256(data)} {len(data)}\n"


def test_client_that_does_not_read(proxy, origin):
    """The same the other way, with a second tunnel that must not notice."""
    data = pattern(60_000_000, 15)
    source, echo = origin(Source, data), origin(Echo)
    with open_tunnel(proxy.address, source.authority) as lazy:
        before = proxy.rss_kb()
        time.sleep(2)
        with open_tunnel(proxy.address, echo.authority) as busy:
            for _ in range(20):
                busy.send(b"ping")
                assert busy.read_exact(4) == b"ping"
        if not is_sanitized():
            assert proxy.rss_kb() - before < 4096
        received, ending = lazy.read_to_end()
    assert (sha256(received), ending) == (sha256(data), "fin")


class Unread:
    """Tunnels of a client that reads nothing, to somebody who reads nothing. Both ends' windows
    are tiny: where adit's send buffers are, too, adit holds what either end sends."""

    def __init__(self, proxy):
        self.proxy = proxy
        self.pairs = []
        self.target = socket.socket()
        self.target.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self.target.bind(("127.0.0.1", 0))
        self.target.listen(500)

    def open(self, count):
        clients = []
        for _ in range(count):
            client = Client(self.proxy.address, receive_buffer=2048)
            client.send(connect_head("{}:{}".format(*self.target.getsockname())))
            clients.append(client)
        pairs = [(client.socket, self.target.accept()[0]) for client in clients]
        for client in clients:
            assert client.read_exact(len(ESTABLISHED)) == ESTABLISHED
        self.pairs += pairs
        return pairs

    def send(self, pairs, size):
        """From either end, and at once: what adit holds of a direction, it read in one go."""
        os.kill(self.proxy.worker_pid, signal.SIGSTOP)
        for end in (end for pair in pairs for end in pair):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 200_000)
            end.setblocking(False)
            assert end.send(bytes(size)) == size
        os.kill(self.proxy.worker_pid, signal.SIGCONT)

    def close(self):
        for end in (end for pair in self.pairs for end in pair):
            reset(end)
        self.target.close()


def test_unread_tunnels_stop_nobody(start, origin, namespace, keep):
    """Thousands of tunnels in which nobody reads, more than may be held for them: what
    others download comes all the same, and what is held stays within 64 MiB. (In a namespace where
    the kernel holds hardly anything: its memory for TCP is one for all tests that run.)"""
    data = pattern(30_000_000, 16)
    namespace = namespace()
    namespace.ip("link", "set", "lo", "mtu", "1500")  # else a segment is larger than what is sent
    namespace.set("ipv4/tcp_wmem", "1 1 1")
    with namespace:
        proxy, source = start("-w", "1"), origin(Source, data)
        before = proxy.rss_kb()
        unread = keep(Unread(proxy))
        for _ in range(12):
            unread.send(unread.open(50), 66_000)  # 64 KiB is read at once ...
        for _ in range(18):
            unread.send(unread.open(100), 6_000)  # ... and nothing that can't be held
        for _ in range(2):
            with open_tunnel(proxy.address, source.authority) as client:
                received, ending = client.read_to_end()
            assert (sha256(received), ending) == (sha256(data), "fin")
        if not is_sanitized():
            assert proxy.rss_kb() - before < (64 + 16) * 1024


def test_idle_tunnels_own_two_descriptors_and_no_buffer(proxy, origin):
    """After traffic, too: pipes and buffers go back."""
    server = origin(Echo)
    clients = [open_tunnel(proxy.address, server.authority) for _ in range(5)]
    time.sleep(0.5)
    few = proxy.descriptors()
    more = [open_tunnel(proxy.address, server.authority) for _ in range(100)]
    for client in more:
        data = pattern(400_000)
        sender = in_thread(client.send, data)
        assert client.read_exact(len(data)) == data
        sender.join()
    deadline = time.monotonic() + PATIENCE_S
    spare = 2 * proxy.workers * 2  # "idle pipes but one per thread are closed within 2 s"
    while proxy.descriptors() > few + 2 * len(more) + spare:
        assert time.monotonic() < deadline, (few, proxy.descriptors())
        time.sleep(0.1)
    for client in clients + more:
        client.close()
    proxy.wait_for_log(event="close", count=105)
    deadline = time.monotonic() + PATIENCE_S
    while proxy.descriptors() > few - 2 * len(clients) + spare:
        assert time.monotonic() < deadline, (few, proxy.descriptors())
        time.sleep(0.1)


def test_a_stuck_reader_holds_no_pipe(proxy, origin):
    """However fast it was before: nothing is read that it has no room for, so nothing waits in a
    pipe, and others find one."""
    source = origin(Source, pattern(20_000_000, 17))
    clients = []
    with open_tunnel(proxy.address, source.authority) as first:
        first.read_exact(20_000_000)  # whatever is opened once is open
    proxy.wait_for_log(event="close")
    few = proxy.descriptors()
    try:
        for _ in range(60):
            client = open_tunnel(proxy.address, source.authority, receive_buffer=65536)
            client.read_exact(4_000_000)
            clients.append(client)
        spare = 2 * proxy.workers * 2
        eventually(lambda: proxy.descriptors() <= few + 2 * len(clients) + spare)
    finally:
        for client in clients:
            client.close()


def test_ordinary_user_runs_out_of_pipes(adit, origin, monkeypatch, mode):
    """Without root's rights the kernel grants about 64 big pipes: 100 bulk flows at once are
    carried all the same, the rest of them by copying."""
    folder = Path(tempfile.mkdtemp(prefix="adit-test-"))
    try:
        prefix = []
        if int(Path("/proc/self/uid_map").read_text().split()[2]) > 65534:
            folder.chmod(0o777)
            prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        shutil.copy(binary(), folder / "adit")  # the build folder may be closed to others
        monkeypatch.setenv("ADIT", str(folder / "adit"))
        proxy = adit("-l", "127.0.0.1:0", "-s", folder / "sock", prefix=prefix,
                     env=environment(mode))
        carry_bulk_flows(proxy, origin(Source, pattern(3_000_000, 21)), 100)
        proxy.stop()
    finally:
        shutil.rmtree(folder)


def carry_bulk_flows(proxy, source, count):
    """`count` downloads at once, each read in turns, so that all of them are stuck at times."""
    digests = [hashlib.sha256() for _ in range(count)]
    clients = [open_tunnel(proxy.address, source.authority, receive_buffer=65536)
               for _ in range(count)]
    live = dict(zip(clients, digests))
    while live:
        for client, digest in list(live.items()):
            block = client.receive(1 << 17)
            digest.update(block)
            if not block:
                client.close()
                del live[client]
    expected = sha256(source.data)
    assert all(digest.hexdigest() == expected for digest in digests)
