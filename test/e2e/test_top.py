"""adit top, in a real terminal (support/terminal.py): what is seen, what keys do, how it ends."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading

import pytest

from support.adit import binary, run_adit
from support.checks import echoes, eventually
from support.client import open_tunnel, request, connect_head
from support.origins import Echo
from support.terminal import Terminal
from support.users import htpasswd

UNITS = {"k": 1 << 10, "M": 1 << 20, "G": 1 << 30}
REVERSE = re.compile(r"\x1b\[(0;)?7m")


@pytest.fixture
def top(tmp_path, keep):
    """Starts adit top on a control socket, in a terminal of its own."""
    started = []

    def start(path, width=80, height=24, wait=True, **env):
        env = {"LC_ALL": "C.UTF-8", **env}
        command = [binary(), "top", "-s", path]
        terminal = keep(Terminal(tmp_path / f"tty{len(started)}", command, width, height, **env))
        started.append(terminal)
        terminal.go()
        if wait:
            terminal.wait_for("serving", "AGE")
        return terminal

    return start


@pytest.fixture
def quiet(keep):
    """A target that takes connections and says nothing, with no thread for each."""
    return keep(socket.create_server(("127.0.0.1", 0), backlog=4096))


@pytest.fixture
def tunnels(keep, quiet):
    """Opens tunnels to the quiet target; those with more bytes come first in `sizes`."""
    host, port = quiet.getsockname()

    def start(proxy, sizes):
        clients = [keep(open_tunnel(proxy.address, f"{host}:{port}")) for _ in sizes]
        for client, size in zip(clients, sizes):
            client.send(b"x" * size)
        return clients

    return start


def rows(terminal):
    """The tunnels that are seen, as dicts by their column's title."""
    lines = terminal.lines()
    at = next(i for i, line in enumerate(lines) if "AGE" in line and "TARGET" in line)
    titles = re.sub("[▼▲v^](?= |$)", "", lines[at]).split()
    seen = [line.split() for line in lines[at + 1:-1]]
    return [dict(zip(titles, words)) for words in seen if len(words) == len(titles)]


def number(text):
    return float(text[:-1]) * UNITS[text[-1]] if text[-1] in UNITS else float(text)


def sent(terminal):
    return [number(row["UP"]) for row in rows(terminal)]


def titles(terminal):
    return next(line for line in terminal.lines() if "TARGET" in line)


def selected(terminal):
    """The line that is shown in reverse."""
    lines = [line for line in terminal.styled().split("\n") if REVERSE.search(line)]
    assert len(lines) <= 1, lines
    return re.sub(r"\x1b\[[0-9;]*m|\x1b\(B", "", lines[0]).rstrip() if lines else None


def test_80x24(adit, top, tunnels):
    proxy = adit()
    clients = tunnels(proxy, [10, 20, 30])
    screen = top(proxy.socket_path)
    lines = screen.wait_for("tunnels        3", "1/3")
    assert len(lines) == 24
    assert all(len(line) <= 80 for line in lines)
    assert re.match(r"adit \S+  serving  up \d+s$", lines[0])
    for word in ("up", "down", "new/s", "denies/s", "errors/s"):
        assert any(re.search(rf"(^| ){word} +\S+ ", line) for line in lines[1:4]), word
    assert titles(screen).split() == ["AGE", "UP", "DOWN", "RATE▼", "CLIENT", "TARGET", "RULE"]
    assert sorted(row["CLIENT"] for row in rows(screen)) == sorted(c.name for c in clients)
    assert {row["RULE"] for row in rows(screen)} == {"built-in"}
    assert screen.is_full_screen
    assert not screen.is_cursor_shown
    screen.press("q")
    screen.wait_for_end()


def test_200x60_has_more_columns(adit, top, tunnels):
    proxy = adit()
    tunnels(proxy, range(1, 101))
    screen = top(proxy.socket_path, 200, 60)
    lines = screen.wait_for("1/100")
    assert len(lines) == 60
    for title in ("ADDRESS", "RULE", "ID"):
        assert title in titles(screen)
    assert len(rows(screen)) == 60 - 6
    ids = {row["ID"] for row in rows(screen)}
    assert len(ids) == 60 - 6
    assert all(tunnel in proxy.control("ps").stdout for tunnel in ids)


