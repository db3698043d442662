"""HTTP/1 on the wire: what is accepted, what is refused and how, bytes around the head, and the end
of a refused connection. The plain cases stand in data/wire.cases."""

import re
import socket
import struct
import threading
import time
from pathlib import Path

import pytest

from support.adit import Adit
from support.client import (ESTABLISHED, Client, Response, connect_head, open_tunnel, request)
from support.netns import Namespace
from support.origins import Banner, Blackhole, Echo, Recorder, closed_port, pattern

PROXY_STATUS = re.compile(
    r'adit; error=([a-z_]+)(?:; rcode="?[A-Z0-9]+"?)?; details="((?:[ !#-\[\]-~]|\\["\\])+)"')


def check_refusal(response, status, error):
    """The form that every refusal has, whatever it is about."""
    start, reason = f"HTTP/1.1 {status} ", response.status_line.partition(" ")[2][4:]
    assert response.status_line == start + reason and 8 <= len(reason) <= 120, response.raw
    assert ("adit: " + reason).removesuffix("...") in response.body.decode()
    assert response.get("Connection") == "close"
    assert response.get("Transfer-Encoding") is None
    assert len(response.body) == int(response.get("Content-Length"))
    text = response.body.decode()
    assert re.fullmatch(r"[ -~]{8,500}\n", text), f"not one readable line: {text!r}"
    match = PROXY_STATUS.fullmatch(response.get("Proxy-Status"))
    assert match, response.get("Proxy-Status")
    assert match.group(1) == error
    assert (response.get("Allow") == "CONNECT") == (status == 405)
    assert (response.get("Retry-After") is not None) == (status in (429, 503))


# -- data/wire.cases

CASES = Path(__file__).resolve().parents[1] / "data" / "wire.cases"


def read_cases():
    for line in CASES.read_text().splitlines():
        if not line or line.startswith("#") or line.startswith("["):
            continue
        name, status, error, text = line.split(" | ", 3)
        yield pytest.param(int(status), error.strip(), text, id=name.strip())


def case_bytes(text, port):
    """The request bytes that a case's text stands for."""
    for key, value in (("target", f"127.0.0.1:{port}"), ("port", port),
                       ("port+65536", port + 65536), ("port+2^32", port + 2**32)):
        text = text.replace("{" + key + "}", str(value))
    text = re.sub(r"\{(.+?)\*(\d+)\}", lambda match: match.group(1) * int(match.group(2)), text)
    plain = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "\\": "\\"}
    text = re.sub(r"\\(x[0-9a-f]{2}|.)", lambda match: plain.get(match.group(1))
                  or chr(int(match.group(1)[1:], 16)), text)
    return text.encode("latin-1")


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One adit and one echo server, on 127.0.0.1 and ::1 at the same port, for all plain cases."""
    four = Echo()
    six = Echo(host="::1", port=four.port)
    proxy = Adit(tmp_path_factory.mktemp("shared"))
    yield proxy, four, six
    proxy.stop()
    for server in (four, six):
        server.close()
        assert not server.errors


@pytest.mark.parametrize("status,error,text", read_cases())
def test_case(shared, status, error, text):
    proxy, four, six = shared
    head = case_bytes(text, four.port)
    before = four.accepted + six.accepted
    with Client(proxy.address) as client:
        client.send(head)
        if status == 200:
            assert client.read_exact(len(ESTABLISHED)) == ESTABLISHED
            client.send(b"through")
            assert client.read_exact(7) == b"through"
            return
        response = client.read_response()
        check_refusal(response, status, error)
        assert client.read_to_end() == (b"", "fin")
    assert four.accepted + six.accepted == before


def test_cases_are_all_different():
    cases = [parameter.id for parameter in read_cases()]
    assert len(cases) == len(set(cases)) > 150


# -- the success

def test_200_is_exactly_this(adit, origin):
    """No field, no body, and the tunnel opens right behind the head."""
    server = origin(Recorder)
    proxy = adit()
    with Client(proxy.address) as client:
        client.send(connect_head(server.authority))
        assert client.read_exact(39) == b"HTTP/1.1 200 Connection established\r\n\r\n"
        assert client.is_silent(0.3)


def test_200_for_http_1_0(adit, origin):
    server = origin(Echo)
    with Client(adit().address) as client:
        client.send(connect_head(server.authority, version="HTTP/1.0", host=False))
        assert client.read_exact(39) == ESTABLISHED


def sniff(namespace):
    """A socket that sees every packet on the namespace's loopback."""
    with namespace:
        sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        sniffer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sniffer.bind(("lo", 0x0800))
    sniffer.settimeout(1)
    return sniffer


