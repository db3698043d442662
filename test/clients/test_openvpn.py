"""OpenVPN over TCP with http-proxy, and pings through the tunnel inside the tunnel.

adit, server and client live in one namespace of the test; the client's tun device is moved to a
second one, as else both ends of the ping would be addresses of one host and never meet OpenVPN.
"""

import pytest
import trustme

from support.origins import closed_port

SERVER_ADDRESS, CLIENT_ADDRESS = "10.88.0.1", "10.88.0.2"
PINGS = 20


@pytest.fixture
def openvpn(daemon, tmp_path):
    """openvpn(role, device, options): a peer with its device made and no address on it."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")

    def start(role, device, *options):
        certificate = authority.issue_cert(f"{role}.test", common_name=role)  # it insists on a CN
        certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / f"{role}.pem")
        return daemon(["openvpn", "--dev", device, "--dev-type", "tun", f"--tls-{role}",
                       "--ca", tmp_path / "ca.pem", "--cert", tmp_path / f"{role}.pem",
                       "--key", tmp_path / f"{role}.pem", "--dh", "none", "--ifconfig-noexec",
                       "--verb", "3", "--connect-retry-max", "3", *options])

    return start


def configure(namespace, device, address, peer):
    namespace.ip("addr", "add", address, "peer", peer, "dev", device)
    namespace.ip("link", "set", device, "up")


@pytest.mark.parametrize("size", [56, 1400])
def test_ping_through_openvpn(adit, namespace, openvpn, client, size):
    near, far = namespace(), namespace()
    with near:
        proxy = adit()
        port = closed_port()
        server = openvpn("server", "tun0", "--proto", "tcp4-server", "--local", "127.0.0.1",
                         "--lport", str(port))
        server.wait_until(lambda: server.said("Listening for incoming TCP connection"))
        peer = openvpn("client", "tun1", "--proto", "tcp4-client", "--nobind",
                       "--remote", "localhost", str(port),
                       "--http-proxy", proxy.host, str(proxy.port))
        peer.wait_until(lambda: peer.said("Initialization Sequence Completed"))
    server.wait_until(lambda: server.said("Initialization Sequence Completed"))
    near.ip("link", "set", "tun1", "netns", str(far.holder.pid))
    configure(near, "tun0", SERVER_ADDRESS, CLIENT_ADDRESS)
    configure(far, "tun1", CLIENT_ADDRESS, SERVER_ADDRESS)
    with far:
        done = client("ping", "-c", PINGS, "-i", "0.05", "-s", size, "-W", "10", SERVER_ADDRESS)
    assert f"{PINGS} packets transmitted, {PINGS} received" in done.stdout.decode()
    proxy.wait_for_log(event="open", target=f"localhost:{port}", verdict="allow")
    peer.close()
    line = proxy.wait_for_log(event="close", target=f"localhost:{port}")
    assert int(line["up_bytes"]) > PINGS * size and int(line["down_bytes"]) > PINGS * size
