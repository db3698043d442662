"""The admin page's server: what it answers, whom it turns away, and that nothing done to it harms a
tunnel. Where it listens is in test_admin_listener.py."""

import base64
import hashlib
import json
import os
import re
import socket
import threading
import time

import pytest

from support.adit import is_sanitized
from support.checks import echoes, eventually, works
from support.client import Client, connect_head, open_tunnel
from support.metrics import scrape
from support.origins import Echo
from support.page import TELLS, Events, ask, ask_bytes, ask_json, head
from support.users import COSTLY_LINE, NEW_LINE, PASSWORDS, basic, htpasswd

GUARD = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Connection": "close",
}
TUNNEL_FIELDS = {"id", "client", "listener", "http", "target", "address", "verdict", "rule",
                 "dial_ms", "up_bytes", "down_bytes", "duration_ms"}
HISTORY_COLUMNS = ["time_ms", "tunnels_open", "established", "denied", "failed", "auth_failures",
                   "bytes_up", "bytes_down", "asked", "dial", "dns"]
RULES = "listen 127.0.0.1:0\nallow from loopback to any, special port 1-24, 26-65535\n"


@pytest.fixture
def page(adit):
    return lambda *args, **options: adit(*args, admin=True, **options)


def config_of(folder, text):
    path = folder / "limited.conf"
    path.write_text("listen 127.0.0.1:0\n" * ("listen" not in text) + text)
    return path


def expect(response, status):
    assert response.status == status, (response.status_line, response.body)
    return response


def refuse(proxy, target="127.0.0.1:25"):
    """Has adit refuse a tunnel."""
    with Client(proxy.address) as client:
        client.send(connect_head(target))
        return client.read_response().status


# -- what it serves

def test_the_page(page):
    response = expect(ask(page().admin, "/"), 200)
    assert response.get("Content-Type") == "text/html; charset=utf-8"
    assert response.body.lstrip().lower().startswith(b"<!doctype html")


def test_the_page_loads_nothing_but_its_own_script_and_style(page):
    response = ask(page().admin, "/")
    text = response.body.decode()
    policy = {part.split()[0]: part.split()[1:]
              for part in response.get("Content-Security-Policy").split("; ")}
    assert policy["default-src"] == ["'none'"]
    assert policy["connect-src"] == ["'self'"]
    for name in ("base-uri", "form-action", "frame-ancestors"):
        assert policy[name] == ["'none'"]
    for tag in ("script", "style"):
        wanted = ["'sha256-" + base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
                  + "'" for inner in re.findall(rf"<{tag}\b[^>]*>(.*?)</{tag}>", text, re.S)]
        assert policy.get(tag + "-src", ["'none'"]) == (wanted or ["'none'"])
    assert "light-dark(" not in text  # browsers of 2023 do not know it, and would drop the colours
    assert not re.search(r"<[^>]+\s(style|on\w+)=", re.sub(r"<script.*?</script>", "", text,
                                                           flags=re.S))


@pytest.mark.parametrize("request_bytes", [
    head("GET", "/"), head("GET", "/healthz"), head("GET", "/metrics"),
    head("GET", "/api/tunnels"), head("GET", "/api/history"), head("GET", "/nothing"),
    head("GET", "/", host="evil.example"), head("POST", "/"), b"bad\r\n\r\n"])
def test_every_answer_is_guarded(page, request_bytes):
    response = ask_bytes(page().admin, request_bytes)
    for name, value in GUARD.items():
        assert response.get(name) == value, name
    assert response.get("Content-Security-Policy").startswith("default-src 'none'; ")
    assert not [name for name, _ in response.fields if name.lower().startswith("access-control")]
    assert int(response.get("Content-Length")) == len(response.body)


@pytest.mark.parametrize("path", ["/", "/healthz", "/metrics", "/api/tunnels", "/api/history"])
def test_head_is_get_without_a_body(page, path):
    proxy = page()
    got, headed = ask(proxy.admin, path), ask(proxy.admin, path, method="HEAD")
    assert headed.status == got.status == 200
    assert {name for name, _ in headed.fields} == {name for name, _ in got.fields}
    assert headed.get("Content-Type") == got.get("Content-Type")


def test_health(page, origin):
    proxy = page()
    response = expect(ask(proxy.admin, "/healthz"), 200)
    assert response.body == b"ok\n"
    with open_tunnel(proxy.address, origin(Echo).authority) as tunnel:
        proxy.control("drain")
        eventually(lambda: ask(proxy.admin, "/healthz").status == 503)
        for method in ("GET", "OPTIONS"):
            response = expect(ask(proxy.admin, "/healthz", method=method), 503)
            assert response.body == b"draining\n"
        assert ask(proxy.admin, "/api/tunnels").status == 200
        assert echoes(tunnel)
    assert proxy.wait() == 0


def test_metrics(page, origin):
    proxy, server = page(), origin(Echo)
    with open_tunnel(proxy.address, server.authority):
        response = expect(ask(proxy.admin, "/metrics"), 200)
        assert response.get("Content-Type").startswith("text/plain; version=0.0.4")
        lines = response.body.decode().splitlines()
        assert "adit_tunnels_open 1" in lines
        assert "# TYPE adit_tunnels_open gauge" in lines


