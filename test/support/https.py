"""An HTTPS origin that speaks HTTP/1.1 and HTTP/2, as ALPN decides.

    GET /                  "hello over http/1.1\\n" or "hello over h2\\n"
    GET /bytes/N           N bytes of pattern(N)
    GET /routes            what `routes` says: {path: (content type, bytes)}
    PUT or POST anything   "<sha256> <count>\\n" of what was sent

.requests keeps (protocol, method, path) of each.
"""

import hashlib
import ssl

import h2.config
import h2.connection
import h2.events
import h2.settings

from .origins import Server, pattern

WINDOW = 1 << 20


class HttpsOrigin(Server):
    def __init__(self, certificates, routes=None, alpn=("h2", "http/1.1"), **options):
        self.context = certificates.server_context(alpn)
        self.routes = routes or {}
        self.requests = []
        super().__init__(**options)

    def url(self, path="/", host=None):
        """https URL of a path, by name or literal."""
        host = host or (f"[{self.host}]" if ":" in self.host else self.host)
        return f"https://{host}:{self.port}{path}"

    def handle(self, connection):
        try:
            with self.context.wrap_socket(connection, server_side=True) as tls:
                if tls.selected_alpn_protocol() == "h2":
                    self._serve_h2(tls)
                else:
                    self._serve_http1(tls)
        except ssl.SSLError:
            pass  # a client that leaves in its own way is no fault of the origin

    def answer(self, protocol, method, path, digest, count):
        """(status, content type, body)."""
        self.requests.append((protocol, method, path))
        if method in ("PUT", "POST"):
            return 200, "text/plain", f"{digest} {count}\n".encode()
        if path in self.routes:
            return (200, *self.routes[path])
        if path == "/":
            return 200, "text/plain", f"hello over {protocol}\n".encode()
        if path.startswith("/bytes/"):
            return 200, "application/octet-stream", pattern(int(path[len("/bytes/"):]))
        return 404, "text/plain", b"not here\n"

    # -- HTTP/1.1

    def _serve_http1(self, tls):
        reader = tls.makefile("rb")
        while line := reader.readline():
            method, path, version = line.decode().split()
            fields = {}
            while (line := reader.readline().strip()):
                name, _, value = line.decode("latin-1").partition(":")
                fields[name.lower()] = value.strip()
            if fields.get("expect") == "100-continue":
                tls.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            digest, count = hashlib.sha256(), 0
            for data in _http1_body(reader, fields):
                digest.update(data)
                count += len(data)
            status, kind, body = self.answer("http/1.1", method, path, digest.hexdigest(), count)
            head = (f"HTTP/1.1 {status} {'OK' if status == 200 else 'Not Found'}\r\n"
                    f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n")
            tls.sendall(head.encode() + (b"" if method == "HEAD" else body))
            if fields.get("connection", "").lower() == "close" or version == "HTTP/1.0":
                return

    # -- HTTP/2

    def _serve_h2(self, tls):
        conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        conn.initiate_connection()
        conn.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: WINDOW})
        conn.increment_flow_control_window(WINDOW)
        tls.sendall(conn.data_to_send())
        streams, pending = {}, {}
        while data := tls.recv(1 << 16):
            for event in conn.receive_data(data):
                self._h2_event(conn, event, streams, pending)
            _h2_flush(conn, pending, tls)

    def _h2_event(self, conn, event, streams, pending):
        if isinstance(event, h2.events.RequestReceived):
            fields = {name.decode() if isinstance(name, bytes) else name:
                      value.decode() if isinstance(value, bytes) else value
                      for name, value in event.headers}
            streams[event.stream_id] = [fields, hashlib.sha256(), 0]
        elif isinstance(event, h2.events.DataReceived):
            stream = streams[event.stream_id]
            stream[1].update(event.data)
            stream[2] += len(event.data)
            conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            streams.pop(event.stream_id, None)
            pending.pop(event.stream_id, None)
        elif isinstance(event, h2.events.StreamEnded):
            fields, digest, count = streams.pop(event.stream_id)
            status, kind, body = self.answer(
                "h2", fields[":method"], fields[":path"], digest.hexdigest(), count)
            conn.send_headers(event.stream_id, [
                (":status", str(status)), ("content-type", kind),
                ("content-length", str(len(body)))])
            pending[event.stream_id] = memoryview(body)


def _http1_body(reader, fields):
    if fields.get("transfer-encoding", "").lower() == "chunked":
        while size := int(reader.readline(), 16):
            yield reader.read(size)
            reader.readline()
        reader.readline()
        return
    left = int(fields.get("content-length", 0))
    while left:
        data = reader.read(min(left, 1 << 18))
        if not data:
            return
        left -= len(data)
        yield data


def _h2_flush(conn, pending, tls):
    """Send what the windows allow; the rest waits for the next WINDOW_UPDATE."""
    for stream_id in list(pending):
        body = pending[stream_id]
        while body:
            size = min(conn.local_flow_control_window(stream_id), conn.max_outbound_frame_size,
                       len(body))
            if size <= 0:
                break
            conn.send_data(stream_id, bytes(body[:size]))
            body = body[size:]
            tls.sendall(conn.data_to_send())
        pending[stream_id] = body
        if not body:
            conn.end_stream(stream_id)
            del pending[stream_id]
    tls.sendall(conn.data_to_send())
