"""Real servers on loopback, each a thread that accepts and a thread for each connection.

All have .host, .port, .authority ("127.0.0.1:4321", as CONNECT names it), .accepted (how many
connections came) and close(). A failure inside a handler that is no plain end of the connection
is kept in .errors, which the fixture `origin` checks at the end of the test.
"""

import hashlib
import random
import select
import socket
import threading
import time

from .client import reset
from .patience import PATIENCE_S


def pattern(size, seed=0):
    """size bytes that look random and are the same for the same seed."""
    return random.Random(seed).randbytes(size)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class Server:
    """Accepts; a kind says in handle(connection) what one connection gets."""

    def __init__(self, host="127.0.0.1", port=0, backlog=4096, receive_buffer=None):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if receive_buffer:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.listener.bind((host, port))
        self.listener.listen(backlog)
        self.host, self.port = self.listener.getsockname()[:2]
        self.authority = f"[{self.host}]:{self.port}" if ":" in host else f"{self.host}:{self.port}"
        self.accepted = 0
        self.peers = []
        self.errors = []
        self.live = set()
        self.is_closed = False
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while not self.is_closed:
            try:
                connection, peer = self.listener.accept()
            except OSError:
                return
            if self.is_closed:
                connection.close()
                return
            self.accepted += 1
            self.peers.append(peer)
            self.live.add(connection)
            threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection):
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.handle(connection)
        except OSError:
            pass
        except Exception as error:  # kept for the fixture, which fails the test with it
            self.errors.append(repr(error))
        finally:
            self.live.discard(connection)
            try:
                connection.close()
            except OSError:
                pass

    def handle(self, connection):
        raise NotImplementedError

    def wait_for_accepted(self, count, timeout=PATIENCE_S):
        deadline = time.monotonic() + timeout
        while self.accepted < count:
            assert time.monotonic() < deadline, f"{self.accepted} of {count} connections came"
            time.sleep(0.01)

    def close(self):
        self.is_closed = True
        try:
            self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept(), which close() does not
        except OSError:
            pass
        self.listener.close()
        for connection in list(self.live):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Echo(Server):
    """Returns every byte; on FIN sends what is left, then FIN."""

    def handle(self, connection):
        while True:
            data = connection.recv(1 << 16)
            if not data:
                connection.shutdown(socket.SHUT_WR)
                return
            connection.sendall(data)


class Source(Server):
    """Sends `data`, then FIN, then waits for the client's FIN."""

    def __init__(self, data, **options):
        self.data = data
        super().__init__(**options)

    def handle(self, connection):
        connection.sendall(self.data)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1 << 16):
            pass


class Sink(Server):
    """Reads to FIN, then answers with "<sha256> <count>\\n" and FIN. Keeps it in .results too."""

    def __init__(self, **options):
        self.results = []
        super().__init__(**options)

    def handle(self, connection):
        digest, count = hashlib.sha256(), 0
        while data := connection.recv(1 << 18):
            digest.update(data)
            count += len(data)
        self.results.append((digest.hexdigest(), count))
        connection.sendall(f"{digest.hexdigest()} {count}\n".encode())


class Banner(Server):
    """Speaks first, as SMTP and SSH do, then echoes."""

    def __init__(self, banner=b"220 banner.test ready\r\n", **options):
        self.banner = banner
        super().__init__(**options)

    def handle(self, connection):
        connection.sendall(self.banner)
        Echo.handle(self, connection)


class Recorder(Server):
    """Keeps what each connection sent (.received, a list of bytearray) and how it ended
    (.endings: "fin" or "rst"); answers nothing, and its own FIN comes only after the client's."""

    def __init__(self, **options):
        self.received = []
        self.endings = []
        super().__init__(**options)

    def handle(self, connection):
        record = bytearray()
        self.received.append(record)
        try:
            while data := connection.recv(1 << 16):
                record += data
            self.endings.append("fin")
        except ConnectionResetError:
            self.endings.append("rst")

    def wait_for_ending(self, count=1, timeout=PATIENCE_S):
        deadline = time.monotonic() + timeout
        while len(self.endings) < count:
            assert time.monotonic() < deadline, f"endings: {self.endings}"
            time.sleep(0.01)
        return self.endings[count - 1]


class Handler(Server):
    """A server from a function of the connection, for what one test alone needs."""

    def __init__(self, function, **options):
        self.function = function
        super().__init__(**options)

    def handle(self, connection):
        self.function(connection)


class Resetter(Server):
    """Reads `after` bytes, sends `data`, then resets."""

    def __init__(self, data=b"", after=0, **options):
        self.data = data
        self.after = after
        super().__init__(**options)

    def handle(self, connection):
        left = self.after
        while left:
            data = connection.recv(left)
            if not data:
                break
            left -= len(data)
        if self.data:
            connection.sendall(self.data)
        reset(connection)


class SlowReader(Sink):
    """Reads nothing until go() is called, then to FIN, and answers as Sink does."""

    def __init__(self, **options):
        self.gate = threading.Event()
        options.setdefault("receive_buffer", 1 << 16)
        super().__init__(**options)

    def go(self):
        self.gate.set()

    def handle(self, connection):
        self.gate.wait(60)
        super().handle(connection)

class Blackhole:
    """An address that never answers a SYN: a listener whose backlog is full and stays so."""

    def __init__(self, host="127.0.0.1", port=0):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((host, port))
        self.listener.listen(0)
        self.host, self.port = self.listener.getsockname()[:2]
        self.authority = f"[{self.host}]:{self.port}" if ":" in host else f"{self.host}:{self.port}"
        self.errors = []
        self.fillers = []
        for _ in range(4):
            filler = socket.socket(family, socket.SOCK_STREAM)
            filler.setblocking(False)
            filler.connect_ex((self.host, self.port))
            self.fillers.append(filler)
        time.sleep(0.05)
        pending = [filler for filler in self.fillers
                   if not select.select([], [filler], [], 0)[1]]
        assert pending, "the backlog does not fill"

    def close(self):
        for filler in self.fillers:
            filler.close()
        self.listener.close()


def closed_port(host="127.0.0.1"):
    """A port where nobody listens."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.bind((host, 0))
        return sock.getsockname()[1]
