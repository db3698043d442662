"""The bench itself: its arithmetic, and that its generator notices what it must."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import xml.etree.ElementTree
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.adit import ROOT, binary
from support.checks import eventually

sys.path.insert(0, str(ROOT / "bench"))

import plot  # noqa: E402
import proxies  # noqa: E402
import report  # noqa: E402
import rows  # noqa: E402

LOAD = Path(binary()).parent / "bench/bench-load"


# ---- arithmetic ----

def bench_of(row, **figures):
    """A bench that measured `row`'s first measure: NAME=[a figure a round, ...]; None: it failed."""
    key = row.measures[0].key
    proxies = [SimpleNamespace(name=name, is_peer=name not in ("adit", "haproxy", "floor", "direct")) for name in figures]
    results = {name: {when: {"measures": {key: value}} for when, value in enumerate(values) if value is not None}
               for name, values in figures.items()}
    return SimpleNamespace(rows=[row], proxies=proxies, results={row.name: results})


def line_of(row, **figures):
    return report.summary(bench_of(row, **figures))[0]


def test_ratio_is_taken_round_by_round_to_the_best_peer():
    line = line_of(rows.tunnel_row(32, 0.88), adit=[10, 30, 8], nginx=[20, 40, 10], squid=[50, 50, 50])
    assert line["ratio"] == {"to": "nginx", "median": 0.75, "min": 0.5, "max": 0.8}
    assert line["proxies"]["adit"] == {"median": 10, "min": 8, "max": 30}
    assert line["goal_met"] is True


def test_goal_is_missed_above_it():
    line = line_of(rows.tunnel_row(32, 0.88), adit=[90], nginx=[100])
    assert line["goal_met"] is False
    assert "**missed**" in report.tables([line], ["adit", "nginx"])


def test_goal_of_a_figure_is_judged_without_a_peer():
    row = rows.idle_row("idle", 2000, 1)
    assert line_of(row, adit=[512.4])["goal_met"] is True
    assert line_of(row, adit=[513])["goal_met"] is False


@pytest.mark.parametrize("other", ["haproxy", "floor", "direct"])
def test_relay_floor_and_no_proxy_are_no_peers(other):
    line = line_of(rows.tunnel_row(32, 0.88), adit=[10], squid=[20], **{other: [1]})
    assert line["ratio"]["to"] == "squid"


def test_floor_has_a_ratio_of_its_own_to_the_best_peer():
    line = line_of(rows.tunnel_row(32, 0.88), adit=[9, 18], nginx=[10, 20], floor=[8, 14])
    assert line["floor_ratio"] == {"to": "nginx", "median": 0.75, "min": 0.7, "max": 0.8}
    head, _, body = report.peers_table([line], ["adit", "nginx", "floor"]).splitlines()
    cells = dict(zip(*([cell.strip() for cell in text.split("|")] for text in (head, body))))
    assert cells["floor to best peer"] == "0.75 (0.70..0.80)" and "0.75" in report.goals_table([line])


def test_pair_has_no_floor():
    row = rows.tunnel_row(32, None, "log", "", ("adit", "adit-quiet"))
    assert line_of(row, **{"adit": [12], "adit-quiet": [10], "floor": [1]})["floor_ratio"] is None


def test_most_throughput_is_best():
    row = rows.tunnel_row(32)
    row.measures = row.measures[-1:]
    assert line_of(row, adit=[300], nginx=[200], squid=[100])["ratio"]["to"] == "nginx"


def test_ratio_leaves_out_a_round_in_which_one_failed():
    line = line_of(rows.tunnel_row(32, 0.88), adit=[10, None, 30], nginx=[20, 20, 40])
    assert (line["ratio"]["min"], line["ratio"]["max"]) == (0.5, 0.75)


def test_no_ratio_without_a_common_round():
    assert line_of(rows.tunnel_row(32, 0.88), adit=[10, None], nginx=[None, 20])["ratio"] is None


def test_what_costs_without_a_proxy_is_taken_off():
    row = rows.idle_row("idle", 2000, 1)
    row.measures = [measure for measure in row.measures if measure.minus_direct]
    line = line_of(row, adit=[20000, 21000, 19000], direct=[8000, 8100, 7900])
    assert line["proxies"] == {"adit": {"median": 12000, "min": 11000, "max": 13000}}


