"""A world in which every address answers, and in which each SYN that leaves is seen.

adit lives in a namespace of its own whose kernel takes each address that is not a neighbour's for
its own: a dial to 169.254.169.254 or to 93.184.216.34 reaches a server here, and nothing leaves. So
a tunnel to anywhere opens when adit lets it, and a SYN to where none may go is no matter of luck to
see. Clients that are not on the machine sit in a second namespace, at the other end of a cable.
"""

import ipaddress
import select
import socket
import struct
import time

from .client import Client
from .netns import Namespace, connect_namespaces
from .origins import Echo

OUTSIDE = ("10.77.0.3/24", "172.20.0.9/32", "203.0.113.9/32")  # beside 10.77.0.2 and fd77::2
INSIDE, INSIDE6 = "10.77.0.1", "fd77::1"
ETH_P_ALL, PACKET_OUTGOING = 3, 4
SYN, ACK = 0x02, 0x10


class SynWatch:
    """Every SYN that is sent in the namespace that is current when this is made."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.setblocking(False)

    def take(self):
        """The (address, port) that got a SYN since the last call, in order."""
        found = []
        while select.select([self.socket], [], [], 0)[0]:
            packet, (_, _, kind, *_) = self.socket.recvfrom(256)
            target = _syn_target(packet) if kind == PACKET_OUTGOING else None
            if target:
                found.append(target)
        return found

    def close(self):
        self.socket.close()


def _syn_target(packet):
    version = packet[0] >> 4
    if version == 4 and packet[9] == socket.IPPROTO_TCP:
        header, address = (packet[0] & 15) * 4, packet[16:20]
    elif version == 6 and packet[6] == socket.IPPROTO_TCP:
        header, address = 40, packet[24:40]
    else:
        return None
    if packet[header + 13] & (SYN | ACK) != SYN:
        return None
    return str(ipaddress.ip_address(address)), struct.unpack_from("!H", packet, header + 2)[0]


class Everywhere:
    """with world.inside: starts things where adit lives. Servers answer at `ports` of any address."""

    def __init__(self, keep, ports=()):
        self.keep = keep
        self.inside = keep(Namespace())
        self.outside = keep(Namespace())
        connect_namespaces(self.inside, self.outside, f"{INSIDE}/24", "10.77.0.2/24",
                           f"{INSIDE6}/64", "fd77::2/64")
        for address in OUTSIDE:
            self.outside.ip("addr", "add", address, "dev", "veth0")
        for address in OUTSIDE[1:]:
            self.inside.ip("route", "add", address, "dev", "veth0")
        # in the main table, which is asked after the neighbours' routes
        self.inside.ip("route", "add", "local", "default", "dev", "lo", "table", "main")
        self.inside.ip("-6", "route", "add", "local", "::/0", "dev", "lo", "table", "main")
        with self.inside:
            self.servers = [keep(Echo(host="::", port=port)) for port in sorted(ports)]
            self.watch = keep(SynWatch())

    def side_of(self, source):
        """(namespace, adit's address) for a client's address."""
        address = ipaddress.ip_address(source)
        if address.is_loopback:
            return self.inside, "127.0.0.1" if address.version == 4 else "::1"
        return self.outside, INSIDE if address.version == 4 else INSIDE6

    def connect(self, source, port):
        """A Client from that address to the adit that listens on `port` of its side's address."""
        return self.connect_to((self.side_of(source)[1], port), source)

    def connect_to(self, address, source):
        with self.side_of(source)[0]:
            return Client(address, source=source)

    def syns(self, *own_ports):
        """Where SYNs went since the last call, but for those to ports that are no target's."""
        return [target for target in self.watch.take() if target[1] not in own_ports]


def settle(check, seconds=0.3):
    """Wait a moment for what must not come: True as soon as it came."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if check():
            return True
        time.sleep(0.02)
    return False
