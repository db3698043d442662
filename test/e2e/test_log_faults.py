"""A log that can't be written: a full disk, a pipe that nobody reads, a folder that is gone.

No tunnel waits for it, what is lost is counted and said, nothing is torn or glued, and when the
cause is gone the log goes on by itself. Conservation is what most tests hold adit to: every tunnel
makes an `open` and a `close`, and each is either in the log, once, or counted as dropped.
"""

import os
import resource
import signal
import threading
import time
from pathlib import Path

import pytest

from support.checks import eventually
from support.client import open_tunnel
from support.logs import entries, whole_lines
from support.metrics import scrape
from support.origins import Echo

RULES = "allow from loopback to any, special\n"
# One thread's ring holds 256 KiB and the writer's batch 64 KiB: about 750 tunnels.
ENOUGH_TO_DROP = 1500


def start(adit, folder, log, log_format, **options):
    folder.mkdir(exist_ok=True)
    path = folder / "adit.conf"
    path.write_text(f'listen 127.0.0.1:0\nlog "{log}" format {log_format}\n' + RULES)
    return adit("-c", path, "-w", "1", "-s", folder / "sock", "-a", "127.0.0.1:0",
                defaults=True, **options)


def dropped(proxy):
    return int(scrape(proxy).get("adit_log_dropped_total"))


def use_tunnels(proxy, server, count):
    """Opened, used and closed one after the other; how long each took. Each ends in its time: who
    waits for the log waits for ever here, and open_tunnel gives up."""
    took = []
    for _ in range(count):
        began = time.monotonic()
        with open_tunnel(proxy.address, server.authority) as client:
            client.send(b"ping")
            assert client.read_exact(4) == b"ping"
        took.append(time.monotonic() - began)
    return took


def check_conservation(read_log, proxy, server, tunnels, log_format):
    """Waits until the log has said everything, and returns how much of that is "lost"; fails if a
    line is torn, or there twice. Each look opens and closes one more tunnel: traffic goes on."""
    count = [tunnels]

    def is_settled():
        use_tunnels(proxy, server, 1)
        count[0] += 1
        lost = dropped(proxy)
        text = read_log()
        if not text.endswith("\n"):
            return False
        lines = entries(text, log_format)
        reported = sum(int(line["dropped"]) for line in lines if "dropped" in line)
        events = [(line["id"], line["event"]) for line in lines if "event" in line]
        assert len(set(events)) == len(events)
        return reported == lost and len(events) + lost == 2 * count[0]

    eventually(is_settled)
    return dropped(proxy)


class FullDisk:
    """A tmpfs of 64 KiB of adit's own, half of it taken by something else."""

    def __init__(self, adit, folder, log_format):
        mount = folder / "small"
        mount.mkdir()
        script = ('mount -t tmpfs -o size=64k tmpfs "$1" && head -c 32768 /dev/zero >"$1/filler"'
                  ' && shift && exec "$@"')
        self.proxy = start(adit, folder, mount / "access.log", log_format,
                           prefix=["unshare", "--mount", "sh", "-c", script, "sh", str(mount)])
        # the same folder, as adit sees it
        self.folder = Path(f"/proc/{self.proxy.pid}/root{mount}")
        self.path = self.folder / "access.log"
        self.parts = []

    def read(self):
        """Empties it as it reads, as 64 KiB would soon be full again. What adit writes between the
        two steps would be lost, so the file is renamed first."""
        if self.path.exists():
            old = self.folder / "old"
            self.path.rename(old)
            self.proxy.signal(signal.SIGUSR1)
            eventually(self.path.exists)
            eventually(lambda: not self.has_open(old))
            self.parts.append(old.read_text())
            old.unlink()
        return "".join(self.parts)

    def has_open(self, path):
        wanted = os.stat(path)
        folder = f"/proc/{self.proxy.worker_pid}/fd"
        for name in os.listdir(folder):
            try:
                if os.path.samestat(os.stat(f"{folder}/{name}"), wanted):
                    return True
            except FileNotFoundError:  # closed since
                pass
        return False

    def is_bad(self):
        return os.statvfs(self.folder).f_bavail == 0

    def heal(self):
        (self.folder / "filler").unlink()


class Fifo:
    """A named pipe that is open for reading, and whose reader sleeps until heal()."""

    def __init__(self, adit, folder, log_format):
        self.path = folder / "fifo"
        os.mkfifo(self.path)
        self.descriptor = self.open()
        self.proxy = start(adit, folder, self.path, log_format)
        self.said = bytearray()

    def open(self):
        return os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)

    def is_bad(self):
        return True

    def heal(self):
        self.reader = threading.Thread(target=self.run, daemon=True)
        self.reader.start()

    def run(self):
        os.set_blocking(self.descriptor, True)
        while block := os.read(self.descriptor, 1 << 16):
            self.said += block

    def read(self):
        return self.said.decode()


class FifoWithoutReader(Fifo):
    """The reader is gone: every write fails; heal() brings a new one."""

    def __init__(self, adit, folder, log_format):
        super().__init__(adit, folder, log_format)
        os.close(self.descriptor)

    def heal(self):
        self.descriptor = self.open()
        super().heal()


FAULTS = [FullDisk, Fifo, FifoWithoutReader]


