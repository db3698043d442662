"""Reload: SIGHUP and `adit reload`, good and bad, under load; listeners that come and go; what is
open stays open, and nothing is refused, dropped or leaked."""

import fcntl
import json
import os
import pty
import random
import re
import resource
import signal
import socket
import subprocess
import termios
import threading
import time

import pytest

from support.adit import binary, is_sanitized, run_adit
from support.checks import connects, echoes, eventually, works
from support.client import Client, connect_head, open_tunnel
from support.names import Answer, ScriptedNames
from support.origins import Echo, closed_port
from support.page import TELLS, Events, ask, head
from support.users import basic, htpasswd

RULES = "allow from loopback to any, special port 1-24, 26-65535\n"
GOOD = "listen 127.0.0.1:0\n" + RULES
BAD = "listen 127.0.0.1:0\nallow to nowhere_known\n"


class Running:
    """An adit with a configuration that the test rewrites."""

    def __init__(self, adit, folder, text, *args, **options):
        self.path = folder / "adit.conf"
        self.path.write_text(text)
        self.proxy = adit("-c", self.path, "-s", folder / "sock", *args, defaults=True, **options)

    def reload(self, text=None, status=0):
        if text is not None:
            self.path.write_text(text)
        done = self.proxy.control("reload")
        assert done.returncode == status, done.stderr
        return done

    def status_of(self, target, *fields):
        with Client(self.proxy.address) as client:
            client.send(connect_head(target, *fields))
            return client.read_response(has_body=False).status


@pytest.fixture
def running(adit, tmp_path):
    return lambda text=GOOD, *args, **options: Running(adit, tmp_path, text, *args, **options)


def test_a_new_rule_serves_when_reload_returns(running, origin):
    server = origin(Echo)
    run = running()
    for _ in range(20):
        run.reload(f"listen 127.0.0.1:0\ndeny port {server.port} as \"closed\"\n" + RULES)
        assert run.status_of(server.authority) == 403
        run.reload(GOOD)
        assert works(run.proxy, server)


def test_the_environment_is_the_one_of_the_start(running, origin):
    server = origin(Echo)
    text = "listen ${BIND:-127.0.0.1}:0\ndeny to ${SHUT} as \"shut ${SHUT}\"\n" + RULES
    run = running(text, env={"SHUT": "a.example", "TWO": "b.example"})
    assert run.status_of("a.example:443") == 403
    assert run.proxy.wait_for_log(event="deny")["rule"] == "shut a.example"
    run.reload(text.replace("SHUT", "TWO"))
    assert run.status_of("b.example:443") == 403
    assert run.proxy.wait_for_log(event="deny", target="b.example:443")["rule"] == "shut b.example"
    done = run.reload(text.replace("SHUT", "NOT_THERE_9"), status=1)
    assert "adit.conf:2:9: error: the environment's NOT_THERE_9 is not set" in done.stderr
    assert run.status_of("b.example:443") == 403
    assert works(run.proxy, server)


def test_sighup(running, origin):
    server = origin(Echo)
    run = running()
    run.path.write_text(f"listen 127.0.0.1:0\ndeny port {server.port}\n" + RULES)
    run.proxy.signal(signal.SIGHUP)
    eventually(lambda: run.status_of(server.authority) == 403)
    eventually(lambda: "reloaded" in run.proxy.stderr())


def test_a_bad_file_changes_nothing(running, origin):
    server = origin(Echo)
    run = running()
    done = run.reload(BAD, status=1)
    assert "adit.conf:2:10: error" in done.stderr and "^~~" in done.stderr
    assert "adit.conf:2:10: error" in run.proxy.stderr()
    assert works(run.proxy, server)
    run.proxy.signal(signal.SIGHUP)
    eventually(lambda: run.proxy.stderr().count("kept the old") == 2)
    assert works(run.proxy, server)
    run.path.unlink()
    assert "adit.conf" in run.reload(status=1).stderr
    run.reload(GOOD)
    assert works(run.proxy, server)


def test_warnings_come_along(running):
    done = running().reload("listen 127.0.0.1:0\nallow from loopback to any\n")
    assert "25" in done.stderr and "serves" in done.stdout


