"""Where the admin page listens: the command line, the configuration, reload, death and drain.
What it answers is in test_admin.py."""

import os
import signal

import pytest

from support.adit import run_adit, split_address
from support.checks import connects, echoes, eventually, works
from support.client import Client, connect_head, open_tunnel
from support.origins import Echo

RULES = "listen 127.0.0.1:0\nallow from loopback to any, special port 1-24, 26-65535\n"
BUILT_IN = "127.0.0.1:10801"


def status_of(proxy, target):
    with Client(proxy.address) as client:
        client.send(connect_head(target))
        return client.read_response(has_body=False).status


def configured(adit, folder, text):
    path = folder / "adit.conf"
    path.write_text(text)
    return path, adit("-c", path, "-s", folder / "sock", defaults=True)


def free_address(origin):
    probe = origin(Echo)
    probe.close()
    return probe.authority


def test_named_on_the_command_line(adit, origin):
    proxy = adit(admin=True)
    assert split_address(proxy.admin)[0] == "127.0.0.1"
    assert split_address(proxy.admin)[1] not in (0, proxy.port)
    assert connects(proxy.admin)
    assert works(proxy, origin(Echo))


def test_ipv6(adit):
    proxy = adit("-a", "[::1]:0")
    assert split_address(proxy.admin)[0] == "::1"
    assert connects(proxy.admin)


def test_built_in(adit, namespace):
    with namespace():
        proxy = adit(defaults=True, env={"XDG_RUNTIME_DIR": "/nonexistent"})
        assert proxy.admin == BUILT_IN
        assert connects(BUILT_IN)


def test_the_built_in_one_is_off_with_a_file(adit, namespace, tmp_path):
    with namespace():
        _, proxy = configured(adit, tmp_path, RULES)
        assert is_up(proxy)
        assert not connects(BUILT_IN)
        assert proxy.admin_addresses() == []


def is_up(proxy):
    return proxy.control("stats").returncode == 0


def test_off(adit, namespace):
    with namespace():
        proxy = adit("-a", "off")
        assert is_up(proxy)
        assert not connects(BUILT_IN)
        assert proxy.admin_addresses() == []


def test_a_busy_built_in_port_is_a_warning(adit, origin, namespace):
    with namespace():
        server = origin(Echo)
        adit("-a", BUILT_IN)
        second = adit("-l", "127.0.0.1:0", "-s", "sock", defaults=True)
        assert works(second, server)
        assert f"adit: warning: no admin page, since it can't listen on {BUILT_IN}: " in second.stderr()
        assert second.admin_addresses() == []


def test_a_busy_port_that_was_named_is_an_error(adit, tmp_path):
    busy = adit(admin=True)
    done = run_adit("-l", "127.0.0.1:0", "-s", tmp_path / "s", "-a", busy.admin)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert busy.admin in done.stderr and "in use" in done.stderr
    assert "another port with -a" in done.stderr
    path = tmp_path / "adit.conf"
    path.write_text(f"admin {busy.admin}\n" + RULES)
    done = run_adit("-c", path, "-s", tmp_path / "s")
    assert done.returncode == 1
    assert busy.admin in done.stderr and "in use" in done.stderr
    assert "another port in `admin`" in done.stderr
    path.write_text(RULES.replace("127.0.0.1:0", busy.address))
    done = run_adit("-c", path, "-s", tmp_path / "s")
    assert busy.address in done.stderr and "another port in `listen`" in done.stderr
    done = run_adit("-c", path, "-s", tmp_path / "s", "-l", busy.address)
    assert "another port with -l" in done.stderr


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:10801"])
def test_beyond_loopback_without_a_password_does_not_start(address, tmp_path):
    done = run_adit("-l", "127.0.0.1:0", "-s", tmp_path / "s", "-a", address)
    assert done.returncode == 1
    assert "needs a password" in done.stderr


