"""Running by a configuration: -c, what the command line overrides, `adit check`, mistakes, and the
log statement."""

import json
import os
import re
import signal
import socket
import subprocess

import pytest

from support.adit import binary, parse_logfmt, run_adit, split_address
from support.checks import connects, echoes, eventually, works
from support.client import Client, connect_head, open_tunnel
from support.origins import Echo

RULES = "allow from loopback to any, special port 1-24, 26-65535\n"
PLACE = re.compile(r"^(?P<file>[^\n]*):(?P<line>\d+):(?P<column>\d+): error: .+$", re.MULTILINE)


@pytest.fixture
def config(tmp_path):
    def write(text, name="adit.conf"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def run(adit, path, *args):
    return adit("-c", path, "-s", path.parent / "sock", *args, defaults=True)


def status_of(proxy, target, *fields):
    with Client(proxy.address) as client:
        client.send(connect_head(target, *fields))
        return client.read_response(has_body=False).status


# -- running


def test_the_file_says_where_to_listen_and_who_may(adit, origin, config):
    server = origin(Echo)
    proxy = run(adit, config('listen 127.0.0.1:0\nlisten [::1]:0\n'
                             'deny to *.forbidden.example as "nobody goes there"\n' + RULES))
    assert [split_address(text)[0] for text in proxy.listeners] == ["127.0.0.1", "::1"]
    assert works(proxy, server)
    assert status_of(proxy, "a.forbidden.example:443") == 403
    assert proxy.wait_for_log(event="open")["rule"] == "adit.conf:4"
    assert proxy.wait_for_log(event="deny")["rule"] == "nobody goes there"


def test_a_refusal_names_the_rule_but_no_file(adit, config):
    proxy = run(adit, config('listen 127.0.0.1:0\ndeny to a.example\n'
                             'deny to b.example as "not b"\n'
                             f'deny to c.example as "{"ü" * 31}"\n' + RULES))
    for target, words, in_body in (("a.example:443", "(line 2)", "(line 2)"),
                                   ("b.example:443", "(rule not b)", "(rule not b)"),
                                   ("c.example:443", "(line 4)", f"(rule {'ü' * 31})")):
        with Client(proxy.address) as client:
            client.send(connect_head(target))
            response = client.read_response()
        assert response.status_line == f"HTTP/1.1 403 denied by policy {words}"
        assert in_body in response.body.decode()
        assert words in response.get("Proxy-Status")
        assert "adit.conf" not in response.body.decode()


def test_listeners_of_the_command_line_win(adit, config):
    path = config("listen 127.0.0.1:1\n" + RULES)
    proxy = adit("-c", path, "-l", "127.0.0.3:0")
    assert [split_address(text)[0] for text in proxy.listeners] == ["127.0.0.3"]


def test_a_relative_path_and_included_files(adit, origin, config, tmp_path):
    """Relative to the file that names them; adit may be started anywhere."""
    (tmp_path / "adit0").mkdir()  # where the fixture starts it
    os.rmdir(tmp_path / "adit0")
    (tmp_path / "rules").mkdir()
    config('listen 127.0.0.1:0\ninclude "rules/*.conf"\n')
    config("allow to 127.0.0.1\n", "rules/20.conf")
    config('deny port 1\n', "rules/10.conf")
    proxy = adit("-c", "../adit.conf", "-s", tmp_path / "sock", defaults=True)
    assert works(proxy, origin(Echo))
    assert proxy.wait_for_log(event="open")["rule"] == "20.conf:1"
    assert status_of(proxy, "127.0.0.1:1") == 403


def test_timeouts_and_limits_of_the_file(adit, origin, config):
    server = origin(Echo)
    proxy = run(adit, config("listen 127.0.0.1:0\ntimeout head 200ms\n"
                             "limit tunnels 2 per client\n" + RULES))
    with Client(proxy.address) as client:
        client.send(b"CONNECT ")
        assert client.read_response().status == 408
    with open_tunnel(proxy.address, server.authority), open_tunnel(proxy.address,
                                                                   server.authority):
        assert status_of(proxy, server.authority) == 429


def test_a_worker_that_dies_is_replaced_by_the_same_configuration(adit, origin, config):
    server = origin(Echo)
    proxy = run(adit, config("listen 127.0.0.1:0\ndeny port 1\n" + RULES))
    os.kill(proxy.worker_pid, signal.SIGKILL)
    assert works(proxy, server)
    assert status_of(proxy, "127.0.0.1:1") == 403


# -- mistakes

MISTAKES = {  # text: (line, column, a word of the message)
    "listen 127.0.0.1\n": (1, 8, "port"),
    "listen 127.0.0.1:0\nlisten 127.0.0.1:70000\n": (2, 8, "port"),
    "lisen 127.0.0.1:0\n": (1, 1, "listen"),
    "timeout head 10\n": (1, 14, ""),
    "timeout hed 10s\n": (1, 9, "head"),
    "timeout idle 1h\ntimeout idle 2h\n": (2, 9, "twice"),
    "log stderr\nlog off\n": (2, 1, "twice"),
    "allow from 10.0.0.1/8\n": (1, 12, "10.0.0.0/8"),
    "allow from nobody_knows to any\n": (1, 12, "nobody_knows"),
    "allow user @ops to any\n": (1, 12, "ops"),
    "allow port 80-22\n": (1, 12, "80"),
    "allow to intranet\n": (1, 10, "quote"),
    "allow to any extra\n": (1, 14, ""),
    "list l { a.example }\nallow from l\n": (2, 12, "l"),
    "allow from loopback to any as \"open\n": (1, 31, ""),
    "users file \"missing\"\n": (1, 12, "missing"),
    "include \"missing.conf\"\n": (1, 9, "missing.conf"),
    "limit tunnels -5\n": (1, 15, ""),
    "listen 0.0.0.0:0\nallow to any\n": (0, 0, ""),
}


@pytest.mark.parametrize("text", MISTAKES, ids=lambda text: text.split("\n")[-2][:30])
@pytest.mark.parametrize("how", ["check", "run"])
def test_a_mistake_has_a_place_and_a_caret(config, text, how, tmp_path):
    path = config(text)
    words = ["check", "-c", path] if how == "check" else ["-c", path, "-s", tmp_path / "sock"]
    done = run_adit(*words)
    assert done.returncode == 1
    assert done.stdout == ""
    match = PLACE.search(done.stderr)
    assert match, done.stderr
    assert match["file"].endswith("adit.conf")
    line, column, word = MISTAKES[text]
    if line == 0:
        return
    assert word in match[0] or word in done.stderr
    assert (line, column) == (int(match["line"]), int(match["column"])), done.stderr
    quoted, caret = done.stderr[match.end():].split("\n")[1:3]
    source = text.split("\n")[line - 1]
    assert quoted.strip() == source.strip()
    assert caret.strip().strip("~") == "^"
    assert caret.index("^") == quoted.index(source) + column - 1


def test_a_block_that_is_never_closed(config):
    """It is found where there is no line left to be shown."""
    done = run_adit("check", "-c", config("group ops { alice\n"))
    assert done.returncode == 1
    assert "adit.conf:2:1: error" in done.stderr and "line 1" in done.stderr


def test_many_mistakes_are_told_at_once(config):
    done = run_adit("check", "-c", config("timeot 1s\nallow from x\n" * 6))
    assert done.returncode == 1
    assert len(PLACE.findall(done.stderr)) >= 10
    assert "12 errors" in done.stderr


@pytest.mark.parametrize("make, word", [
    (lambda path: None, "No such file"),
    (lambda path: path.mkdir(), "directory"),
    (lambda path: path.write_bytes(b"listen 127.0.0.1:0\n\0"), "NUL"),
    (lambda path: path.write_bytes(b"list l { \xff }\n"), "UTF-8"),
    (lambda path: path.write_bytes(b"#" * (100 << 20)), "16"),
], ids=["missing", "folder", "NUL", "bytes", "large"])
def test_a_file_that_is_none(tmp_path, make, word):
    path = tmp_path / "adit.conf"
    make(path)
    for words in (["check"], ["-s", tmp_path / "sock"]):
        done = run_adit(*words, "-c", path)
        assert done.returncode == 1
        assert "adit.conf" in done.stderr and word.lower() in done.stderr.lower(), done.stderr


def test_a_busy_listener_of_the_file(adit, config):
    proxy = adit()
    done = run_adit("-c", config(f"listen {proxy.address}\n" + RULES), "-s", proxy.folder / "x")
    assert done.returncode == 1
    assert proxy.address in done.stderr and "in use" in done.stderr


def test_a_log_that_cannot_be_written(config, tmp_path):
    done = run_adit("-c", config('listen 127.0.0.1:0\nlog "no/such/folder/log"\n' + RULES),
                    "-s", tmp_path / "sock")
    assert done.returncode == 1
    assert "no/such/folder/log" in done.stderr


# -- check


def test_check_opens_nothing(adit, config, tmp_path):
    proxy = adit()
    path = config(f'listen {proxy.address}\nlog "access.log"\n' + RULES)
    done = run_adit("check", "-c", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "0 errors, 0 warnings" in done.stdout
    assert not (tmp_path / "access.log").exists()


def without_comments(text):
    """They say where a rule stands."""
    return [line.partition("#")[0].rstrip() for line in text.splitlines()]


def test_check_print_parses_to_the_same(config):
    path = config('listen 127.0.0.1:1\ntimeout idle 90s\nlist l { 10.0.0.0/8, *.x.example }\n'
                  'limit bandwidth 1MB/s per client\nlog stderr format json events deny\n'
                  'deny to l as "no"\n' + RULES)
    first = run_adit("check", "--print", "-c", path)
    assert first.returncode == 0
    second = run_adit("check", "--print", "-c", config(first.stdout, "again.conf"))
    assert without_comments(second.stdout) == without_comments(first.stdout)
    assert "timeout idle 1m30s" in first.stdout or "timeout idle 90s" in first.stdout
    assert "timeout stuck 15m" in first.stdout


@pytest.mark.parametrize("words", ["", " format logfmt", " format json", " format squid"])
@pytest.mark.parametrize("place", ["stderr", "stdout"])
def test_formats_of_the_log_are_printed(config, place, words):
    done = run_adit("check", "--print", "-c", config(f"log {place}{words}\n" + RULES))
    assert done.returncode == 0
    assert f"log {place}{words or ' format logfmt'} events" in done.stdout


def test_check_without_a_file_is_about_the_built_in_one():
    done = run_adit("check", "--print")
    assert done.returncode == 0
    assert "listen 127.0.0.1:10800" in done.stdout
    assert "allow from loopback to any, special # built-in\n" in done.stdout


def test_check_warns_of_port_25(config):
    done = run_adit("check", "-c", config("allow from loopback to any\n"))
    assert done.returncode == 0
    assert "warning" in done.stderr and "25" in done.stderr


def test_check_says_what_it_found_in_a_list_file(config):
    plain = config("a.example\n.b.example ; both\n", "plain.txt")
    mixed = config("0.0.0.0 c.example d.example\n||e.example^\n! title\n", "mixed.txt")
    page = config("<html>\nf.example\n<a href>\n", "page.txt")
    path = config('list a file "plain.txt"\nlist a file "mixed.txt"\n'
                  'list a file "page.txt" lenient\ndeny to a as "listed"\n'
                  'allow from loopback port 9\n')  # no name is looked up
    done = run_adit("check", "-c", path)
    assert done.returncode == 0
    assert f"{plain}: 2 entries (plain)\n" in done.stdout
    assert f"{mixed}: 2 entries (hosts), 1 entry (adblock)\n" in done.stdout
    assert f"{page}: 1 entry (plain); in 2 lines what is no entry is skipped\n" in done.stdout
    assert f"{page}:1:1: warning: '<html>'" in done.stderr
    assert "what is no entry is skipped, here and in 1 more line\n" in done.stderr
    printed = run_adit("check", "--print", "-c", path)
    assert f'list a file "{page}" lenient' in printed.stdout
    for host, is_listed in (("x.b.example", True), ("d.example", True), ("x.d.example", False),
                            ("x.e.example", True), ("f.example", True), ("g.example", False)):
        asked = run_adit("explain", "-c", path, f"{host}:443")
        assert ("rule listed" in asked.stdout) == is_listed, asked.stdout


# -- the log statement


def log_of(path):
    return path.read_text().splitlines() if path.exists() else []


def test_log_to_a_file(adit, origin, config, tmp_path):
    log = tmp_path / "access.log"
    proxy = run(adit, config('listen 127.0.0.1:0\nlog "access.log"\n' + RULES))
    assert works(proxy, origin(Echo))
    eventually(lambda: len(log_of(log)) == 2)
    assert [parse_logfmt(line)["event"] for line in log_of(log)] == ["open", "close"]
    assert len(proxy.stderr().splitlines()) == 1
    assert log.stat().st_mode & 0o007 == 0


def test_log_to_standard_output(adit, origin, config):
    server = origin(Echo)
    proxy = run(adit, config("listen 127.0.0.1:0\nlog stdout\n" + RULES))
    assert works(proxy, server)
    said = eventually(lambda: [line for line in map(parse_logfmt, log_of(proxy.stdout_path))
                               if line and line.get("event") == "close"])
    assert said[0]["target"] == server.authority
    assert proxy.log_lines() == []


@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_a_standard_output_that_is_a_socket(config, path):
    """As under systemd: no path opens it, `log stdout` writes to it all the same."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        command = [binary(), "-s", config("", "x").parent / "sock", "-c"]
        done = subprocess.run(
            [*command, config(f'listen 127.0.0.1:0\nlog "{path}"\n' + RULES)],
            stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.PIPE, text=True, timeout=20)
    assert done.returncode == 1
    assert f"can't write the log {path}: it is a socket" in done.stderr
    assert "write `log stdout`" in done.stderr


def test_a_log_that_nobody_reads(config, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    done = run_adit("-c", config('listen 127.0.0.1:0\nlog "pipe"\n' + RULES), "-s", tmp_path / "s")
    assert done.returncode == 1
    assert "nobody reads this named pipe: start its reader first" in done.stderr


def test_json(adit, origin, config):
    server = origin(Echo)
    proxy = run(adit, config("listen 127.0.0.1:0\nlog stderr format json\n" + RULES))
    assert works(proxy, server)
    with Client(proxy.address) as client:
        client.send(b'CONNECT "\\\xff\xc3\xa4\x7f HTTP/1.1\r\n\r\n')
        client.read_response()
    lines = []

    def read():
        lines[:] = [json.loads(line) for line in proxy.stderr().splitlines()[1:]]
        return len(lines) == 3

    eventually(read)
    assert sorted(line["event"] for line in lines) == ["close", "deny", "open"]
    close = next(line for line in lines if line["event"] == "close")
    assert close["target"] == server.authority
    assert close["up_bytes"] == 4 and close["down_bytes"] == 4
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", close["time"])


def test_events(adit, origin, config):
    proxy = run(adit, config("listen 127.0.0.1:0\nlog stderr events deny\ndeny port 1\n" + RULES))
    assert works(proxy, origin(Echo))
    assert status_of(proxy, "127.0.0.1:1") == 403
    proxy.wait_for_log(event="deny")
    assert [line["event"] for line in proxy.log_lines()] == ["deny"]


def test_report_rules_are_logged_and_counted(adit, origin, config):
    server = origin(Echo)
    proxy = run(adit, config("listen 127.0.0.1:0\nreport deny port 1 as \"one\"\n"
                             f"report deny port {server.port} as \"two\"\n"
                             f"report allow to loopback as \"three\"\n" + RULES))
    assert works(proxy, server)
    assert proxy.wait_for_log(event="open")["report"] == "two,three"
    assert proxy.wait_for_log(event="close")["report"] == "two,three"
    assert "adit_reported_total 1\n" in proxy.control("stats").stdout


def test_log_off(adit, origin, config):
    proxy = run(adit, config("listen 127.0.0.1:0\nlog off\n" + RULES))
    assert works(proxy, origin(Echo))
    proxy.stop()
    assert not proxy.log_lines()


def tunnels_of(log):
    """Without the notices, which a reload leaves."""
    return [line for line in log_of(log) if " event=" in line]


def test_the_log_is_reopened(adit, origin, config, tmp_path):
    """As logrotate does it: move it away, tell adit."""
    server = origin(Echo)
    log, old = tmp_path / "access.log", tmp_path / "access.log.1"
    proxy = run(adit, config('listen 127.0.0.1:0\nlog "access.log"\n' + RULES))

    def is_written_to():  # the supervisor makes it a moment before the worker goes over to it
        folder = f"/proc/{proxy.worker_pid}/fd"
        return str(log) in [os.path.realpath(f"{folder}/{fd}") for fd in os.listdir(folder)]

    for how in (lambda: proxy.signal(signal.SIGUSR1), lambda: proxy.control("reload")):
        assert works(proxy, server)
        eventually(lambda: len(tunnels_of(log)) == 2)
        log.rename(old)
        how()
        eventually(is_written_to)
        assert works(proxy, server)
        eventually(lambda: len(tunnels_of(log)) == 2)
        assert len(tunnels_of(old)) == 2
        log.unlink()
        proxy.signal(signal.SIGUSR1)
        eventually(is_written_to)


def test_a_log_that_cannot_be_reopened_stays(adit, origin, config, tmp_path):
    (tmp_path / "logs").mkdir()
    server = origin(Echo)
    proxy = run(adit, config('listen 127.0.0.1:0\nlog "logs/access.log"\n' + RULES))
    (tmp_path / "logs").rename(tmp_path / "elsewhere")
    proxy.signal(signal.SIGUSR1)
    eventually(lambda: "logs/access.log" in proxy.stderr())
    assert works(proxy, server)
    eventually(lambda: len(log_of(tmp_path / "elsewhere" / "access.log")) == 2)


# -- ps


def test_ps(adit, origin, config):
    server = origin(Echo)
    proxy = run(adit, config("listen 127.0.0.1:0\n" + RULES))
    empty = proxy.control("ps")
    assert empty.returncode == 0 and len(empty.stdout.splitlines()) == 1
    with open_tunnel(proxy.address, server.authority) as client:
        assert echoes(client, b"x" * 2048)
        done = proxy.control("ps")
        titles, row = [line.split() for line in done.stdout.splitlines()]
        fields = dict(zip(titles, row))
        assert fields["CLIENT"] == client.name
        assert fields["TARGET"] == fields["ADDRESS"] == server.authority
        assert fields["UP"] == fields["DOWN"] == "2.0k"
        assert fields["RULE"] == "adit.conf:2"
        assert fields["ID"] == proxy.wait_for_log(event="open")["id"]
    eventually(lambda: len(proxy.control("ps").stdout.splitlines()) == 1)


def test_ps_of_many(adit, origin, keep, config):
    server = origin(Echo)
    proxy = run(adit, config("listen 127.0.0.1:0\n" + RULES))
    for _ in range(1500):
        keep(open_tunnel(proxy.address, server.authority))
    done = proxy.control("ps")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1501


def test_ps_while_draining(adit, origin, config):
    server = origin(Echo)
    proxy = run(adit, config("listen 127.0.0.1:0\n" + RULES))
    with open_tunnel(proxy.address, server.authority):
        proxy.signal(signal.SIGTERM)
        eventually(lambda: not connects(proxy.address))
        assert len(proxy.control("ps").stdout.splitlines()) == 2
        refused = proxy.control("reload")
        assert refused.returncode == 1 and "drain" in refused.stderr
    assert proxy.wait() == 0