@pytest.mark.parametrize("log_format", ["json", "logfmt"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_log_that_cannot_be_written_holds_nobody_up(adit, origin, tmp_path, fault, log_format):
    server = origin(Echo)
    log = fault(adit, tmp_path, log_format)
    proxy = log.proxy
    use_tunnels(proxy, server, ENOUGH_TO_DROP)
    assert log.is_bad()
    assert dropped(proxy) > 0
    log.heal()
    assert check_conservation(log.read, proxy, server, ENOUGH_TO_DROP, log_format) > 0


@pytest.mark.parametrize("fault", FAULTS)
def test_as_fast_as_with_a_good_log(adit, origin, tmp_path, fault):
    """The slowest in a hundred tunnels, beside an adit whose log is fine: not the same, as two
    runs never are, but nowhere near the pauses that somebody who waits for the log would make."""
    server = origin(Echo)
    bad = fault(adit, tmp_path, "json").proxy
    good = start(adit, tmp_path / "good", tmp_path / "good.log", "json")
    use_tunnels(bad, server, ENOUGH_TO_DROP)
    took = {bad: [], good: []}
    for _ in range(300):
        for proxy in (bad, good):
            took[proxy] += use_tunnels(proxy, server, 1)
    p99 = {proxy: sorted(times)[-3] for proxy, times in took.items()}
    assert p99[bad] < 5 * p99[good] + 0.1


def test_a_full_disk_where_the_log_is_removed(adit, origin, tmp_path):
    """What an operator does at night: rm, and tell adit. The new file begins with a whole line."""
    server = origin(Echo)
    log = FullDisk(adit, tmp_path, "json")
    use_tunnels(log.proxy, server, 200)
    eventually(log.is_bad)
    log.path.unlink()
    log.proxy.signal(signal.SIGUSR1)
    eventually(lambda: log.path.exists() and log.path.stat().st_size > 0)
    eventually(lambda: '"event":"close"' in log.path.read_text())
    lines = log.path.read_text().split("\n")
    assert entries(lines[0] + "\n", "json")[0]["time"]


def test_a_file_size_limit(adit, origin, tmp_path):
    """Like a full disk: nothing ends, whole lines stand up to the limit, stderr has why, and a new
    file goes on."""
    server = origin(Echo)
    path = tmp_path / "access.log"
    proxy = start(adit, tmp_path, path, "json")
    worker = proxy.worker_pid
    for pid in (proxy.pid, worker):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (8192, resource.RLIM_INFINITY))
    use_tunnels(proxy, server, 50)
    eventually(lambda: path.stat().st_size > 7000)
    assert path.stat().st_size <= 8192
    eventually(lambda: f"can't write the log {path}: File too large" in proxy.stderr())
    entries(path.read_text(), "json")
    path.rename(tmp_path / "access.log.1")
    proxy.signal(signal.SIGUSR1)
    eventually(lambda: path.exists() and path.read_text().endswith("\n"))
    entries(path.read_text(), "json")
    assert proxy.worker_pid == worker


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_lost_at_the_end_is_said(adit, origin, tmp_path, fault):
    """Nothing that the log takes can say so any more."""
    server = origin(Echo)
    log = fault(adit, tmp_path, "json")
    use_tunnels(log.proxy, server, ENOUGH_TO_DROP)
    log.proxy.signal(signal.SIGTERM)
    assert log.proxy.wait() == 0
    last = log.proxy.stderr().splitlines()[-1]
    assert str(log.path.name) in last and "lines that waited for it are lost" in last
    assert int(last.rsplit("dropped=", 1)[1]) > 1000


def test_a_folder_that_is_removed(adit, origin, tmp_path):
    """Tunnels and log go on into the file that has no name any more; a signal says what is wrong,
    and once the folder is back the next signal makes a new file."""
    server = origin(Echo)
    folder = tmp_path / "logs"
    folder.mkdir()
    path = folder / "access.log"
    proxy = start(adit, tmp_path, path, "json")
    use_tunnels(proxy, server, 10)
    with open(path) as nameless:
        path.unlink()
        folder.rmdir()
        use_tunnels(proxy, server, 10)
        proxy.signal(signal.SIGUSR1)
        eventually(lambda: str(path) in proxy.stderr())
        use_tunnels(proxy, server, 10)
        eventually(lambda: len(entries(whole(nameless), "json")) == 60)
    folder.mkdir()
    proxy.signal(signal.SIGUSR1)
    eventually(path.exists)
    eventually(lambda: use_tunnels(proxy, server, 1) and path.read_text())
    eventually(lambda: path.read_text().endswith("\n"))
    entries(path.read_text(), "json")
    assert dropped(proxy) == 0


def whole(file):
    """The text so far, up to its last whole line."""
    file.seek(0)
    return whole_lines(file.read())


def test_a_log_that_stalls_at_reload(adit, origin, tmp_path):
    """Reload while the writer hangs on the old sink: it lets go and writes to the new one. What
    the pipe had taken stays there, everything else is in the file, each line once."""
    server = origin(Echo)
    log = Fifo(adit, tmp_path, "json")
    use_tunnels(log.proxy, server, 400)
    path = tmp_path / "access.log"
    config = tmp_path / "adit.conf"
    config.write_text(config.read_text().replace(str(log.path), str(path)))
    assert log.proxy.control("reload").returncode == 0
    log.heal()
    log.reader.join()  # until adit has closed the pipe

    def events():
        lines = entries(log.read(), "json") + entries(whole_lines(path.read_text()), "json")
        return [(line["id"], line["event"]) for line in lines if "event" in line]

    eventually(lambda: len(events()) >= 2 * 400)
    assert len(set(events())) == 2 * 400
    assert path.stat().st_size > len(log.said)
    os.close(log.descriptor)
