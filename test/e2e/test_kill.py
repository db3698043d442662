"""adit ps with filters and --json, and adit kill: who is meant, what both ends see, and what the log
and the counters say of it."""

import contextlib
import fcntl
import json
import os
import re
import socket
import struct
import subprocess
import termios
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.adit import binary, run_adit
from support.checks import echoes, eventually, works
from support.client import Client, ESTABLISHED, connect_head, open_tunnel
from support.origins import Blackhole, Echo, Handler, Recorder, pattern
from support.page import ask_json
from support.users import basic, htpasswd

LINE = re.compile(r"killed (\d+) tunnels?\n")


def ask(proxy, line):
    """What the control socket itself answers: its lines as objects."""
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(20)
        control.connect(proxy.socket_path)
        control.sendall(line.encode() + b"\n")
        data = b""
        while more := control.recv(1 << 16):
            data += more
    return [json.loads(text) for text in data.decode().splitlines()]


def listed(proxy, *words):
    done = proxy.control("ps", "--json", *words)
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def kill(proxy, *words):
    """How many tunnels a kill ended; None: its exit status was not 0."""
    done = proxy.control("kill", *words)
    if done.returncode != 0:
        assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done
        return None
    return int(LINE.fullmatch(done.stdout).group(1))


def stat(proxy, name):
    match = re.search(rf"^{re.escape(name)} (\d+)$", proxy.control("stats").stdout, re.MULTILINE)
    assert match, name
    return int(match.group(1))


def open_as(proxy, user, target):
    client = Client(proxy.address)
    client.send(connect_head(target, basic(user)))
    assert client.read_until(b"\r\n\r\n") == ESTABLISHED
    return client


@pytest.fixture
def users(adit, tmp_path):
    """An adit that knows alice and bob, and lets anybody go to this machine."""
    (tmp_path / "htpasswd").write_text(htpasswd("alice", "bob"))
    path = tmp_path / "adit.conf"
    path.write_text('listen 127.0.0.1:0\nusers file "htpasswd"\n'
                    "allow from loopback to any, special\n")
    return lambda: adit("-c", path, "-s", tmp_path / "sock", defaults=True)


# -- ps


def test_filters(users, origin, keep):
    server = origin(Echo)
    proxy = users()
    tunnels = {}
    for user in ("alice", "bob"):
        for host in ("one.localhost", "two.localhost", "127.0.0.1"):
            client = keep(open_as(proxy, user, f"{host}:{server.port}"))
            tunnels[user, host] = client.name
    anonymous = keep(open_tunnel(proxy.address, f"ONE.localhost.:{server.port}"))
    tunnels[None, "one.localhost"] = anonymous.name
    assert echoes(anonymous, b"x" * 1024)

    def meant(*words):
        return sorted(line["client"] for line in listed(proxy, *words))

    def those(check):
        return sorted(name for (user, host), name in tunnels.items() if check(user, host))

    assert meant() == those(lambda user, host: True)
    assert meant("--user", "alice") == those(lambda user, host: user == "alice")
    assert meant("--user", "Alice") == []
    assert meant("--host", "One.Localhost.") == those(lambda user, host: host == "one.localhost")
    assert meant("--host", "*.localhost") == those(lambda user, host: host != "127.0.0.1")
    assert meant("--host", "localhost") == []
    assert meant("--host", "::ffff:127.0.0.1") == those(lambda user, host: host == "127.0.0.1")
    assert meant("--user", "bob", "--host", "127.0.0.1") == [tunnels["bob", "127.0.0.1"]]
    assert meant("--min-bytes", "2k") == [anonymous.name]
    assert meant("--min-bytes", "2049") == []
    assert len(proxy.control("ps", "--user", "bob").stdout.splitlines()) == 1 + 3