def test_tunnels(page, origin):
    proxy, server = page(), origin(Echo)
    assert ask_json(proxy.admin, "/api/tunnels") == (200, [])
    with open_tunnel(proxy.address, server.authority) as first, \
            open_tunnel(proxy.address, server.authority):
        assert echoes(first, b"x" * 1000)
        def both():
            _, tunnels = ask_json(proxy.admin, "/api/tunnels")
            return len(tunnels) == 2 and {tunnel["up_bytes"] for tunnel in tunnels} == {0, 1000}
        eventually(both)
        _, tunnels = ask_json(proxy.admin, "/api/tunnels")
        for tunnel in tunnels:
            assert TUNNEL_FIELDS <= set(tunnel)
            assert tunnel["target"] == server.authority
        assert first.name in {tunnel["client"] for tunnel in tunnels}


def test_kill(page, origin):
    proxy, server = page(), origin(Echo)
    with open_tunnel(proxy.address, server.authority) as victim, \
            open_tunnel(proxy.address, server.authority) as other:
        _, tunnels = ask_json(proxy.admin, "/api/tunnels")
        found = next(one["id"] for one in tunnels if one["client"] == victim.name)
        path = f"/api/tunnels/{found}"
        assert ask_json(proxy.admin, path, TELLS, method="DELETE") == (200, {"killed": 1})
        assert victim.read_to_end() == (b"", "rst")
        assert proxy.wait_for_log(event="close", id=found)["closed_by"] == "killed"
        status, answer = ask_json(proxy.admin, path, TELLS, method="DELETE")
        assert status == 404 and set(answer) == {"error"}
        assert echoes(other)


@pytest.mark.parametrize("name", ["x", "..", "%2e%2e", "0" * 64, "a/b", "%00"])
def test_no_such_tunnel(page, name):
    status, answer = ask_json(page().admin, f"/api/tunnels/{name}", TELLS, method="DELETE")
    assert status == 404 and set(answer) == {"error"}


def test_history(page, origin):
    proxy, server = page(), origin(Echo)
    assert works(proxy, server)
    assert refuse(proxy, "127.0.0.1:0") == 400
    eventually(lambda: ask_json(proxy.admin, "/api/history")[1]["samples"], what="no sample")
    _, history = ask_json(proxy.admin, "/api/history")
    assert history["columns"] == HISTORY_COLUMNS
    assert history["state"] == "serving" and history["interval_s"] == 1
    assert history["listeners"] == proxy.listeners
    assert all(len(sample) == len(HISTORY_COLUMNS) for sample in history["samples"])
    eventually(lambda: ask_json(proxy.admin, "/api/history")[1]["samples"][-1][2] == 1)


def is_asleep(proxy, seconds=2.5):
    """Whether none of its threads did anything in that time."""
    before = proxy.wakeups()
    time.sleep(seconds)
    return proxy.wakeups() == before


def test_an_idle_adit_does_nothing(page, origin):
    """The history neither: it takes its samples while figures change, and lacks none for that."""
    proxy, server = page(), origin(Echo)
    with open_tunnel(proxy.address, server.authority) as client:
        assert echoes(client)
        eventually(lambda: is_asleep(proxy), what="it never slept")
        assert echoes(client, b"still there")
        eventually(lambda: ask_json(proxy.admin, "/api/history")[1]["samples"][-1][6] == 15)
    _, history = ask_json(proxy.admin, "/api/history")
    times = [sample[0] for sample in history["samples"]]
    assert all(later - before < 10_000 for before, later in zip(times, times[1:])), times
    assert [sample[6] for sample in history["samples"]].count(4) > 2


def top_of(proxy):
    """{kind: {name: amount}}"""
    status, top = ask_json(proxy.admin, "/api/top")
    assert status == 200 and top.pop("minutes") == 15
    return {kind: {one["name"]: one[{"rules": "count"}.get(kind, "bytes")] for one in names}
            for kind, names in top.items()}


def test_top_lists(guarded, origin, keep):
    """Who moved how much, over all threads and whether the tunnel is still open; kept by adit, so that it is
    known to whoever comes."""
    server = origin(Echo)
    gate = guarded("127.0.0.1:0")
    gate.path.write_text('deny to *.ads.example as "ads"\n' + gate.path.read_text())
    assert gate.proxy.control("reload").returncode == 0
    assert top_of(gate.proxy) == {"users": {}, "hosts": {}, "rules": {}}
    open_one = keep(Client(gate.proxy.address))
    open_one.send(connect_head(f"localhost:{server.port}", basic("alice")))
    assert open_one.read_response(has_body=False).status == 200
    assert echoes(open_one, b"x" * 50_000)
    with open_tunnel(gate.proxy.address, server.authority) as closed:
        assert echoes(closed, b"y" * 700)
    for _ in range(3):
        assert refuse(gate.proxy, "a.ads.example:443") == 403
    # Of an open tunnel, what has not filled a KiB waits.
    wanted = {"users": {"alice": 99_328, "127.0.0.1": 1400}, "hosts": {"localhost": 99_328, "127.0.0.1": 1400},
              "rules": {"ads": 3}}
    eventually(lambda: top_of(gate.proxy) == wanted, what="never told")
    open_one.close()
    eventually(lambda: top_of(gate.proxy)["users"]["alice"] == 100_000)
    assert top_of(gate.proxy)["hosts"] == {"localhost": 100_000, "127.0.0.1": 1400}


