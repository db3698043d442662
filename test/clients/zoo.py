"""What the tests of the zoo import: paths, sizes, and servers that are programs."""

import socket
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MODULES = ROOT / "build-clients" / "node_modules"
CLIENT_TIMEOUT_S = 60
START_TIMEOUT_S = 20
# Larger than what the sockets on the way hold, so that a stuck direction shows.
PAYLOAD = 3_000_000


class Daemon:
    """A real server as a child: started, waited for until its port answers, ended by its pid."""

    def __init__(self, command, folder, port=None, **options):
        self.port = port
        self.log = Path(folder) / f"{Path(command[0]).name}-{time.monotonic_ns()}.log"
        self.errors = []
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, **options)
        if port:
            self.wait_until(self.answers)

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def said(self, text):
        return text in self.log.read_text(errors="replace")

    def wait_until(self, condition):
        deadline = time.monotonic() + START_TIMEOUT_S
        while not condition():
            story = f"{self.process.args}:\n{self.log.read_text(errors='replace')[-4000:]}"
            assert self.process.poll() is None, f"ended with {self.process.poll()}: {story}"
            assert time.monotonic() < deadline, f"not ready: {story}"
            time.sleep(0.05)

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