def test_rates_move(adit, top, origin):
    server = origin(Echo)
    proxy = adit()
    done = threading.Event()

    def chat():
        with open_tunnel(proxy.address, server.authority) as client:
            while not done.wait(0.02):
                assert echoes(client, b"x" * 50_000)

    thread = threading.Thread(target=chat)
    thread.start()
    try:
        screen = top(proxy.socket_path)
        # The gauges, and the tunnel's own.
        screen.wait_until(lambda: re.search(r"\nup +[\d.]+[kM]/s .*[▂▃▄▅▆▇█]", screen.text())
                          and rows(screen)[0]["RATE"] != "-")
        assert re.search(r"\ndown +[\d.]+[kM]/s .*[▂▃▄▅▆▇█]", screen.text())
    finally:
        done.set()
        thread.join()
    screen.wait_for("no tunnel is open")


def test_denies_and_new_tunnels_show(adit, top, quiet, tmp_path):
    config = tmp_path / "adit.conf"
    config.write_text("listen 127.0.0.1:0\nallow to loopback\n")
    proxy = adit("-c", config)
    host, port = quiet.getsockname()
    screen = top(proxy.socket_path)
    for _ in range(3):
        answer, _, _ = request(proxy.address, connect_head("192.0.2.1:443"))
        assert answer.status == 403
        open_tunnel(proxy.address, f"{host}:{port}").close()
    screen.wait_for("serving")
    screen.wait_until(lambda: re.search(r"denies/s .*[▂▃▄▅▆▇█]", screen.text())
                      and re.search(r"new/s .*[▂▃▄▅▆▇█]", screen.text()))


def test_questions_are_no_denies(adit, top, tmp_path):
    (tmp_path / "htpasswd").write_text(htpasswd("alice"))
    config = tmp_path / "adit.conf"
    config.write_text('listen 127.0.0.1:0\nusers file "htpasswd"\nallow user any to loopback\n')
    proxy = adit("-c", config)
    screen = top(proxy.socket_path)

    def is_asked():
        answer, _, _ = request(proxy.address, connect_head("127.0.0.1:1"))
        assert answer.status == 407
        return re.search(r"serving  up \S+  asked/s +[\d.]+", screen.text())

    screen.wait_until(is_asked)
    assert re.search(r"denies/s +0 ", screen.text())


def test_a_thousand_tunnels(adit, top, tunnels):
    sizes = [1000 + 37 * number for number in range(1000)]
    proxy = adit()
    tunnels(proxy, sizes)
    eventually(lambda: proxy.control("ps").stdout.count("\n") == 1001)
    screen = top(proxy.socket_path)
    screen.wait_for("1/1000", "tunnels     1000")
    screen.press("b")
    screen.wait_for("UP▼", "DOWN▼")
    assert len(rows(screen)) == 18
    assert sent(screen) == sorted(sent(screen), reverse=True)
    assert abs(sent(screen)[0] - sizes[-1]) < 100
    screen.press("PageDown")
    screen.wait_for("19/1000")
    assert sent(screen) == sorted(sent(screen), reverse=True)
    screen.press("End")
    screen.wait_for("1000/1000")
    assert sent(screen)[-1] == sizes[0]
    assert selected(screen).split() == screen.lines()[-2].split()
    screen.press("Home")
    screen.wait_for(" 1/1000")
    screen.press("q")
    screen.wait_for_end()


def test_order_by_keys(adit, top, tunnels):
    proxy = adit()
    clients = tunnels(proxy, [300, 100, 200])
    names = [client.name for client in clients]
    screen = top(proxy.socket_path, 100, 24)
    screen.wait_for("1/3")

    def order():
        return [names.index(row["CLIENT"]) for row in rows(screen)]

    for key, title, wanted in (("b", "UP▼", [0, 2, 1]), ("b", "UP▲", [1, 2, 0]),
                               ("a", "AGE▼", [0, 1, 2]), ("a", "AGE▲", [2, 1, 0])):
        screen.press(key)
        screen.wait_for(title)
        # Two tunnels may have opened in the same millisecond.
        screen.wait_until(lambda: order() == wanted or title.startswith("AGE"))
        assert titles(screen).count("▼") + titles(screen).count("▲") == (2 if key == "b" else 1)
    screen.press("r")
    screen.wait_for("RATE▼")


def test_selection_stays_on_its_tunnel(adit, top, tunnels):
    proxy = adit()
    clients = tunnels(proxy, [300, 200, 100])
    screen = top(proxy.socket_path)
    screen.press("b")
    screen.wait_for("UP▼", "1/3")
    screen.press("Down")
    screen.wait_for("2/3")
    assert clients[1].name in selected(screen)
    clients[2].send(b"x" * 5000)
    screen.wait_for("3/3")
    assert clients[1].name in selected(screen)
    screen.press("b")
    screen.wait_for("1/3")
    assert clients[1].name in selected(screen)
    screen.press("Down", "Enter")
    screen.wait_for("listener", f"client {clients[0].name}", "up_bytes 300 (0/s)", "verdict allow")
    screen.press("Down")
    screen.wait_for(f"client {clients[2].name}", "up_bytes 5100")
    clients[2].reset()
    screen.wait_for("2/2", f"client {clients[0].name}")
    screen.press("Enter")
    screen.wait_for("2/2", without=("listener",))


