"""A client that sees every byte: sends what it is told, in the pieces it is told, and can tell
an orderly end (FIN) from a reset."""

import socket
import struct
import time

from .adit import split_address
from .patience import PATIENCE_S

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
IPV6_FREEBIND = 78


class Response:
    """An answer's head, and its body when it had a Content-Length."""

    def __init__(self, head):
        self.raw = head
        lines = head.decode("latin-1").split("\r\n")
        assert lines[-2:] == ["", ""], f"the head does not end with an empty line: {head!r}"
        self.status_line = lines[0]
        self.version, status, self.reason = lines[0].split(" ", 2)
        self.status = int(status)
        self.fields = [tuple(line.split(": ", 1)) for line in lines[1:-2]]
        self.body = b""

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name):
        values = self.all(name)
        assert len(values) <= 1, f"{len(values)} {name} fields"
        return values[0] if values else None

    @property
    def error(self):
        """The token of Proxy-Status (RFC 9209)."""
        text = self.get("Proxy-Status") or ""
        for part in text.split("; "):
            if part.startswith("error="):
                return part[len("error="):]
        return None


class Client:
    """A TCP connection, to adit by address text ("127.0.0.1:10800") or to anybody."""

    def __init__(self, address, source=None, timeout=PATIENCE_S, receive_buffer=None,
                 send_buffer=None):
        host, port = split_address(address) if isinstance(address, str) else address
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:  # before connect, or the window is announced without it
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if send_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        self.socket.settimeout(timeout)
        if source:
            if family == socket.AF_INET6:  # an address of Namespace.own
                self.socket.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
            self.socket.bind((source, 0))
        self.socket.connect((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def name(self):
        """Our own end as adit logs it."""
        host, port = self.socket.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    # -- sending

    def send(self, data):
        self.socket.sendall(data)

    def send_chunks(self, chunks, pause=0.0):
        for chunk in chunks:
            self.socket.sendall(chunk)
            if pause:
                time.sleep(pause)

    def shutdown_write(self):
        self.socket.shutdown(socket.SHUT_WR)

    # -- receiving

    def receive(self, size=65536):
        """Some bytes, or b"" at FIN; ConnectionResetError at a reset."""
        if self.buffer:
            data, self.buffer = self.buffer[:size], self.buffer[size:]
            return data
        return self.socket.recv(size)

    def read_exact(self, size):
        parts = []
        while size:
            data = self.receive(min(size, 1 << 20))
            assert data, f"the end came {size} bytes early, behind {b''.join(parts)[-200:]!r}"
            parts.append(data)
            size -= len(data)
        return b"".join(parts)

    def read_until(self, mark):
        data = b""
        while mark not in data:
            more = self.receive()
            assert more, f"the end came before {mark!r}: {data!r}"
            data += more
        end = data.index(mark) + len(mark)
        self.buffer = data[end:] + self.buffer
        return data[:end]

    def read_to_end(self):
        """(every byte that still comes, "fin" or "rst")."""
        parts = []
        while True:
            try:
                data = self.receive(1 << 20)
            except ConnectionResetError:
                return b"".join(parts), "rst"
            if not data:
                return b"".join(parts), "fin"
            parts.append(data)

    def read_response(self, has_body=True):
        """The head, and a body of exactly Content-Length."""
        response = Response(self.read_until(b"\r\n\r\n"))
        length = response.get("Content-Length")
        if length and has_body:
            response.body = self.read_exact(int(length))
        return response

    def is_silent(self, seconds):
        """Whether nothing, no FIN either, comes within so many seconds."""
        if self.buffer:
            return False
        before = self.socket.gettimeout()
        self.socket.settimeout(seconds)
        try:
            self.buffer = self.socket.recv(1, socket.MSG_PEEK)[:0]
            return False
        except (TimeoutError, socket.timeout):
            return True
        finally:
            self.socket.settimeout(before)

    # -- ending

    def close(self):
        self.socket.close()

    def reset(self):
        reset(self.socket)


def reset(sock):
    """Close with a RST instead of a FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def connect_head(target, *fields, version="HTTP/1.1", host=True):
    """The bytes of a CONNECT request."""
    lines = [f"CONNECT {target} {version}"]
    if host:
        lines.append(f"Host: {target}")
    return "\r\n".join([*lines, *fields, "", ""]).encode("latin-1")


def request(address, head, **options):
    """One request to adit, the answer read to its end: (Response, what came behind it, ending)."""
    with Client(address, **options) as client:
        client.send(head)
        response = client.read_response()
        rest, ending = client.read_to_end()
        return response, rest, ending


def open_tunnel(address, target, early=b"", **options):
    """A Client whose tunnel to target is open; fails unless the answer is exactly the 200."""
    client = Client(address, **options)
    try:
        client.send(connect_head(target) + early)
        head = client.read_until(b"\r\n\r\n")
        assert head == ESTABLISHED, head
    except BaseException:
        client.close()
        raise
    return client