def test_pair_is_compared_to_its_other():
    row = rows.tunnel_row(32, None, "log", "", ("adit", "adit-quiet"))
    line = line_of(row, **{"adit": [12, 11], "adit-quiet": [10, 10], "nginx": [1, 1]})
    assert line["ratio"]["to"] == "adit-quiet" and line["ratio"]["max"] == 1.2


def test_picture_shows_ratio_and_goal():
    lines = [line_of(rows.tunnel_row(at_once, 0.88), adit=[8], nginx=[10]) for at_once in (32, 256)]
    picture = plot.svg(lines, ["nginx"])
    root = xml.etree.ElementTree.fromstring(picture)
    words = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert words.count("0.80") == 2 and "nginx" in words
    assert picture.count('class="goal"') == 2 and "prefers-color-scheme: dark" in picture


def test_picture_shows_the_floor():
    line = line_of(rows.tunnel_row(32, 0.88), adit=[8], nginx=[10], floor=[7])
    picture = plot.svg([line], ["nginx"])
    xml.etree.ElementTree.fromstring(picture)
    assert picture.count('class="floor"') == 2 and "the floor" in picture     # in its row and in the legend
    line["floor_ratio"] = None
    assert 'class="floor"' not in plot.svg([line], ["nginx"])


def test_picture_needs_a_peer():
    assert plot.svg([line_of(rows.tunnel_row(32, 0.88), adit=[8])], []) == ""


# ---- the generator ----

class Relay:
    """Forwards every connection to one of the generator's origins, and each byte through `change`."""

    def __init__(self, change=bytes):
        self.change = change
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        with socket.socket() as probe:
            probe.bind(("127.0.1.1", 0))
            self.origin_port = probe.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
                target = socket.create_connection(("127.0.1.1", self.origin_port))
            except OSError:
                return      # closed, or the generator has ended
            for source, sink in ((client, target), (target, client)):
                threading.Thread(target=self.forward, args=(source, sink), daemon=True).start()

    def forward(self, source, sink):
        try:
            while block := source.recv(65536):
                sink.sendall(self.change(block))
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass        # the generator gave up, as it should

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def load(relay, *arguments):
    done = subprocess.run([LOAD, "--proxy", "127.0.0.1:%d" % relay.listener.getsockname()[1], "--relay",
                           str(relay.origin_port), "--timeout", "60", "--row", *arguments],
                          capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout)


def test_relay_gets_no_connect(keep):
    status, answer = load(keep(Relay()), "tunnels", "--tunnels", "4", "--count", "30")
    assert (status, answer["ok"], answer["resets"]) == (0, True, 0)
    assert 0 < answer["measures"]["p50_us"] <= answer["measures"]["p99_us"]


def test_chats_beside_bulk_are_all_measured(keep):
    _, answer = load(keep(Relay()), "mixed", "--tunnels", "10", "--flows", "2", "--bytes", "100000", "--seconds", "0.5")
    figures = answer["measures"]
    assert figures["alone_p50_us"] > 0 and figures["p99_us"] > 0 and figures["gbit_per_s"] > 0


@pytest.mark.parametrize("row", ["tunnels", "roundtrip", "bulk-down", "bulk-up", "storm", "mixed"])
def test_wrong_byte_fails_the_row(keep, row):
    def flip(block):
        return block[:-1] + bytes([block[-1] ^ 1])

    status, answer = load(keep(Relay(flip)), row, "--tunnels", "2", "--flows", "1", "--bytes", "100000",
                          "--seconds", "0.2")
    assert status == 1 and not answer["ok"] and "wrong" in answer["error"]


# ---- the floor ----

@pytest.fixture
def floor():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([LOAD.with_name("floor"), str(port)])

    def answers():
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True

    eventually(answers)
    yield port
    process.kill()
    process.wait()


