"""curl, the client that the README names: https by name and by address, HTTP/1.1 and HTTP/2
inside the tunnel, and 50 MB each way."""

import subprocess

import pytest

from support.https import HttpsOrigin
from support.origins import Handler, closed_port, pattern, sha256

BULK = 50_000_000


def curl(proxy, certificates, *args, check=True):
    command = ["curl", "--silent", "--show-error", "--max-time", "100", "--noproxy", "",
               "--cacert", certificates.ca, "--proxy", proxy.url, *map(str, args)]
    done = subprocess.run(command, capture_output=True, timeout=110)
    assert not check or done.returncode == 0, done.stderr.decode()
    return done


HOSTS = [("127.0.0.1", "localhost"), ("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"),
         ("::1", "localhost"), ("127.0.0.1", "app.localhost")]


@pytest.mark.parametrize("inside", ["http/1.1", "h2"])
@pytest.mark.parametrize("listen,host", HOSTS)
def test_https(adit, origin, certificates, listen, host, inside):
    server = origin(HttpsOrigin, host=listen)
    proxy = adit()
    version = {"http/1.1": "--http1.1", "h2": "--http2"}[inside]
    done = curl(proxy, certificates, "--verbose", version, server.url("/", host))
    assert done.stdout.decode() == f"hello over {inside}\n"
    said = done.stderr.decode()
    assert "CONNECT tunnel established, response 200" in said
    assert "Ignoring Content-Length" not in said
    assert "Ignoring Transfer-Encoding" not in said
    line = proxy.wait_for_log(event="close")
    assert line["target"] == f"{host}:{server.port}"


@pytest.mark.parametrize("option", ["--proxy", "--proxy1.0"])
def test_proxy_version(adit, origin, certificates, option):
    server = origin(HttpsOrigin)
    proxy = adit()
    done = curl(proxy, certificates, option, proxy.url.replace("http://", ""), server.url("/"))
    assert done.stdout.startswith(b"hello over ")
    http = {"--proxy": "1.1", "--proxy1.0": "1.0"}[option]
    assert proxy.wait_for_log(event="open")["http"] == http


def test_proxytunnel_to_plain_http_target(adit, origin, certificates):
    """curl -p carries plain http through a tunnel too; the 405's advice must be true."""
    def serve(connection):
        while not connection.recv(65536).endswith(b"\r\n\r\n"):
            pass
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nplain\n")

    server = origin(Handler, serve)
    proxy = adit()
    done = curl(proxy, certificates, "-p", f"http://{server.authority}/")
    assert done.stdout == b"plain\n"


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_50_mb_down(adit, origin, certificates, version, tmp_path):
    server = origin(HttpsOrigin)
    proxy = adit()
    out = tmp_path / "down"
    curl(proxy, certificates, version, "--output", out, server.url(f"/bytes/{BULK}", "localhost"))
    assert out.stat().st_size == BULK
    assert sha256(out.read_bytes()) == sha256(pattern(BULK))
    assert int(proxy.wait_for_log(event="close")["down_bytes"]) > BULK


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_50_mb_up(adit, origin, certificates, version, tmp_path):
    server = origin(HttpsOrigin)
    proxy = adit()
    data = pattern(BULK, seed=7)
    (tmp_path / "up").write_bytes(data)
    done = curl(proxy, certificates, version, "--upload-file", tmp_path / "up",
                server.url("/up", "localhost"))
    assert done.stdout.decode() == f"{sha256(data)} {BULK}\n"
    assert int(proxy.wait_for_log(event="close")["up_bytes"]) > BULK


def test_refusal_is_shown(adit, origin, certificates):
    proxy = adit()
    done = curl(proxy, certificates, "--verbose", f"https://127.0.0.1:{closed_port()}/", check=False)
    assert done.returncode == 56
    said = done.stderr.decode()
    assert "CONNECT tunnel failed, response 502" in said
    assert "error=connection_refused" in said


def test_many_in_parallel(adit, origin, certificates, tmp_path):
    """One curl, 40 transfers at once, each with its own connection and tunnel."""
    server = origin(HttpsOrigin, alpn=("http/1.1",))
    proxy = adit()
    sizes = [1000 + 997 * number for number in range(40)]
    args = []
    for size in sizes:
        args += ["--output", tmp_path / str(size), server.url(f"/bytes/{size}", "localhost")]
    curl(proxy, certificates, "--parallel", "--parallel-max", "40", *args)
    for size in sizes:
        assert (tmp_path / str(size)).read_bytes() == pattern(size)
