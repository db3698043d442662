"""`log ... format squid`: one line at a tunnel's end and one for a refusal, ten words each, and all
that is no request on standard error."""

import re

from support.adit import parse_logfmt
from support.checks import eventually
from support.client import connect_head, open_tunnel, request
from support.origins import Echo, closed_port

LINE = re.compile(r"(\d+)\.(\d{3}) ( *\d+) (\S+) (\w+)/(\d{3}) (\d+) (\S+) (\S+) (\S+) (\S+) -")
HEAD = len("HTTP/1.1 200 Connection established\r\n\r\n")


def test_lines(adit, origin, tmp_path):
    server, path = origin(Echo), tmp_path / "access.log"
    config = tmp_path / "adit.conf"
    config.write_text(f'log "{path}" format squid\n'
                      f"deny port 1 as secret\nallow from loopback to any address loopback\n")
    proxy = adit("-c", config, "-w", "1")

    def lines(count):
        eventually(lambda: path.exists() and path.read_text().count("\n") >= count)
        return [LINE.fullmatch(line).groups()[3:] for line in path.read_text().splitlines()]

    with open_tunnel(proxy.address, server.authority) as client:
        client.send(b"x" * 1234)
        client.read_exact(1234)
        client.shutdown_write()
        client.read_to_end()
    tunnel = ("127.0.0.1", "TCP_TUNNEL", "200", str(HEAD + 1234), "CONNECT", server.authority, "-",
              "HIER_DIRECT/127.0.0.1")
    assert lines(1) == [tunnel]
    closed = f"127.0.0.1:{closed_port()}"
    for head in (connect_head("127.0.0.1:1"), connect_head(closed), b"GET / HTTP/1.1\r\n\r\n",
                 b"CONNECT a\x00b c:443 HTTP/1.1\r\n\r\n"):
        request(proxy.address, head)
    refused = [("127.0.0.1", *words) for words in (
        ("TCP_DENIED", "403", "0", "CONNECT", "127.0.0.1:1", "-", "HIER_NONE/-"),
        ("NONE_NONE", "502", "0", "CONNECT", closed, "-", "HIER_DIRECT/127.0.0.1"),
        ("NONE_NONE", "405", "0", "CONNECT", "error:invalid-request", "-", "HIER_NONE/-"))]
    assert lines(5)[1:4] == refused
    assert lines(5)[4][1:3] == ("NONE_NONE", "400")
    proxy.stop()
    assert len(lines(5)) == 5
    notices = [parse_logfmt(line) for line in proxy.stderr().splitlines() if " level=" in line]
    assert any("draining" in notice["message"] for notice in notices)


def test_half_a_line_is_ended(adit, origin, tmp_path):
    """What a full disk left of a line, when a worker ended, does not become part of the next."""
    server, path = origin(Echo), tmp_path / "access.log"
    path.write_text("whole\nhal")
    config = tmp_path / "adit.conf"
    config.write_text(f'log "{path}" format squid\nallow from loopback to any address loopback\n')
    proxy = adit("-c", config, "-w", "1")
    open_tunnel(proxy.address, server.authority).close()
    eventually(lambda: path.read_text().count("\n") == 3)
    whole, half, line = path.read_text().splitlines()
    assert (whole, half) == ("whole", "hal")
    assert LINE.fullmatch(line)
