"""Name servers: dnsmasq with a zone, and a scripted one that counts what it is asked.

Both listen on port 53 of an address of their own, since resolv.conf knows no ports; start them
in a Namespace.
"""

import ipaddress
import socket
import struct
import subprocess
import threading
import time

from .patience import PATIENCE_S

A, AAAA, CNAME = 1, 28, 5
TYPES = {A: "A", AAAA: "AAAA"}
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5


class Answer:
    """What the scripted server says to one question.

    addresses   the records; those of the other family are left out of an answer
    rcode       0, or SERVFAIL, NXDOMAIN, ...
    delay       seconds before it answers; None: never
    """

    def __init__(self, *addresses, rcode=NOERROR, ttl=60, delay=0, truncated=False, wrong_id=False,
                 cname=None):
        self.addresses = [ipaddress.ip_address(address) for address in addresses]
        self.rcode = rcode
        self.ttl = ttl
        self.delay = delay
        self.truncated = truncated
        self.wrong_id = wrong_id
        self.cname = cname


SILENT = Answer(delay=None)


def encode_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def parse_question(packet):
    """(id, name as asked, type, the question's bytes)."""
    identity, position, labels = struct.unpack_from("!H", packet)[0], 12, []
    while packet[position]:
        size = packet[position]
        labels.append(packet[position + 1:position + 1 + size].decode("latin-1"))
        position += 1 + size
    kind = struct.unpack_from("!H", packet, position + 1)[0]
    return identity, ".".join(labels), kind, packet[12:position + 5]


def encode_answer(packet, answer):
    identity, name, kind, question = parse_question(packet)
    records, count = b"", 0
    owner = name
    if answer.cname and answer.rcode == NOERROR:
        target = encode_name(answer.cname)
        records += encode_name(owner) + struct.pack("!HHIH", CNAME, 1, answer.ttl, len(target))
        records += target
        owner, count = answer.cname, 1
    if answer.rcode == NOERROR:
        for address in answer.addresses:
            if {4: A, 6: AAAA}[address.version] == kind:
                data = address.packed
                records += encode_name(owner) + struct.pack("!HHIH", kind, 1, answer.ttl, len(data))
                records += data
                count += 1
    flags = 0x8180 | answer.rcode | (0x0200 if answer.truncated else 0)
    if answer.wrong_id:
        identity ^= 0xFFFF
    if answer.truncated:
        records, count = b"", 0
    return struct.pack("!HHHHHH", identity, flags, 1, count, 0, 0) + question + records


class ScriptedNames:
    """A name server over UDP and TCP: zone is {lower-case name: Answer, or {type: Answer}, or a
    function of (name, type, how many times that was asked before) -> Answer}; others: NXDOMAIN.

    queries: a list of (time, lower-case name, "A" or "AAAA", "udp" or "tcp").
    """

    def __init__(self, zone, host="127.0.0.53", port=53):
        self.zone = zone
        self.host = host
        self.queries = []
        self.errors = []
        self.is_closed = False
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        self.udp = socket.socket(family, socket.SOCK_DGRAM)
        self.udp.bind(address)
        self.tcp = socket.socket(family, socket.SOCK_STREAM)
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.tcp.bind(address)
        self.tcp.listen(64)
        self.resolv_conf = f"nameserver {host}\n"
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def asked(self, name, kind=None):
        """How often a name was asked for, over both transports."""
        return sum(1 for _, asked, of, _ in list(self.queries)
                   if asked == name and kind in (None, of))

    def _decide(self, packet, transport):
        _, name, kind, _ = parse_question(packet)
        name = name.lower()
        of = TYPES.get(kind, str(kind))
        entry = self.zone.get(name, Answer(rcode=NXDOMAIN))
        if isinstance(entry, dict):
            entry = entry.get(of, Answer())
        if callable(entry):
            entry = entry(name, of, self.asked(name, of))
        self.queries.append((time.monotonic(), name, of, transport))
        return entry

    def _serve_udp(self):
        while not self.is_closed:
            try:
                packet, peer = self.udp.recvfrom(4096)
            except OSError:
                return
            try:
                self._answer_udp(packet, peer)
            except Exception as error:
                self.errors.append(repr(error))

    def _answer_udp(self, packet, peer):
        answer = self._decide(packet, "udp")
        if answer.delay is None:
            return
        reply = encode_answer(packet, answer)
        if answer.delay:
            timer = threading.Timer(answer.delay, self._send_late, (reply, peer))
            timer.daemon = True
            timer.start()
        else:
            self.udp.sendto(reply, peer)

    def _send_late(self, reply, peer):
        try:
            self.udp.sendto(reply, peer)
        except OSError:
            pass

    def _serve_tcp(self):
        while not self.is_closed:
            try:
                connection, _ = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=self._answer_tcp, args=(connection,), daemon=True).start()

    def _answer_tcp(self, connection):
        with connection, connection.makefile("rb") as reader:
            while len(size := reader.read(2)) == 2:
                packet = reader.read(struct.unpack("!H", size)[0])
                answer = self._decide(packet, "tcp")
                if answer.delay is None:
                    continue
                time.sleep(answer.delay)
                full = Answer(*answer.addresses, rcode=answer.rcode, ttl=answer.ttl,
                              cname=answer.cname)
                reply = encode_answer(packet, full)
                connection.sendall(struct.pack("!H", len(reply)) + reply)

    def close(self):
        self.is_closed = True
        self.udp.close()
        try:
            self.tcp.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.tcp.close()


class Dnsmasq:
    """The real thing, with {name: [addresses]}, for one address of its own."""

    def __init__(self, folder, zone, host="127.0.0.54", arguments=()):
        self.host = host
        self.errors = []
        self.resolv_conf = f"nameserver {host}\n"
        command = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv",
                   "--no-hosts", "--bind-interfaces", f"--listen-address={host}", "--port=53",
                   "--user=root", "--pid-file=", f"--log-facility={folder}/dnsmasq.log",
                   "--log-queries", "--local=/#/", *arguments]
        for name, addresses in zone.items():
            command.append(f"--host-record={name},{','.join(addresses)}")
        self.log = folder / "dnsmasq.log"
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        deadline = time.monotonic() + PATIENCE_S
        while not (self.log.exists() and "started" in self.log.read_text()):
            assert self.process.poll() is None, self.process.stderr.read()
            assert time.monotonic() < deadline, "dnsmasq does not start"
            time.sleep(0.02)

    def asked(self, name):
        return sum(1 for line in self.log.read_text().splitlines()
                   if line.endswith(f" {name} from 127.0.0.1") and "query[" in line)

    def close(self):
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        self.process.stderr.close()
