"""A WebSocket over TLS, Node's ws through https-proxy-agent, to aiohttp's server."""

from zoo import HERE, MODULES


def test_ws(adit, aiohttp_server, certificates, client, tunnelled):
    proxy = adit()
    done = client("node", HERE / "websocket_client.cjs", proxy.address, certificates.ca,
                  f"wss://localhost:{aiohttp_server.port}/echo", env={"NODE_PATH": str(MODULES)})
    assert done.stdout == b"4 messages\n"
    assert len(tunnelled(proxy, aiohttp_server)) == 1