def test_filter_as_you_type(adit, top, tunnels, origin):
    server = origin(Echo)
    proxy = adit()
    tunnels(proxy, [1, 2, 3])
    with open_tunnel(proxy.address, f"localhost:{server.port}"):
        screen = top(proxy.socket_path)
        screen.wait_for("1/4")
        screen.press("/")
        screen.wait_for("4 of 4")
        assert screen.is_cursor_shown
        screen.type("LOCALHO")
        screen.wait_for("/LOCALHO", "1 of 4")
        assert [row["TARGET"] for row in rows(screen)] == [f"localhost:{server.port}"]
        screen.type("zz")
        screen.wait_for("0 of 4", "no tunnel matches the filter")
        screen.press("BSpace", "BSpace", "Enter")
        screen.wait_for("/LOCALHO", "1/1")
        assert not screen.is_cursor_shown
        screen.press("Escape")
        screen.wait_for("1/4", without=("LOCALHO",))


def test_kill_after_asking(adit, top, tunnels, quiet):
    proxy = adit()
    victim, other = tunnels(proxy, [500, 100])
    target = "{}:{}".format(*quiet.getsockname())
    screen = top(proxy.socket_path)
    screen.press("b")
    screen.wait_for("UP▼", "1/2")
    screen.press("k")
    screen.wait_for(f"of {victim.name}? y/n")
    screen.press("n")
    screen.wait_for("1/2", without=("y/n",))
    assert victim.is_silent(0.1)
    screen.press("k")
    screen.wait_for(f"of {victim.name}? y/n")
    screen.press("y")
    screen.wait_for(f"killed {target} of {victim.name}")
    assert victim.read_to_end() == (b"", "rst")
    proxy.wait_for_log(event="close", closed_by="killed", client=victim.name)
    screen.wait_for(other.name, "tunnels        1")
    assert victim.name not in [row["CLIENT"] for row in rows(screen)]
    assert not proxy.log_lines(event="close", client=other.name)
    screen.press("q")
    screen.wait_for_end()


def test_kill_of_a_tunnel_that_has_ended(adit, top, tunnels):
    proxy = adit()
    victim, _ = tunnels(proxy, [500, 100])
    name = victim.name
    screen = top(proxy.socket_path)
    screen.press("b", "k")
    screen.wait_for(f"of {name}? y/n")
    victim.reset()
    proxy.wait_for_log(event="close", client=name)
    screen.press("y")
    screen.wait_for("that tunnel had ended already")


def test_restart_of_adit(adit, top, tunnels, tmp_path):
    path = tmp_path / "sock"
    first = adit("-s", path)
    clients = tunnels(first, [10])
    screen = top(path)
    screen.wait_for("1/1")
    clients[0].reset()
    first.stop()
    screen.wait_for("adit does not answer; trying again")
    second = adit("-s", path)
    clients = tunnels(second, [10, 20])
    screen.wait_for("serving", "1/2", without=("trying again",))
    assert sorted(row["CLIENT"] for row in rows(screen)) == sorted(c.name for c in clients)
    screen.press("q")
    screen.wait_for_end()


def test_drain_shows(adit, top, tunnels):
    proxy = adit()
    clients = tunnels(proxy, [10])
    screen = top(proxy.socket_path)
    screen.wait_for("1/1")
    assert proxy.control("drain").returncode == 0
    screen.wait_for("draining")
    clients[0].reset()
    proxy.wait()
    screen.wait_for("trying again")


def test_a_failed_reload_shows(adit, top, tunnels, tmp_path):
    """With time, file and error, above the tunnels, until a good one."""
    path = tmp_path / "adit.conf"
    text = "listen 127.0.0.1:0\nallow from loopback to any, special\n"
    path.write_text(text)
    proxy = adit("-c", path, "-s", tmp_path / "sock", defaults=True)
    tunnels(proxy, [0])
    screen = top(proxy.socket_path, 200, 10)
    path.write_text(text + "alow\n")
    assert proxy.control("reload").returncode == 1
    lines = screen.wait_for("UTC: adit.conf:3:1: unknown statement 'alow'", "1/1")
    row, = [number for number, line in enumerate(lines) if line.startswith("reload failed at ")]
    assert re.match(r"reload failed at \d\d:\d\d:\d\d UTC: ", lines[row])
    assert lines[row + 1].split()[0] == "AGE" and "127.0.0.1" in lines[row + 2]
    path.write_text(text)
    assert proxy.control("reload").returncode == 0
    screen.wait_for("AGE", "1/1", without=("reload failed",))