def segments_from(sniffer, port):
    """The payloads of the TCP segments sent from a port, in order, empty ones left out."""
    found = []
    while True:
        try:
            packet, meta = sniffer.recvfrom(1 << 17)
        except TimeoutError:
            return found
        if meta[2] != socket.PACKET_HOST or packet[9] != socket.IPPROTO_TCP:
            continue
        tcp = packet[(packet[0] & 15) * 4:struct.unpack_from("!H", packet, 2)[0]]
        data = tcp[(tcp[12] >> 4) * 4:]
        if struct.unpack_from("!H", tcp)[0] == port and data:
            found.append(data)


def test_200_travels_alone(adit, keep):
    """corkscrew and Go drop what is glued behind the 200: it is a segment of its own, even when
    the target speaks first."""
    namespace = keep(Namespace())
    with namespace:
        server = keep(Banner())
        proxy = adit()
        sniffer = keep(sniff(namespace))
        for _ in range(20):
            with open_tunnel(proxy.address, server.authority) as client:
                assert client.read_exact(len(server.banner)) == server.banner
    sent = segments_from(sniffer, proxy.port)
    assert sent == [ESTABLISHED, server.banner] * 20


def test_no_200_before_the_dial_succeeded(adit, keep):
    blackhole = keep(Blackhole())
    with Client(adit().address) as client:
        client.send(connect_head(blackhole.authority))
        assert client.is_silent(2)


# -- the head in pieces

def test_accepted_head_split_at_every_byte(adit, origin):
    server = origin(Echo)
    proxy = adit()
    head = connect_head(server.authority, "X: y") + b"early"
    for cut in range(1, len(head)):
        with Client(proxy.address) as client:
            client.send_chunks([head[:cut]], pause=0.004)
            client.send(head[cut:])
            assert client.read_exact(39 + 5) == ESTABLISHED + b"early", cut


def test_refused_head_split_at_every_byte(adit, origin):
    server = origin(Recorder)
    proxy = adit()
    head = f"CONNECT {server.authority} HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".encode()
    for cut in range(1, len(head)):
        with Client(proxy.address) as client:
            client.send_chunks([head[:cut]], pause=0.004)
            try:
                client.send(head[cut:])
            except (BrokenPipeError, ConnectionResetError):
                pass
            response = client.read_response()
            check_refusal(response, 400, "http_request_error")
            assert client.read_to_end() == (b"", "fin")
    assert server.accepted == 0


@pytest.mark.parametrize("ending", [b"\r\n", b"\n"])
def test_head_byte_by_byte(adit, origin, ending):
    server = origin(Echo)
    head = connect_head(server.authority, "A: b", "C: d").replace(b"\r\n", ending)
    with Client(adit().address) as client:
        client.send_chunks([bytes([byte]) for byte in head + b"abc"], pause=0.002)
        assert client.read_exact(42) == ESTABLISHED + b"abc"


# -- early bytes

@pytest.mark.parametrize("size", [1, 100, 8000, 16384, 100_000, 3_000_000])
def test_early_bytes_come_first_and_in_order(adit, origin, size):
    server = origin(Echo)
    data = pattern(size, seed=size)
    with Client(adit().address) as client:
        sender = threading.Thread(
            target=client.send, args=(connect_head(server.authority) + data,), daemon=True)
        sender.start()
        assert client.read_exact(39) == ESTABLISHED
        assert client.read_exact(size) == data
        sender.join()
        client.send(b"late")
        assert client.read_exact(4) == b"late"


def test_early_bytes_that_look_like_a_request(adit, origin):
    """What is behind an accepted head is the tunnel's, never a request."""
    server, other = origin(Recorder), origin(Recorder)
    second = connect_head(other.authority)
    with open_tunnel(adit().address, server.authority, early=second) as client:
        client.shutdown_write()
        assert server.wait_for_ending() == "fin"
    assert bytes(server.received[0]) == second
    assert other.accepted == 0


