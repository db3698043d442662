"""doc/observe.md says what adit does: every field, cause, error and metric that there is stands in
it, nothing else does, and the commands that answer the ten questions do."""

import json
import os
import re
import subprocess

import pytest

from support.adit import ROOT
from support.checks import eventually
from support.client import Client, connect_head, open_tunnel, request
from support.logs import entries, whole_lines
from support.metrics import scrape
from support.origins import Echo, closed_port
from support.users import basic, htpasswd

PAGE = (ROOT / "doc" / "observe.md").read_text()
CONFIG = """listen 127.0.0.1:0
users file "htpasswd"
log "access.log" format {log_format}
deny to *.ads.test as "no ads"
allow user alice to loopback port {guarded} as "alice's"
report deny port {watched} as "watched"
allow from loopback to any, special as "open"
"""


def table(heading, column=0):
    """A column of the first table below a heading or text, as written, without its head."""
    rows = re.search(r"(?:^\|.*\n)+", PAGE[PAGE.index(heading):], re.M).group().splitlines()[2:]
    return [re.split(r"(?<!\\)\|", row)[1 + column].strip() for row in rows]


def names(cells):
    return [name for cell in cells for name in re.findall(r"`([\w.-]+)[^`]*`", cell)]


def source(path):
    return (ROOT / "src" / path).read_text()


class Scene:
    """An adit that has had some of everything, its folder, and what is open still."""

    def __init__(self, adit, origin, keep, folder, log_format):
        self.folder = folder
        self.server, guarded, watched = origin(Echo), origin(Echo), origin(Echo)
        (folder / "htpasswd").write_text(htpasswd("alice"))
        (folder / "adit.conf").write_text(CONFIG.format(
            log_format=log_format, guarded=guarded.port, watched=watched.port))
        self.proxy = adit("-c", folder / "adit.conf", "-s", folder / "sock",
                          "-a", "127.0.0.1:0", defaults=True)
        for target in (self.server.authority, f"localhost:{self.server.port}", watched.authority):
            with open_tunnel(self.proxy.address, target) as client:
                client.send(b"ping")
                assert client.read_exact(4) == b"ping"
        self.dead = f"127.0.0.1:{closed_port()}"
        for target in ("x.ads.test:443", self.dead, self.dead, guarded.authority):
            request(self.proxy.address, connect_head(target))
        for password in ("wrong", None):
            with Client(self.proxy.address) as client:
                client.send(connect_head(guarded.authority, basic("alice", password)))
                client.read_until(b"\r\n\r\n")
        self.open = keep(open_tunnel(self.proxy.address, self.server.authority))
        self.log_format = log_format
        eventually(lambda: self.path.exists() and len(self.lines()) == 3 * 2 + 4 + 1 + 2 + 1)

    path = property(lambda self: self.folder / "access.log")

    def lines(self):
        return entries(whole_lines(self.path.read_text()), self.log_format)


@pytest.fixture
def scene(adit, origin, keep, tmp_path):
    return lambda log_format="json": Scene(adit, origin, keep, tmp_path, log_format)


# -- what there is

@pytest.mark.parametrize("log_format", ["json", "logfmt"])
def test_every_field_is_explained(scene, log_format):
    """In the log's own order, with the events that have it, and no field that does not exist."""
    lines = scene(log_format).lines()
    explained = names(table("| field |"))
    assert {name for line in lines for name in line} == set(explained)
    for line in lines:
        places = [explained.index(name) for name in line]
        assert places == sorted(places), line
    where = dict(zip(explained, table("| field |", 1)))
    for name, events in where.items():
        having = {line["event"] for line in lines if name in line}
        assert having, name
        if events == "not `close`":
            assert "close" not in having, name
        elif events != "all":
            assert having == set(names([events])), name


def test_every_cause_and_event_is_explained():
    text = source("observe/access_log.c")
    assert names(table("| closed_by |")) == re.findall(r'\[CLOSED_BY_\w+\] = .*"(\w+)"', text)
    events = re.findall(r'\[ACCESS_\w+\] = .*"(\w+)"', text)
    assert len(events) == 4
    cells = dict(zip(names(table("| field |")), table("| field |", 2)))
    assert names([cells["event"]]) == events


def test_every_error_is_explained():
    """With exactly the statuses that it comes with."""
    rows = re.findall(r'^TUNNEL_ERROR\(\w+, "(\w+)", (\d+),', source("tunnel/tunnel_error.def"), re.M)
    expected = {}
    for token, status in rows:
        expected.setdefault(token, set()).add(status)
    found = {name: set(statuses.split(", ")) for name, statuses
             in zip(names(table("| error |")), table("| error |", 1))}
    assert found == expected


