"""git over https: clone from and push to git's own http-backend."""

import os
import subprocess
from http.server import BaseHTTPRequestHandler

import pytest

from support.https import _http1_body
from support.origins import Server, pattern
from zoo import PAYLOAD


class GitHandler(BaseHTTPRequestHandler):
    """Runs git http-backend as the CGI program that it is."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        fields = {name.lower(): value for name, value in self.headers.items()}
        body = b"".join(_http1_body(self.rfile, fields))
        path, _, query = self.path.partition("?")
        done = subprocess.run(
            ["git", "http-backend"], input=body, capture_output=True, timeout=60,
            env={"PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(self.server.folder),
                 "GIT_HTTP_EXPORT_ALL": "1", "REMOTE_USER": "zoo", "REMOTE_ADDR": "127.0.0.1",
                 "HOME": str(self.server.folder),
                 "REQUEST_METHOD": self.command, "PATH_INFO": path, "QUERY_STRING": query,
                 "CONTENT_TYPE": fields.get("content-type", ""),
                 "CONTENT_LENGTH": str(len(body)),
                 "HTTP_CONTENT_ENCODING": fields.get("content-encoding", ""),
                 "GIT_PROTOCOL": fields.get("git-protocol", "")})
        assert done.returncode == 0, done.stderr
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        answer = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(answer.pop("Status", "200 OK").split()[0]))
        for name, value in answer.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET

    def log_message(self, *_):
        pass


class GitOrigin(Server):
    def __init__(self, context, folder, **options):
        self.context = context
        self.folder = folder
        super().__init__(**options)

    def handle(self, connection):
        with self.context.wrap_socket(connection, server_side=True) as tls:
            GitHandler(tls, tls.getpeername(), self)


@pytest.fixture
def git(client, certificates):
    def run(*words, proxy=None, **options):
        settings = ["-c", "user.name=zoo", "-c", "user.email=zoo@adit.test",
                    "-c", "init.defaultBranch=main", "-c", f"http.sslCAInfo={certificates.ca}"]
        if proxy:
            settings += ["-c", f"http.proxy={proxy.url}"]
        environment = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
        return client("git", *settings, *words, env=environment, **options)

    return run


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2"])
def test_clone_and_push(adit, origin, certificates, git, tunnelled, tmp_path, version):
    """The origin knows HTTP/1.1 alone; a git that offers HTTP/2 has to live with that."""
    folder = tmp_path / "served"
    git("init", "--quiet", "--bare", folder / "repo.git")
    git("init", "--quiet", "work")
    (tmp_path / "work" / "first").write_bytes(pattern(PAYLOAD, seed=1))
    git("-C", "work", "add", "first")
    git("-C", "work", "commit", "--quiet", "--message", "first")
    git("-C", "work", "push", "--quiet", folder / "repo.git", "main")

    server = origin(GitOrigin, certificates.server_context(("http/1.1",)), folder)
    proxy = adit()
    url = f"https://localhost:{server.port}/repo.git"
    through = {"proxy": proxy}
    git("-c", f"http.version={version}", "clone", "--quiet", url, "clone", **through)
    assert (tmp_path / "clone" / "first").read_bytes() == pattern(PAYLOAD, seed=1)
    (tmp_path / "clone" / "second").write_bytes(pattern(PAYLOAD, seed=2))
    git("-C", "clone", "add", "second")
    git("-C", "clone", "commit", "--quiet", "--message", "second")
    git("-C", "clone", "-c", f"http.version={version}", "push", "--quiet", url, "main", **through)
    done = git("-C", folder / "repo.git", "show", "main:second")
    assert done.stdout == pattern(PAYLOAD, seed=2)
    tunnelled(proxy, server)
