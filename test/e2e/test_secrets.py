"""No password stays in adit's memory, whatever becomes of the request that brought it.

Each case sends a password of its own, keeps the connection open where it can, and then looks through
all that the worker can write to for pieces of it, in the clear and in base64.
"""

import base64
import secrets
import select

import pytest

from support.adit import is_sanitized
from support.checks import eventually
from support.client import ESTABLISHED, Client, connect_head
from support.memory import pieces_in_memory
from support.origins import Echo, closed_port
from support.page import head as page_head
from support.users import LONG_KINDS, LONG_PASSWORD, htpasswd


class Secret:
    """A password, one that nobody has unless told otherwise, and how it comes over the wire."""

    def __init__(self, user="alice", text=None):
        self.text = text or secrets.token_hex(24)
        self.token = base64.b64encode(f"{user}:{self.text}".encode()).decode()
        self.proxy_field = f"Proxy-Authorization: Basic {self.token}"
        self.field = f"Authorization: Basic {self.token}"

    def is_in(self, pid):
        return pieces_in_memory(pid, self.text.encode(), self.token.encode())


class Gate:
    """An adit with users, among them one with the long password for each kind of hash."""

    def __init__(self, adit, folder, rules="allow user any to any, special", users=True, head="20s",
                 **options):
        users_file = folder / "htpasswd"
        users_file.write_text(htpasswd("alice", "slow") + "".join(
            f"{kind}:{line}\n" for kind, line in LONG_KINDS.items()))
        path = folder / "adit.conf"
        path.write_text(f"listen 127.0.0.1:0\ntimeout head {head}\n"
                        + (f'users file "{users_file}"\nadmin 127.0.0.1:0 user alice, sha256\n'
                           if users else "admin 127.0.0.1:0\n") + rules + "\n")
        # A sanitizer's library binds its calls lazily, which saves vector registers to the stack, and
        # pieces of a head that was just copied with them; adit itself is linked with -z now.
        now = {"LD_BIND_NOW": "1"} if is_sanitized() else None
        self.proxy = adit("-c", path, "-s", folder / "sock", defaults=True, env=now, **options)
        self.address = self.proxy.address

    def expect_forgotten(self, secret, what="", timeout=10):
        pid = self.proxy.worker_pid
        eventually(lambda: not secret.is_in(pid), timeout=timeout,
                   what=f"the worker still holds the password: {what}")

    def send(self, client, data, secret, is_cut=False):
        """In two writes, the second of which waits until the first was read: that it is found in
        memory is the control of all these tests."""
        if is_cut:
            middle = data.index(secret.token.encode()) + len(secret.token) // 2
            client.send(data[:middle])
            pid = self.proxy.worker_pid
            eventually(lambda: secret.is_in(pid), timeout=10, what="nothing was read")
            data = data[middle:]
        client.send(data)


@pytest.fixture
def gate(adit, tmp_path):
    return lambda *args, **options: Gate(adit, tmp_path, *args, **options)


CUT = pytest.mark.parametrize("is_cut", [False, True], ids=["whole", "two-writes"])
FILLER = [f"X-{number}: {'x' * 200}" for number in range(60)]  # 12 KB
HEADS = {  # status, and the head
    "wrong": (407, lambda at, s: connect_head(at, s.proxy_field)),
    "long": (407, lambda at, s: connect_head(at, s.proxy_field, *FILLER)),
    "another scheme": (407, lambda at, s: connect_head(at, s.proxy_field.replace("Basic", "Bearer"))),
    "malformed": (407, lambda at, s: connect_head(at, s.proxy_field + "=")),
    "a second one": (407, lambda at, s: connect_head(at, "Proxy-Authorization: Basic x", s.proxy_field)),
    "twice": (407, lambda at, s: connect_head(at, s.proxy_field, s.proxy_field)),
    "for the target": (407, lambda at, s: connect_head(at, s.field)),
    "no port": (400, lambda at, s: connect_head("x.test", s.proxy_field)),
    "userinfo": (400, lambda at, s: connect_head(f"alice:{s.text}@x.test:443", s.proxy_field)),
    "a bad field": (400, lambda at, s: connect_head(at, s.proxy_field, "Bad Field: x")),
    "two Hosts": (400, lambda at, s: connect_head(at, s.proxy_field, "Host: x")),
    "GET": (405, lambda at, s: connect_head(at, s.proxy_field).replace(b"CONNECT", b"GET", 1)),
    "a URL": (405, lambda at, s: f"GET http://alice:{s.text}@x.test/ HTTP/1.1\r\nHost: x.test\r\n"
              f"{s.proxy_field}\r\n\r\n".encode()),
    "an unknown method": (501, lambda at, s: connect_head(at, s.proxy_field).replace(b"CONNECT", b"BREW")),
    "another version": (505, lambda at, s: connect_head(at, s.proxy_field, version="HTTP/2.0")),
    "too large": (431, lambda at, s: connect_head(at, s.proxy_field, *FILLER, *FILLER)),
    "too many fields": (431, lambda at, s: connect_head(at, s.proxy_field, *["X: x"] * 100)),
}


