"""The control socket, and the commands that talk to it."""

import json
import os
import re
import socket
import stat
import subprocess

import pytest

from support.adit import ROOT, binary, run_adit
from support.checks import echoes, eventually
from support.client import open_tunnel
from support.origins import Echo

COMMANDS = ("stats", "drain")


def test_control_socket_mode(adit):
    assert stat.S_IMODE(os.stat(adit().socket_path).st_mode) == 0o600


def test_control_socket_mode_despite_umask(adit):
    proxy = adit(prefix=["sh", "-c", 'umask 0; exec "$@"', "sh"])
    assert stat.S_IMODE(os.stat(proxy.socket_path).st_mode) == 0o600


def test_stats(adit, origin):
    server = origin(Echo)
    proxy = adit()
    with open_tunnel(proxy.address, server.authority) as client:
        assert echoes(client)
        done = proxy.control("stats")
        assert (done.returncode, done.stderr) == (0, "")
        assert re.search(r"tunnels_open\W+1\b", done.stdout), done.stdout
        assert re.search(r"connections_open\W+1\b", done.stdout), done.stdout
    proxy.wait_for_log(event="close")
    eventually(lambda: re.search(r"tunnels_open\W+0\b", proxy.control("stats").stdout))


@pytest.mark.parametrize("command", COMMANDS)
def test_command_without_a_running_adit(command, tmp_path):
    done = run_adit(command, "-s", tmp_path / "nobody")
    assert done.returncode == 1
    assert str(tmp_path / "nobody") in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_options_stand_before_or_behind(adit):
    proxy = adit()
    for words in (["stats", "-s", proxy.socket_path], ["-s", proxy.socket_path, "stats"]):
        assert run_adit(*words).returncode == 0


def test_stale_socket_is_replaced(adit, tmp_path):
    path = tmp_path / "stale"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    proxy = adit("-s", path)
    assert proxy.control("stats").returncode == 0


@pytest.mark.parametrize("request_line", ["nonsense", 'ps {"x":1}', 'explain {"x":1}'])
def test_what_may_be_asked_stands_in_the_manual(adit, request_line):
    """What is there, as a refusal lists it."""
    proxy = adit()
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(proxy.socket_path)
        control.settimeout(10)
        control.sendall(request_line.encode() + b"\n")
        error = json.loads(control.makefile().readline())["error"]
    words = re.findall(r"[a-z_]+", error.partition("there are ")[2].replace(" and ", ", "))
    manual = (ROOT / "doc" / "adit.8.scd").read_text().partition("# FILES")[2]
    assert len(words) >= 6
    assert [word for word in words if f"*{word}*" not in manual] == []


def test_live_socket_is_not_taken(adit):
    proxy = adit()
    done = run_adit("-l", "127.0.0.1:0", "-s", proxy.socket_path)
    assert done.returncode == 1
    assert proxy.socket_path in done.stderr
    assert proxy.control("stats").returncode == 0


def test_file_in_the_way_of_the_socket_is_left_alone(tmp_path):
    path = tmp_path / "file"
    path.write_text("precious")
    done = run_adit("-l", "127.0.0.1:0", "-s", path)
    assert done.returncode == 1
    assert str(path) in done.stderr
    assert path.read_text() == "precious"


def test_socket_in_a_missing_folder(tmp_path):
    done = run_adit("-l", "127.0.0.1:0", "-s", tmp_path / "no" / "sock")
    assert done.returncode == 1
    assert str(tmp_path / "no" / "sock") in done.stderr


def test_socket_path_too_long(tmp_path):
    done = run_adit("-l", "127.0.0.1:0", "-s", tmp_path / ("x" * 200))
    assert done.returncode in (1, 2)
    assert done.stderr


@pytest.mark.parametrize("request_line", [b"nonsense\n", b"\n", b"stats extra\n", b"\0\xff\n",
                                          b"x" * 100_000 + b"\n", b"stats", b""])
def test_strange_requests_on_the_control_socket(adit, request_line):
    """Nothing on it harms the proxy; a request that makes no sense is answered or dropped."""
    proxy = adit()
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(proxy.socket_path)
        control.settimeout(10)
        try:
            control.sendall(request_line)
            control.shutdown(socket.SHUT_WR)
            while control.recv(65536):
                pass
        except (ConnectionResetError, BrokenPipeError):
            pass
    assert proxy.control("stats").returncode == 0


def test_idle_control_clients_hold_nobody_up(adit, keep):
    proxy = adit()
    for _ in range(100):
        control = keep(socket.socket(socket.AF_UNIX))
        control.settimeout(5)
        control.connect(proxy.socket_path)
    assert proxy.control("stats").returncode == 0


# -- where it is

OWN_RUN = ["unshare", "--mount", "sh", "-c",
           'mount -t tmpfs run /run && mkdir -p "$0" && exec "$@"', f"/run/user/{os.geteuid()}"]


def environment(**variables):
    kept = {name: value for name, value in os.environ.items() if name != "XDG_RUNTIME_DIR"}
    return dict(kept, **variables)


def ask_inside(proxy, *words, **variables):
    """A command that sees the /run of `proxy`."""
    return subprocess.run(["nsenter", "--target", str(proxy.pid), "--mount", binary(), *words],
                          capture_output=True, text=True, timeout=20, env=environment(**variables))


