"""Network namespaces of the test's own: hosts that exist only while the test runs.

    with namespace:       # in this thread only
        ...               # sockets made here, and processes started here, live in the namespace

Sockets stay in the namespace where they were made, so servers and clients of several namespaces
can serve one test.
"""

import ctypes
import os
import subprocess
import threading
from pathlib import Path

from .patience import PATIENCE_S

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_saved = threading.local()


def _setns(descriptor):
    if _libc.setns(descriptor, CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, "setns: " + os.strerror(error))


def run(*command):
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE_S)


class Namespace:
    """A network namespace with loopback up; ipv6=False switches IPv6 off in it."""

    def __init__(self, ipv6=True):
        self.holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.holder.stdout.readline() == "up\n"
        self.descriptor = os.open(f"/proc/{self.holder.pid}/ns/net", os.O_RDONLY)
        if not ipv6:
            for name in ("all", "default", "lo"):
                self.set(f"ipv6/conf/{name}/disable_ipv6", "1")

    def __enter__(self):
        stack = _saved.__dict__.setdefault("stack", [])
        stack.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY))
        _setns(self.descriptor)
        return self

    def __exit__(self, *_):
        before = _saved.stack.pop()
        _setns(before)
        os.close(before)

    def ip(self, *words):
        """Run ip(8) inside."""
        with self:
            run("ip", *words)

    def setting(self, name):
        """Of /proc/sys/net, as it is inside."""
        with self:
            return Path("/proc/sys/net", name).read_text()

    def set(self, name, value):
        with self:
            Path("/proc/sys/net", name).write_text(value)

    def own(self, *networks):
        """Every address of these networks becomes this machine's: clients may come from any."""
        for network in networks:
            self.ip("route", "add", "local", network, "dev", "lo")

    def close(self):
        os.close(self.descriptor)
        self.holder.stdin.close()
        self.holder.wait(10)
        self.holder.stdout.close()


def connect_namespaces(left, right, left_address="10.77.0.1/24", right_address="10.77.0.2/24",
                       left_address6="fd77::1/64", right_address6="fd77::2/64"):
    """A veth pair between two namespaces, with addresses on it."""
    left.ip("link", "add", "veth0", "type", "veth", "peer", "name", "veth0", "netns",
            str(right.holder.pid))
    for namespace, four, six in ((left, left_address, left_address6),
                                 (right, right_address, right_address6)):
        namespace.ip("addr", "add", four, "dev", "veth0")
        namespace.ip("addr", "add", six, "dev", "veth0", "nodad")
        namespace.ip("link", "set", "veth0", "up")