def test_a_page_that_comes_late_counts_from_then(adit, origin, tmp_path):
    """What was moved before there was a page is not in its lists."""
    server = origin(Echo)
    path = tmp_path / "adit.conf"
    path.write_text(RULES)
    proxy = adit("-c", path, "-s", tmp_path / "sock", defaults=True)
    with open_tunnel(proxy.address, server.authority) as tunnel:
        assert echoes(tunnel, b"x" * 100_000)
        path.write_text("admin 127.0.0.1:0\n" + RULES)
        assert proxy.control("reload").returncode == 0
        eventually(lambda: is_asleep(proxy), what="it never slept")
        assert top_of(proxy)["users"] == {}
        assert echoes(tunnel, b"x" * 4096)
        eventually(lambda: top_of(proxy)["users"] == {"127.0.0.1": 8192})


def test_room_and_waits(page, origin):
    """How much of how much is taken, and how long dials and lookups took."""
    proxy, server = page("--from", "127.0.0.0/8"), origin(Echo)
    with Events(proxy.admin) as events, open_tunnel(proxy.address, f"localhost:{server.port}"):
        status = events.status(lambda status: status["tunnels_open"] == 1)
        assert 100 < status["tunnels_max"] <= status["fds_max"] / 2
        assert status["tunnels_open"] * 2 <= status["fds_open"] < status["fds_max"]
        assert sum(status["dial"]) == 1 and sum(status["dns"]) == 1
        _, history = ask_json(proxy.admin, "/api/history")
        assert history["waits_ms"] == sorted(history["waits_ms"])
        assert len(history["waits_ms"]) + 1 == len(status["dial"]) == len(status["dns"])
    limited = page("-c", config_of(proxy.folder, "limit tunnels 7\n" + RULES))
    with Events(limited.admin) as events:
        assert events.next("status")[1]["tunnels_max"] == 7
    assert "\ntunnels_max 7\n" in limited.control("stats").stdout


def test_a_question_is_no_denial(guarded, origin):
    """What every browser does first: no rule denied anything, and nobody need look at it."""
    gate, server = guarded("127.0.0.1:0"), origin(Echo)
    gate.path.write_text(gate.path.read_text().replace(
        RULES, 'listen 127.0.0.1:0\nallow user alice to any, special as "staff"\n'))
    assert gate.proxy.control("reload").returncode == 0
    admin = gate.proxy.admin
    with Events(admin) as events:
        for _ in range(3):
            assert refuse(gate.proxy, server.authority) == 407
        kind, event = events.next("deny")
        assert (event["verdict"], event["rule"]) == ("ask", "staff")
        status = events.status(lambda status: status["asked"] == 3)
        assert (status["denied"], status["failed"]) == (0, 0)
    metrics = scrape(gate.proxy)
    assert metrics.get("adit_tunnels_total", outcome="asked") == 3
    assert metrics.get("adit_tunnels_total", outcome="denied") == 0
    assert set(metrics.by("adit_denied_total", "rule").values()) == {0}
    asked = HISTORY_COLUMNS.index("asked")
    eventually(lambda: ask_json(admin, "/api/history")[1]["samples"][-1][asked] == 3)
    _, history = ask_json(admin, "/api/history")
    assert history["denies"] == [] and history["denied_rules"] == {}
    assert top_of(gate.proxy)["rules"] == {}


def test_history_knows_the_denies(adit, tmp_path):
    path = tmp_path / "adit.conf"
    path.write_text('admin 127.0.0.1:0\nlisten 127.0.0.1:0\ndeny port 81 as "no \\"81\\""\n'
                    "allow from loopback to any, special\n")
    proxy = adit("-c", path, "-s", tmp_path / "sock", defaults=True)
    for _ in range(103):
        assert refuse(proxy, "127.0.0.1:81") == 403
    eventually(lambda: len(ask_json(proxy.admin, "/api/history")[1]["denies"]) == 100)
    _, history = ask_json(proxy.admin, "/api/history")
    assert {deny["rule"] for deny in history["denies"]} == {'no "81"'}
    assert history["denied_rules"] == {'no "81"': 103}  # those that are not kept, too


def test_events(page, origin):
    proxy, server = page(), origin(Echo)
    with Events(proxy.admin) as events:
        assert events.response.get("Content-Type") == "text/event-stream"
        assert events.next()[0] == "status"
        with open_tunnel(proxy.address, server.authority) as client:
            name = client.name
            assert events.next("open", "close")[1]["client"] == name
            events.status(lambda status: status["tunnels_open"] == 1)
            assert echoes(client, b"y" * 500)
        kind, line = events.next("open", "close")
        assert (kind, line["client"], line["up_bytes"]) == ("close", name, 500)
        assert line["id"] == proxy.wait_for_log(event="close", client=name)["id"]
        refuse(proxy, proxy.address)
        kind, line = events.next("deny")
        assert line["target"] == proxy.address
        status = events.status(lambda status: status["tunnels_open"] == 0)
        assert status["bytes_up"] == 500 and status["established"] == 1


EXPLAIN = "/api/explain?target="


