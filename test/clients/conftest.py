"""What the zoo shares: running a client within a time, daemons, and the proof that nobody
went around the proxy.

Every client gets an environment of its own: no proxy variable and no personal file of whoever
runs the tests, so that only what the test says leads it to adit.
"""

import os
import subprocess

import pytest

from zoo import CLIENT_TIMEOUT_S, HERE, Daemon


@pytest.fixture
def daemon(tmp_path, keep):
    """daemon(command, port): starts a server that ends with the test."""
    def start(command, port=None, **options):
        return keep(Daemon(command, tmp_path, port, **options))

    return start


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def environment(home):
    """What every client sees: no proxy setting, no file of a person, and English."""
    kept = {name: value for name, value in os.environ.items()
            if "proxy" not in name.lower() and not name.startswith(("SSH_", "GIT_", "NODE_"))}
    path = kept.get("PATH", "") + ":/usr/sbin:/sbin"
    return dict(kept, PATH=path, HOME=str(home), LC_ALL="C.UTF-8")


@pytest.fixture
def client(environment, tmp_path):
    """client(command): runs it to its end in time, requires exit status 0."""
    def run(*command, env=None, status=0, timeout=CLIENT_TIMEOUT_S, **options):
        if "input" not in options:
            options.setdefault("stdin", subprocess.DEVNULL)
        done = subprocess.run(
            [str(word) for word in command], env=dict(environment, **(env or {})),
            cwd=tmp_path, capture_output=True, timeout=timeout, **options)
        assert done.returncode == status, (
            f"{command[0]} ended with {done.returncode}:\n"
            f"{done.stdout[-2000:]!r}\n{done.stderr[-4000:].decode(errors='replace')}")
        return done

    return run


@pytest.fixture
def tunnelled():
    """tunnelled(proxy, server, host): the log shows the tunnels to host:port; returns the open
    lines. A server that counts must have met exactly as many connections as adit opened."""
    def check(proxy, server, host="localhost", closed=True):
        target = f"{host}:{server.port}"
        proxy.wait_for_log(event="open", target=target)
        if hasattr(server, "accepted"):  # the last one's line may still be on its way
            proxy.wait_for_log(event="open", target=target, count=server.accepted)
        if closed:
            proxy.wait_for_log(event="close", target=target)
        opened = proxy.log_lines(event="open", target=target)
        assert all(line["verdict"] == "allow" for line in opened)
        if hasattr(server, "accepted"):
            assert len(opened) == server.accepted, "a connection went around the proxy"
        return opened

    return check


@pytest.fixture
def aiohttp_server(daemon, certificates, tmp_path):
    """A server with files in .folder, ranges, and a WebSocket echo at /echo."""
    folder = tmp_path / "files"
    folder.mkdir()
    server = daemon(["/usr/bin/python3", HERE / "aiohttp_server.py", certificates.server_pem,
                     folder])
    server.wait_until(lambda: server.said("port "))
    server.port = int(server.log.read_text().split()[1])
    server.folder = folder
    return server