def test_every_metric_is_explained(scene):
    """With its labels."""
    found = scrape(scene().proxy)
    labels = {family: set() for family in found.kinds}
    for name, pairs in found.values:
        family = name if name in labels else re.sub("_(bucket|sum|count)$", "", name)
        labels[family] |= {label for label, _ in pairs} - {"le"}
    explained = {}
    for name, listed in re.findall(r"`((?:adit|process)_\w+)(?:\{([\w,]+)\})?`",
                                   "\n".join(table("| metric |"))):
        explained[name] = set(filter(None, listed.split(",")))
    assert explained == labels


def test_every_metric_of_the_page_and_the_alerts_exists(scene):
    """In the queries of the page and in dist/alerts.yml, with labels that exist; a series that is
    misspelt would keep silent for ever."""
    found = scrape(scene().proxy)
    series = {name for name, _ in found.values}
    labels = {(label, value) for _, pairs in found.values for label, value in pairs}
    alerts = (ROOT / "dist" / "alerts.yml").read_text()
    queries = "\n".join(re.findall(r"```promql\n(.*?)```", PAGE, re.S)) + alerts
    used = set(re.findall(r"\b((?:adit|process)_\w+)", queries))
    assert len(used) > 10 and used <= series, used - series
    for label, value in re.findall(r'\b(error|outcome)=~?"([^"]+)"', queries):
        assert all((label, one) in labels for one in value.split("|")), value


# -- the ten questions

def questions():
    """[(question, shell lines)]"""
    text = PAGE[PAGE.index("## Ten questions"):PAGE.index("## The access log")]
    return re.findall(r"^\*\*(\d+\. .+?)\*\*.*?```sh\n(.*?)```", text, re.M | re.S)


def test_there_are_ten():
    assert [int(question.split(".")[0]) for question, _ in questions()] == list(range(1, 11))


@pytest.fixture
def answers(scene, tmp_path):
    """What each command prints, by the number of its question."""
    found = scene()
    tools = tmp_path / "tools"
    tools.mkdir()
    adit = found.proxy.command[0]
    script = ('#!/bin/sh\ncase $1 in\nexplain) exec "$ADIT" "$@" ;;\n'
              '*) exec "$ADIT" "$@" -s "$ADIT_SOCKET" ;;\nesac\n')
    (tools / "adit").write_text(script)
    (tools / "adit").chmod(0o755)
    environment = dict(os.environ, PATH=f"{tools}:{os.environ['PATH']}", ADIT=adit,
                       ADIT_SOCKET=str(found.proxy.socket_path))
    said = []
    for _, command in questions():
        done = subprocess.run(["bash", "-c", "set -o pipefail\n" + command], cwd=tmp_path,
                              env=environment, capture_output=True, text=True, timeout=30)
        assert done.stderr == "", command
        assert done.returncode in (0, 3) if "explain" in command else done.returncode == 0
        said.append(done.stdout)
    found.said = said
    return found


def counted(text):
    """The output of `uniq -c` as a dict."""
    return {name: int(count) for count, name in
            (line.split(None, 1) for line in text.splitlines())}


def test_the_ten_answers(answers):
    said, target = answers.said, answers.server.authority
    assert re.search(r"^state serving$", said[0], re.M)
    assert [json.loads(line) for line in said[1].splitlines()] == [
        {"client": "127.0.0.1", "tunnels": 1, "bytes": 0}]
    traffic = {line["target"]: line for line in map(json.loads, said[2].splitlines())}
    assert traffic[target] == {"target": target, "tunnels": 1, "up": 4, "down": 4}
    assert said[3].count("\n") > 7 and '"x.ads.test:443",403,"no ads"' in said[3]
    assert "deny by rule no ads" in said[3]
    assert counted(said[4]) == {"no ads": 1}
    assert counted(said[5]) == {f"connection_refused {answers.dead}": 2}
    assert set(json.loads(said[6])) == {"dns_ms", "dial_ms"}
    assert all(isinstance(value, int) for value in json.loads(said[6]).values())
    assert counted(said[7]) == {"127.0.0.1": 1}
    assert counted(said[8]) == {"client_eof": 4}
    assert list(counted(said[9]).values()) == [1] and said[9].split()[1] == "watched:"
