"""The control socket, and the commands that talk to it."""

import os
import re
import socket
import stat

import pytest

from support.adit import run_adit
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
