"""The access log: one `open` and one `close` for a tunnel, one `deny` for a refusal, exact fields,
exact counts, and nothing that an outsider can forge or a secret that leaks."""

import re
from urllib.parse import unquote

import pytest

from support.checks import eventually
from support.client import Client, connect_head, open_tunnel, request
from support.logs import entries
from support.origins import Echo, Resetter, Sink, Source, closed_port, pattern
from support.users import basic, htpasswd

ORDER = ("time id event client listener user http target address verdict rule status error reason "
         "dns_ms dial_ms up_bytes down_bytes duration_ms closed_by protocol sni alpn ja4").split()
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
SECRET = "c2VzYW1lOm9wZW4="  # and what it encodes: sesame:open


def check_form(line):
    """What every line of the access log obeys."""
    assert TIME.fullmatch(line["time"])
    assert re.fullmatch(r"[0-9A-Za-z_-]{4,24}", line["id"])
    places = [ORDER.index(name) for name in line]
    assert places == sorted(places), list(line)
    for name in ("dns_ms", "dial_ms", "up_bytes", "down_bytes", "duration_ms", "status"):
        assert name not in line or line[name].isdigit()


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_one_open_and_one_close(adit, origin, version):
    server = origin(Echo)
    proxy = adit()
    with Client(proxy.address) as client:
        name = client.name
        client.send(connect_head(server.authority, version=f"HTTP/{version}"))
        client.read_until(b"\r\n\r\n")
        opened = proxy.wait_for_log(event="open")
        client.send(b"x" * 1234)
        assert client.read_exact(1234)
        assert not proxy.log_lines(event="close")
        client.shutdown_write()
        client.read_to_end()
    closed = proxy.wait_for_log(event="close")
    for line in (opened, closed):
        check_form(line)
        assert line["client"] == name
        assert line["listener"] == proxy.address
        assert line["http"] == version
        assert line["target"] == server.authority
        assert line["address"] == server.authority
        assert line["verdict"] == "allow"
        assert line["rule"] not in ("", "default")
        assert line["dial_ms"].isdigit()
        assert "error" not in line and "user" not in line
    assert opened["id"] == closed["id"]
    assert "up_bytes" not in opened and "closed_by" not in opened
    assert (closed["up_bytes"], closed["down_bytes"]) == ("1234", "1234")
    assert closed["duration_ms"].isdigit()
    assert closed["closed_by"] == "client_eof"
    proxy.stop()
    assert len(proxy.log_lines()) == 2


def test_names_are_shown_as_normalised(adit, origin):
    server = origin(Echo)
    proxy = adit()
    for host in ("LocalHost.", "[::FFFF:127.0.0.1]"):
        open_tunnel(proxy.address, f"{host}:{server.port}").close()
    lines = proxy.wait_for_log(event="open", count=2)
    assert {line["target"] for line in lines} == {f"localhost:{server.port}",
                                                  f"127.0.0.1:{server.port}"}
    assert {line["address"] for line in lines} == {f"127.0.0.1:{server.port}"}


def test_ipv6(adit, origin):
    server = origin(Echo, host="::1")
    proxy = adit("-l", "[::1]:0")
    with open_tunnel(proxy.address, f"[0:0:0:0:0:0:0:1]:{server.port}") as client:
        line = proxy.wait_for_log(event="open")
        assert line["client"] == client.name
    assert line["listener"] == proxy.address
    assert line["target"] == line["address"] == f"[::1]:{server.port}"