@pytest.mark.parametrize("length", [5, 3, 0, 10**30])
def test_bytes_behind_a_content_length_belong_to_the_tunnel(adit, origin, length):
    """On a CONNECT the field means nothing (RFC 9110 9.3.6); the SDKs of Azure and AWS send it."""
    server = origin(Echo)
    with Client(adit().address) as client:
        client.send(connect_head(server.authority, f"Content-Length: {length}") + b"hello")
        assert client.read_exact(39 + 5) == ESTABLISHED + b"hello"


@pytest.mark.parametrize("head, words", [
    (b"GET https://a.test/ HTTP/1.1\r\n\r\n", "the client must send CONNECT for https://"),
    (b"POST HTTPS://a.test/ HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "the client must send CONNECT"),
    (b"GET wss://a.test/ HTTP/1.1\r\n\r\n", "the client must send CONNECT"),
    (b"GET Ws://a.test/ HTTP/1.1\r\n\r\n", "the client must send CONNECT for https:// or ws://"),
    (b"PROPFIND https://a.test/ HTTP/1.1\r\n\r\n", "the client must send CONNECT"),
    (b"BREW ws://a.test/ HTTP/1.1\r\n\r\n", "the client must send CONNECT"),
    (b"PROPFIND http://a.test/ HTTP/1.1\r\n\r\n", "unknown method; this proxy only opens tunnels"),
    (b"GET http://a.test/ HTTP/1.1\r\n\r\n", "use https://"),
    (b"\x05\x02\x00\x02", "this is SOCKS"),
    (b"\x04\x01\x00\x50\x00\x00\x00\x01\x00a.test\x00", "this is SOCKS"),
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 5000 3128\r\n", "this is a PROXY protocol head"),
    (b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00", "this is a PROXY protocol head"),
    ("CONNECT bücher.example:443 HTTP/1.1\r\n\r\n".encode(), "as in xn--"),
    (b"CONNECT https://a.test:443 HTTP/1.1\r\n\r\n", "is a URL: write host:port"),
])
def test_common_mistakes_have_words_of_their_own(adit, head, words):
    proxy = adit()
    response, _, _ = request(proxy.address, head)
    check_refusal(response, response.status, "http_request_error")
    assert words in response.reason
    assert ("use https://" in response.reason) == ("use https://" in words)
    assert words in proxy.wait_for_log(event="deny")["reason"]


def test_fin_behind_a_complete_head(adit, origin):
    server = origin(Echo)
    with Client(adit().address) as client:
        client.send(connect_head(server.authority))
        client.shutdown_write()
        assert client.read_to_end() == (ESTABLISHED, "fin")


def test_fin_behind_head_and_early_bytes(adit, origin):
    server = origin(Echo)
    with Client(adit().address) as client:
        client.send(connect_head(server.authority) + b"all there is")
        client.shutdown_write()
        assert client.read_to_end() == (ESTABLISHED + b"all there is", "fin")


def test_fin_behind_a_refused_head(adit):
    with Client(adit().address) as client:
        client.send(b"CONNECT x HTTP/1.1\r\n\r\n")
        client.shutdown_write()
        check_refusal(client.read_response(), 400, "http_request_error")
        assert client.read_to_end() == (b"", "fin")


@pytest.mark.parametrize("head", [b"", b"CONN", b"CONNECT 127.0.0.1:1 HTTP/1.1\r\n"])
def test_fin_before_the_head_is_complete(adit, head):
    """Nobody asked anything: the connection ends at once, whether with a 400 or silently."""
    proxy = adit()
    with Client(proxy.address) as client:
        client.send(head)
        client.shutdown_write()
        answer, ending = client.read_to_end()
        assert ending == "fin"
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")


# -- refusals

def test_405_says_what_to_do(adit):
    proxy = adit()
    response, rest, ending = request(
        proxy.address, b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n")
    check_refusal(response, 405, "http_request_error")
    text = response.body.decode()
    assert "CONNECT" in text and "https://" in text and "curl -p" in text
    assert 'Acquire::http::Proxy "DIRECT"' in text
    assert (rest, ending) == (b"", "fin")


def test_browser_gets_readable_text(adit):
    """A person who opens the proxy's address in a browser reads why there is nothing."""
    proxy = adit()
    response, _, _ = request(
        proxy.address, f"GET / HTTP/1.1\r\nHost: {proxy.address}\r\nAccept: text/html\r\n\r\n"
        .encode())
    check_refusal(response, 405, "http_request_error")
    assert (response.get("Content-Type") or "").startswith("text/plain")


def test_head_method_gets_no_body(adit):
    with Client(adit().address) as client:
        client.send(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
        response = client.read_response(has_body=False)
        assert response.status == 405 and response.get("Allow") == "CONNECT"
        assert client.read_to_end() == (b"", "fin")


def test_refusal_of_a_dial(adit):
    response, rest, ending = request(
        adit().address, connect_head(f"127.0.0.1:{closed_port()}"))
    check_refusal(response, 502, "connection_refused")
    assert (rest, ending) == (b"", "fin")


def test_details_cannot_break_the_field(adit):
    """Outside bytes that are quoted in a reason stay inside their field and line."""
    proxy = adit()
    for target in ('a"b\\c:443', "a:4\x0043", "\x1b[31m:443", "x" * 300 + ":http", "ä:1"):
        response, _, _ = request(proxy.address, f"CONNECT {target} HTTP/1.1\r\n\r\n".encode())
        check_refusal(response, 400, "http_request_error")


@pytest.mark.parametrize("name", ["Werbung über Öl", "реклама", "広告", "é"])
def test_a_rule_whose_name_is_not_ascii(adit, tmp_path, name):
    """The head is ASCII and says where the rule stands; the body is UTF-8."""
    path = tmp_path / "adit.conf"
    path.write_text(f'listen 127.0.0.1:0\ndeny port 9 as "{name}"\ndeny port 10 as "plain"\n'
                    "allow from loopback to loopback port 443\n")
    proxy = adit("-c", path)
    response, _, _ = request(proxy.address, connect_head("127.0.0.1:9"))
    assert response.status_line == "HTTP/1.1 403 denied by policy (line 2)"
    assert 'details="denied by policy (line 2)"' in response.get("Proxy-Status")
    assert response.body.decode() == f"adit: denied by policy (rule {name})\n"
    assert len(response.body) == int(response.get("Content-Length"))
    response, _, _ = request(proxy.address, connect_head("127.0.0.1:10"))
    assert response.status_line == "HTTP/1.1 403 denied by policy (rule plain)"


REFUSED_FIRST = {
    "400": b"CONNECT bad HTTP/1.1\r\nHost: x\r\n\r\n",
    "405": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "405-keep-alive": b"GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n",
    "501": b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
    "505": b"CONNECT a:1 HTTP/3.0\r\nHost: x\r\n\r\n",
    "502": b"CONNECT {} HTTP/1.1\r\n\r\n",
    "content": b"CONNECT {} HTTP/1.1\r\nContent-Length: 60\r\n\r\n",
}


@pytest.mark.parametrize("first", REFUSED_FIRST)
@pytest.mark.parametrize("pause", [0, 0.3])
def test_second_request_is_never_carried_out(adit, origin, first, pause):
    """RFC 9931: a refused CONNECT closes, whatever stands behind it, in one segment or later."""
    server = origin(Recorder)
    head = REFUSED_FIRST[first].replace(b"{}", f"127.0.0.1:{closed_port()}".encode())
    with Client(adit().address) as client:
        client.send(head + (b"" if pause else connect_head(server.authority)))
        if pause:
            time.sleep(pause)
            client.send(connect_head(server.authority))
        answers, ending = client.read_to_end()
    assert ending == "fin"
    assert answers.count(b"HTTP/1.1 ") == 1
    assert Response(answers.partition(b"\r\n\r\n")[0] + b"\r\n\r\n").status >= 400
    assert server.accepted == 0


# -- the end of a refused connection

BAD = b"CONNECT bad HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("head,status", [(BAD, 400), (b"POST / HTTP/1.1\r\nHost: x\r\n"
                                                      b"Content-Length: 1000000\r\n\r\n", 405)])
def test_answer_survives_a_client_that_goes_on_sending(adit, head, status):
    """The client writes a megabyte before it reads: no reset may destroy the answer."""
    proxy = adit()
    with Client(proxy.address) as client:
        client.send(head)
        client.send(bytes(1_000_000))
        time.sleep(0.2)
        check_refusal(client.read_response(), status, "http_request_error")
        assert client.read_to_end() == (b"", "fin")


def test_answer_survives_bytes_in_one_segment(adit):
    with Client(adit().address) as client:
        client.send(BAD + bytes(200_000))
        check_refusal(client.read_response(), 400, "http_request_error")
        assert client.read_to_end() == (b"", "fin")


def seconds_until_closed(client, interval, limit):
    """Sends a byte now and then until adit has closed for good; how long that took."""
    started = time.monotonic()
    while time.monotonic() - started < limit:
        try:
            client.send(b"x")
        except (BrokenPipeError, ConnectionResetError):
            return time.monotonic() - started
        time.sleep(interval)
    raise AssertionError(f"still open after {limit} s")


def refused(proxy):
    """A client that has read a refusal, and the FIN behind it."""
    client = Client(proxy.address)
    client.send(BAD)
    check_refusal(client.read_response(), 400, "http_request_error")
    assert client.read_to_end() == (b"", "fin")
    return client


def test_half_close_comes_at_once(adit):
    """The FIN comes from a connection that lives: one that is closed would answer with a reset."""
    with refused(adit()) as client:
        for _ in range(4):
            client.send(b"x")
            time.sleep(0.1)


def test_linger_ends_after_silence(adit):
    proxy = adit()
    request(proxy.address, BAD)  # whatever is made once is made now
    time.sleep(0.3)
    base = proxy.descriptors()
    with refused(proxy) as client:
        time.sleep(1)
        client.send(b"x")  # still taken: the silence counts from here
        time.sleep(0.2)
        client.send(b"x")
        time.sleep(4)
        assert seconds_until_closed(client, 0.1, 2) < 2
    assert proxy.descriptors() <= base


def test_linger_ends_after_five_seconds(adit):
    with refused(adit()) as client:
        took = seconds_until_closed(client, 0.4, 30)
        assert 3.5 < took < 30


def test_linger_ends_after_a_mebibyte(adit):
    with refused(adit()) as client:
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for _ in range(200):  # which hardly takes a second where all of it is read
                client.send(bytes(1 << 20))


def test_client_that_leaves_first(adit):
    """FIN or RST in the linger phase frees everything at once."""
    proxy = adit()
    request(proxy.address, BAD)
    time.sleep(0.3)
    base = proxy.descriptors()
    clients = [refused(proxy) for _ in range(20)]
    for number, client in enumerate(clients):
        client.close() if number % 2 else client.reset()
    deadline = time.monotonic() + 1.5
    while proxy.descriptors() > base:
        assert time.monotonic() < deadline
        time.sleep(0.05)


# -- slow heads

@pytest.mark.parametrize("sent", [b"", b"CONNECT 127.0.0.1:443 HT",
                                  b"CONNECT 127.0.0.1:443 HTTP/1.1\r\nHost: x\r\n"])
def test_408_after_ten_seconds(adit, sent):
    with Client(adit().address) as client:
        started = time.monotonic()
        client.send(sent)
        response = client.read_response()
        took = time.monotonic() - started
        check_refusal(response, 408, "http_request_error")
        assert took > 9
        assert client.read_to_end() == (b"", "fin")


def test_408_is_not_put_off_by_dripping_bytes(adit):
    with Client(adit().address) as client:
        started = time.monotonic()
        client.send(b"CONNECT 127.0.0.1:443 HTTP/1.1\r\nX: ")
        while client.is_silent(0.5):
            assert time.monotonic() - started < 40
            client.send(b"y")
        assert time.monotonic() - started > 9
        check_refusal(client.read_response(), 408, "http_request_error")


def test_slow_heads_do_not_hold_up_others(adit, origin):
    server = origin(Echo)
    proxy = adit()
    slow = [Client(proxy.address) for _ in range(300)]
    for client in slow:
        client.send(b"CONNECT ")
    with open_tunnel(proxy.address, server.authority) as client:
        client.send(b"x")
        assert client.read_exact(1) == b"x"
    for client in slow:
        client.close()