def test_explain(page, origin):
    proxy, server = page(), origin(Echo)
    status, answer = ask_json(proxy.admin, EXPLAIN + server.authority.replace(":", "%3A"), TELLS)
    assert (status, answer["verdict"], answer["exit"]) == (200, "allow", 0)
    assert "built-in" in answer["text"]
    status, answer = ask_json(proxy.admin, EXPLAIN + server.authority + "&client=192.0.2.9", TELLS)
    assert (status, answer["verdict"], answer["exit"]) == (200, "deny", 3)
    status, answer = ask_json(proxy.admin, EXPLAIN + proxy.admin, TELLS)
    assert (status, answer["exit"]) == (200, 3)
    assert "loop" in answer["text"]


def test_explain_gives_back_what_is_no_utf8(guarded):
    """As it says everything that comes from outside: escaped."""
    query = "a.example:443&user=k%E4se%FF"
    status, answer = ask_json(guarded().proxy.admin, EXPLAIN + query, TELLS, authorization("alice"))
    assert status == 200 and r"k\xe4se\xff" in answer["text"]


@pytest.mark.parametrize("query", ["", "target=", "target=x", "target=a.example:0", "target=%",
                                   "target=%zz:1", "target=a.example:443%00",
                                   "target=a.example:443%0d%0aX:1", "target=" + "a" * 4000,
                                   "target=a.example:443&client=x", "user=alice"])
def test_explain_malformed(page, query):
    status, answer = ask_json(page().admin, "/api/explain?" + query, TELLS)
    assert status == 400 and set(answer) == {"error"}
    assert "\n" not in answer["error"]


# -- whom it turns away

@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "a.localhost:8080", "127.0.0.1",
                                  "127.0.0.1:80", "[::1]", "[::1]:9", "192.0.2.7:1", "hostname"])
def test_hosts_that_are_ours(page, host):
    if host == "hostname":
        host = socket.gethostname()
    expect(ask(page().admin, "/metrics", host=host), 200)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:10801", "127.0.0.1.evil.example",
                                  "localhost.evil.example", "xlocalhost", "localhost:", "", None,
                                  "0x7f.1", "2130706433", "127.1", "::1", "localhost@evil.example",
                                  "evil.example/localhost", "localhost, evil.example"])
@pytest.mark.parametrize("path", ["/", "/metrics", "/api/tunnels", "/healthz/", "/nothing"])
def test_a_rebound_name_is_misdirected(page, host, path):
    """The page of evil.example, whose name now points here, is the same origin to its browser."""
    response = ask(page().admin, path, host=host)
    assert response.status == 421, response.status_line
    assert b"tunnels" not in response.body
    name = "evil.example" if host in ("evil.example", "evil.example:10801") else None
    assert f"add `name {name or ''}".encode() in response.body  # the setting that lets it in


@pytest.mark.parametrize("data", [
    b"GET /healthz HTTP/1.0\r\n\r\n", b"GET /healthz HTTP/1.1\r\n\r\n",
    b"GET /healthz?from=haproxy HTTP/1.0\r\n\r\n",
    b"OPTIONS /healthz HTTP/1.0\r\n\r\n",  # HAProxy's `option httpchk /healthz`
    b"OPTIONS /healthz HTTP/1.0\r\nContent-Length: 0\r\n\r\n",
    head("GET", "/healthz", host="lb.example:80"), head("GET", "/healthz", host=""),
    head("GET", "/healthz", host="a, b/c")])
@pytest.mark.parametrize("has_password", [False, True])
def test_a_load_balancer_asks_by_any_name_or_none(page, guarded, data, has_password):
    admin = guarded().proxy.admin if has_password else page().admin
    response = expect(ask_bytes(admin, data), 200)
    assert response.body == b"ok\n"


def test_names_of_the_page(adit, tmp_path):
    """Those of `admin ... name`, as a reload has them, and no others."""
    path = tmp_path / "adit.conf"
    path.write_text("admin 127.0.0.1:0 name Dash.Example.com, tunnels.lan\n" + RULES)
    proxy = adit("-c", path, "-s", tmp_path / "sock", defaults=True)
    admin = proxy.admin
    for host in ("dash.example.com", "DASH.example.com.:8443", "tunnels.lan"):
        expect(ask(admin, "/metrics", host=host), 200)
        expect(ask(admin, "/api/tunnels/x", TELLS, f"Origin: https://{host}", method="DELETE",
                   host=host), 404)  # its own page's request
    for host in ("example.com", "x.dash.example.com", "lan"):
        expect(ask(admin, "/metrics", host=host), 421)
    path.write_text(path.read_text().replace("tunnels.lan", "other.lan"))
    assert proxy.control("reload").returncode == 0
    expect(ask(admin, "/metrics", host="other.lan"), 200)
    expect(ask(admin, "/metrics", host="tunnels.lan"), 421)


