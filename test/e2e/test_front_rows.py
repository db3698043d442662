"""A front-end is a row and a file: adit with a throw-away one more (test/front), on one port with
HTTP/1, through the same tunnels, rules, log and metrics."""

import signal
from pathlib import Path

import pytest

from support.adit import binary
from support.checks import echoes, eventually
from support.client import Client, Response, open_tunnel
from support.origins import Echo
from support.users import PASSWORDS, htpasswd


@pytest.fixture
def line_adit(adit, monkeypatch):
    monkeypatch.setenv("ADIT", str(Path(binary()).parent / "test" / "front" / "adit-line"))
    return adit


def ask(client, line):
    client.send(line.encode())
    return client.read_until(b"\n").decode()


def test_a_tunnel(line_adit, origin):
    server = origin(Echo)
    proxy = line_adit("-a", "127.0.0.1:0")
    with Client(proxy.address) as client:
        assert ask(client, f"OPEN {server.authority}\nearly") == "OK\n"
        assert client.read_exact(5) == b"early"
        assert echoes(client)
        client.shutdown_write()
        assert client.read_to_end() == (b"", "fin")
    with open_tunnel(proxy.address, server.authority) as client:
        assert echoes(client)
    closed = proxy.wait_for_log(event="close", count=2)
    assert [line.get("front") for line in closed] == ["line", None]
    assert [line.get("http") for line in closed] == [None, "1.1"]
    stats = proxy.control("stats").stdout
    for front in ("line", "h1"):
        assert f'adit_tunnels_total{{front="{front}",outcome="established"}} 1\n' in stats
    assert "adit_connections_open 0\n" in stats


def test_bytes_one_by_one(line_adit, origin):
    """The first ones do not tell yet whose they are: O may be an HTTP method's."""
    server = origin(Echo)
    proxy = line_adit()
    with Client(proxy.address) as client:
        for byte in f"OPEN {server.authority}\n".encode():
            client.send(bytes([byte]))
        assert client.read_until(b"\n") == b"OK\n"
        assert echoes(client)
    with Client(proxy.address) as client:
        for byte in b"OPTIONS * HTTP/1.1\r\n\r\n":
            client.send(bytes([byte]))
        assert Response(client.read_until(b"\r\n\r\n")).status == 405


def test_refusals(line_adit, tmp_path):
    path = tmp_path / "adit.conf"
    path.write_text('listen 127.0.0.1:0\ndeny to ads.example as "advertising"\nallow from loopback to any\n')
    proxy = line_adit("-c", path)
    with Client(proxy.address) as client:
        assert ask(client, "OPEN ads.example:443\n") == "NO 403 denied by policy (rule advertising)\n"
        assert client.read_to_end() == (b"", "fin")
    denied = proxy.wait_for_log(event="deny", target="ads.example:443")
    assert denied["front"] == "line" and denied["rule"] == "advertising" and "http" not in denied
    with Client(proxy.address) as client:
        assert ask(client, "OPEN nonsense\n").startswith("NO 400 ")
    with Client(proxy.address) as client:
        assert ask(client, "OPEN " + "x" * 600).startswith("NO 400 ")
    assert proxy.wait_for_log(event="deny", status="400", count=2)[0]["front"] == "line"


def test_who_asks_is_known_before_the_target(line_adit, origin, tmp_path):
    server = origin(Echo)
    (tmp_path / "htpasswd").write_text(htpasswd("alice"))
    path = tmp_path / "adit.conf"
    path.write_text(f'listen 127.0.0.1:0\nusers file "{tmp_path}/htpasswd"\n'
                    "allow user alice to any, special\n")
    proxy = line_adit("-c", path)
    with Client(proxy.address) as client:
        assert ask(client, f"AUTH alice:{PASSWORDS['alice']}\n") == "OK\n"
        assert ask(client, f"OPEN {server.authority}\n") == "OK\n"
        assert echoes(client)
    assert proxy.wait_for_log(event="open")["user"] == "alice"
    with Client(proxy.address) as client:
        assert ask(client, f"OPEN {server.authority}\n").startswith("NO 407 ")
    with Client(proxy.address) as client:
        assert ask(client, "AUTH alice:wrong\n").startswith("NO 407 ")
        assert client.read_to_end() == (b"", "fin")
    failure = proxy.wait_for_log(event="auth_failure")
    assert failure["front"] == "line" and failure["user"] == "alice" and "target" not in failure


def test_credentials_that_nobody_asked_for(line_adit, origin):
    """Without users they are ignored, as with HTTP/1."""
    server = origin(Echo)
    proxy = line_adit()
    with Client(proxy.address) as client:
        assert ask(client, "AUTH alice:anything\n") == "OK\n"
        assert ask(client, f"OPEN {server.authority}\n") == "OK\n"
        assert echoes(client)
    assert "user" not in proxy.wait_for_log(event="open")


def test_a_drain(line_adit):
    proxy = line_adit()
    with Client(proxy.address) as begun:
        begun.send(b"OPEN 127.0.0")
        eventually(lambda: "adit_connections_open 1" in proxy.control("stats").stdout)
        proxy.signal(signal.SIGTERM)
        assert begun.read_until(b"\n").startswith(b"NO 503 ")
    assert proxy.wait() == 0
