"""Python's clients. usage: http_client.py stdlib|requests|aiohttp PROXY CA GET|PUT URL FILE

GET writes the body to FILE; PUT sends FILE and prints the answer.
"""

import asyncio
import http.client
import ssl
import sys
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import requests

TIMEOUT_S = 30


def with_stdlib(proxy, ca, method, url, body):
    """http.client with set_tunnel."""
    target = urlsplit(url)
    host, _, port = proxy.rpartition(":")
    connection = http.client.HTTPSConnection(
        host, int(port), context=ssl.create_default_context(cafile=ca), timeout=TIMEOUT_S)
    connection.set_tunnel(target.hostname, target.port)
    connection.request(method, target.path, body=body)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, data


def with_requests(proxy, ca, method, url, body):
    with requests.Session() as session:
        answer = session.request(method, url, data=body, verify=ca, timeout=TIMEOUT_S,
                                 proxies={"https": f"http://{proxy}"})
        return answer.status_code, answer.content


def with_aiohttp(proxy, ca, method, url, body):
    async def run():
        async with aiohttp.ClientSession() as session:
            async with session.request(
                    method, url, data=body, proxy=f"http://{proxy}",
                    ssl=ssl.create_default_context(cafile=ca),
                    timeout=aiohttp.ClientTimeout(TIMEOUT_S)) as answer:
                return answer.status, await answer.read()

    return asyncio.run(run())


CLIENTS = {"stdlib": with_stdlib, "requests": with_requests, "aiohttp": with_aiohttp}


def main():
    kind, proxy, ca, method, url, file = sys.argv[1:]
    body = Path(file).read_bytes() if method == "PUT" else None
    status, data = CLIENTS[kind](proxy, ca, method, url, body)
    if status != 200:
        sys.exit(f"the origin answered {status}")
    if method == "GET":
        Path(file).write_bytes(data)
    else:
        sys.stdout.buffer.write(data)


main()
