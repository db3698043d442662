"""The small clients that a fresh Debian has at hand; most say HTTP/1.0 and send no Host."""

import http.client
import subprocess

from support.https import HttpsOrigin
from support.origins import Banner, Echo, pattern, sha256


def test_wget(adit, origin, certificates, tmp_path):
    server = origin(HttpsOrigin)
    proxy = adit()
    subprocess.run(
        ["wget", "--quiet", "--tries=1", "--timeout=20", f"--ca-certificate={certificates.ca}",
         "-e", f"https_proxy={proxy.url}", "-e", "use_proxy=yes", "--no-config",
         "-O", tmp_path / "out", server.url("/bytes/3000000", "app.localhost")],
        check=True, env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}, timeout=60)
    assert sha256((tmp_path / "out").read_bytes()) == sha256(pattern(3_000_000))
    assert proxy.wait_for_log(event="close")["target"] == f"app.localhost:{server.port}"


def test_nc_to_a_server_that_speaks_first(adit, origin):
    server = origin(Banner)
    proxy = adit()
    done = subprocess.run(
        ["nc", "-N", "-X", "connect", "-x", proxy.address, "127.0.0.1", str(server.port)],
        input=b"EHLO me\r\n", capture_output=True, check=True, timeout=30)
    assert done.stdout == server.banner + b"EHLO me\r\n"
    assert proxy.wait_for_log(event="open")["http"] == "1.0"


def test_nc_half_closes(adit, origin):
    """A megabyte up, then FIN; every byte comes back behind it."""
    server = origin(Echo)
    data = pattern(1_000_000)
    done = subprocess.run(
        ["nc", "-N", "-X", "connect", "-x", adit().address, "127.0.0.1", str(server.port)],
        input=data, capture_output=True, check=True, timeout=60)
    assert sha256(done.stdout) == sha256(data)


def socat(proxy, target, data, *options):
    address = f"PROXY:{proxy.host}:{target},proxyport={proxy.port}"
    return subprocess.run(["socat", "-t20", *options, "-", address], input=data,
                          capture_output=True, check=True, timeout=60)


def test_socat_to_a_server_that_speaks_first(adit, origin):
    server = origin(Banner)
    proxy = adit()
    done = socat(proxy, server.authority, b"NOOP\r\n")
    assert done.stdout == server.banner + b"NOOP\r\n"
    assert proxy.wait_for_log(event="open")["http"] == "1.0"


def test_socat_half_closes(adit, origin):
    server = origin(Echo)
    data = pattern(1_000_000, seed=3)
    assert sha256(socat(adit(), server.authority, data).stdout) == sha256(data)


def test_socat_by_name(adit, origin):
    server = origin(Echo)
    done = socat(adit(), f"localhost:{server.port}", b"by name")
    assert done.stdout == b"by name"


def test_python_http_client(adit, origin, certificates):
    """http.client's set_tunnel: HTTP/1.0 without a Host field."""
    server = origin(HttpsOrigin)
    proxy = adit()
    connection = http.client.HTTPSConnection(
        proxy.host, proxy.port, context=certificates.client_context(), timeout=20)
    connection.set_tunnel("localhost", server.port)
    connection.request("GET", "/bytes/100000")
    assert connection.getresponse().read() == pattern(100_000)
    connection.close()