def test_a_shared_terminal_has_the_warnings_once(running):
    """Whoever asks has them; adit says them for those who only see its stderr, or sent a signal."""
    terminal, stderr = pty.openpty()
    said = bytearray()

    def read(mark):  # the log says that it reloaded, too, in its own time
        while mark not in said:
            said.extend(os.read(terminal, 4096))
        return said.decode()

    warns = "listen 127.0.0.1:0\nallow from loopback to any\n"
    run = running(stderr=stderr, wait=False)
    run.proxy.wait_for_start(lambda: read(b"\n"))
    assert "warning" in run.reload(warns).stderr
    assert "warning" not in read(b"adit: reloaded")
    said.clear()
    run.proxy.signal(signal.SIGHUP)
    assert "warning" in read(b"adit: reloaded")
    run.proxy.stop()
    os.close(terminal)
    os.close(stderr)


def test_the_built_in_configuration_reloads(adit, origin):
    proxy = adit()
    assert proxy.control("reload").returncode == 0
    assert works(proxy, origin(Echo))


def test_established_tunnels_go_on(running, origin):
    """Also those which the new rules would not let in; what they began with is what they log."""
    server = origin(Echo)
    run = running("listen 127.0.0.1:0\n" + RULES.replace("\n", ' as "first"\n'))
    with open_tunnel(run.proxy.address, server.authority) as client:
        name = client.name
        for _ in range(3):
            run.reload("listen 127.0.0.1:0\ndeny to any as \"second\"\n")
            assert run.status_of(server.authority) == 403
            assert echoes(client)
            run.reload(GOOD)
    assert run.proxy.wait_for_log(event="close", client=name)["rule"] == "first"


def free_address(origin):
    """Where nobody listens."""
    probe = origin(Echo)
    probe.close()
    return probe.authority


def test_listeners_come_and_go(running, origin, adit):
    server = origin(Echo)
    run = running()
    first = run.proxy.address
    second = free_address(origin)
    run.reload(f"listen 127.0.0.1:0\nlisten {second}\n" + RULES)
    assert works(run.proxy, server)
    with open_tunnel(second, server.authority) as through_second:
        name = through_second.name
        assert run.proxy.wait_for_log(event="open", client=name)["listener"] == second
        run.reload(GOOD)
        assert not connects(second)
        assert echoes(through_second)
    assert run.proxy.wait_for_log(event="close", client=name)["listener"] == second
    run.reload(f"listen {second}\n" + RULES)
    assert not connects(first)
    with open_tunnel(second, server.authority) as client:
        assert echoes(client)


def test_more_addresses_than_can_be_counted_by(running, origin):
    """In a worker's life, 64 new ones at each reload: the last reload says what to do, and changes nothing."""
    server = origin(Echo)
    run = running()
    port = free_address(origin).rpartition(":")[2]

    def configuration(turn):
        return "".join(f"listen 127.9.{turn}.{n}:{port}\n" for n in range(64)) + RULES

    for turn in range(15):
        run.reload(configuration(turn))
    done = run.reload(configuration(15), status=1)
    assert "1,024 different addresses" in done.stderr and "restart" in done.stderr
    with open_tunnel(f"127.9.14.1:{port}", server.authority) as client:
        assert echoes(client)


def test_a_listener_that_cannot_be_opened_changes_nothing(running, origin, adit):
    server = origin(Echo)
    busy = adit()
    run = running()
    done = run.reload(f"listen {busy.address}\n" + RULES, status=1)
    assert busy.address in done.stderr and "in use" in done.stderr
    assert works(run.proxy, server)


@pytest.mark.parametrize("old", ["listen {}:{}", "listen 127.0.0.1:0\nadmin {}:{}"])
def test_from_ipv4_to_the_ipv6_wildcard(running, old):
    """Nobody else is in the way."""
    address, port = "127.0.0.1", closed_port()
    run = running(old.format(address, port) + "\n" + RULES)
    done = run.reload(f"listen [::]:{port}\nallow from loopback to any\n", status=1)
    assert f"this adit itself listens on {address}:{port} until the reload is done" in done.stderr
    assert "another program" not in done.stderr


def test_an_ipv6_wildcard_that_loses_its_ipv4_listener(running, origin):
    """The socket on [::] can't be changed: whoever came by IPv4 is refused, and that is said, also
    by the next reload, but not while somebody else takes IPv4 there."""
    server, port = origin(Echo), closed_port()
    both = f"listen 127.0.0.1:{port}\nlisten [::]:{port}\nallow from loopback to any, special\n"
    run = running(both)
    warning = f"[::]:{port} takes IPv6 only until adit is restarted"
    for text, is_less in ((both.replace(f"listen 127.0.0.1:{port}\n", ""), True),
                          (both.replace(f"listen 127.0.0.1:{port}\n", "timeout idle 1h\n"), True),
                          (both.replace("127.0.0.1", "0.0.0.0"), False)):
        assert (warning in run.reload(text).stderr) == is_less, text
        with open_tunnel(("::1", port), server.authority):
            pass