@CUT
def test_a_refused_head(gate, origin, keep, is_cut):
    gate, server = gate(), origin(Echo)
    sent = {}
    for name, (status, make) in HEADS.items():
        secret, client = Secret(), keep(Client(gate.address))
        data = make(server.authority, secret)
        gate.send(client, data, secret, is_cut and secret.token.encode() in data)
        assert client.read_response(has_body=False).status == status, name
        sent[name] = secret
    for name, secret in sent.items():
        gate.expect_forgotten(secret, name)


@CUT
@pytest.mark.parametrize("fields", [[], FILLER], ids=["short", "long"])
def test_an_open_tunnel(gate, origin, keep, is_cut, fields):
    gate, server = gate(), origin(Echo)
    for kind in LONG_KINDS:
        secret, client = Secret(kind, LONG_PASSWORD), keep(Client(gate.address))
        gate.send(client, connect_head(server.authority, secret.proxy_field, *fields), secret, is_cut)
        assert client.read_until(b"\r\n\r\n") == ESTABLISHED, kind
        gate.expect_forgotten(secret, kind)


@CUT
def test_nobody_asked(gate, origin, keep, is_cut):
    gate, server = gate("allow from loopback to any, special", users=False), origin(Echo)
    for field in ("proxy_field", "field"):
        secret, client = Secret(), keep(Client(gate.address))
        gate.send(client, connect_head(server.authority, getattr(secret, field)), secret, is_cut)
        assert client.read_until(b"\r\n\r\n") == ESTABLISHED
        gate.expect_forgotten(secret, field)


@CUT
def test_a_tunnel_that_fails(gate, keep, is_cut):
    gate, secret = gate(), Secret("sha256", LONG_PASSWORD)
    client = keep(Client(gate.address))
    head = connect_head(f"127.0.0.1:{closed_port()}", secret.proxy_field)
    gate.send(client, head, secret, is_cut)
    assert client.read_response().status == 502
    gate.expect_forgotten(secret)


@pytest.mark.parametrize("end", ["shutdown_write", "close", "reset", None],
                         ids=["fin", "close", "reset", "timeout"])
def test_a_head_that_never_comes_whole(gate, keep, end):
    gate, secret = gate(head="2s" if end is None else "20s"), Secret()
    client = keep(Client(gate.address))
    head = connect_head("x.test:443", secret.proxy_field)
    gate.send(client, head[:-2], secret, is_cut=True)
    if end is not None:
        getattr(client, end)()
    if end in ("shutdown_write", None):
        assert client.read_response().status == (408 if end is None else 400)
    gate.expect_forgotten(secret)


def test_a_head_that_makes_room(gate, keep):
    """As it has been answered, and not only when the connection has ended: 2 s later."""
    gate, secret = gate(prefix=("prlimit", "--nofile=64:64")), Secret()
    client = keep(Client(gate.address))
    gate.send(client, connect_head("x.test:443", secret.proxy_field)[:-2], secret, is_cut=True)
    while not select.select([client.socket], [], [], 0.1)[0]:  # and not many more than that
        keep(Client(gate.address)).send(b"C")
    assert client.read_response().status == 408
    gate.expect_forgotten(secret, timeout=1)


