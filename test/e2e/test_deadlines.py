"""Deadlines that run for so long that only one test each can afford them end to end (virtual time
has the others)."""

import time

import pytest

from support.client import open_tunnel
from support.origins import Recorder, SlowReader


@pytest.mark.timeout(150)
def test_half_closed_tunnel_ends_after_a_minute_of_silence(adit, origin):
    """The client is done, the target says nothing more and does not close."""
    server = origin(Stubborn)
    proxy = adit()
    with open_tunnel(proxy.address, server.authority, timeout=100) as client:
        client.send(b"x")
        client.shutdown_write()
        started = time.monotonic()
        client.read_to_end()
        assert time.monotonic() - started > 55
    assert proxy.wait_for_log(event="close")["closed_by"] == "half_closed_timeout"


@pytest.mark.timeout(150)
def test_open_tunnels_outlive_a_minute(adit, origin):
    """Neither silence nor a reader that does not read is a reason to end a tunnel so soon."""
    quiet, slow = origin(Recorder), origin(SlowReader)
    proxy = adit()
    with open_tunnel(proxy.address, quiet.authority) as idle, \
            open_tunnel(proxy.address, slow.authority) as stuck:
        stuck.socket.setblocking(False)
        try:
            while True:
                stuck.socket.send(bytes(1 << 16))
        except BlockingIOError:
            pass
        stuck.socket.settimeout(20)
        time.sleep(75)
        idle.send(b"still open")
        idle.shutdown_write()
        assert quiet.wait_for_ending() == "fin"
        assert bytes(quiet.received[0]) == b"still open"
        slow.go()
        stuck.shutdown_write()
        assert stuck.read_to_end()[1] == "fin"


class Stubborn(Recorder):
    """Reads to FIN and then keeps its own side open."""

    def handle(self, connection):
        super().handle(connection)
        while not self.is_closed:
            time.sleep(0.1)
