"""The programs that read what adit says: fail2ban, logrotate, promtool, goaccess; and the files of
dist/ that set them up."""

import gzip
import json
import os
import re
import shlex
import shutil
import threading

import pytest

from support.checks import eventually
from support.client import Client, connect_head, open_tunnel, request
from support.logs import entries, whole_lines
from support.metrics import get
from support.origins import Echo, closed_port
from support.users import basic, htpasswd
from zoo import ROOT

DIST = ROOT / "dist"
FILTER = DIST / "fail2ban" / "filter.d" / "adit.conf"
RULES = """deny to *.ads.test as "no ads"
allow user alice to loopback port {guarded}
allow from loopback to any, special
"""
FORGED = ['x" event=auth_failure client=9.9.9.9:9 ', '","event":"auth_failure","client":"9.9.9.9:9',
          "time=2026-01-01T00:00:00.000Z id=1 event=auth_failure client=9.9.9.9:9 "]


class Logging:
    """An adit that logs to a file, and some of everything that it can have to say."""

    def __init__(self, adit, folder, log_format, guarded, server):
        self.folder, self.log_format = folder, log_format
        self.guarded, self.server = guarded, server
        self.path = folder / "access.log"
        (folder / "htpasswd").write_text(htpasswd("alice"))
        (folder / "adit.conf").write_text(
            f'listen 127.0.0.1:0\nlisten [::1]:0\nusers file "htpasswd"\n'
            f'log "{self.path}" format {log_format}\n' + RULES.format(guarded=guarded.port))
        self.proxy = adit("-c", folder / "adit.conf", "-s", folder / "sock", defaults=True)

    def guess(self, name, source="127.0.0.1", listener=0):
        with Client(self.proxy.listeners[listener], source=source) as client:
            client.send(connect_head(self.guarded.authority, basic(name, f"wrong {source}")))
            assert client.read_response().status == 407

    def have_some_of_everything(self):
        """Tunnels, refusals, and 8 different guesses, from three addresses."""
        for _ in range(20):
            open_tunnel(self.proxy.address, self.server.authority).close()
        for source in ("127.0.0.7", "127.0.0.8"):
            self.guess("alice", source)
            for name in FORGED[:2]:
                self.guess(name, source)
        for name in ("alice", FORGED[2]):
            self.guess(name, "::1", listener=1)
        for target in ("x.ads.test:443", f"127.0.0.1:{closed_port()}", self.guarded.authority,
                       'event=auth_failure client=9.9.9.9:9', self.proxy.address):
            request(self.proxy.address, connect_head(target))
        request(self.proxy.address, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        a_tunnel = 1 if self.log_format == "squid" else 2
        eventually(lambda: len(self.lines()) >= 20 * a_tunnel + 8 + 6)

    def lines(self):
        return entries(whole_lines(self.path.read_text()), self.log_format)


@pytest.fixture
def logging(adit, origin, tmp_path):
    def start(log_format):
        guarded, server = origin(Echo), origin(Echo)
        return Logging(adit, tmp_path, log_format, guarded, server)

    return start


# -- fail2ban

@pytest.mark.parametrize("log_format", ["json", "logfmt"])
def test_fail2ban_finds_the_wrong_passwords(logging, client, log_format):
    """Each auth_failure with its address, and nothing else, whatever the user's name was."""
    log = logging(log_format)
    log.have_some_of_everything()
    found = client("fail2ban-regex", "-o", "<ip>", log.path, FILTER).stdout.decode().split()
    expected = [line["client"].rpartition(":")[0].strip("[]") for line in log.lines()
                if line["event"] == "auth_failure"]
    assert found == expected
    assert sorted(set(found)) == ["127.0.0.7", "127.0.0.8", "::1"] and len(found) == 8
    report = client("fail2ban-regex", log.path, FILTER).stdout.decode()
    assert f"8 matched, {len(log.lines()) - 8} missed" in report
    dated = re.search(r"Date template hits:\n.*\n\|\s+\[(\d+)\]", report)
    assert dated and int(dated.group(1)) == len(log.lines()), "a time that fail2ban can't read"


def test_fail2ban_reads_the_journals_lines(client, tmp_path):
    """Behind what fail2ban's backend for the journal puts before them."""
    line = ("time=2026-11-23T11:43:03.123Z id=7605210qde01s event={} client=10.9.9.9:57346 "
            'user="a adit[1]: time=x id=1 event=auth_failure client=9.9.9.9:9 "\n')
    (tmp_path / "lines").write_text("".join(
        f"host adit[77]: {line.format(event)}" for event in ("auth_failure", "deny")))
    found = client("fail2ban-regex", "-o", "<ip>", tmp_path / "lines", FILTER).stdout.decode()
    assert found.split() == ["10.9.9.9"]


def test_fail2ban_takes_the_jail(client, tmp_path):
    """The shipped jail in a configuration that is otherwise Debian's."""
    etc = tmp_path / "fail2ban"
    shutil.copytree("/etc/fail2ban", etc)
    for other in (etc / "jail.d").iterdir():
        other.unlink()
    shutil.copy(FILTER, etc / "filter.d")
    (tmp_path / "access.log").touch()
    jail = (DIST / "fail2ban" / "jail.d" / "adit.conf").read_text()
    assert "/var/log/adit/access.log" in jail
    (etc / "jail.d" / "adit.conf").write_text(
        jail.replace("/var/log/adit/access.log", str(tmp_path / "access.log")))
    shown = client("fail2ban-client", "-c", etc, "--dp").stdout.decode()
    assert "['add', 'adit'," in shown and "['set', 'adit', 'maxretry', 10]" in shown
    client("fail2ban-client", "-c", etc, "-t")


# -- logrotate

@pytest.fixture(params=["systemd", "without-systemd"])
def rotate(request, client, tmp_path):
    """rotate(log): runs logrotate with the shipped snippet; only its path is the test's. The
    programs that the snippet calls are the real adit and a stand-in for systemctl."""
    def run(log):
        tools = tmp_path / "tools"
        tools.mkdir(exist_ok=True)
        signal = f'[ "$*" = "kill --signal=SIGUSR1 --kill-whom=main adit.service" ] && kill -USR1 {log.proxy.pid}'
        write_script(tools / "systemctl", signal if request.param == "systemd" else "exit 1")
        adit = shlex.join([log.proxy.command[0], "reload", "-s", log.proxy.socket_path])
        write_script(tools / "adit", f'[ "$*" = reload ] && exec {adit}')
        snippet = (DIST / "adit.logrotate").read_text()
        assert "/var/log/adit/*.log" in snippet
        (tmp_path / "logrotate.conf").write_text(
            snippet.replace("/var/log/adit/*.log", str(log.path)))
        command = ["logrotate", "--state", tmp_path / "state", tmp_path / "logrotate.conf"]
        environment = {"PATH": f"{tools}:{os.environ['PATH']}:/usr/sbin:/sbin"}
        client(*command, "--debug", env=environment)
        client(*command, "--force", env=environment)

    return run


def write_script(path, body):
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def test_logrotate_loses_no_line(logging, rotate):
    """Tunnels come and go while the log is rotated five times: all their lines are somewhere."""
    log = logging("json")
    log.folder.chmod(0o755)
    is_over, opened = threading.Event(), [0]

    def use():
        while not is_over.is_set():
            open_tunnel(log.proxy.address, log.server.authority).close()
            opened[0] += 1

    user = threading.Thread(target=use, daemon=True)
    user.start()
    try:
        for turn in range(5):
            before = opened[0]
            eventually(lambda: opened[0] > before + 50)
            rotate(log)
            eventually(log.path.exists)
    finally:
        is_over.set()
        user.join()
    eventually(lambda: len(all_lines(log)) >= 2 * opened[0])
    lines = all_lines(log)
    assert len(lines) == len({(line["id"], line["event"]) for line in lines}) == 2 * opened[0]
    assert len(list(log.folder.glob("access.log.*"))) == 5


def all_lines(log):
    lines = []
    for path in [log.path, *log.folder.glob("access.log.*")]:
        read = gzip.open if path.suffix == ".gz" else open
        with read(path, "rt") as file:
            lines += entries(file.read(), "json")
    return [line for line in lines if "event" in line]  # adit tells of its reloads, too


# -- Prometheus

def test_alert_rules(client):
    client("promtool", "check", "rules", "--lint=all", "--lint-fatal", DIST / "alerts.yml")
    client("promtool", "test", "rules", ROOT / "test" / "data" / "alerts.test.yml")


def test_every_alert_is_seen_firing():
    names = set(re.findall(r"- alert: (\w+)", (DIST / "alerts.yml").read_text()))
    fired = set(re.findall(r'alertname="(\w+)"', (ROOT / "test/data/alerts.test.yml").read_text()))
    assert names == fired


def test_promtool_takes_the_metrics(adit, origin, client):
    """Live, from an adit that has had something to count."""
    proxy = adit(admin=True)
    open_tunnel(proxy.address, origin(Echo).authority).close()
    for target in (f"127.0.0.1:{closed_port()}", "no port", proxy.address):
        request(proxy.address, connect_head(target))
    status, _, text = get(proxy, "/metrics")
    assert status == 200
    done = client("promtool", "check", "metrics", input=text.encode())
    assert (done.stdout, done.stderr) == (b"", b"")


def test_prometheus_takes_the_snippet(client, tmp_path):
    """The scrape job of doc/observe.md, with dist/alerts.yml where it says."""
    page = (ROOT / "doc" / "observe.md").read_text()
    snippet = re.search(r"```yaml\n(scrape_configs:.*?)```", page[page.index("## Prometheus"):],
                        re.S).group(1)
    assert "/etc/prometheus/adit-alerts.yml" in snippet
    (tmp_path / "prometheus.yml").write_text(
        snippet.replace("/etc/prometheus/adit-alerts.yml", str(DIST / "alerts.yml")))
    assert b"13 rules found" in client("promtool", "check", "config", "prometheus.yml").stdout


# -- goaccess

def test_goaccess_reads_the_squid_format(logging, client, tmp_path):
    """Every line, with the options of doc/observe.md, and it finds in them what there was."""
    log = logging("squid")
    log.have_some_of_everything()
    lines = log.lines()
    page = (ROOT / "doc" / "observe.md").read_text()
    command = shlex.split(re.search(r"^goaccess .*$", page, re.M).group())
    command[command.index("report.html")] = "report.json"
    client(*command, "--no-global-config", "--invalid-requests=invalid")
    report = json.loads((tmp_path / "report.json").read_text())
    general = report["general"]
    assert (general["total_requests"], general["valid_requests"]) == (len(lines), len(lines))
    assert general["failed_requests"] == 0
    assert (tmp_path / "invalid").read_text() == ""
    assert general["bandwidth"] == sum(line["bytes"] for line in lines)
    assert {one["data"] for one in report["hosts"]["data"]} == {line["client"] for line in lines}
