"""Small questions that many suites ask."""

import time

from .client import Client, open_tunnel, connect_head
from .patience import PATIENCE_S


def echoes(client, data=b"ping"):
    """Whether the tunnel of `client`, which ends at an Echo, carries data."""
    client.send(data)
    return client.read_exact(len(data)) == data


def works(proxy, server, **options):
    """Whether a new tunnel through `proxy` to an Echo opens and carries data."""
    with open_tunnel(proxy.address, server.authority, **options) as client:
        return echoes(client)


def answers_200(proxy, server, **options):
    """Whether a CONNECT is answered with 200 now (anything else is no error)."""
    with Client(proxy.address, **options) as client:
        client.send(connect_head(server.authority))
        return client.read_response().status == 200


def connects(address):
    """Whether anybody takes a connection there. A listener that closes in the middle of the handshake
    resets it."""
    try:
        Client(address).close()
        return True
    except (ConnectionRefusedError, ConnectionResetError):
        return False


def eventually(check, timeout=PATIENCE_S, what="it never came"):
    """What check() returns, as soon as that is something."""
    deadline = time.monotonic() + timeout
    while not (found := check()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return found
