"""ssh, sftp and plink to a real sshd, through each of the usual ProxyCommands.

The payload goes through `cat` on the far side: both directions are busy at once, and each
ends with the other's end of file.
"""

import os
from pathlib import Path

import pytest

from support.origins import closed_port, pattern
from zoo import PAYLOAD

PROXY_COMMANDS = {
    "nc": "nc.openbsd -X connect -x {address} %h %p",
    "ncat": "ncat --proxy {address} --proxy-type http %h %p",
    "corkscrew": "corkscrew {host} {port} %h %p",
    "socat": "socat - PROXY:{host}:%h:%p,proxyport={port}",
    "connect-proxy": "connect-proxy -H {address} %h %p",
    "proxytunnel": "proxytunnel -q -p {address} -d %h:%p",
}


@pytest.fixture
def sshd(daemon, client, environment, tmp_path):
    """An sshd with keys and files of its own; .key is the user's private key."""
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # it insists, when root
    for name in ("host_key", "user_key"):
        client("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name)
    port = closed_port()
    (tmp_path / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {tmp_path}/host_key\nPidFile none\n"
        f"AuthorizedKeysFile {tmp_path}/user_key.pub\nStrictModes no\nUsePAM yes\n"
        f"PasswordAuthentication no\nKbdInteractiveAuthentication no\nPrintMotd no\n"
        f"PermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\n")
    path = environment["PATH"].split(":")
    program = next(Path(folder, "sshd") for folder in path if Path(folder, "sshd").exists())
    server = daemon([program, "-D", "-e", "-f", tmp_path / "sshd_config"], port)
    server.key = tmp_path / "user_key"
    host_key = (tmp_path / "host_key.pub").read_text()
    (tmp_path / "known_hosts").write_text(f"[localhost]:{port} {host_key}")
    server.options = ["-F", "none", "-i", server.key, "-o", "BatchMode=yes",
                      "-o", f"UserKnownHostsFile={tmp_path}/known_hosts",
                      "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=20"]
    return server


def proxy_command(name, proxy):
    words = PROXY_COMMANDS[name].format(address=proxy.address, host=proxy.host, port=proxy.port)
    return ["-o", f"ProxyCommand={words}"]


@pytest.mark.parametrize("name", PROXY_COMMANDS)
def test_ssh(adit, sshd, client, tunnelled, name):
    proxy = adit()
    data = pattern(PAYLOAD)
    done = client("ssh", *sshd.options, *proxy_command(name, proxy), "-p", sshd.port,
                  "localhost", "cat", input=data)
    assert done.stdout == data
    tunnelled(proxy, sshd)


def test_sftp(adit, sshd, client, tunnelled, tmp_path):
    proxy = adit()
    (tmp_path / "up").write_bytes(pattern(PAYLOAD))
    batch = f"put {tmp_path}/up {tmp_path}/far\nget {tmp_path}/far {tmp_path}/down\n"
    client("sftp", "-q", "-b", "-", *sshd.options, *proxy_command("nc", proxy), "-P", sshd.port,
           "localhost", input=batch.encode())
    assert (tmp_path / "far").read_bytes() == pattern(PAYLOAD)
    assert (tmp_path / "down").read_bytes() == pattern(PAYLOAD)
    tunnelled(proxy, sshd)


def test_plink(adit, sshd, client, tunnelled, tmp_path):
    """PuTTY's own CONNECT, set in a saved session."""
    proxy = adit()
    sessions = tmp_path / "putty" / "sessions"
    sessions.mkdir(parents=True)
    (sessions / "zoo").write_text(
        f"Protocol=ssh\nHostName=localhost\nPortNumber={sshd.port}\n"
        f"ProxyMethod=3\nProxyLocalhost=1\nProxyDNS=2\nProxyHost={proxy.host}\n"
        f"ProxyPort={proxy.port}\n")
    client("puttygen", sshd.key, "-O", "private", "-o", "user.ppk")
    fingerprint = client("ssh-keygen", "-l", "-f", "host_key.pub").stdout.decode().split()[1]
    data = pattern(PAYLOAD)
    done = client("plink", "-batch", "-load", "zoo", "-i", "user.ppk", "-hostkey", fingerprint,
                  "-T", "cat", input=data,
                  env={"PUTTYDIR": str(tmp_path / "putty")})
    assert done.stdout == data
    tunnelled(proxy, sshd)