def test_resizes_while_it_runs(adit, top, tunnels):
    proxy = adit()
    tunnels(proxy, range(1, 101))
    screen = top(proxy.socket_path)
    screen.wait_for("1/100")
    screen.press("End")
    screen.wait_for("100/100")
    for width, height, wanted in ((200, 60, "ADDRESS"), (80, 24, "TARGET"), (40, 8, "TARGET"),
                                  (39, 8, "39x8 is too small"), (60, 5, "60x5 is too small"),
                                  (3, 2, "3x"), (132, 43, "ADDRESS")):
        screen.resize(width, height)
        screen.wait_for(wanted)
        screen.wait_until(lambda: len(screen.lines()) == height)
        if wanted.isupper():
            screen.wait_for("100/100")
            assert len(rows(screen)) == height - 6 if width > 40 else True
            assert selected(screen) is not None
    screen.press("q")
    screen.wait_for_end()


def test_help(adit, top):
    screen = top(adit().socket_path)
    screen.press("?")
    screen.wait_for("filter as you type", "any key goes back")
    screen.resize(40, 8)
    screen.wait_for("by age", "any key goes back")
    screen.press("x")
    screen.wait_for("no tunnel is open", without=("by age",))


def test_pause(adit, top):
    proxy = adit()
    screen = top(proxy.socket_path)
    screen.press("Space")
    before = screen.wait_for("PAUSED")
    uptime = int(re.search(r"up (\d+)s", before[0]).group(1))

    def uptime_of_adit():
        return int(re.search(r"uptime_s (\d+)", proxy.control("stats").stdout).group(1))

    eventually(lambda: uptime_of_adit() >= uptime + 3)
    assert screen.lines() == before
    screen.press("Space")
    screen.wait_for("serving", without=("PAUSED", f"up {uptime}s"))


@pytest.mark.parametrize("how", ["q", "C-c", "F10", "SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT"])
def test_every_end_gives_the_terminal_back(adit, top, how):
    screen = top(adit().socket_path)
    if how.startswith("SIG"):
        os.kill(screen.pid, getattr(signal, how))
    else:
        screen.press(how)
    assert screen.wait_for_end() == ""


def test_end_while_adit_is_gone_and_a_question_is_open(adit, top, tunnels):
    proxy = adit()
    clients = tunnels(proxy, [1])
    screen = top(proxy.socket_path)
    screen.wait_for("1/1")
    screen.press("k")
    screen.wait_for("y/n")
    clients[0].reset()
    proxy.stop()
    screen.wait_for("trying again")
    screen.press("y")
    screen.wait_for("nothing is known of the kill")
    screen.press("q")
    screen.wait_for_end()


def test_without_a_terminal(adit):
    done = run_adit("top", "-s", adit().socket_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"adit: top needs a terminal; .*\n", done.stderr)