def test_clients_and_rules(adit, origin, keep, tmp_path):
    """Whose tunnels, and by which rule: listed and killed, and nobody else's."""
    server = origin(Echo)
    path = tmp_path / "adit.conf"
    path.write_text('listen 127.0.0.1:0\nallow from 127.0.2.0/24 to any, special as "second"\n'
                    "allow from loopback to any, special\n")
    proxy = adit("-c", path, "-s", tmp_path / "sock", defaults=True)
    sources = ["127.0.1.1", "127.0.2.1", "127.0.2.2"]
    tunnels = [keep(open_tunnel(proxy.address, server.authority, source=source)) for source in sources]

    def meant(*words):
        return {line["client"].rpartition(":")[0] for line in listed(proxy, *words)}

    assert meant("--client", "127.0.2.1") == meant("--client", "::ffff:127.0.2.1") == {"127.0.2.1"}
    assert meant("--client", "127.0.0.0/8") == set(sources)
    assert meant("--client", "10.0.0.0/8") == meant("--rule", "third") == set()
    assert meant("--rule", "second") == {"127.0.2.1", "127.0.2.2"}
    assert meant("--rule", "adit.conf:3") == {"127.0.1.1"}
    assert meant("--rule", "second", "--client", "127.0.1.0/24") == set()
    assert kill(proxy, "--rule", "second", "--client", "127.0.2.2") == 1
    assert tunnels[2].read_to_end() == (b"", "rst")
    assert kill(proxy, "--client", "127.0.1.0/24") == 1
    assert kill(proxy, "--client", "127.0.1.0/24") is None
    assert echoes(tunnels[1])
    assert kill(proxy, "--rule", "second") == 1


SORTS = {"age": lambda line: -line["duration_ms"], "up": lambda line: -line["up_bytes"],
         "bytes": lambda line: -line["up_bytes"] - line["down_bytes"],
         "client": lambda line: line["client"], "target": lambda line: line["target"]}


def test_order(adit, origin, keep):
    """Over all threads, whose answers come one behind the other."""
    server = origin(Echo)
    proxy = adit("-w", "3")
    for number in range(12):
        host = ("127.0.0.1", "localhost", "a.localhost")[number % 3]
        tunnel = keep(open_tunnel(proxy.address, f"{host}:{server.port}"))
        assert echoes(tunnel, b"x" * (number * 7 % 12 + 1))
    for words in ([], *(["--sort", sign + key] for key in SORTS for sign in ("", "-"))):
        key = words[-1].lstrip("-") if words else "age"
        lines = [SORTS[key](line) for line in listed(proxy, *words)]
        assert len(lines) == 12
        assert lines == sorted(lines, reverse=bool(words) and words[-1].startswith("-")), words
    table = [line.split() for line in proxy.control("ps", "--sort", "target").stdout.splitlines()]
    targets = [line[table[0].index("TARGET")] for line in table[1:]]
    assert targets == sorted(targets)


@pytest.fixture
def in_terminal(tmp_path):
    """in_terminal(proxy, width, *words): the lines that `adit ps` prints on a terminal."""
    def run(proxy, width, *words):
        ours, theirs = os.openpty()
        try:
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
            done = subprocess.run([binary(), "ps", "-s", proxy.socket_path, *words], stdout=theirs,
                                  stderr=subprocess.PIPE, timeout=30, env={"LC_ALL": "C.UTF-8"})
            assert (done.returncode, done.stderr) == (0, b"")
        finally:
            os.close(theirs)
        with open(ours, "rb", buffering=0) as shown:
            data = b""
            with contextlib.suppress(OSError):  # EIO: no more
                while piece := shown.read(1 << 16):
                    data += piece
        return data.decode().splitlines()

    return run


def words_but_age(line):
    words = line.split()
    return words[:1] + words[2:]


def test_the_table_fits_the_terminal(users, origin, keep, in_terminal):
    """What is cut is marked, ids never are; for a program nothing is cut."""
    server = origin(Echo)
    proxy = users()
    long_name = f"{'l' * 60}.{'m' * 60}.localhost:{server.port}"
    for target in (server.authority, long_name):
        keep(open_as(proxy, "alice", target))
    ids = [line["id"] for line in listed(proxy)]
    whole = proxy.control("ps").stdout.splitlines()
    assert long_name in whole[2] and whole[0].split()[-1] == "RULE"
    assert [words_but_age(line) for line in in_terminal(proxy, 400)] == [
        words_but_age(line) for line in whole]
    for width in (200, 120, 80, 60, 40, 24):
        lines = in_terminal(proxy, width)
        assert all(len(line) <= width for line in lines), lines
        assert [line.split()[0] for line in lines] == ["ID", *ids]
        assert "TARGET" in lines[0] and "lll" in lines[2] and "…" in lines[2]
    assert {"AGE", "UP", "DOWN", "CLIENT", "USER"} <= set(in_terminal(proxy, 80)[0].split())


