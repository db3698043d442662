"""Command-line fetchers over https: wget, aria2c, lftp, w3m, proxychains4, curl over HTTP/2."""

import pytest

from support.https import HttpsOrigin
from support.origins import pattern, sha256
from zoo import PAYLOAD

PATH = f"/bytes/{PAYLOAD}"


@pytest.fixture
def server(origin):
    return origin(HttpsOrigin)


def test_wget(adit, server, certificates, client, tunnelled, tmp_path):
    proxy = adit()
    client("wget", "--no-config", "--tries=1", "--timeout=20", "-e", f"https_proxy={proxy.url}",
           f"--ca-certificate={certificates.ca}", "-O", "down", server.url(PATH, "localhost"))
    assert (tmp_path / "down").read_bytes() == pattern(PAYLOAD)
    tunnelled(proxy, server)


def test_wget_posts(adit, server, certificates, client, tunnelled, tmp_path):
    proxy = adit()
    data = pattern(PAYLOAD, seed=5)
    (tmp_path / "up").write_bytes(data)
    done = client("wget", "--no-config", "--tries=1", "--timeout=20", "-q", "-O", "-",
                  "-e", f"https_proxy={proxy.url}", f"--ca-certificate={certificates.ca}",
                  "--post-file=up", server.url("/up", "localhost"))
    assert done.stdout.decode() == f"{sha256(data)} {PAYLOAD}\n"
    tunnelled(proxy, server)


def test_aria2c_in_pieces(adit, aiohttp_server, certificates, client, tunnelled, tmp_path):
    """aria2c opens several tunnels for one file and asks for a range through each."""
    proxy = adit()
    data = pattern(4 * PAYLOAD)
    (aiohttp_server.folder / "big").write_bytes(data)
    client("aria2c", "--no-conf", "--quiet", "--split=4", "--max-connection-per-server=4",
           "--min-split-size=1M", "--max-tries=1", f"--ca-certificate={certificates.ca}",
           f"--https-proxy={proxy.url}", f"--dir={tmp_path}", "--out=down",
           f"https://localhost:{aiohttp_server.port}/files/big")
    assert (tmp_path / "down").read_bytes() == data
    assert len(tunnelled(proxy, aiohttp_server)) >= 4


def test_lftp_get(adit, server, certificates, client, tunnelled, tmp_path):
    proxy = adit()
    url = server.url(PATH, "localhost")
    server.routes[url] = ("application/octet-stream", pattern(PAYLOAD))  # inside, too, it says all
    settings = [f"set https:proxy {proxy.url}", f"set ssl:ca-file {certificates.ca}",
                "set net:max-retries 1", "set net:timeout 20", "set cmd:fail-exit yes"]
    client("lftp", "--norc", "-c", "; ".join([*settings, f"get {url} -o down"]))
    assert (tmp_path / "down").read_bytes() == pattern(PAYLOAD)
    tunnelled(proxy, server)


def test_w3m(adit, server, certificates, client, tunnelled):
    proxy = adit()
    done = client("w3m", "-config", "/dev/null", "-o", f"https_proxy={proxy.url}",
                  "-o", f"ssl_ca_file={certificates.ca}", "-o", "ssl_verify_server=1",
                  "-dump_source", server.url(PATH, "localhost"))
    assert done.stdout == pattern(PAYLOAD)
    tunnelled(proxy, server)


def test_proxychains4(adit, server, certificates, client, tunnelled, tmp_path):
    """A client that knows nothing of proxies: its connect() becomes a CONNECT."""
    proxy = adit()
    (tmp_path / "chain.conf").write_text(
        f"strict_chain\nquiet_mode\ntcp_connect_time_out 20000\n"
        f"[ProxyList]\nhttp {proxy.host} {proxy.port}\n")
    client("proxychains4", "-f", "chain.conf", "curl", "--silent", "--show-error", "--http1.1",
           "--cacert", certificates.ca, "--output", "down", server.url(PATH, "127.0.0.1"))
    assert (tmp_path / "down").read_bytes() == pattern(PAYLOAD)
    tunnelled(proxy, server, "127.0.0.1")


def test_curl_to_http2_origin(adit, server, certificates, client, tunnelled, tmp_path):
    """30 transfers at once share one tunnel, as streams of one HTTP/2 connection."""
    proxy = adit()
    sizes = [50_000 + number for number in range(30)]
    outputs = [word for size in sizes
               for word in ("--output", f"down{size}", server.url(f"/bytes/{size}", "localhost"))]
    client("curl", "--disable", "--silent", "--show-error", "--http2", "--parallel",
           "--parallel-max", "30", "--noproxy", "", "--proxy", proxy.url, "--cacert",
           certificates.ca, *outputs)
    for size in sizes:
        assert (tmp_path / f"down{size}").read_bytes() == pattern(size)
    assert {protocol for protocol, _, _ in server.requests} == {"h2"}
    assert len(tunnelled(proxy, server)) == 1