@pytest.fixture
def at_home(adit, tmp_path):
    """An adit with a /run of its own and no -s; XDG_RUNTIME_DIR as given."""
    def start(*args, **variables):
        return adit("-l", "127.0.0.1:0", "-a", "off", *args, defaults=True, prefix=OWN_RUN,
                    clean_env=environment(**variables))
    return start


def test_a_login_finds_a_service(at_home, tmp_path):
    service = at_home()
    found = ask_inside(service, "stats", XDG_RUNTIME_DIR=str(tmp_path / "of-a-login"))
    assert (found.returncode, found.stderr) == (0, "")


def test_a_service_finds_what_a_login_started(at_home):
    proxy = at_home(XDG_RUNTIME_DIR=f"/run/user/{os.geteuid()}")
    found = ask_inside(proxy, "stats")
    assert (found.returncode, found.stderr) == (0, "")


def test_both_default_sockets_are_named_when_nobody_answers(tmp_path):
    for command in (*COMMANDS, "ps", "reload"):
        done = subprocess.run([*OWN_RUN, binary(), command], capture_output=True, text=True,
                              env=environment(XDG_RUNTIME_DIR=str(tmp_path)), timeout=20)
        assert done.returncode == 1
        assert f"{tmp_path}/adit.sock: No such file" in done.stderr
        assert "/run/adit/adit.sock: No such file" in done.stderr
        assert "-s" in done.stderr and len(done.stderr.splitlines()) == 1


def test_the_configuration_names_the_socket(adit, tmp_path):
    """`control` for adit itself, and with -c for whoever talks to it; a mistake elsewhere in the
    file, which is being edited, is no matter."""
    config = tmp_path / "adit.conf"
    config.write_text('listen 127.0.0.1:0\ncontrol "here.sock"\nallow from loopback to any port 443\n')
    proxy = adit("-c", config, defaults=True)
    assert stat.S_IMODE(os.stat(tmp_path / "here.sock").st_mode) == 0o600
    for words in (["stats"], ["ps"], ["reload"]):
        done = run_adit(*words, "-c", config)
        assert (done.returncode, done.stderr) == (0, ""), words
    config.write_text('control "here.sock"\nallow to nonsense\nxyzzy\n')
    assert run_adit("stats", "-c", config).returncode == 0
    script = f"echo 'control \"{tmp_path}/here.sock\"' | \"$@\""
    piped = run_adit("stats", "-c", "/dev/stdin", prefix=["sh", "-c", script, "sh"])
    assert piped.returncode == 0, piped.stderr
    done = run_adit("reload", "-c", config)
    assert done.returncode == 1
    assert "xyzzy" in done.stderr and "nothing has changed" in done.stderr
    done = run_adit("stats", "-c", tmp_path / "missing.conf")
    assert done.returncode == 1
    assert "missing.conf: No such file" in done.stderr
    for name, is_told in (("elsewhere", True), ("elsewhere", True), ("here", False)):
        config.write_text(f'control "{name}.sock"\nallow from loopback to any port 443\n')
        done = run_adit("reload", "-s", tmp_path / "here.sock")
        assert done.returncode == 0
        assert ("moves at the next start" in done.stderr) == is_told
        if is_told:
            done = run_adit("stats", "-c", config)
            assert f"{tmp_path}/elsewhere.sock: No such file" in done.stderr
            assert "if 'control' was just changed" in done.stderr
    assert run_adit("drain", "-s", tmp_path / "here.sock").returncode == 0
    assert proxy.wait() == 0


@pytest.mark.parametrize("text", ['control "${ADIT_NOT_SET}.sock"\n', "control\n", 'control "x\n',
                                  'include "nowhere.conf"\n', "# caf\u00e9\n",
                                  'include "${ADIT_NOT_SET}/c.conf"\n',
                                  'list l { a.example,\ncontrol "x.sock"\n'])
def test_a_mistake_about_the_socket_leads_to_no_other_adit(at_home, tmp_path, text):
    """Nobody drains the adit of the default socket for want of another one's name."""
    proxy = at_home()
    config = tmp_path / "other.conf"
    config.write_text(text + "allow from loopback to any port 443\n", encoding="latin-1")
    for words in (["stats"], ["drain"]):
        done = ask_inside(proxy, *words, "-c", str(config))
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"adit: can't tell from {config} where the control socket is")


def test_s_goes_before_the_configuration(adit, tmp_path):
    config = tmp_path / "adit.conf"
    config.write_text('listen 127.0.0.1:0\ncontrol "never.sock"\nallow from loopback to any port 443\n')
    adit("-c", config, "-s", tmp_path / "sock", defaults=True)
    assert run_adit("stats", "-c", config, "-s", tmp_path / "sock").returncode == 0
    assert not (tmp_path / "never.sock").exists()


def test_a_socket_that_the_configuration_names_must_be_made(tmp_path):
    config = tmp_path / "adit.conf"
    config.write_text('listen 127.0.0.1:0\ncontrol "no/sock"\nallow from loopback to any port 443\n')
    done = run_adit("-c", config)
    assert done.returncode == 1
    assert f"{tmp_path}/no/sock: No such file" in done.stderr
