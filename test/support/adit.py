"""Starts the real adit, reads its start line and its log, and ends it the way an operator would.

Every end is checked: exit status 0 within a bound, nothing left in its process group, and no
sanitizer report on stderr. A test that ends adit itself says so with stop() or wait().
"""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from .patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
START_LINE = re.compile(r"^adit (\S+) listening on (.+) \((\d+) workers?\)", re.MULTILINE)
SWITCHES = re.compile(r"^voluntary_ctxt_switches:\s+(\d+)$", re.MULTILINE)
ADMIN_LINE = re.compile(r"^adit: admin page on http://(\S+)/$", re.MULTILINE)
SANITIZER = re.compile(r"(ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:)")
# What a process in an /etc of its own still needs from the machine's.
ETC_KEPT = ("ld.so.cache", "passwd", "group", "nsswitch.conf", "localtime", "protocols", "services")


def binary():
    """The adit under test: $ADIT, default build/adit."""
    return str(Path(os.environ.get("ADIT", ROOT / "build" / "adit")).resolve())


def is_sanitized():
    """Whether the binary was built with a sanitizer (its memory figures mean nothing then)."""
    with open(binary(), "rb") as file:
        code = file.read()
        return b"__asan_init" in code or b"__tsan_init" in code


def split_address(text):
    """'127.0.0.1:80' or '[::1]:80' -> (host, port)."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


PAIR = re.compile(r'(?:^| )([A-Za-z0-9_]+)=("(?:[^"\\]|\\.)*"|[^" =]*)(?= |$)')


def parse_logfmt(line):
    """One logfmt line -> dict, or None when any byte of the line is not key=value.

    What is quoted is a JSON string, no more and no less: so go-logfmt's decoder has it.
    """
    fields, position = {}, 0
    for match in PAIR.finditer(line):
        if match.start() != position:
            return None
        position = match.end()
        value = match.group(2)
        try:
            fields[match.group(1)] = json.loads(value) if value.startswith('"') else value
        except json.JSONDecodeError:
            return None
    return fields if fields and position == len(line) else None


def children_of(pid):
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return [int(word) for word in text.split()]


def thread_of(pid, name):
    """The id of the one thread of a process that is called so."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    found = [task.name for task in tasks if (task / "comm").read_text() == name + "\n"]
    assert len(found) == 1, f"{len(found)} threads of {pid} are called {name}"
    return int(found[0])


class Etc:
    """A private /etc: adit sees it as /etc, the test sees a folder and may rename files in it.

    resolv_conf=None: the file is missing.
    """

    def __init__(self, folder, resolv_conf=None, hosts="127.0.0.1 localhost\n"):
        self.folder = Path(folder)
        self.folder.mkdir()
        for name in ETC_KEPT:
            if Path("/etc", name).exists():
                shutil.copy(Path("/etc", name), self.folder / name)
        if resolv_conf is not None:
            self.write("resolv.conf", resolv_conf)
        if hosts is not None:
            self.write("hosts", hosts)

    def write(self, name, text):
        """Replace the file as an editor does: a new file, renamed over the old one."""
        fresh = self.folder / (name + ".new")
        fresh.write_text(text)
        fresh.replace(self.folder / name)

    def rewrite(self, name, text):
        """Change the file in place, as `echo >>` does."""
        (self.folder / name).write_text(text)

    def remove(self, name):
        (self.folder / name).unlink()

    def wrap(self, command):
        script = 'mount --bind "$1" /etc && shift && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", script, "sh", str(self.folder), *command]


