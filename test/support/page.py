"""Asking the admin page, one request a connection, as curl would."""

import json

from .client import Client

TELLS = "X-Adit: 1"


def head(method, path, *fields, host="localhost"):
    """host=None: no Host field."""
    lines = [f"{method} {path} HTTP/1.1"]
    if host is not None:
        lines.append(f"Host: {host}")
    return ("\r\n".join([*lines, *fields]) + "\r\n\r\n").encode()


def ask_bytes(address, data, has_body=True, **options):
    """The one answer to these bytes, behind which the connection ends."""
    with Client(address, **options) as client:
        client.send(data)
        response = client.read_response(has_body=has_body)
        rest = client.read_to_end()
        assert rest == (b"", "fin"), rest
        return response


def ask(address, path, *fields, method="GET", host="localhost", **options):
    return ask_bytes(address, head(method, path, *fields, host=host),
                     has_body=method != "HEAD", **options)


def ask_json(address, path, *fields, **options):
    response = ask(address, path, *fields, **options)
    assert response.get("Content-Type") == "application/json; charset=utf-8"
    return response.status, json.loads(response.body)


class Events:
    """A reader of /api/events."""

    def __init__(self, address, *fields, **options):
        self.client = Client(address, **options)
        self.client.send(head("GET", "/api/events", *fields))
        self.response = self.client.read_response()

    def next(self, *names):
        """The next event with one of these names, as (name, data)."""
        while True:
            lines = self.client.read_until(b"\n\n").decode().split("\n")
            assert len(lines) == 4 and lines[2:] == ["", ""], lines
            name, data = lines[0].removeprefix("event: "), lines[1].removeprefix("data: ")
            if not names or name in names:
                return name, json.loads(data)

    def status(self, wanted):
        """Statuses go by until one is `wanted(status)`."""
        while True:
            _, status = self.next("status")
            if wanted(status):
                return status

    def close(self):
        self.client.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
