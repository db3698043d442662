"""The table test/data/policy-live.cases: each row through `adit explain` and through the live proxy,
which must say the same; a SYN goes only to where the row lets it, a name denied for sure is not
looked up, and explain itself sends nothing but questions to the name server."""

import re
import subprocess

import pytest

from support.adit import SANITIZER, binary, split_address
from support.checks import eventually
from support.client import connect_head
from support.everywhere import Everywhere
from support.names import ScriptedNames
from support.policy_cases import load_cases, load_zone
from support.users import basic, htpasswd

CASES = load_cases()
PORT = 10800
RESOLVER = "127.0.0.53"
# verdict: (status, error of Proxy-Status, exit status of explain)
OUTCOMES = {
    "allow": (200, None, 0),
    "deny": (403, "http_request_denied", 3),
    "late": (403, "http_request_denied", 3),
    "special": (403, "destination_ip_prohibited", 3),
    "ask": (407, "http_request_denied", 3),
    "loop": (502, "proxy_loop_detected", 3),
    "bad": (400, "http_request_error", 2),
}
WITHOUT_LOOKUP = ("deny", "ask", "bad")


def settings(case):
    """What stands behind the rules of every policy."""
    listeners = [f"127.0.0.1:{PORT}", f"[::1]:{PORT}"]
    if any(":10800" in row.target and "77" in row.target or not _is_loopback(row.client)
           for row in case.rows):
        listeners += [f"10.77.0.1:{PORT}", f"[fd77::1]:{PORT}"]
    return ("".join(f"listen {address}\n" for address in listeners)
            + f'resolver {RESOLVER}\nusers file "htpasswd"\ngroup ops {{ alice, bob }}\n')


def _is_loopback(client):
    return client == "::1" or client.startswith("127.")


def port_of(target):
    text = target.rpartition(":")[2]
    return int(text) if text.isdigit() else 0


class Table:
    """One policy of the file, its world, and every way in which a row came out other than it says."""

    def __init__(self, case, keep, etc, folder):
        self.case = case
        self.config = folder / "policy.conf"
        self.config.write_text(case.policy + settings(case))
        (folder / "htpasswd").write_text(htpasswd("alice", "bob", "carol", "dave"))
        ports = {port_of(row.target) for row in case.rows if row.verdict == "allow"}
        self.world = Everywhere(keep, ports)
        with self.world.inside:
            self.names = keep(ScriptedNames(load_zone()))
        self.etc = etc(resolv_conf="nameserver 127.0.0.99\n")  # nobody is there
        self.differences = []

    def expect(self, row, where, what, found, wanted):
        if found != wanted:
            self.differences.append(f"line {row.line} {row.client} {row.user or '-'} {row.target}: "
                                    f"{where}: {what} is {found!r}, not {wanted!r}")

    def expect_lookups(self, row, where, before):
        if row.verdict in WITHOUT_LOOKUP:
            self.expect(row, where, "lookups", self.names.queries[before:], [])

    def rule_of(self, row):
        """As logs and explain have it."""
        return re.sub(r"^line (\d+)$", rf"{self.config.name}:\1", row.rule)

    # -- explain

    def explain(self, row):
        command = [binary(), "explain", "-c", self.config, "-f", row.client]
        if row.user:
            command += ["-u", row.user]
        before = len(self.names.queries)
        with self.world.inside:
            done = subprocess.run(self.etc.wrap([*map(str, command), row.target]), text=True,
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
        assert not SANITIZER.search(done.stderr), done.stderr
        self.expect(row, "explain", "status", (done.returncode, done.stderr),
                    (OUTCOMES[row.verdict][2], done.stderr))
        if row.rule:
            last = done.stdout.strip().rpartition("\n")[2]
            if not re.search(rf"(^|[^\w.]){re.escape(self.rule_of(row))}($|[^\w:])", last):
                self.expect(row, "explain", "the last line", last, f"... {self.rule_of(row)}")
        self.expect_lookups(row, "explain", before)
        self.expect(row, "explain", "SYNs", self.world.syns(53), [])

    # -- live

    def ask(self, proxy, row):
        status, error, _ = OUTCOMES[row.verdict]
        before = len(self.names.queries)
        # an earlier row's client may have had the same port
        known = {line["id"] for line in proxy.log_lines()}
        with self.world.connect(row.client, PORT) as client:
            fields, name = [basic(row.user)] if row.user else [], client.name
            client.send(connect_head(row.target, *fields, host=False, version="HTTP/1.0"))
            response = client.read_response(has_body=False)
            self.expect(row, "live", "status", (response.status, response.error), (status, error))
            if response.status == 200:
                client.send(b"ping")
                self.expect(row, "live", "the echo", client.read_exact(4), b"ping")
        if row.verdict != "bad":
            line = eventually(lambda: [line for line in proxy.log_lines(client=name)
                                       if line["id"] not in known])[0]
            if row.rule:
                self.expect(row, "live", "rule", line.get("rule"), self.rule_of(row))
        self.expect_lookups(row, "live", before)
        self.check_syns(row)

    def check_syns(self, row):
        syns = self.world.syns(53, *([] if row.target.endswith(f":{PORT}") else [PORT]))
        if row.verdict == "loop":  # our own, to a listener
            syns = [address for address in syns if address[1] != PORT]
        if row.verdict != "allow":
            self.expect(row, "live", "SYNs", syns, [])
            return
        allowed = row.addresses or [address for address, _ in syns]
        wrong = [syn for syn in syns
                 if syn[0] not in allowed or syn[1] != split_address(row.target)[1]]
        self.expect(row, "live", "SYNs elsewhere", wrong, [])
        self.expect(row, "live", "a SYN was sent", bool(syns), True)


def test_table_is_large():
    assert sum(len(case.rows) for case in CASES) >= 250


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title.split(":")[0].split(",")[0])
def test_explain_and_the_proxy_agree(keep, adit, etc, tmp_path, case):
    table = Table(case, keep, etc, tmp_path)
    for row in case.rows:
        table.explain(row)
    with table.world.inside:
        proxy = adit("-c", table.config, defaults=True, etc=table.etc,
                     env={"XDG_RUNTIME_DIR": str(tmp_path)})
    table.world.syns()
    # those first that may ask nothing: later the answer may be known already
    for row in sorted(case.rows, key=lambda row: row.verdict not in WITHOUT_LOOKUP):
        table.ask(proxy, row)
    assert not table.differences, "\n".join(table.differences)