def test_connections_that_wait_at_a_listener_that_goes_are_served(running, origin):
    """Their requests were sent before the reload: each gets its answer. (A client that is silent so
    far is not yet handed to adit, TCP_DEFER_ACCEPT, and finds the listener gone.)"""
    server = origin(Echo)
    address = free_address(origin)
    both = f"listen 127.0.0.1:0\nlisten {address}\n" + RULES
    run = running(both)
    for _ in range(3):
        worker = run.proxy.worker_pid
        os.kill(worker, signal.SIGSTOP)  # so that the queue is long when the reload comes
        waiting = [Client(address) for _ in range(600)]
        for client in waiting:
            client.send(connect_head(server.authority))
        run.path.write_text(GOOD)
        run.proxy.signal(signal.SIGHUP)
        time.sleep(0.2)
        os.kill(worker, signal.SIGCONT)
        for client in waiting:
            assert client.read_response(has_body=False).status == 200
            client.close()
        eventually(lambda: not connects(address))
        run.reload(both)


def test_timeouts_limits_and_log_apply(running, origin, tmp_path):
    server = origin(Echo)
    run = running()
    run.reload('listen 127.0.0.1:0\ntimeout head 200ms\nlimit tunnels 1\nlog "new.log" format json\n'
               + RULES)
    with Client(run.proxy.address) as client:
        client.send(b"C")
        assert client.read_response().status == 408
    with open_tunnel(run.proxy.address, server.authority):
        assert run.status_of(server.authority) == 503
    eventually(lambda: '"event":"close"' in (tmp_path / "new.log").read_text())
    run.reload(GOOD)
    assert works(run.proxy, server)
    assert run.proxy.wait_for_log(event="open")


def test_an_idle_timeout_holds_for_open_tunnels(running, origin):
    server = origin(Echo)
    run = running()
    with open_tunnel(run.proxy.address, server.authority) as client:
        run.reload("listen 127.0.0.1:0\ntimeout idle 1s\n" + RULES)
        assert echoes(client)
        assert client.read_to_end()[0] == b""
    assert run.proxy.wait_for_log(event="close")["closed_by"] == "idle_timeout"


def test_users_and_lists_are_read_again(running, origin, tmp_path):
    server = origin(Echo)
    (tmp_path / "htpasswd").write_text(htpasswd("alice"))
    (tmp_path / "hosts.txt").write_text("never.example\n")
    text = ('listen 127.0.0.1:0\nusers file "htpasswd"\nlist l file "hosts.txt"\n'
            "deny to l\nallow user any\n").replace("allow user any", "allow user any to loopback")
    run = running(text)
    assert run.status_of(server.authority, basic("alice")) == 200
    assert run.status_of(server.authority, basic("bob")) == 407
    (tmp_path / "htpasswd").write_text(htpasswd("bob"))
    run.reload()
    assert run.status_of(server.authority, basic("alice")) == 407
    assert run.status_of(server.authority, basic("bob")) == 200
    (tmp_path / "hosts.txt").write_text("127.0.0.0/8\n")
    run.reload()
    assert run.status_of(server.authority, basic("bob")) == 403
    (tmp_path / "htpasswd").write_text("bob:plain\n")
    assert "htpasswd:1" in run.reload(status=1).stderr


def test_the_resolver_applies(running, keep, namespace, etc):
    with namespace():
        server = keep(Echo())
        first = keep(ScriptedNames({"a.example": Answer("127.0.0.1")}, host="127.0.0.53"))
        second = keep(ScriptedNames({"a.example": Answer("127.0.0.1")}, host="127.0.0.54"))
        run = running("listen 127.0.0.1:0\nresolver 127.0.0.53\n" + RULES,
                      etc=etc(resolv_conf="nameserver 127.0.0.54\n"))
        target = f"a.example:{server.port}"
        assert run.status_of(target) == 200
        assert first.queries and not second.queries
        run.reload(GOOD)
        assert run.status_of(target) == 200
        assert second.queries
        count = len(second.queries)
        run.reload("listen 127.0.0.1:0\nresolver 127.0.0.53\n" + RULES)
        assert run.status_of(target) == 200
        assert len(second.queries) == count