@pytest.mark.usefixtures("many_clients")
def test_a_narrow_table_tells_the_tunnels_apart(adit, tmp_path, keep, in_terminal):
    """Columns that say little are left out before the client and the target are cut too short."""
    server = keep(Echo())
    rules = tmp_path / "adit.conf"
    rules.write_text("allow from any to any, special\n")
    proxy = adit("-c", rules, "-l", "0.0.0.0:10800")
    clients = [f"10.118.116.{number}" for number in (207, 208)]
    targets = [f"{name}.service.localhost" for name in ("login-eu", "login")]
    for client in clients:
        for target in targets:
            keep(open_tunnel("127.0.0.1:10800", f"{target}:{server.port}", source=client))
    for width, empty in ((100, {"USER"}), (80, set()), (72, set())):
        lines = in_terminal(proxy, width)
        assert all(len(line) <= width for line in lines), lines
        titles = lines[0].split()
        assert {"AGE", "UP", "DOWN", "CLIENT", "TARGET"} <= set(titles)
        assert {"ADDRESS", "USER"} & set(titles) == empty  # no user: nothing but "-"
        shown = [dict(zip(titles, line.split())) for line in lines[1:]]
        assert sorted((line["CLIENT"].rstrip("…").split(":")[0], line["TARGET"][:19])
                      for line in shown) == [(client, target[:19])
                                             for client in clients for target in targets]
    assert "USER" in in_terminal(proxy, 400)[0].split()


def test_json_has_the_fields_of_the_log(users, origin, keep):
    server = origin(Echo)
    proxy = users()
    client = keep(open_as(proxy, "alice", f"localhost:{server.port}"))
    assert echoes(client, b"x" * 100)
    logged = proxy.wait_for_log(event="open")
    fields, = listed(proxy)
    assert fields["up_bytes"] == fields["down_bytes"] == 100
    assert fields.pop("state") == "relaying"
    for name in ("up_bytes", "down_bytes", "duration_ms"):
        fields.pop(name)
    assert {name: str(value) for name, value in fields.items()} == {
        name: value for name, value in logged.items() if name not in ("time", "event", "status")}


@pytest.fixture
def opening(adit, origin, keep, tmp_path):
    """An adit with three tunnels: one that relays, one that waits for a name server, one for its
    target; their clients by state."""
    silent = keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    silent.bind(("127.0.0.1", 0))
    path = tmp_path / "adit.conf"
    path.write_text(f"listen 127.0.0.1:0\nadmin 127.0.0.1:0\nresolver 127.0.0.1:{silent.getsockname()[1]} timeout 60s\n"
                    "timeout dial 60s\nallow from loopback to any, special as \"all\"\n")
    proxy = adit("-c", path, "-s", tmp_path / "sock", defaults=True)
    clients = {"relaying": keep(open_tunnel(proxy.address, origin(Echo).authority))}
    black = keep(Blackhole())
    for state, target in (("resolving", "slow.test:443"), ("dialling", black.authority)):
        clients[state] = keep(Client(proxy.address))
        clients[state].send(connect_head(target))
        eventually(lambda: [line for line in listed(proxy) if line["state"] == state])
    return proxy, clients


def test_opening_tunnels_are_listed(opening):
    proxy, clients = opening
    lines = {line["state"]: line for line in listed(proxy)}
    assert {state: line["client"] for state, line in lines.items()} == {
        state: client.name for state, client in clients.items()}
    assert "rule" not in lines["resolving"] and "verdict" not in lines["resolving"]
    assert lines["dialling"]["rule"] == "all"
    assert [line["client"] for line in listed(proxy, "--host", "slow.test")] == [
        clients["resolving"].name]
    assert {line["state"] for line in listed(proxy, "--rule", "all")} == {"relaying", "dialling"}
    before = lines["resolving"]["duration_ms"]
    eventually(lambda: listed(proxy, "--host", "slow.test")[0]["duration_ms"] > before)
    table = [line.split() for line in proxy.control("ps").stdout.splitlines()]
    assert sorted(line[table[0].index("STATE")] for line in table[1:]) == sorted(clients)
    page = ask_json(proxy.admin, "/api/tunnels")[1]
    assert {line["state"] for line in page} == set(clients)
    assert stat(proxy, "adit_tunnels_open") == 1


