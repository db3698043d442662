"""Headless Chromium through --proxy-server: a page with 40 sub-resources and a WebSocket echo.

Over HTTP/1.1 the browser opens as many tunnels as it likes to several names; over HTTP/2 one a
name. It calls home through any proxy that it is given, whatever its flags say, and a proxied name
is never looked up by the browser, so no resolver rule of its own stops it. Therefore all of the
test lives in a network namespace that has loopback and nothing else.
"""

import base64
import hashlib
import json
import random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from support.https import HttpsOrigin
from zoo import HERE, MODULES

HALF = 20  # scripts, and as many images
HOSTS = ("localhost", "a.localhost", "127.0.0.1")


def script(number):
    """Hex digits, so that no byte of it needs escaping."""
    return random.Random(number).randbytes(20_000 + number).hex()


def routes(origin_port, echo_url):
    names = [f"{HOSTS[number % len(HOSTS)]}:{origin_port}" for number in range(HALF)]
    page = (HERE / "page.html").read_text()
    page = page.replace("{names}", json.dumps(names)).replace("{echo}", echo_url)
    yield "/", ("text/html", page.encode())
    yield "/favicon.ico", ("image/png", b"")
    for number in range(HALF):
        source = f"parts[{number}] = '{script(number)}';"
        picture = f"<svg xmlns='http://www.w3.org/2000/svg' width='{number + 1}' height='9'/>"
        yield f"/script/{number}", ("text/javascript", source.encode())
        yield f"/image/{number}", ("image/svg+xml", picture.encode())


def key_hash(certificates):
    certificate = x509.load_pem_x509_certificate(certificates.server_cert.read_bytes())
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(key).digest()).decode()


@pytest.fixture
def fenced(namespace):
    """Everything that this thread starts while the test runs is in a namespace of its own."""
    with namespace():
        yield


@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
def test_page(fenced, adit, origin, aiohttp_server, certificates, client, tunnelled, tmp_path,
              protocol):
    server = origin(HttpsOrigin, alpn=(protocol,))
    server.routes = dict(routes(server.port, f"wss://localhost:{aiohttp_server.port}/echo"))
    proxy = adit()
    done = client("node", HERE / "browser.cjs", proxy.address, key_hash(certificates),
                  server.url("/", "localhost"), tmp_path / "profile", timeout=90,
                  env={"NODE_PATH": str(MODULES)})
    texts = "".join(script(number) for number in range(HALF))
    assert json.loads(done.stdout) == {
        "scripts": hashlib.sha256(texts.encode()).hexdigest(),
        "widths": list(range(1, HALF + 1)),
        "echo": True,
    }, done.stderr.decode()
    asked = [path for _, _, path in server.requests if path.startswith(("/script/", "/image/"))]
    assert sorted(asked) == sorted(path for path in server.routes if path.count("/") == 2)
    assert {kind for kind, _, _ in server.requests} == {protocol}

    assert len(tunnelled(proxy, aiohttp_server)) == 1
    targets = {f"{host}:{server.port}" for host in HOSTS}
    opened = [line for line in proxy.log_lines(event="open") if line["target"] in targets]
    assert {line["target"] for line in opened} == targets
    assert len(opened) == server.accepted, "a connection went around the proxy"
    assert {line["target"] for line in proxy.log_lines(event="open")} == targets | {
        f"localhost:{aiohttp_server.port}"}, "the browser reached home"