def test_without_its_program(tmp_path):
    alone = tmp_path / "adit"
    shutil.copy(binary(), alone)
    done = subprocess.run([alone, "top"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert done.stderr.startswith(f"adit: top is the program adit-top, and it is neither in {tmp_path} nor in ")
    assert "'adit ps'" in done.stderr


def test_the_proxy_does_not_load_ncurses():
    needed = subprocess.run(["readelf", "-d", binary()], check=True, capture_output=True, text=True, timeout=20)
    assert "libcares" in needed.stdout and "ncurses" not in needed.stdout


def test_without_a_running_adit(top, tmp_path):
    screen = top(tmp_path / "nobody", wait=False)
    error = screen.wait_for_end(1)
    assert len(error.splitlines()) == 1
    assert str(tmp_path / "nobody") in error


@pytest.mark.parametrize("kind", ["dumb", "no-such-terminal"])
def test_terminal_that_can_do_nothing(adit, top, kind):
    screen = top(adit().socket_path, wait=False, TERM=kind)
    error = screen.wait_for_end(1)
    assert re.fullmatch(rf"adit: .*'{kind}'.*\n", error), error


def test_no_color(adit, top, tunnels):
    proxy = adit()
    tunnels(proxy, [1])
    coloured = re.compile(r"\x1b\[[0-9;]*\b3[0-7]m")
    screen = top(proxy.socket_path)
    screen.wait_for("1/1")
    assert coloured.search(screen.styled())
    screen = top(proxy.socket_path, NO_COLOR="1")
    screen.wait_for("1/1")
    assert not coloured.search(screen.styled())
    assert selected(screen)


def test_ascii_where_there_is_no_utf_8(adit, top, tunnels):
    proxy = adit()
    tunnels(proxy, [1])
    screen = top(proxy.socket_path, LC_ALL="C")
    screen.wait_for("1/1", "RATEv")
    screen.wait_until(lambda: re.search(r"tunnels +1 .*#", screen.text()))
    assert screen.text().isascii()


class FakeAdit:
    """Answers on a control socket with what the test says."""

    def __init__(self, path, answers):
        self.answers = answers
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(16)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client:
                word = client.recv(256).split(b" ")[0].strip().decode()
                try:
                    client.sendall(self.answers.get(word, b""))
                except OSError:
                    pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


STATS = b'{"ok":true,"version":"9","state":"serving","uptime_s":1}\n'


LONG = "unknown statement 'alow'; what stands here goes on and on for seventy columns."


@pytest.mark.parametrize("width,height,lines", [
    (200, 24, [f"UTC: adit.conf:12:3: {LONG}"]),
    (80, 24, ["reload failed at 2020-02-29 03:04:05 UTC: adit.conf:12:3:", LONG]),
    (80, 10, ["reload failed at 2020-02-29 03:04:05 UTC: adit.conf:12:3: unknown st"]),
])
@pytest.mark.parametrize("error", ["/a/quite/long/path/to/the/rules/of/everybody/adit.conf:12:3: error: ",
                                   "/a: b/adit.conf:12:3: error: ", "sub/adit.conf:12:3: error: ",
                                   "/etc/adit/adit.conf:12:3: "])
def test_a_narrow_window_says_where_a_reload_failed_and_why(top, keep, tmp_path, width, height,
                                                            lines, error):
    """And on which day, if not today."""
    path = tmp_path / "fake"
    stats = json.loads(STATS) | {"reload": "failed", "reload_time": "2020-02-29T03:04:05Z",
                                 "reload_error": error + LONG}
    keep(FakeAdit(path, {"stats": json.dumps(stats, separators=(",", ":")).encode() + b"\n",
                         "ps": b'{"ok":true,"tunnels":0}\n'}))
    screen = top(path, width, height, wait=False)
    shown = screen.wait_for("reload failed", "no tunnel is open")
    row, = [number for number, line in enumerate(shown) if "reload failed" in line]
    for offset, line in enumerate(lines):
        assert line in shown[row + offset]
    assert "unknown" not in shown[row + len(lines)]


def test_hostile_bytes_move_no_cursor(top, keep, tmp_path):
    path = tmp_path / "fake"
    user = "\\u001b]0;title\\u0007\\u009b2J‮中文"
    tunnel = ('{"id":"a1","client":"127.0.0.1:1","user":"%s","target":"\\u001b[2Jx\\nq:1",'
              '"duration_ms":5,"up_bytes":1,"down_bytes":1}\n') % user
    keep(FakeAdit(path, {"stats": STATS,
                         "ps": b'{"ok":true,"tunnels":1}\n' + tunnel.encode()}))
    screen = top(path, 200, 24)
    screen.wait_for("?[2Jx?q:1", "1/1")
    assert "?]0;title??2J?…" in screen.text()
    screen.press("Enter")
    screen.wait_for("user ?]0;title??2J?中文", "target ?[2Jx?q:1")
    screen.press("k")
    screen.wait_for("kill ?[2Jx?q:1 of 127.0.0.1:1? y/n")


@pytest.mark.parametrize("answer", [b"", b"nonsense\n", b'{"ok":true', b'{"ok":false,"error":"x"}\n'])
def test_answers_that_make_no_sense(top, keep, tmp_path, answer):
    path = tmp_path / "fake"
    fake = keep(FakeAdit(path, {"stats": answer, "ps": answer}))
    screen = top(path, wait=False)
    screen.wait_for("adit does not answer; trying again")
    fake.answers = {"stats": STATS, "ps": b'{"ok":true,"tunnels":0}\n'}
    screen.wait_for("serving", "no tunnel is open")
    fake.answers = {"stats": STATS, "ps": answer}
    screen.wait_for("adit does not answer; trying again")
    screen.press("q")
    screen.wait_for_end()