def test_opening_tunnels_are_killed(opening):
    """Their clients are answered, and what they had is given back."""
    proxy, clients = opening
    ids = {line["state"]: line["id"] for line in listed(proxy)}
    assert kill(proxy, ids["resolving"]) == 1
    assert kill(proxy, ids["resolving"]) is None
    assert kill(proxy, "--client", "127.0.0.1") == 2
    for state in ("resolving", "dialling"):
        answer, ending = clients[state].read_to_end()
        assert answer.startswith(b"HTTP/1.1 403 an operator of this proxy ended the tunnel"), answer
        assert ending == "fin"
    assert clients["relaying"].read_to_end() == (b"", "rst")
    denied = {line["id"]: line for line in proxy.wait_for_log(event="deny", count=2)}
    assert set(denied) == {ids["resolving"], ids["dialling"]}
    assert {line["status"] for line in denied.values()} == {"403"}
    assert all("operator" in line["reason"] for line in denied.values())
    assert proxy.wait_for_log(event="close")["closed_by"] == "killed"
    assert listed(proxy) == []


@pytest.mark.parametrize("line", [
    "ps {", "ps {}{}", "ps {\"user\":\"\"}", "ps []", "kill", "kill {}", "kill {\"min_bytes\":0}",
    "kill {\"id\":\"O\"}", "kill {\"host\":\"*\"}", "kill {\"nobody\":\"x\"}", "kill \"x\"",
    "kill {\"user\":\"" + "x" * 300 + "\"}", "kill {\"user\":\"a\\u0000\"}",
])
def test_malformed_requests_end_no_tunnel(adit, origin, line):
    server = origin(Echo)
    proxy = adit()
    with open_tunnel(proxy.address, server.authority) as client:
        answer, = ask(proxy, line)
        assert answer["ok"] is False and answer["error"]
        assert echoes(client)


@pytest.mark.parametrize("words", [
    ["kill"], ["kill", "ID"], ["kill", ""], ["kill", "a", "b"], ["kill", "--host", "a:443"],
    ["kill", "--user", ""], ["kill", "--min-bytes", "1"], ["ps", "--min-bytes", "x"],
    ["ps", "--host", "a..b"], ["ps", "x"], ["kill", "--client", "10.0.0.1/8"],
    ["kill", "--client", "a"], ["kill", "--rule", ""], ["ps", "--sort", "size"], ["ps", "--sort", "-"],
    ["ps", "--sort"], ["kill", "--sort", "age", "1"],
], ids=" ".join)
def test_malformed_words(words):
    done = run_adit(*words, "-s", "/nonexistent/sock")
    assert done.returncode == 2, done
    assert done.stdout == "" and len(done.stderr.splitlines()) == 1


# -- kill


def bulk(connection):
    """Sends until nobody takes it."""
    piece = pattern(1 << 20)
    while True:
        connection.sendall(piece)


@pytest.mark.parametrize("mode", ["auto", "copy", "splice"])
def test_kill_under_way(adit, origin, keep, mode):
    """Both ends see a reset, at once, though megabytes were on their way."""
    sources = origin(Handler, bulk)
    sink = origin(Recorder)
    proxy = adit(env={"ADIT_RELAY": mode})
    down = keep(open_tunnel(proxy.address, sources.authority))
    up = keep(open_tunnel(proxy.address, sink.authority))
    down.read_exact(4 << 20)
    up.send(pattern(4 << 20))
    eventually(lambda: sink.received and len(sink.received[0]) == 4 << 20)
    ids = {line["target"]: line["id"] for line in listed(proxy)}
    assert kill(proxy, ids[sources.authority]) == 1
    assert down.read_to_end()[1] == "rst"
    assert kill(proxy, ids[sink.authority]) == 1
    assert up.read_to_end() == (b"", "rst")
    assert sink.wait_for_ending() == "rst"
    eventually(lambda: not sources.live)
    closes = {line["target"]: line for line in proxy.wait_for_log(event="close", count=2)}
    assert {line["closed_by"] for line in closes.values()} == {"killed"}
    assert int(closes[sources.authority]["down_bytes"]) >= 4 << 20
    assert closes[sink.authority]["up_bytes"] == str(4 << 20)
    assert stat(proxy, "adit_tunnels_open") == stat(proxy, "adit_connections_open") == 0
    for way in ("up", "down"):
        assert stat(proxy, f'adit_bytes_total{{direction="{way}"}}') == sum(
            int(line[f"{way}_bytes"]) for line in closes.values())
    assert kill(proxy, ids[sink.authority]) is None


