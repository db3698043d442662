"""HTTP clients of languages: each gets 3 MB and puts 3 MB over https, by name and by address.

One small program a language, all with the same arguments: PROXY CA GET|PUT URL FILE.
"""

import subprocess

import pytest

from support.https import HttpsOrigin
from support.origins import pattern, sha256
from zoo import HERE, MODULES, PAYLOAD, ROOT

JAVA_QUIET = ("-Xshare:auto", "-XX:TieredStopAtLevel=1")  # starts faster on a small machine


@pytest.fixture(scope="session")
def java_classes(tmp_path_factory, environment):
    folder = tmp_path_factory.mktemp("classes")
    subprocess.run(["javac", "-d", folder, HERE / "HttpClientMain.java"], check=True,
                   env=environment, timeout=120)
    return folder


@pytest.fixture(scope="session")
def go_program(tmp_path_factory, environment):
    program = tmp_path_factory.mktemp("go") / "http_client"
    cache = ROOT / "build-clients" / "go-cache"
    subprocess.run(["go", "build", "-o", program, HERE / "http_client.go"], check=True,
                   timeout=240, env=dict(environment, GOCACHE=str(cache), GOFLAGS="-mod=mod",
                                         GOPROXY="off", CGO_ENABLED="0"))
    return program


PYTHON = ["/usr/bin/python3", HERE / "http_client.py"]
NODE = ["node", HERE / "http_client.cjs"]
JAVA = ["java", *JAVA_QUIET, "-cp", "CLASSES", "HttpClientMain"]
COMMANDS = {
    "perl-lwp": ["perl", HERE / "http_client.pl"],
    "php": ["php", HERE / "http_client.php"],
    "python-http.client": [*PYTHON, "stdlib"],
    "python-requests": [*PYTHON, "requests"],
    "python-aiohttp": [*PYTHON, "aiohttp"],
    "node-undici": [*NODE, "undici"],
    "node-https-proxy-agent": [*NODE, "https-proxy-agent"],
    "java-url-connection": [*JAVA, "url"],
    "java-http-client": [*JAVA, "client"],
    "go-net-http": ["GO"],
}


@pytest.fixture
def program(request, client):
    """program(name, ...): runs the client of that name."""
    def run(name, *args):
        command = list(COMMANDS[name])
        if command[0] == "GO":
            command[0] = request.getfixturevalue("go_program")
        elif command[0] == "java":
            command[command.index("CLASSES")] = request.getfixturevalue("java_classes")
        return client(*command, *args, env={"NODE_PATH": str(MODULES)})

    return run


# Not everyone can: LWP and http.client ask for ::1:443 without brackets, which is a 400 because
# it can be read in two ways; PHP, Java's HttpClient and undici on Node 18 trip over the brackets
# in their own TLS.
IPV6 = ("python-requests", "python-aiohttp", "node-https-proxy-agent", "java-url-connection",
        "go-net-http")


@pytest.mark.timeout(300)  # the first one may have to build Go's standard library
@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_get(adit, origin, certificates, program, tunnelled, tmp_path, name, host):
    server = origin(HttpsOrigin)
    proxy = adit()
    file = tmp_path / "down"
    program(name, proxy.address, certificates.ca, "GET",
            server.url(f"/bytes/{PAYLOAD}", host), file)
    assert file.read_bytes() == pattern(PAYLOAD)
    tunnelled(proxy, server, host)


@pytest.mark.parametrize("name", COMMANDS)
def test_put(adit, origin, certificates, program, tunnelled, tmp_path, name):
    server = origin(HttpsOrigin)
    proxy = adit()
    data = pattern(PAYLOAD, seed=3)
    file = tmp_path / "up"
    file.write_bytes(data)
    done = program(name, proxy.address, certificates.ca, "PUT", server.url("/up", "localhost"),
                   file)
    assert done.stdout.decode() == f"{sha256(data)} {len(data)}\n"
    tunnelled(proxy, server)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", IPV6)
def test_get_from_ipv6_literal(adit, origin, certificates, program, tunnelled, tmp_path, name):
    server = origin(HttpsOrigin, host="::1")
    proxy = adit()
    file = tmp_path / "down"
    program(name, proxy.address, certificates.ca, "GET", server.url(f"/bytes/{PAYLOAD}"), file)
    assert file.read_bytes() == pattern(PAYLOAD)
    tunnelled(proxy, server, "[::1]")