REFUSALS = [
    (b"CONNECT bad HTTP/1.1\r\n\r\n", "400", "http_request_error"),
    (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "405", "http_request_error"),
    (b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", "501", "http_request_error"),
    (b"CONNECT a:1 HTTP/2.0\r\nHost: x\r\n\r\n", "505", "http_request_error"),
    (connect_head(f"127.0.0.1:{closed_port()}"), "502", "connection_refused"),
]


@pytest.mark.parametrize("head,status,error", REFUSALS, ids=[status for _, status, _ in REFUSALS])
def test_one_line_for_a_refusal(adit, head, status, error):
    proxy = adit()
    with Client(proxy.address) as client:
        name = client.name
        client.send(head)
        client.read_response()
    line = proxy.wait_for_log(event="deny")
    check_form(line)
    assert (line["status"], line["error"]) == (status, error)
    assert line["client"] == name
    assert line["listener"] == proxy.address
    proxy.stop()
    assert len(proxy.log_lines()) == 1


def test_loop_is_logged(adit):
    proxy = adit()
    request(proxy.address, connect_head(proxy.address))
    line = proxy.wait_for_log(event="deny")
    assert (line["status"], line["error"]) == ("502", "proxy_loop_detected")
    assert line["target"] == proxy.address


# -- counts

@pytest.mark.parametrize("mode", ["auto", "copy", "splice"])
def test_bytes_are_counted_exactly(adit, origin, mode):
    """Early bytes, bulk, both directions, several tunnels."""
    proxy = adit(env={"ADIT_RELAY": mode})
    sink = origin(Sink)
    expected = []
    for size in (0, 1, 4096, 1_234_567, 7_654_321):
        data = pattern(size, size)
        with open_tunnel(proxy.address, sink.authority, early=data[:5000]) as client:
            client.send(data[5000:])
            client.shutdown_write()
            answer, _ = client.read_to_end()
        expected.append((size, len(answer)))
    source = origin(Source, pattern(3_333_333))
    with open_tunnel(proxy.address, source.authority) as client:
        client.shutdown_write()
        assert len(client.read_to_end()[0]) == 3_333_333
    expected.append((0, 3_333_333))
    lines = proxy.wait_for_log(event="close", count=len(expected))
    counted = [(int(line["up_bytes"]), int(line["down_bytes"])) for line in lines]
    assert sorted(counted) == sorted(expected)


def test_a_thousand_tunnels_have_two_lines_each(adit, origin):
    server = origin(Echo)
    proxy = adit()
    for _ in range(1000):
        open_tunnel(proxy.address, server.authority).close()
    lines = proxy.wait_for_log(event="close", count=1000)
    opened = proxy.log_lines(event="open")
    assert len(lines) == len(opened) == 1000
    assert {line["id"] for line in opened} == {line["id"] for line in lines}
    assert len({line["id"] for line in lines}) == 1000
    for line in lines + opened:
        check_form(line)


def test_ids_differ_between_runs(adit, origin):
    server = origin(Echo)
    seen = set()
    for _ in range(3):
        proxy = adit()
        for _ in range(20):
            open_tunnel(proxy.address, server.authority).close()
        seen |= {line["id"] for line in proxy.wait_for_log(event="open", count=20)}
    assert len(seen) == 60


def test_nothing_is_lost_at_the_end(adit, origin):
    """Tunnels that live when a second signal ends it get their `close` line, too."""
    server = origin(Echo)
    proxy = adit()
    clients = [open_tunnel(proxy.address, server.authority) for _ in range(50)]
    proxy.stop()
    assert len(proxy.log_lines(event="open")) == 50
    assert len(proxy.log_lines(event="close")) == 50
    for client in clients:
        client.close()


def test_closed_by(adit, origin):
    proxy = adit()
    echo, source, resetter = origin(Echo), origin(Source, b"bye"), origin(Resetter, after=1)

    def ending(server, act):
        before = len(proxy.log_lines(event="close"))
        with open_tunnel(proxy.address, server.authority) as client:
            act(client)
        eventually(lambda: len(proxy.log_lines(event="close")) > before)
        return proxy.log_lines(event="close")[-1]["closed_by"]

    def half_close(client):
        client.shutdown_write()
        client.read_to_end()

    def read_first(client):
        client.read_to_end()
        client.shutdown_write()

    def be_reset(client):
        client.send(b"x")
        client.read_to_end()

    assert ending(echo, half_close) == "client_eof"
    assert ending(source, read_first) == "target_eof"
    assert ending(echo, lambda client: client.reset()) == "client_reset"
    assert ending(resetter, be_reset) == "target_reset"


# -- outsiders

HOSTILE = [
    b'CONNECT a"b:443 HTTP/1.1\r\n\r\n',
    b"CONNECT a\\:443 HTTP/1.1\r\n\r\n",
    b'CONNECT x"\\ntime=2000-01-01T00:00:00.000Z:1 HTTP/1.1\r\n\r\n',
    b"CONNECT event=open,verdict=allow HTTP/1.1\r\n\r\n",
    b"CONNECT =:443 HTTP/1.1\r\n\r\n",
    b"CONNECT \xff\xfe\xe2\x80\xa8:443 HTTP/1.1\r\n\r\n",
    b"CONNECT \x1b[31mred:443 HTTP/1.1\r\n\r\n",
    b"CONNECT a\x00b:443 HTTP/1.1\r\n\r\n",
    b"CONNECT a:443\rtime=x HTTP/1.1\r\n\r\n",
    b"CONNECT " + b"%" * 15000 + b":443 HTTP/1.1\r\n\r\n",
    b"CONNECT " + b'"' * 15000 + b":443 HTTP/1.1\r\n\r\n",
    b'ev"il=x event=open a HTTP/1.1\r\n\r\n',
    b"GET /?a=b%0aevent=open&\"c HTTP/1.1\r\n\r\n",
    b"GET http://a/\x7f HTTP/1.1\r\n\r\n",
    b"CONNECT ok:443 HTTP/1.1\r\nHost: a\r\nevent=open\r\n\r\n",
    b"CONNECT ok:443 HTTP/9.9\"event=open\r\n\r\n",
]


HARMFUL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
HOSTILE_USERS = ["null", "\x85\x9b2J", "k\xe4se \u2029\u2066\u200f\u061c\ufffd", 'x" event=open', '","event":"open","user":"', "a\\", "é\u2028", "\u202e",
                 "x 0 9.9.9.9 TCP_TUNNEL/200 0 CONNECT a:1 - HIER_DIRECT/9.9.9.9 -",
                 "100% %n %s", "y" * 200, '"' * 200]


@pytest.fixture(params=["logfmt", "json", "squid"])
def formatted(adit, request, tmp_path):
    """An adit that asks for passwords, its log, and the format of that."""
    (tmp_path / "htpasswd").write_text(htpasswd("alice"))
    path = tmp_path / "adit.conf"
    path.write_text(f'listen 127.0.0.1:0\nusers file "htpasswd"\nlog "log" format {request.param}\n'
                    "allow from loopback user any to any, special\n")
    proxy = adit("-c", path, "-s", tmp_path / "sock", defaults=True)
    return proxy, tmp_path / "log", request.param


def only_event(proxy, path, log_format, event):
    """The one event in the log, which is well-formed from its first byte to its last."""
    eventually(lambda: b"\n" in path.read_bytes())
    proxy.stop()
    raw = path.read_bytes()
    text = raw.decode()  # UTF-8, or this fails
    assert not HARMFUL.search(text), "what moves a cursor, or turns text around"
    lines = entries(text, log_format)
    lines = [line for line in lines if "level" not in line]
    assert len(lines) == 1 and len(raw.splitlines()[0]) < 2048
    if log_format == "squid":
        assert lines[0]["code"] in ("TCP_DENIED", "NONE_NONE") and lines[0]["bytes"] == 0
        lines[0]["user"] = unquote(lines[0]["user"])
    else:
        check_form({name: str(value) for name, value in lines[0].items()})
        assert lines[0]["event"] == event
    return lines[0]


@pytest.mark.parametrize("head", HOSTILE, ids=lambda head: repr(head[:30]))
def test_lines_cannot_be_forged(formatted, head):
    """Whatever stands in the request: one line, all of it well-formed, and it is a deny."""
    proxy, *log = formatted
    request(proxy.address, head)
    only_event(proxy, *log, "deny")


@pytest.mark.parametrize("user", HOSTILE_USERS, ids=lambda user: ascii(user[:20]))
def test_users_cannot_forge_lines(formatted, user):
    proxy, *log = formatted
    request(proxy.address, connect_head("a.test:1", basic(user, "wrong")))
    line = only_event(proxy, *log, "auth_failure")
    name = user.partition(":")[0]
    shown = line["user"]  # or the beginning of it, which squid's format does not say
    if shown != name:
        assert len(shown) > 100 and (shown.endswith("...") or log[1] == "squid")
        assert name.startswith(shown.removesuffix("..."))


def test_target_is_shown_as_it_came(adit):
    proxy = adit()
    request(proxy.address, b'CONNECT a"b\\c=d:443 HTTP/1.1\r\n\r\n')
    assert proxy.wait_for_log(event="deny")["target"] == 'a"b\\c=d:443'


def test_credentials_appear_nowhere(adit, origin):
    server = origin(Echo)
    proxy = adit()
    fields = (f"Proxy-Authorization: Basic {SECRET}", f"Authorization: Basic {SECRET}",
              "Cookie: s=sesame")
    answers = []
    for head in (connect_head(server.authority, *fields),
                 connect_head(f"127.0.0.1:{closed_port()}", *fields),
                 connect_head("sesame:open@127.0.0.1:443", *fields),
                 connect_head("u:sesame/x@127.0.0.1:443"), connect_head("u:sesame?x@h.test:443"),
                 connect_head("u:sesame#x@h.test:443"), connect_head("http://u:sesame://x@h.test/"),
                 connect_head("h.test:443@u:sesame"), connect_head("[::1]:sesame/@h.test:443"),
                 b"GET http://u:sesame/x@h.test/ HTTP/1.1\r\n\r\n",
                 b"GET http://sesame:open@h/?token=sesame HTTP/1.1\r\n" + "\r\n".join(fields).encode()
                 + b"\r\n\r\n",
                 connect_head("h:443", *fields, " folded")):
        with Client(proxy.address) as client:
            client.send(head)
            client.shutdown_write()
            answers.append(client.read_to_end()[0])
    proxy.stop()
    assert len(proxy.log_lines()) == 13
    for text in [proxy.stderr().encode(), *answers]:
        assert SECRET.encode() not in text
        assert b"sesame" not in text