def test_the_file_and_the_command_line(adit, tmp_path):
    _, proxy = configured(adit, tmp_path, "admin 127.0.0.2:0\n" + RULES)
    assert split_address(proxy.admin)[0] == "127.0.0.2"
    other = tmp_path / "other"
    other.mkdir()
    path = other / "adit.conf"
    path.write_text("admin 127.0.0.2:0\n" + RULES)
    proxy = adit("-c", path, "-s", other / "sock", "-a", "127.0.0.3:0", defaults=True)
    assert split_address(proxy.admin)[0] == "127.0.0.3"


def test_a_tunnel_to_it_is_a_loop(adit, tmp_path):
    _, proxy = configured(adit, tmp_path, "admin 127.0.0.1:0\n" + RULES)
    assert status_of(proxy, proxy.admin) == 502
    assert "loop" in proxy.wait_for_log(event="deny", target=proxy.admin)["error"]


def test_it_outlives_a_worker(adit, origin):
    server = origin(Echo)
    proxy = adit(admin=True)
    first = proxy.worker_pid
    os.kill(first, signal.SIGKILL)
    assert connects(proxy.admin)
    eventually(lambda: "ended by signal 9" in proxy.stderr())
    assert works(proxy, server)
    assert connects(proxy.admin)
    assert len(proxy.admin_addresses()) == 1


def test_reload_adds_moves_and_removes_it(adit, origin, tmp_path):
    server = origin(Echo)
    first, second = free_address(origin), free_address(origin)
    path, proxy = configured(adit, tmp_path, RULES)

    def reload(text):
        path.write_text(text + RULES)
        done = proxy.control("reload")
        assert done.returncode == 0, done.stderr

    with open_tunnel(proxy.address, server.authority) as tunnel:
        before = proxy.descriptors()
        reload(f"admin {first}\n")
        assert connects(first)
        reload(f"admin {first}\n")
        assert connects(first)
        assert status_of(proxy, first) == 502
        reload(f"admin {second}\n")
        assert connects(second)
        assert not connects(first)
        reload("admin off\n")
        assert not connects(second)
        eventually(lambda: proxy.descriptors() <= before)
        eventually(lambda: proxy.admin_addresses() == [first, second])
        assert echoes(tunnel)


def test_a_reload_to_a_busy_port_changes_nothing(adit, tmp_path):
    busy = adit(admin=True)
    path, proxy = configured(adit, tmp_path, "admin 127.0.0.1:0\n" + RULES)
    path.write_text(f"admin {busy.admin}\n" + RULES)
    done = proxy.control("reload")
    assert done.returncode == 1
    assert busy.admin in done.stderr and "in use" in done.stderr
    assert connects(proxy.admin)


def test_addresses_change_hands_in_two_reloads(adit, origin, tmp_path):
    """The one that is wanted is its own until the reload is done; adit says what to do."""
    one, other = free_address(origin), free_address(origin)
    rules = RULES.partition("\n")[2]
    path, proxy = configured(adit, tmp_path, f"listen {one}\nadmin {other}\n" + rules)
    path.write_text(f"listen {other}\nadmin {one}\n" + rules)
    done = proxy.control("reload")
    assert done.returncode == 1
    assert f"this adit itself listens on {other} until" in done.stderr
    assert f"reload once without {other}, then with it" in done.stderr
    assert "another program" not in done.stderr
    path.write_text("listen 127.0.0.1:0\n" + rules)
    assert proxy.control("reload").returncode == 0
    path.write_text(f"listen {other}\nadmin {one}\n" + rules)
    assert proxy.control("reload").returncode == 0
    eventually(lambda: proxy.admin_addresses() == [other, one])
    with open_tunnel(other, origin(Echo).authority) as client:
        assert echoes(client)


def test_it_is_there_until_the_last_tunnel_ends(adit, origin):
    server = origin(Echo)
    proxy = adit(admin=True)
    with open_tunnel(proxy.address, server.authority) as tunnel:
        proxy.signal(signal.SIGTERM)
        eventually(lambda: not connects(proxy.address))
        assert connects(proxy.admin)
        assert echoes(tunnel)
    assert proxy.wait() == 0
    assert not connects(proxy.admin)