def test_a_client_that_leaves_while_its_password_is_hashed(gate):
    gate, secret = gate(), Secret("slow")
    for _ in range(3):
        client = Client(gate.address)
        gate.send(client, connect_head("x.test:443", secret.proxy_field), secret)
        client.reset()
    gate.expect_forgotten(secret)


def test_what_stands_behind_a_head(gate, origin, keep):
    """Who is asked for a password may have sent it with the next request already."""
    gate, server = gate(), origin(Echo)
    for first in (connect_head(server.authority), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"):
        glued, later, client = Secret(), Secret(), keep(Client(gate.address))
        client.send(first + connect_head(server.authority, glued.proxy_field))
        assert client.read_response().status in (405, 407)
        client.send(connect_head(server.authority, later.proxy_field))
        gate.expect_forgotten(glued, "glued")
        gate.expect_forgotten(later, "later")


def test_a_connection_too_many(gate, origin, keep):
    """Its request is read and dropped."""
    gate = gate("allow from loopback to any, special", users=False,
                prefix=("prlimit", "--nofile=64:64"))
    server, status = origin(Echo), 200
    while status == 200:
        secret, client = Secret(), keep(Client(gate.address))
        client.send(connect_head(server.authority, secret.proxy_field))
        status = client.read_response().status
    assert status == 503
    gate.expect_forgotten(secret)


# -- the admin page

PAGE = {  # status, and the head
    "wrong": (401, lambda s: page_head("GET", "/", s.field)),
    "long": (401, lambda s: page_head("GET", "/", s.field, *FILLER)),
    "another scheme": (401, lambda s: page_head("GET", "/", s.field.replace("Basic", "Bearer"))),
    "twice": (400, lambda s: page_head("GET", "/", s.field, s.field)),
    "two Hosts": (400, lambda s: page_head("GET", "/", s.field, "Host: x")),
    "a bad field": (400, lambda s: page_head("GET", "/", s.field, "Bad Field: x")),
    "a URL": (400, lambda s: page_head("GET", f"http://alice:{s.text}@localhost/", s.field)),
    "another host": (421, lambda s: page_head("GET", "/", s.field, host="evil.example")),
    "health": (200, lambda s: page_head("GET", "/healthz", s.field)),
    "too large": (431, lambda s: page_head("GET", "/", s.field, *FILLER, *FILLER)),
    "another version": (505, lambda s: page_head("GET", "/", s.field).replace(b"/1.1", b"/2.0")),
    "behind": (401, lambda s: page_head("GET", "/") + page_head("GET", "/", s.field)),
}


@CUT
def test_the_admin_page(gate, keep, is_cut):
    gate = gate()
    sent = {}
    for name, (status, make) in PAGE.items():
        secret, client = Secret(), keep(Client(gate.proxy.admin))
        gate.send(client, make(secret), secret, is_cut and name != "behind")
        assert client.read_response().status == status, name
        if status != 431:  # where a rest of the head would still wait
            client.send(page_head("GET", "/", secret.field))
        sent[name] = secret
    for name, secret in sent.items():
        gate.expect_forgotten(secret, name)


@pytest.mark.parametrize("path", ["/", "/metrics", "/api/tunnels", "/api/events"])
def test_the_admin_page_served(gate, keep, path):
    gate, secret, other = gate(), Secret("sha256", LONG_PASSWORD), Secret()
    client = keep(Client(gate.proxy.admin))
    client.send(page_head("GET", path, secret.field, other.proxy_field))
    assert client.read_response(has_body=False).status == 200
    gate.expect_forgotten(secret)
    gate.expect_forgotten(other, "one for a proxy")


@pytest.mark.parametrize("end", ["close", "reset"])
def test_the_admin_page_left(gate, keep, end):
    gate, secret = gate(), Secret()
    client = keep(Client(gate.proxy.admin))
    gate.send(client, page_head("GET", "/", secret.field)[:-2], secret, is_cut=True)
    getattr(client, end)()
    gate.expect_forgotten(secret)
