"""Passwords, as the big clients handle them: Chromium's dialog, Java's two clients, git."""

import json
import subprocess
from urllib.parse import quote

import pytest

from support.https import HttpsOrigin
from support.users import PASSWORDS, htpasswd
from test_chromium import fenced, key_hash  # noqa: F401 (a fixture)
from test_git import GitOrigin, git  # noqa: F401 (a fixture)
from test_languages import JAVA_QUIET
from zoo import HERE, MODULES

PASSWORD = PASSWORDS["alice"]


@pytest.fixture
def locked(adit, tmp_path):
    """An adit that lets nobody through without a password."""
    (tmp_path / "htpasswd").write_text(htpasswd("alice"))
    config = tmp_path / "adit.conf"
    config.write_text('users file "htpasswd"\nallow user any to any, special\n')
    return lambda: adit("-c", config)


def browse(client, proxy, certificates, server, profile, *credentials):
    done = client("node", HERE / "auth_browser.cjs", proxy.address, key_hash(certificates),
                  server.url("/routes", "localhost"), profile, *credentials, timeout=90,
                  env={"NODE_PATH": str(MODULES)})
    return json.loads(done.stdout)


def test_chromium_answers_the_challenge(fenced, locked, origin, certificates, client,  # noqa: F811
                                        tmp_path):
    server = origin(HttpsOrigin, routes={"/routes": ("text/plain", b"behind the gate")})
    proxy = locked()
    found = browse(client, proxy, certificates, server, tmp_path / "profile", "alice", PASSWORD)
    assert found == {"text": "behind the gate"}
    target = f"localhost:{server.port}"
    assert proxy.wait_for_log(event="deny", target=target)["status"] == "407"  # first without
    assert proxy.wait_for_log(event="open", target=target)["user"] == "alice"
    assert not proxy.log_lines(event="auth_failure", target=target)


@pytest.mark.parametrize("credentials", [(), ("alice", "wrong")], ids=["none", "wrong"])
def test_chromium_is_refused(fenced, locked, origin, certificates, client, tmp_path,  # noqa: F811
                             credentials):
    server = origin(HttpsOrigin)
    proxy = locked()
    found = browse(client, proxy, certificates, server, tmp_path / "profile", *credentials)
    assert found["error"] in ("net::ERR_INVALID_AUTH_CREDENTIALS", "net::ERR_PROXY_AUTH_REQUESTED",
                              "net::ERR_TUNNEL_CONNECTION_FAILED", "net::ERR_HTTP_RESPONSE_CODE_FAILURE")
    assert server.accepted == 0
    assert bool(proxy.log_lines(event="auth_failure")) == bool(credentials)


# -- Java

@pytest.fixture(scope="session")
def java_auth(tmp_path_factory, environment, certificates):
    """(folder of classes, trust store)."""
    folder = tmp_path_factory.mktemp("java-auth")
    subprocess.run(["javac", "-d", folder, HERE / "AuthMain.java"], check=True, env=environment,
                   timeout=120)
    store = folder / "trust.p12"
    subprocess.run(["keytool", "-importcert", "-noprompt", "-alias", "ca", "-file", certificates.ca,
                    "-keystore", store, "-storepass", "changeit", "-storetype", "PKCS12"],
                   check=True, env=environment, timeout=60, capture_output=True)
    return folder, store


@pytest.fixture
def java(client, java_auth):
    def run(kind, proxy, url, password, *options):
        folder, store = java_auth
        done = client("java", *JAVA_QUIET, f"-Djavax.net.ssl.trustStore={store}",
                      "-Djavax.net.ssl.trustStorePassword=changeit", *options, "-cp", folder,
                      "AuthMain", kind, proxy.address, url, "alice", password)
        return done.stdout.decode()

    return run


WITH_BASIC = "-Djdk.http.auth.tunneling.disabledSchemes="


@pytest.mark.parametrize("kind", ["url", "client"])
def test_java(locked, origin, java, kind):
    """With what the 407 tells a person to set."""
    server = origin(HttpsOrigin)
    proxy = locked()
    url = server.url("/", "localhost")
    assert java(kind, proxy, url, PASSWORD, WITH_BASIC).startswith("hello over ")
    assert proxy.wait_for_log(event="open")["user"] == "alice"
    assert "hello" not in java(kind, proxy, url, "wrong", WITH_BASIC)
    assert 1 <= len(proxy.log_lines(event="auth_failure")) <= 20  # Java tries again, not for ever
    assert server.accepted == 1


@pytest.mark.parametrize("kind", ["url", "client"])
def test_java_by_default_has_no_basic_for_tunnels(locked, origin, java, kind):
    """It says 407 and sends no password; what the body says is the way out."""
    server = origin(HttpsOrigin)
    proxy = locked()
    assert "407" in java(kind, proxy, server.url("/", "localhost"), PASSWORD)
    assert server.accepted == 0
    assert not proxy.log_lines(event="auth_failure")


# -- git

def test_git(locked, origin, certificates, git, tmp_path):  # noqa: F811
    folder = tmp_path / "served"
    folder.mkdir()
    git("init", "--quiet", "--bare", folder / "repo.git")
    server = origin(GitOrigin, certificates.server_context(("http/1.1",)), folder)
    proxy = locked()
    url = f"https://localhost:{server.port}/repo.git"

    def clone(credentials, status):
        at = f"http://{credentials}{proxy.address}"
        return git("-c", f"http.proxy={at}", "ls-remote", url, status=status)

    clone(f"alice:{quote(PASSWORD)}@", 0)
    assert proxy.wait_for_log(event="open")["user"] == "alice"
    for credentials in ("alice:wrong@", ""):
        done = clone(credentials, 128)
        assert b"407" in done.stderr, done.stderr