def test_the_full_name_of_the_machine(adit, etc):
    """As /etc/hosts has it now, or the kernel; another name behind it on that line is not ours."""
    def start(name, folder):
        renamed = ["unshare", "--uts", "sh", "-c",
                   f'echo {name} >/proc/sys/kernel/hostname && exec "$@"', "sh"]
        return adit(admin=True, etc=folder, prefix=renamed)

    folder = etc(hosts="127.0.0.1 localhost\n127.0.1.1 box.corp.example box evil.example\n")
    proxy = start("box", folder)
    for host, status in {"box": 200, "BOX.corp.example:10801": 200, "corp.example": 421,
                         "evil.example": 421}.items():
        expect(ask(proxy.admin, "/metrics", host=host), status)
    folder.write("hosts", "127.0.0.1 localhost\n127.0.1.1 box.new.example box\n")
    eventually(lambda: ask(proxy.admin, "/metrics", host="box.new.example").status == 200)
    expect(ask(proxy.admin, "/metrics", host="box.corp.example"), 421)
    # What `hostname -f` says: the first name of the line that has the kernel's.
    folder.write("hosts", "127.0.0.1 localhost\n10.0.0.5 dash.corp.example box evil.example\n")
    eventually(lambda: ask(proxy.admin, "/metrics", host="dash.corp.example").status == 200)
    expect(ask(proxy.admin, "/metrics", host="evil.example"), 421)
    proxy.stop()
    folder.write("hosts", "127.0.1.1 box.new.example box\n10.0.0.5 dash.corp.example "
                          "far.corp.example\n")
    proxy = start("Far.Corp.Example", folder)
    for host, status in {"far.corp.example": 200, "far": 200, "dash.corp.example": 200,
                         "box.new.example": 421}.items():
        expect(ask(proxy.admin, "/metrics", host=host), status)


def test_two_hosts(page):
    expect(ask(page().admin, "/", "Host: localhost"), 400)


def test_nobody_kills_from_another_site(page, origin):
    proxy, server = page(), origin(Echo)
    with open_tunnel(proxy.address, server.authority) as client:
        _, tunnels = ask_json(proxy.admin, "/api/tunnels")
        path = f"/api/tunnels/{tunnels[0]['id']}"
        host = proxy.admin
        for fields in ([], ["X-Adit: 0"], ["X-Adit:"], ["X-Adit: 1, 1"],
                       [TELLS, "Origin: http://evil.example"], [TELLS, "Origin: null"],
                       [TELLS, "Origin: http://127.0.0.1:1"], [TELLS, f"Origin: ftp://{host}"],
                       [TELLS, f"Origin: http://{host}.evil.example"], [TELLS, "Origin:"],
                       [f"Origin: http://{host}"]):
            response = ask(proxy.admin, path, *fields, method="DELETE", host=host)
            assert response.status == 403, fields
        for method in ("POST", "PUT", "GET", "PATCH", "OPTIONS"):
            response = ask(proxy.admin, path, TELLS, method=method, host=host)
            assert response.status == 405, method
            assert response.get("Allow") == "DELETE"
        assert echoes(client)
        response = ask(proxy.admin, path, TELLS, f"Origin: http://{host}", method="DELETE",
                       host=host)
        expect(response, 200)


def test_nobody_causes_lookups_from_another_site(page):
    proxy = page()
    for fields in ([], ["X-Adit: 2"], [TELLS, "Origin: http://evil.example"]):
        assert ask(proxy.admin, EXPLAIN + "a.example:443", *fields).status == 403


def test_methods(page):
    proxy = page()
    for path in ("/", "/metrics", "/healthz", "/api/tunnels", "/api/history", "/api/events",
                 "/api/explain"):
        for method in ("POST", "DELETE", "CONNECT", "BREW"):
            response = ask(proxy.admin, path, TELLS, method=method)
            allowed = "GET, HEAD, OPTIONS" if path == "/healthz" else "GET, HEAD"
            assert (response.status, response.get("Allow")) == (405, allowed), (method, path)
        if path != "/healthz":
            assert ask(proxy.admin, path, TELLS, method="OPTIONS").status == 405