# -- files that are empty now

@pytest.mark.parametrize("text", ["", "# allow from loopback\n", 'include "conf.d/*"\n'])
def test_a_configuration_without_a_statement(running, origin, text):
    """An error wherever it is read; what was there before serves on."""
    server = origin(Echo)
    run = running()
    listeners = run.proxy.listeners
    done = run.reload(text, status=1)
    assert f"{run.path}: error: there is no statement in it" in done.stderr
    assert works(run.proxy, server)
    assert run.proxy.listeners == listeners
    for words in (["-c", run.path], ["check", "-c", run.path]):
        done = run_adit(*words)
        assert done.returncode == 1
        assert "there is no statement in it" in done.stderr


READ_ONCE = {
    "the-configuration": ("{good}", "{pipe}"),
    "an-include": ('include "{pipe}"\n', "adit.conf"),
    "a-list": ('{good}list closed file "{pipe}"\ndeny to closed\n', "adit.conf"),
}


@pytest.mark.parametrize("what", READ_ONCE)
def test_what_can_be_read_once(adit, origin, tmp_path, what):
    """`-c <(...)`, and whatever else a pipe is named for: a reload finds nothing there."""
    server = origin(Echo)
    text, config = READ_ONCE[what]
    reader, writer = os.pipe()
    pipe = f"/dev/fd/{reader}"
    text = text.format(good=GOOD, pipe=pipe)
    (tmp_path / "adit.conf").write_text(text)
    os.write(writer, {"the-configuration": text, "an-include": GOOD,
                      "a-list": "closed.example\n"}[what].encode())
    os.close(writer)
    path = pipe if config == "{pipe}" else tmp_path / config
    os.set_inheritable(reader, True)
    proxy = adit("-c", path, "-s", tmp_path / "sock", defaults=True, pass_fds=[reader])
    os.close(reader)
    for _ in range(2):
        done = proxy.control("reload")
        assert done.returncode == 1
        assert f"can't read '{pipe}': it is a pipe without anything in it" in done.stderr
        assert works(proxy, server)


def test_a_pipe_that_is_written_for_each_reload(adit, origin, tmp_path):
    """One that somebody fills again may be read again."""
    server = origin(Echo)
    path = tmp_path / "fifo"
    os.mkfifo(path)

    def fill(text):
        # Open both ways: it waits for no reader, and what it wrote waits in the pipe.
        fd = os.open(path, os.O_RDWR)
        os.write(fd, text.encode())
        return fd

    fd = fill(GOOD)
    closer = threading.Timer(1, os.close, [fd])
    closer.start()
    proxy = adit("-c", path, "-s", tmp_path / "sock", defaults=True)
    closer.join()
    fd = fill(f'{GOOD}deny port {server.port}\n'.replace(RULES, "") + RULES)

    def close_when_taken():  # a reload has little patience
        eventually(lambda: fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4) == b"\0" * 4)
        os.close(fd)

    closer = threading.Thread(target=close_when_taken)
    closer.start()
    done = proxy.control("reload")
    closer.join()
    assert done.returncode == 0, done.stderr
    with Client(proxy.address) as client:
        client.send(connect_head(server.authority))
        assert client.read_response(has_body=False).status == 403


def test_a_pipe_that_nobody_closes_does_not_hold_a_reload_up(running, origin, tmp_path):
    """It is refused by itself, and the next one, which needs no pipe, serves."""
    server = origin(Echo)
    pipes = [tmp_path / name for name in ("one", "two", "three")]
    for pipe in pipes:
        os.mkfifo(pipe)
    writers = [os.open(pipe, os.O_RDWR) for pipe in pipes]
    run = running()
    lists = "".join(f'list {pipe.name} file "{pipe}"\n' for pipe in pipes)
    done = run.reload(lists + GOOD, status=1)
    assert done.stderr.count("it is a pipe whose writer is not done in time") == len(pipes)
    for writer in writers:
        os.close(writer)
    run.reload(GOOD)
    assert works(run.proxy, server)


