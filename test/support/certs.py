"""Certificates made for one test run: a CA that clients are told to trust, and one server."""

import fcntl
import ssl
from pathlib import Path

import trustme

NAMES = ("localhost", "app.localhost", "*.localhost", "*.test", "127.0.0.1", "::1")


class Certificates:
    """Paths: ca (PEM), server_cert (PEM chain), server_key (PEM), server_pem (key and chain).

    Made once in a folder that the processes of a test run share: RSA keys take seconds to find.
    """

    def __init__(self, folder):
        folder = Path(folder)
        folder.mkdir(exist_ok=True)
        self.ca = folder / "ca.pem"
        self.server_cert = folder / "server-cert.pem"
        self.server_key = folder / "server-key.pem"
        self.server_pem = folder / "server.pem"
        with open(folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.server_pem.exists():
                self._make()

    def _make(self):
        authority = trustme.CA()
        server = authority.issue_cert(*NAMES)
        authority.cert_pem.write_to_path(self.ca)
        server.private_key_pem.write_to_path(self.server_key)
        for number, blob in enumerate(server.cert_chain_pems):
            blob.write_to_path(self.server_cert, append=number > 0)
        self.server_pem.write_bytes(self.server_key.read_bytes() + self.server_cert.read_bytes())

    def server_context(self, alpn=()):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server_cert, self.server_key)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context

    def client_context(self, alpn=()):
        context = ssl.create_default_context(cafile=self.ca)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context