@pytest.mark.parametrize("data", [
    b"GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"CONNECT a.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n folded\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: local\x00host\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n",
    b"GET /\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40)])
def test_bad_heads(page, data):
    expect(ask_bytes(page().admin, data), 400)


@pytest.mark.parametrize("data, words", [
    (b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n", "this is the admin page, not the proxy"),
    (b"GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", "this is the admin page, not the proxy"),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40), "this is a TLS hello, and the admin page"),
    (b"\x05\x01\x00", "this is SOCKS, and this is the admin page, not the proxy"),
    (b"\x04\x01\x00\x50\x00\x00\x00\x01\x00", "this is SOCKS, and this is the admin page, not the proxy"),
    (b"GET /healthz\r\n\r\n", "the request line of the admin page must be: GET /path HTTP/1.1"),
    ("CONNECT b\u00fccher.test:443 HTTP/1.1\r\n\r\n".encode(), "the request line holds a character"),
    (b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", ""),
    (b"GET / HTTP/1.1\r\nHost: b\xc3\xbccher.example\r\n\r\n", "")])
def test_the_phrase_of_a_refusal_is_its_reason(page, data, words):
    """Python and Java show nothing else to who takes the admin page for the proxy."""
    response = ask_bytes(page().admin, data)
    assert response.status >= 400 and len(response.reason) <= 120
    assert response.reason.startswith(words)
    told = response.body.decode("ascii", "replace").removeprefix("adit: ")
    assert told.startswith(response.reason.removesuffix("...")) or "?" in response.reason


def test_version(page):
    expect(ask_bytes(page().admin, b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n"), 505)
    expect(ask_bytes(page().admin, b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n"), 200)


def test_sizes(page):
    proxy = page()
    pad = "Padding: " + "p" * 10_000
    expect(ask(proxy.admin, "/healthz", pad), 200)
    expect(ask(proxy.admin, "/healthz", *["X: y"] * 99), 200)
    expect(ask(proxy.admin, "/healthz", *["X: y"] * 100), 431)
    start = head("GET", "/healthz", "Padding: ")[:-4]
    expect(ask_bytes(proxy.admin, start + b"p" * (16384 - len(start) - 4) + b"\r\n\r\n"), 200)
    expect(ask_bytes(proxy.admin, start + b"p" * (16384 - len(start) - 3) + b"\r\n\r\n"), 431)
    expect(ask(proxy.admin, "/" + "a" * 16384), 414)


def test_a_head_in_single_bytes(page):
    with Client(page().admin) as client:
        client.send_chunks(bytes([byte]) for byte in head("GET", "/healthz", "A: b"))
        expect(client.read_response(), 200)


def test_nothing_behind_the_first_request_is_looked_at(page, origin):
    proxy, server = page(), origin(Echo)
    with open_tunnel(proxy.address, server.authority) as client:
        _, tunnels = ask_json(proxy.admin, "/api/tunnels")
        kill = head("DELETE", f"/api/tunnels/{tunnels[0]['id']}", TELLS)
        for first in (head("GET", "/healthz"), head("GET", "/nothing"), head("POST", "/"),
                      b"bad\r\n\r\n"):
            ask_bytes(proxy.admin, first + kill)
            ask_bytes(proxy.admin, first + b"\x00\xff" * 30_000)
        assert echoes(client)


def test_a_half_closed_client_is_answered(page):
    for path, status in (("/healthz", 200), ("/api/tunnels", 200), ("/nothing", 404)):
        with Client(page().admin) as client:
            client.send(head("GET", path))
            client.shutdown_write()
            assert client.read_response().status == status
            assert client.read_to_end() == (b"", "fin")


def test_a_slow_head(page, origin):
    """No byte extends the 10 s."""
    proxy, server = page(), origin(Echo)
    stop = threading.Event()
    with open_tunnel(proxy.address, server.authority) as tunnel, Client(proxy.admin) as client:
        client.send(b"GET / HTTP/1.1\r\nX: ")

        def drip():
            while not stop.wait(0.2):
                try:
                    client.send(b"x")
                except OSError:
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            assert client.read_response().status == 408
        finally:
            stop.set()
            dripping.join()
        assert echoes(tunnel)


# -- passwords

class Guarded:
    """An admin page that asks for a password."""

    def __init__(self, adit, folder, admin="127.0.0.1:0 user alice, @ops", **options):
        (folder / "htpasswd").write_text(htpasswd("alice", "bob", "carol"))
        self.path = folder / "adit.conf"
        self.text = 'users file "htpasswd"\ngroup ops { carol }\n' + RULES
        self.path.write_text(f"admin {admin}\n" + self.text)
        self.proxy = adit("-c", self.path, "-s", folder / "sock", defaults=True, **options)

    def ask(self, path, user=None, password=None, **options):
        fields = [] if user is None else [authorization(user, password)]
        return ask(options.pop("at", None) or self.proxy.admin, path, *fields, **options)


def authorization(user, password=None):
    password = PASSWORDS[user] if password is None else password
    return "Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def guarded(adit, tmp_path):
    return lambda *args, **options: Guarded(adit, tmp_path, *args, **options)


@pytest.mark.parametrize("path", ["/", "/metrics", "/api/tunnels", "/api/history", "/api/events",
                                  "/nothing", "/healthz/", "/healthz/../metrics"])
def test_a_password_is_asked_for(guarded, path):
    response = expect(guarded().ask(path), 401)
    assert response.get("WWW-Authenticate") == 'Basic realm="adit", charset="UTF-8"'
    assert b"<script" not in response.body


def test_health_needs_no_password(guarded):
    assert expect(guarded().ask("/healthz"), 200).body == b"ok\n"


def test_who_is_let_in(guarded):
    gate = guarded()
    expect(gate.ask("/metrics", "alice"), 200)
    expect(gate.ask("/metrics", "carol"), 200)  # by her group
    expect(gate.ask("/metrics", "bob"), 403)    # the right password, but nobody named him
    expect(gate.ask("/metrics", "alice", PASSWORDS["bob"]), 401)
    expect(gate.ask("/metrics", "nobody", "x"), 401)


def test_wrong_passwords_are_logged_and_counted(guarded):
    gate = guarded()
    with Events(gate.proxy.admin, authorization("alice")) as events:
        expect(gate.ask("/", "alice", "guess-123"), 401)
        line = gate.proxy.wait_for_log(event="auth_failure")
        assert line["listener"] == gate.proxy.admin
        assert line["user"] == "alice"
        assert events.next("auth_failure")[1]["user"] == "alice"
        assert events.status(lambda status: status["auth_failures"])["auth_failures"] == 1
    assert "guess-123" not in gate.proxy.stderr()
    assert base64.b64encode(b"alice:guess-123").decode() not in gate.proxy.stderr()


def test_the_same_wrong_password_is_one_failure(guarded):
    gate = guarded()
    for _ in range(12):
        expect(gate.ask("/", "alice", "old"), 401)
    lines = gate.proxy.wait_for_log(event="deny", count=11)
    assert all("the same wrong password again" in line["reason"] for line in lines)
    assert len(gate.proxy.log_lines(event="auth_failure")) == 1


def test_a_missing_or_malformed_password_is_no_failure_of_a_user(guarded):
    gate = guarded()
    for value in ("Basic", "Basic !", "Bearer x", "Negotiate x", "Basic " + base64.b64encode(b"alice").decode()):
        response = ask(gate.proxy.admin, "/", f"Authorization: {value}")
        assert response.status == 401, value
    assert gate.proxy.log_lines(event="auth_failure") == []


def test_guesses_are_throttled(guarded):
    gate = guarded()
    statuses = [gate.ask("/", "alice", f"guess{number}").status for number in range(12)]
    assert statuses[:10] == [401] * 10
    assert statuses[10:] == [429] * 2
    response = gate.ask("/", "alice", "guess")
    assert int(response.get("Retry-After")) > 0
    expect(gate.ask("/healthz"), 200)


def held_back(gate, source, count):
    """Connections whose wrong password comes as late as the costliest hash."""
    with open(gate.path.parent / "htpasswd", "a") as users:
        users.write(COSTLY_LINE)
    assert gate.proxy.control("reload").returncode == 0
    clients = [Client(gate.proxy.admin, source=source) for _ in range(count)]
    for client in clients:
        client.send(head("GET", "/", authorization("alice", "bad")))
    return clients


def test_one_clients_connections_keep_nobody_away(guarded, many_clients, keep):
    """More than are served at once, whose passwords are looked at: who has most of them makes room,
    not who came first."""
    gate = guarded()
    slow = keep(Client(gate.proxy.admin, source="10.0.0.7"))
    slow.send(b"GET /healthz ")
    clients = [keep(client) for client in held_back(gate, "10.0.0.6", 100)]
    expect(ask(gate.proxy.admin, "/healthz"), 200)
    expect(gate.ask("/metrics", "alice", source="10.0.0.8"), 200)
    slow.send(b"HTTP/1.1\r\n\r\n")
    expect(slow.read_response(), 200)
    assert clients[-1].read_response().status == 401  # a few wait for their answer


def test_a_password_does_not_replace_the_guards(guarded):
    gate = guarded()
    expect(gate.ask("/", "alice", host="evil.example"), 421)
    expect(gate.ask("/api/tunnels/x", "alice", method="DELETE"), 403)


def test_beyond_loopback(guarded, namespace):
    space = namespace()
    space.ip("addr", "add", "10.77.0.1/32", "dev", "lo")
    with space:
        gate = guarded("0.0.0.0:0 user alice")
        at = "10.77.0.1:" + gate.proxy.admin.rpartition(":")[2]
        assert gate.proxy.admin.startswith("127.0.0.1:")
        expect(gate.ask("/metrics", at=at, host=at), 401)
        expect(gate.ask("/metrics", "alice", at=at, host=at), 200)
        expect(gate.ask("/metrics"), 401)  # nor from this machine


def test_only_addresses_that_it_is_for(guarded, namespace):
    space = namespace()
    space.ip("addr", "add", "10.77.0.1/32", "dev", "lo")
    with space:
        for admin, user in (("0.0.0.0:0 from 10.0.0.0/8", None), ("[::]:0 from lan", None),
                            ("0.0.0.0:0 user alice from 10.0.0.0/8", "alice")):
            gate = guarded(admin + "\nlist lan { 10.77.0.0/24, fd00::/8 }")
            port = gate.proxy.admin.rpartition(":")[2]
            at, here = f"10.77.0.1:{port}", f"127.0.0.1:{port}"
            expect(gate.ask("/metrics", user, at=at, host=at), 200)
            response = expect(gate.ask("/metrics", user, at=here, host=here), 403)
            assert b"see `admin ... from`" in response.body
            expect(gate.ask("/healthz", at=here, host=here), 200)
            if user:  # both apply
                expect(gate.ask("/metrics", at=at, host=at), 401)
                expect(gate.ask("/metrics", "bob", at=at, host=at), 403)
            gate.proxy.stop()


def test_reload_changes_who_is_let_in(guarded, origin):
    probe = origin(Echo)
    probe.close()
    gate = guarded(f"{probe.authority} user alice")
    expect(gate.ask("/", "alice"), 200)
    gate.path.write_text(f"admin {probe.authority} user bob\n" + gate.text)
    assert gate.proxy.control("reload").returncode == 0
    expect(gate.ask("/", "alice"), 403)
    expect(gate.ask("/", "bob"), 200)


def ends(events):
    """Whether the stream ends by itself, which has a status every second else."""
    data = b""
    while data.count(b"event: status") < 30:
        try:
            more = events.client.receive()
        except ConnectionResetError:
            return True
        if not more:
            return True
        data += more
    return False


@pytest.mark.parametrize("change", ["user", "password", "gone", "off", "from"])
def test_reload_ends_the_streams_of_whom_it_no_longer_lets_in(guarded, tmp_path, change):
    gate = guarded()
    admin = "admin 127.0.0.1:0 user alice, @ops\n"
    with Events(gate.proxy.admin, authorization("alice")) as alice, \
            Events(gate.proxy.admin, authorization("carol")) as carol:
        if change == "user":
            admin = "admin 127.0.0.1:0 user @ops\n"
        elif change == "password":
            (tmp_path / "htpasswd").write_text(NEW_LINE + htpasswd("bob", "carol"))
        elif change == "gone":
            (tmp_path / "htpasswd").write_text(htpasswd("bob", "carol"))
        elif change == "off":
            admin = ""
        elif change == "from":
            admin = "admin 127.0.0.1:0 user alice, @ops from 10.0.0.0/8\n"
        gate.path.write_text(admin + gate.text)
        assert gate.proxy.control("reload").returncode == 0
        assert ends(alice)
        if change in ("off", "from"):
            assert ends(carol)
        else:
            refuse(gate.proxy)
            carol.next("deny")


# -- bounds: nothing done to the page harms a tunnel

class Busy:
    """A tunnel in constant use; each byte is checked."""

    def __init__(self, proxy, server):
        self.tunnel = open_tunnel(proxy.address, server.authority)
        self.rounds, self.failure = 0, None
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        try:
            while not self.stop.is_set():
                assert echoes(self.tunnel, os.urandom(4096))
                self.rounds += 1
        except Exception as error:  # whatever it was, the test's own thread tells of it
            self.failure = error

    def goes_on(self):
        """Whether more rounds come through than had when this was asked."""
        before = self.rounds
        eventually(lambda: self.failure or self.rounds > before + 3)
        return self.failure is None

    def close(self):
        self.stop.set()
        self.thread.join()
        self.tunnel.close()
        assert self.failure is None, self.failure


@pytest.fixture
def busy(keep, origin):
    return lambda proxy: keep(Busy(proxy, origin(Echo)))


def is_calm(proxy, before):
    return lambda: proxy.descriptors() <= before


def test_a_thousand_scrapes(page, busy):
    proxy = page()
    tunnel = busy(proxy)
    ask(proxy.admin, "/metrics")
    before = proxy.descriptors()
    failures = []

    def scrape(path):
        for _ in range(125):
            try:
                expect(ask(proxy.admin, path), 200)
            except (AssertionError, OSError) as error:
                failures.append(error)

    threads = [threading.Thread(target=scrape, args=(path,))
               for path in ("/metrics", "/api/tunnels", "/api/history", "/") * 2]
    for thread in threads:
        thread.start()
    assert tunnel.goes_on()
    for thread in threads:
        thread.join()
    assert failures == []
    assert tunnel.goes_on()
    eventually(is_calm(proxy, before))


def test_clients_that_never_speak_keep_nobody_away(page, busy, keep):
    proxy = page()
    tunnel = busy(proxy)
    before = proxy.descriptors()
    silent = [keep(Client(proxy.admin)) for _ in range(200)]
    expect(ask(proxy.admin, "/healthz"), 200)
    assert proxy.descriptors() <= before + 65
    assert tunnel.goes_on()
    for client in silent:
        client.close()
    eventually(is_calm(proxy, before))


def test_clients_that_never_read(page, busy, keep):
    proxy = page()
    tunnel = busy(proxy)
    before = proxy.descriptors()
    for _ in range(100):
        client = keep(Client(proxy.admin, receive_buffer=1024))
        client.send(head("GET", "/"))
    assert tunnel.goes_on()
    expect(ask(proxy.admin, "/healthz"), 200)
    # They never take what they asked for, and are let go all the same.
    eventually(is_calm(proxy, before))


def test_heads_of_ten_kilobytes(page, busy, keep):
    proxy = page()
    tunnel = busy(proxy)
    for _ in range(100):
        client = keep(Client(proxy.admin))
        client.send(head("GET", "/healthz", "Padding: " + "p" * 10_000)[:-1])
    expect(ask(proxy.admin, "/healthz", "Padding: " + "p" * 10_000), 200)
    assert tunnel.goes_on()


def test_sixteen_event_streams(page, keep):
    proxy = page()
    streams = [keep(Events(proxy.admin)) for _ in range(16)]
    assert all(stream.next()[0] == "status" for stream in streams)
    refused = ask(proxy.admin, "/api/events")
    assert refused.status == 503
    assert int(refused.get("Retry-After")) > 0
    expect(ask(proxy.admin, "/healthz"), 200)
    streams[3].close()

    def is_let_in():
        with Events(proxy.admin) as stream:
            return stream.response.status == 200

    eventually(is_let_in)
    assert streams[4].next("status")


def storm(proxy, count):
    """Refused requests, an event each."""
    for _ in range(count):
        refuse(proxy, proxy.address)


@pytest.mark.timeout(300)
def test_a_slow_reader_of_events(page, busy, keep):
    """It loses events, which are counted, and then its connection; nobody else does."""
    proxy = page()
    tunnel = busy(proxy)
    with Events(proxy.admin) as good:
        good.next()
        before, memory = proxy.descriptors(), proxy.rss_kb()
        slow = [keep(Events(proxy.admin, receive_buffer=1024)) for _ in range(8)]
        # In pieces: the good one is to be a good one on a busy machine, too.
        for _ in range(60):
            storms = [threading.Thread(target=storm, args=(proxy, 25)) for _ in range(4)]
            for thread in storms:
                thread.start()
            for _ in range(100):
                good.next("deny")
            for thread in storms:
                thread.join()
        assert tunnel.goes_on()
        if not is_sanitized():
            assert proxy.rss_kb() < memory + 20_000
        # Filled by now, or never: events beyond what kernel and server hold are dropped.
        eventually(is_calm(proxy, before))
        assert good.status(lambda status: True)["events_dropped"] > 0
    assert len(slow) == 8


def test_it_serves_again_after_a_worker_died(page, origin):
    proxy = page()
    os.kill(proxy.worker_pid, 9)
    expect(ask(proxy.admin, "/healthz"), 200)
    assert works(proxy, origin(Echo))
    _, history = ask_json(proxy.admin, "/api/history")
    assert history["state"] == "serving"