def test_emptied_files_are_told(running, origin, tmp_path):
    """It reloads, and says which rules go by what is gone; once."""
    server = origin(Echo)
    names, users = tmp_path / "names.txt", tmp_path / "users"
    names.write_text("localhost\n")
    users.write_text(htpasswd("alice"))
    run = running(f'{GOOD}users file "{users}"\nlist closed file "{names}"\n'.replace(RULES, "")
                  + 'deny to closed as "advertising"\nallow user alice port 1 as "people"\n' + RULES)
    target = f"localhost:{server.port}"
    assert run.status_of(target) == 403
    assert "any more" not in run.reload().stderr
    names.write_text("")
    users.write_text("# nobody\n")
    done = run.reload()
    assert (f"{names}: warning: nothing is in it any more, it had 1 entry; the list 'closed' is "
            "used by rule advertising\n") in done.stderr
    assert (f"{users}: warning: nothing is in it any more, it had 1 user; nobody can log in, and "
            "users are named by rule people\n") in done.stderr
    assert "any more" not in run.reload().stderr
    names.write_text("localhost\n")
    assert "any more" not in run.reload().stderr
    names.write_text("")
    run.proxy.signal(signal.SIGHUP)
    eventually(lambda: run.proxy.stderr().count("is used by rule advertising") == 2)


def test_rules_of_a_folder_that_is_gone(running, tmp_path):
    """What was included by a pattern is told when it is there no more, and where nobody can know
    whether it is, the rules that serve stay."""
    folder, away = tmp_path / "site[1]" / "conf.d", tmp_path / "away"
    folder.mkdir(parents=True)
    part = folder / "a.conf"
    part.write_text("deny to localhost\n")
    (folder.parent / "all.conf").write_text('include "conf.d/*.conf"\n')
    run = running('include "site[1]/all.conf"\n' + GOOD)
    assert run.status_of("localhost:1") == 403
    folder.rename(away)
    for make in (folder.touch, lambda: folder.symlink_to("nowhere")):
        make()
        for done in (run.reload(status=1), run_adit("check", run.path)):
            assert done.returncode == 1
            assert (f"can't look for '{folder}/*.conf': one of its folders is a file, or a link to "
                    "nothing") in done.stderr
        folder.unlink()
        assert run.status_of("localhost:1") == 403
    done = run.reload()
    assert f"{part}: warning: it is not included any more, it had 1 statement\n" in done.stderr
    assert f"warning: '{folder}/*.conf' includes nothing: its folder is not there" in done.stderr
    assert "any more" not in run.reload().stderr
    assert "its folder is not there" in run_adit("check", run.path).stderr


def test_a_file_size_limit(running, origin, tmp_path):
    """What the kernel raises for it (SIGXFSZ) would end whoever keeps the configuration. With the
    limit lifted the same reload is good."""
    server = origin(Echo)
    run = running()
    names = tmp_path / "names.txt"
    names.write_text("".join(f"name{i}.example\n" for i in range(10_000)))
    processes = {run.proxy.pid, run.proxy.worker_pid}
    before = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in processes}
    for pid in processes:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (16384, before[pid][1]))
    with open_tunnel(run.proxy.address, server.authority) as client:
        text = GOOD + f'list many file "{names}"\ndeny to many\n'
        for _ in range(3):
            done = run.reload(text, status=1)
            assert "File too large; raise the limit of file sizes" in done.stderr
        assert echoes(client)
        assert works(run.proxy, server)
        for pid in processes:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before[pid])
        run.reload()
        assert echoes(client)
    assert {run.proxy.pid, run.proxy.worker_pid} == processes