def test_kill_by_user_and_host(users, origin, keep):
    server = origin(Echo)
    proxy = users()
    clients = {(user, host): keep(open_as(proxy, user, f"{host}:{server.port}"))
               for user in ("alice", "bob") for host in ("one.localhost", "two.localhost")}
    assert kill(proxy, "--user", "bob", "--host", "one.localhost") == 1
    assert clients.pop(("bob", "one.localhost")).read_to_end() == (b"", "rst")
    assert all(echoes(client) for client in clients.values())
    assert kill(proxy, "--host", "*.localhost", "--user", "alice") == 2
    assert clients.pop(("alice", "one.localhost")).read_to_end() == (b"", "rst")
    assert clients.pop(("alice", "two.localhost")).read_to_end() == (b"", "rst")
    last, = clients.values()
    assert echoes(last)
    assert kill(proxy, "--user", "alice") is None
    assert kill(proxy, "--host", "TWO.localhost") == 1
    assert listed(proxy) == []
    assert works(proxy, server)


def test_kill_on_the_socket(adit, origin):
    server = origin(Echo)
    proxy = adit()
    with open_tunnel(proxy.address, server.authority) as client:
        line = "kill " + json.dumps({"id": proxy.wait_for_log(event="open")["id"]})
        assert ask(proxy, line) == [{"ok": True, "killed": 1}]
        assert ask(proxy, line) == [{"ok": True, "killed": 0}]
        assert client.read_to_end() == (b"", "rst")


def test_kill_a_thousand(adit, origin, keep):
    """Each is ended once, whoever of several asks; others live on, and nothing is left behind."""
    server = origin(Echo)
    proxy = adit("-w", "2")
    with open_tunnel(proxy.address, f"127.0.0.1:{server.port}") as bystander:
        assert echoes(bystander)
        before = proxy.descriptors()
        clients = [keep(open_tunnel(proxy.address, f"localhost:{server.port}"))
                   for _ in range(1000)]
        assert len(listed(proxy)) == 1001
        assert len(listed(proxy, "--host", "localhost")) == 1000
        with ThreadPoolExecutor(3) as pool:
            counts = list(pool.map(lambda _: kill(proxy, "--host", "localhost"), range(3)))
        assert sum(count or 0 for count in counts) == 1000
        assert all(client.read_to_end() == (b"", "rst") for client in clients)
        assert len(proxy.wait_for_log(event="close", closed_by="killed", count=1000,
                                      timeout=20)) == 1000
        assert len(listed(proxy)) == 1
        eventually(lambda: proxy.descriptors() <= before)
        assert echoes(bystander)


def test_kill_ends_a_drain(adit, origin):
    """Whoever waits for the last tunnel of a draining adit may end it."""
    server = origin(Echo)
    proxy = adit()
    with open_tunnel(proxy.address, server.authority) as client:
        assert echoes(client)
        assert proxy.control("drain").returncode == 0
        eventually(lambda: "state draining" in proxy.control("stats").stdout)
        assert kill(proxy, "--host", "127.0.0.1") == 1
        assert client.read_to_end() == (b"", "rst")
        assert proxy.wait() == 0


def test_drain_says_how_long(adit, origin, tmp_path):
    """The time that is set, and the second time what is left of it."""
    server = origin(Echo)
    path = tmp_path / "adit.conf"
    path.write_text("listen 127.0.0.1:0\ntimeout drain 90m\nallow from loopback to any, special\n")
    proxy = adit("-c", path, "-s", tmp_path / "sock", defaults=True)
    with open_tunnel(proxy.address, server.authority):
        done = proxy.control("drain")
        assert done.returncode == 0 and "in 90m at most" in done.stdout
        eventually(lambda: "state draining" in proxy.control("stats").stdout)
        again = proxy.control("drain").stdout
        left = re.search(r"in (\d+)s at most", again)
        assert "in 90m at most" in again or 5000 < int(left.group(1)) < 5400
    assert proxy.wait() == 0


def test_many_who_look_at_once(adit, origin, keep):
    server = origin(Echo)
    proxy = adit("-w", "2")
    for _ in range(200):
        keep(open_tunnel(proxy.address, server.authority))
    words = [[], ["--host", "127.0.0.1"], ["--host", "localhost"]]
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda i: len(listed(proxy, *words[i % 3])), range(24)))
    assert counts == [200, 200, 0] * 8
