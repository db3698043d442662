"""A real HTTPS server with Range requests and a WebSocket echo, on aiohttp.

usage: aiohttp_server.py CERT_AND_KEY FOLDER

    GET /files/NAME     a file of FOLDER, whole or in ranges
    GET /echo           WebSocket: every message comes back
Prints "port N" once it serves.
"""

import asyncio
import ssl
import sys

from aiohttp import WSMsgType, web

MESSAGE_MAX = 16 << 20


async def echo(request):
    peer = web.WebSocketResponse(max_msg_size=MESSAGE_MAX)
    await peer.prepare(request)
    async for message in peer:
        if message.type == WSMsgType.TEXT:
            await peer.send_str(message.data)
        elif message.type == WSMsgType.BINARY:
            await peer.send_bytes(message.data)
    return peer


async def main(certificate, folder):
    app = web.Application()
    app.add_routes([web.get("/echo", echo), web.static("/files", folder)])
    runner = web.AppRunner(app)
    await runner.setup()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    print("port", runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))
