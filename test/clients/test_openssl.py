"""OpenSSL's s_client, plain and with STARTTLS, and stunnel with protocol = connect."""

import base64
import http.client
import subprocess
import time

import pytest

from support.https import HttpsOrigin
from support.origins import Handler, closed_port, pattern, sha256
from zoo import PAYLOAD

LINES = b"".join(base64.b64encode(pattern(57, seed=number)) + b"\n" for number in range(30_000))


def echo_tls(context, connection):
    """TLS until the client's close, every byte returned."""
    with context.wrap_socket(connection, server_side=True) as tls:
        while data := tls.recv(1 << 16):
            tls.sendall(data)
            if data.endswith(b"\n.\n"):
                tls.unwrap()  # s_client takes an end without close_notify for an attack
                return


def test_s_client(adit, origin, certificates, client, tunnelled):
    context = certificates.server_context()
    server = origin(Handler, lambda connection: echo_tls(context, connection))
    proxy = adit()
    sent = LINES + b".\n"
    done = client("openssl", "s_client", "-proxy", proxy.address, "-quiet",
                  "-connect", f"localhost:{server.port}", "-servername", "localhost",
                  "-CAfile", certificates.ca, "-verify_return_error", input=sent)
    assert done.stdout == sent
    tunnelled(proxy, server)


def smtp(context, delay_s, connection):
    """A mail server as far as STARTTLS goes: it speaks first."""
    connection.settimeout(3)  # an s_client that lost the greeting would wait for ever
    reader = connection.makefile("rb")
    time.sleep(delay_s)
    connection.sendall(b"220 mail.test ESMTP\r\n")
    assert reader.readline().upper().startswith(b"EHLO ")
    connection.sendall(b"250-mail.test\r\n250 STARTTLS\r\n")
    assert reader.readline() == b"STARTTLS\r\n"
    connection.sendall(b"220 go ahead\r\n")
    echo_tls(context, connection)


@pytest.fixture
def starttls(adit, origin, certificates, environment, tunnelled):
    """starttls(delay, rounds): how many rounds against a greeting after that delay succeeded."""
    def run(delay_s, rounds):
        context = certificates.server_context()
        server = origin(Handler, lambda connection: smtp(context, delay_s, connection))
        proxy = adit()
        command = ["openssl", "s_client", "-proxy", proxy.address, "-starttls", "smtp", "-quiet",
                   "-connect", f"localhost:{server.port}", "-servername", "localhost",
                   "-CAfile", certificates.ca, "-verify_return_error"]
        successes = 0
        for _ in range(rounds):
            done = subprocess.run(command, input=b"in the tunnel\n.\n", env=environment,
                                  capture_output=True, timeout=20)
            successes += (done.returncode == 0
                          and done.stdout.endswith(b"in the tunnel\n.\n"))
        assert len(tunnelled(proxy, server)) == rounds
        return successes

    return run


def test_s_client_starttls(starttls):
    """The target speaks first, as mail servers do, after a look at who calls: a proxy that
    waits for the greeting and glues it behind its 200 fails here."""
    assert starttls(delay_s=0.1, rounds=3) == 3


def test_s_client_starttls_at_once(starttls):
    """The greeting is there before the 200. What s_client finds glued behind the 200 it drops,
    and when the machine runs it late it finds both, however they were sent; so one of several
    has to succeed. None does when the proxy sends both in one write."""
    assert starttls(delay_s=0, rounds=10) > 0


def test_stunnel(adit, origin, certificates, daemon, tunnelled, tmp_path):
    """stunnel wraps a plain HTTP client, whose https it speaks through the proxy."""
    server = origin(HttpsOrigin, alpn=("http/1.1",))
    proxy = adit()
    port = closed_port()
    (tmp_path / "stunnel.conf").write_text(
        f"foreground = yes\npid =\n[wrap]\nclient = yes\naccept = 127.0.0.1:{port}\n"
        f"connect = {proxy.address}\nprotocol = connect\nprotocolHost = localhost:{server.port}\n"
        f"sni = localhost\nCAfile = {certificates.ca}\nverifyChain = yes\ncheckHost = localhost\n")
    wrapper = daemon(["stunnel4", tmp_path / "stunnel.conf"])
    wrapper.wait_until(lambda: wrapper.said("Configuration successful"))
    plain = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    plain.request("GET", f"/bytes/{PAYLOAD}")
    assert plain.getresponse().read() == pattern(PAYLOAD)
    data = pattern(PAYLOAD, seed=2)
    plain.request("PUT", "/up", body=data)
    assert plain.getresponse().read().decode() == f"{sha256(data)} {PAYLOAD}\n"
    plain.close()
    tunnelled(proxy, server)