def test_many_ask_at_once(running, origin):
    run = running()
    results = []
    threads = [threading.Thread(target=lambda: results.append(run.proxy.control("reload")))
               for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [done.returncode for done in results] == [0] * 12
    assert works(run.proxy, origin(Echo))


def is_pending(pid, number):
    with open(f"/proc/{pid}/status", encoding="ascii") as text:
        pending = next(line.split()[1] for line in text if line.startswith("ShdPnd:"))
    return int(pending, 16) >> (number - 1) & 1


def test_a_drain_that_overtakes_a_reload(running, origin):
    """What only the old configuration listened to is closed as well, not left to wait for ever."""
    server = origin(Echo)
    run = running()
    second = free_address(origin)
    with open_tunnel(run.proxy.address, server.authority) as client:
        worker = run.proxy.worker_pid
        os.kill(worker, signal.SIGSTOP)  # it finds the reload and the drain at once
        run.path.write_text(f"listen {second}\n" + RULES)
        run.proxy.signal(signal.SIGHUP)
        eventually(lambda: connects(second))
        run.proxy.signal(signal.SIGTERM)
        eventually(lambda: not is_pending(run.proxy.pid, signal.SIGTERM))
        os.kill(worker, signal.SIGCONT)
        eventually(lambda: not connects(second))
        assert not connects(run.proxy.address)
        assert echoes(client)
    assert run.proxy.wait() == 0


def stats_of(proxy):
    lines = proxy.control("stats").stdout.splitlines()
    return dict(line.split(" ", 1) for line in lines)


def notices(run):
    """What the log says beside its events, in order."""
    whole = run.log.read_text().rpartition("\n")[0]
    return [line["message"] for line in map(json.loads, whole.splitlines()) if line.get("level") == "notice"]


@pytest.fixture
def watched(running, tmp_path):
    """An adit with a log of its own and an admin page; .log is the file."""
    run = running(f'admin 127.0.0.1:0\nlog "{tmp_path}/log" format json\n' + GOOD)
    run.log = tmp_path / "log"
    run.text = run.path.read_text()
    return run


def test_a_failed_reload_is_seen_by_whoever_looks(watched):
    """With file, time and first error, until a good one: a new worker knows of it, too."""
    run = watched
    error = f"{run.path}:4:7: error: "
    before = stats_of(run.proxy)
    assert before["reload"] == "good" and "reload_error" not in before
    run.reload(run.text.replace("allow from", "allow form\nallow form"), status=1)
    stats = stats_of(run.proxy)
    assert stats["reload"] == "failed" and stats["reload_error"].startswith(error)
    assert stats["config_time"] == before["reload_time"] < stats["reload_time"]
    failed, = eventually(lambda: [line for line in notices(run) if "the reload failed" in line])
    assert failed.endswith(stats["reload_error"]) and stats["config_time"] in failed
    with Events(run.proxy.admin) as events:
        _, status = events.next("status")
        assert {name: status[name] for name in ("reload", "reload_time", "reload_error", "config_time")} == {
            name: stats[name] for name in ("reload", "reload_time", "reload_error", "config_time")}
    os.kill(run.proxy.worker_pid, signal.SIGKILL)
    eventually(lambda: run.proxy.control("stats").returncode == 0
               and stats_of(run.proxy)["worker_restarts"] == "1")
    again = stats_of(run.proxy)
    assert (again["reload"], again["reload_error"]) == ("failed", stats["reload_error"])
    assert b"adit_config_reload_success 0" in ask(run.proxy.admin, "/metrics").body
    run.reload(run.text)
    assert stats_of(run.proxy)["reload"] == "good" and "reload_error" not in stats_of(run.proxy)


def test_a_reload_that_fails_for_another_reason_names_the_file(watched):
    """Not only the language can be wrong."""
    run = watched
    run.path.unlink()
    run.reload(status=1)
    assert str(run.path) in stats_of(run.proxy)["reload_error"]
    run.reload(run.text + "log stderr\n", status=1)
    assert f"{run.path}:5:1: error: log is set twice" in stats_of(run.proxy)["reload_error"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run.reload(run.text + f"listen 127.0.0.1:{port}\n", status=1)
    error = stats_of(run.proxy)["reload_error"]
    assert error.startswith(f"{run.path}: ") and f"127.0.0.1:{port}" in error


def test_who_asked_is_logged(watched, origin):
    """For what changes something: the process at the control socket, a signal's sender, the admin page's client."""
    run = watched
    server = origin(Echo)
    tunnels = [open_tunnel(run.proxy.address, server.authority) for _ in range(2)]
    run.reload(run.text)
    us = f"uid {os.getuid()}, pid {os.getpid()}"
    os.kill(run.proxy.pid, signal.SIGHUP)
    eventually(lambda: len([line for line in notices(run) if line == "reloaded the configuration"]) == 2)
    done = subprocess.Popen([binary(), "kill", "--host", "127.0.0.1", "--client", tunnels[0].name.rpartition(":")[0],
                             "--user", "nobody", "-s", run.proxy.socket_path], stderr=subprocess.DEVNULL)
    assert done.wait(20) == 1
    found = json.loads(run.proxy.control("ps", "--json").stdout.splitlines()[0])["id"]
    with Client(run.proxy.admin) as client:
        client.send(head("DELETE", f"/api/tunnels/{found}", TELLS))
        assert client.read_response().status == 200
        page = client.name
    eventually(lambda: len(notices(run)) == 6)
    said = notices(run)
    assert re.fullmatch(rf"reload asked by uid {os.getuid()}, pid \d+", said[0]), said
    assert said[2] == f"reload asked by {us}, with SIGHUP"
    assert said[4] == (f"kill asked by uid {os.getuid()}, pid {done.pid}: user nobody, client 127.0.0.1, "
                       "host 127.0.0.1")
    assert said[5] == f"kill asked by {page} at the admin page: id {found}"
    for tunnel in tunnels:
        tunnel.close()


def test_a_worker_that_dies_meanwhile(running, origin):
    server = origin(Echo)
    run = running()
    for _ in range(3):
        run.path.write_text(random.choice((GOOD, BAD)))
        run.proxy.signal(signal.SIGHUP)
        os.kill(run.proxy.worker_pid, signal.SIGKILL)
        assert works(run.proxy, server)
        time.sleep(1)  # a worker that dies younger is replaced at that age
    run.reload(GOOD)
    assert works(run.proxy, server)


def test_a_worker_that_is_replaced_has_the_new_configuration(running, origin):
    server = origin(Echo)
    run = running()
    run.reload(f"listen 127.0.0.1:0\ndeny port {server.port}\n" + RULES)
    os.kill(run.proxy.worker_pid, signal.SIGKILL)
    assert run.status_of(server.authority) == 403


class Load:
    """Tunnels that open, echo and close all the time, and others that stay open and echo."""

    def __init__(self, proxy, server, opening=4, staying=8):
        self.address, self.server = proxy.address, server
        self.is_over = False
        self.count = 0
        self.failures = []
        self.threads = [threading.Thread(target=self._guard, args=(self._open,))
                        for _ in range(opening)]
        self.threads += [threading.Thread(target=self._guard, args=(self._stay,))
                         for _ in range(staying)]
        for thread in self.threads:
            thread.start()

    def _guard(self, work):
        try:
            work()
        except Exception as error:  # told by close()
            self.failures.append(repr(error))

    def _open(self):
        while not self.is_over:
            with open_tunnel(self.address, self.server.authority) as client:
                assert echoes(client, b"x" * 5000)
            self.count += 1

    def _stay(self):
        with open_tunnel(self.address, self.server.authority) as client:
            while not self.is_over:
                assert echoes(client, os.urandom(3000))
                time.sleep(0.01)

    def close(self):
        self.is_over = True
        for thread in self.threads:
            thread.join(20)


def pss_kb(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as text:
        return next(int(line.split()[1]) for line in text if line.startswith("Pss:"))


@pytest.mark.timeout(240)
def test_200_reloads_under_load(running, origin, keep):
    """Good and bad ones alternate, and the good ones differ; nothing is refused or dropped, and
    memory and descriptors stay as they were."""
    server = origin(Echo)
    variants = ["listen 127.0.0.1:0\nlisten 127.0.0.2:0\ntimeout idle 30m\n"
                "list many { " + ", ".join(f"host{i}.example" for i in range(500)) + " }\n"
                "deny to many\n" + RULES,
                GOOD]
    run = running(variants[0])
    proxy = run.proxy
    load = keep(Load(proxy, server))
    worker = proxy.worker_pid

    def reload_some(count):
        for i in range(count):
            if i % 2 == 0:
                run.reload(variants[i // 2 % 2])
            else:
                run.reload(BAD, status=1)

    reload_some(20)
    before = (pss_kb(worker), pss_kb(proxy.pid))
    descriptors = len(os.listdir(f"/proc/{proxy.pid}/fd"))
    reload_some(200)
    after = (pss_kb(worker), pss_kb(proxy.pid))
    assert len(os.listdir(f"/proc/{proxy.pid}/fd")) == descriptors
    load.close()
    assert not load.failures, load.failures
    assert load.count > 100
    assert proxy.worker_pid == worker
    assert {line["event"] for line in proxy.log_lines()} == {"open", "close"}
    if not is_sanitized():
        assert after[0] < before[0] + 2048 and after[1] < before[1] + 1024, (before, after)
    eventually(lambda: proxy.descriptors() < 60)


def test_reload_without_adit(tmp_path):
    done = run_adit("reload", "-s", tmp_path / "sock")
    assert done.returncode == 1 and "is adit running" in done.stderr