class Adit:
    """A running adit.

    address   "127.0.0.1:40123", the first listener       listeners   all of them
    host, port    the first listener, apart                workers     the number it printed
    pid, worker_pid    supervisor and its one child        url         for --proxy
    socket_path        the control socket                  stderr_path its log
    admin              "127.0.0.1:40124", the admin page: waited for, the last one said

    Started with -l 127.0.0.1:0, -s in the test's folder and no admin page unless args say
    otherwise; admin=True: with one on a port that the kernel chooses; defaults=True: with args alone. prefix: a command to run it under. stderr: a descriptor of the
    test's own. wait=False: the caller waits for the start himself.
    """

    def __init__(self, folder, *args, env=None, etc=None, prefix=(), clean_env=None, stderr=None,
                 stdin=subprocess.DEVNULL, wait=True, defaults=False, admin=False, pass_fds=()):
        self.folder = Path(folder)
        self.stderr_path = self.folder / "stderr"
        self.stdout_path = self.folder / "stdout"
        args = [str(arg) for arg in args]
        if "-l" not in args and not defaults:
            args = ["-l", "127.0.0.1:0", *args]
        if "-s" not in args and not defaults:
            args = [*args, "-s", str(self.folder / "sock")]
        if "-a" not in args and not defaults and (admin or "-c" not in args):
            args = ["-a", "127.0.0.1:0" if admin else "off", *args]
        self.socket_path = args[args.index("-s") + 1] if "-s" in args else None
        self.command = [binary(), *args]
        command = [*prefix, *self.command]
        if etc is not None:
            command = etc.wrap(command)
        environment = dict(os.environ, **(env or {})) if clean_env is None else clean_env
        self.is_stopped = False
        with open(self.stdout_path, "wb") as out, open(self.stderr_path, "wb") as err:
            self.process = subprocess.Popen(
                command, stdin=stdin, stdout=out, stderr=err if stderr is None else stderr,
                env=environment, start_new_session=True, cwd=self.folder,
                pass_fds=pass_fds)
        self.pid = self.process.pid
        self.listeners = []
        if wait:
            self.wait_for_start()

    def wait_for_start(self, read=None):
        """read: where the start line comes from, when stderr is the test's own."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            match = START_LINE.search((read or self.stderr)())
            if match:
                break
            if self.process.poll() is not None:
                self.is_stopped = True
                raise AssertionError(
                    f"adit ended with {self.process.returncode}: {self.stderr()}")
            assert time.monotonic() < deadline, f"no start line: {self.stderr()!r}"
            time.sleep(0.01)
        self.listeners = match.group(2).split(", ")
        self.workers = int(match.group(3))
        self.address = self.listeners[0]
        self.host, self.port = split_address(self.address)
        self.url = f"http://{self.address}/"

    # -- what it says

    @property
    def admin(self):
        deadline = time.monotonic() + PATIENCE_S
        while not (said := self.admin_addresses()):
            assert time.monotonic() < deadline, f"no admin page: {self.stderr()!r}"
            time.sleep(0.01)
        return said[-1]

    def admin_addresses(self):
        """All that adit has named so far, the first one first."""
        return ADMIN_LINE.findall(self.stderr())

    def stderr(self):
        return self.stderr_path.read_text(errors="surrogateescape")

    def log_lines(self, **fields):
        """The access log so far, as dicts; only those lines whose fields are as given."""
        lines = [parse_logfmt(line) for line in self.stderr().split("\n")[:-1]]
        return [line for line in lines
                if line and "event" in line and _matches(line, fields)]

    def wait_for_log(self, timeout=PATIENCE_S, count=1, **fields):
        """The first log line with these fields, waited for; with count, that many as a list."""
        deadline = time.monotonic() + timeout
        while True:
            lines = self.log_lines(**fields)
            if len(lines) >= count:
                return lines[0] if count == 1 else lines
            assert time.monotonic() < deadline, (
                f"{len(lines)} of {count} log lines with {fields} in:\n{self.stderr()[-4000:]}")
            time.sleep(0.02)

    # -- what it is made of

    @property
    def worker_pid(self):
        children = children_of(self.pid)
        assert len(children) == 1, f"the supervisor has children {children}"
        return children[0]

    def wakeups(self):
        """How often its threads went to sleep so far, those of a sanitizer left out."""
        count = 0
        for pid in (self.pid, self.worker_pid):
            for task in Path(f"/proc/{pid}/task").iterdir():
                if int(task.name) == pid or (task / "comm").read_text().startswith("adit-"):
                    count += int(SWITCHES.search((task / "status").read_text()).group(1))
        return count

    def watched(self):
        """{epoll set: how many descriptors it watches}; each loop of the worker has a set."""
        folder = Path(f"/proc/{self.worker_pid}")
        sets = [link.name for link in (folder / "fd").iterdir()
                if os.readlink(link) == "anon_inode:[eventpoll]"]
        return {name: (folder / "fdinfo" / name).read_text().count("tfd:") for name in sets}

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.worker_pid}/fd"))

    def rss_kb(self):
        for line in Path(f"/proc/{self.worker_pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("no VmRSS")

    def control(self, *args, timeout=PATIENCE_S):
        """Run a command of adit (stats, drain, ...) against this one."""
        return run_adit(*args, "-s", self.socket_path, timeout=timeout)

    # -- how it ends

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=PATIENCE_S):
        """Wait for an end that the test brought about; returns the exit status, all else checked."""
        status = self.process.wait(timeout)
        self.is_stopped = True
        self._check_end()
        return status

    def stop(self):
        """SIGTERM, and once more when live tunnels keep it draining; exit status must be 0."""
        if self.is_stopped:
            return
        self.is_stopped = True
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(0.5)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            self.process.wait()
            raise AssertionError(f"adit did not end on SIGTERM:\n{self.stderr()[-4000:]}")
        self._check_end()
        assert status == 0, f"adit ended with {status}:\n{self.stderr()[-4000:]}"

    def _check_end(self):
        report = SANITIZER.search(self.stderr())
        assert not report, self.stderr()[max(0, report.start() - 200):report.start() + 6000]
        deadline = time.monotonic() + PATIENCE_S
        while _group_lives(self.pid):
            if time.monotonic() > deadline:
                os.killpg(self.pid, signal.SIGKILL)
                raise AssertionError("a child of adit outlived it")
            time.sleep(0.02)


def _matches(line, fields):
    return all(line.get(key) == str(value) for key, value in fields.items())


def _group_lives(group):
    try:
        os.killpg(group, 0)
        return True
    except ProcessLookupError:
        return False


def run_adit(*args, timeout=PATIENCE_S, env=None, prefix=()):
    """Run an adit that ends by itself: a CompletedProcess with text. prefix: a command around it."""
    command = [*prefix, binary(), *map(str, args)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=env,
                          stderr=subprocess.PIPE, text=True, errors="surrogateescape",
                          start_new_session=True) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert not SANITIZER.search(err), err
    return subprocess.CompletedProcess(command, process.returncode, out, err)