@pytest.mark.parametrize("row", ["tunnels", "roundtrip", "bulk-down", "bulk-up", "idle", "storm", "mixed"])
def test_floor_carries_every_row(floor, row):
    done = subprocess.run([LOAD, "--proxy", f"127.0.0.1:{floor}", "--timeout", "60", "--row", row, "--tunnels", "40",
                           "--count", "200", "--flows", "3", "--bytes", "3000001", "--seconds", "0.2",
                           "--settle", "0.1"], capture_output=True, text=True)
    answer = json.loads(done.stdout)
    assert answer["ok"] and answer["resets"] == 0, answer


@pytest.mark.parametrize("head", [
    "CONNECT 0.0.0.0:{} HTTP/1.1\r\n\r\n",       # Linux would dial loopback
    "CONNECT localhost:{} HTTP/1.1\r\n\r\n", "GET http://127.0.0.1:{}/ HTTP/1.1\r\n\r\n",
    "CONNECT 127.0.0.1:{} HTTP/1.1\r\n"])
def test_floor_takes_nothing_but_tunnels_on_loopback(floor, head):
    with socket.create_connection(("127.0.0.1", floor), timeout=30) as client:
        client.sendall(head.format(floor).encode())
        assert client.recv(100) == b""


# ---- cores ----

def test_a_proxy_is_put_on_other_cores_with_its_threads_and_children():
    adit = proxies.Adit(binary(), Path(tempfile.mkdtemp(prefix="adit-bench-")), os.sched_getaffinity(0))
    adit.start()
    try:
        for cores in ({min(os.sched_getaffinity(0))}, os.sched_getaffinity(0)):
            proxies.put_on(adit.pid, cores)
            worker = Path(f"/proc/{adit.pid}/task/{adit.pid}/children").read_text().split()[0]
            tasks = [*Path(f"/proc/{adit.pid}/task").iterdir(), *Path(f"/proc/{worker}/task").iterdir()]
            assert len(tasks) > 2
            assert all(os.sched_getaffinity(int(task.name)) == cores for task in tasks)
    finally:
        adit.stop()
        shutil.rmtree(adit.folder.parent)


# ---- all of it ----

def run_bench(folder, *which):
    """How it ended, and its figures: (row, measure) -> proxy -> figure."""
    figures = folder / "bench.json"
    command = [ROOT / "bench/run", "--quick", "--rounds", "1", "--rows", *which, "--adit", binary(),
               "--load", LOAD, "--json", figures, "--without", "nginx", "h2o", "3proxy", "envoy", "squid", "tinyproxy",
               "apache2", "haproxy", "go"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {(line["row"], line["measure"]): line["proxies"] for line in json.loads(figures.read_text())["summary"]}
    return done, found


@pytest.mark.timeout(300)
def test_bench_runs_and_writes_its_figures(tmp_path):
    done, found = run_bench(tmp_path, "roundtrip-1", "storm")
    assert found["roundtrip-1", "cpu_us_per_roundtrip"]["adit"]["median"] > 0
    assert found["storm", "all_served_ms"]["direct"]["median"] > 0
    assert found["roundtrip-1", "cpu_us_per_roundtrip"]["floor"]["median"] > 0
    assert "dropped" not in done.stdout


@pytest.mark.timeout(300)
def test_bench_gives_up_root_for_an_ordinary_users_row_or_leaves_it_out(tmp_path):
    done, found = run_bench(tmp_path, "pipes-32")
    if os.geteuid() == 0:
        assert set(found["pipes-32", "cpu_s_per_gb"]) == {"adit-user", "adit-copy"}
    else:
        assert not found and "pipes-32 is left out" in done.stderr


def test_ordinary_user_is_one():
    if os.geteuid() != 0:
        return      # nobody here could become another one
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        copy = proxies.AditCopy(binary(), Path(folder), os.sched_getaffinity(0))
        copy.start()
        try:
            process = Path("/proc") / str(copy.pid)
            assert "\nUid:\t65534\t65534\t" in (process / "status").read_text()
            assert "\nCapEff:\t0000000000000000\n" in (process / "status").read_text()
            assert b"ADIT_RELAY=copy" in (process / "environ").read_bytes().split(b"\0")
        finally:
            copy.stop()
