"""From the authority to a connected target: names, addresses, and each way in which it can fail.

Names are asked of servers in a network namespace of the test's own, with an /etc of its own, so the
machine's resolver and files are neither used nor touched.
"""

import json
import os
import shutil
import signal
import subprocess
import time

import pytest

from support.adit import binary, children_of, is_sanitized, run_adit
from support.checks import eventually
from support.client import ESTABLISHED, Client, connect_head, open_tunnel, request
from support.names import (NXDOMAIN, REFUSED, SERVFAIL, SILENT, Answer, Dnsmasq, ScriptedNames)
from support.origins import Blackhole, Echo, Recorder, closed_port
from support.patience import PATIENCE_S

DIAL_TIMEOUT_S = 10
DNS_TIMEOUT_S = 5


class World:
    """A namespace with a scripted name server and an adit that asks it.

    everything is started inside the namespace: world.start(kind, ...), world.client(...).
    """

    def __init__(self, namespace, keep, adit, etc, zone, hosts="127.0.0.1 localhost\n",
                 resolv_conf=None, args=(), prepare=lambda etc: None, **options):
        self.namespace = namespace
        self.keep = keep
        with namespace:
            self.names = keep(ScriptedNames(zone))
            self.etc = etc(resolv_conf=resolv_conf or self.names.resolv_conf, hosts=hosts)
            prepare(self.etc.folder)
            self.adit = adit(*args, etc=self.etc, **options)

    def start(self, kind, *args, **options):
        with self.namespace:
            return self.keep(kind(*args, **options))

    def client(self, target, **options):
        """A client that has sent its CONNECT."""
        with self.namespace:
            client = self.keep(Client(self.adit.address, **options))
        client.send(connect_head(target))
        return client

    def answer(self, target):
        return self.client(target).read_response()

    def opens(self, target):
        """Whether the tunnel opens and echoes."""
        client = self.client(target)
        head = client.read_until(b"\r\n\r\n")
        if head != ESTABLISHED:
            return False
        client.send(b"ping")
        return client.read_exact(4) == b"ping"


@pytest.fixture
def world(namespace, keep, adit, etc):
    def make(zone=None, ipv6=True, **options):
        return World(namespace(ipv6=ipv6), keep, adit, etc, zone if zone is not None else {},
                     **options)

    return make


# -- addresses

@pytest.mark.parametrize("host,literal", [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
def test_refused(adit, host, literal):
    proxy = adit()
    response, _, _ = request(proxy.address, connect_head(f"{literal}:{closed_port(host)}"))
    assert (response.status, response.error) == (502, "connection_refused")


@pytest.mark.parametrize("target", ["203.0.113.5:443", "[2001:db8::5]:443"])
def test_unreachable(world, target):
    """No route at all: the namespace has loopback and nothing else."""
    response = world().answer(target)
    assert (response.status, response.error) == (502, "destination_ip_unroutable")


def test_blackholed(adit, keep):
    blackhole = keep(Blackhole())
    started = time.monotonic()
    response, _, _ = request(adit().address, connect_head(blackhole.authority))
    assert (response.status, response.error) == (504, "connection_timeout")
    assert DIAL_TIMEOUT_S - 1 < time.monotonic() - started < DIAL_TIMEOUT_S + 30


def test_blackholed_client_has_sent_fin(adit, keep):
    """A FIN behind a complete head is no departure: the dial goes on and the answer comes."""
    blackhole = keep(Blackhole())
    with Client(adit().address) as client:
        client.send(connect_head(blackhole.authority))
        client.shutdown_write()
        assert client.read_response().status == 504


def test_reset_of_the_client_cancels_the_dial(adit, keep):
    blackhole = keep(Blackhole())
    proxy = adit()
    request(proxy.address, connect_head("x"))
    time.sleep(0.3)
    base = proxy.descriptors()
    clients = []
    for _ in range(10):
        clients.append(Client(proxy.address))
        clients[-1].send(connect_head(blackhole.authority))
    deadline = time.monotonic() + 5
    while proxy.descriptors() < base + 20:
        assert time.monotonic() < deadline, "the dials did not start"
        time.sleep(0.02)
    for client in clients:
        client.reset()
    deadline = time.monotonic() + 5
    while proxy.descriptors() > base:
        assert time.monotonic() < deadline, "the dials go on without a client"
        time.sleep(0.05)


def test_blackholed_dials_do_not_hold_up_others(adit, origin, keep):
    """Hundreds that wait for nobody, from one client; another client is served at once."""
    blackhole = keep(Blackhole())
    server = origin(Echo)
    proxy = adit("-l", "127.0.0.1:0", "-l", "[::1]:0")
    waiting = []
    for _ in range(400):
        client = keep(Client(proxy.listeners[0]))
        client.send(connect_head(blackhole.authority))
        waiting.append(client)
    started = time.monotonic()
    for _ in range(10):
        open_tunnel(proxy.listeners[1], server.authority).close()
    assert time.monotonic() - started < DIAL_TIMEOUT_S - 2
    for client in waiting:
        assert client.read_response().status == 504


def test_a_v6_network_of_dials_does_not_hold_up_others(adit, origin, keep, many_clients, tmp_path):
    """More dials than may be under way in all, each from an address of its own, all of one /64."""
    blackhole = keep(Blackhole())
    server = origin(Echo)
    config = tmp_path / "adit.conf"
    config.write_text("allow from any to any, special\n")
    proxy = adit("-c", config, "-l", "[::]:10801", "-l", "127.0.0.1:10800")
    for number in range(1100):
        client = keep(Client("[2001:db8::]:10801", source=f"2001:db8::{number + 1:x}"))
        client.send(connect_head(blackhole.authority))
    eventually(lambda: proxy.descriptors() > 1100 + 128)
    started = time.monotonic()
    for _ in range(10):
        open_tunnel("127.0.0.1:10800", server.authority).close()
    assert time.monotonic() - started < DIAL_TIMEOUT_S - 2


def test_one_client_may_open_a_thousand_at_once(adit, origin, keep):
    """npm does: they wait in line for a dial and none is refused."""
    server = origin(Echo)
    proxy = adit()
    clients = [keep(Client(proxy.address)) for _ in range(1200)]
    for client in clients:
        client.send(connect_head(server.authority))
    for client in clients:
        assert client.read_until(b"\r\n\r\n") == ESTABLISHED


def test_more_than_the_line_holds_is_429(adit, keep):
    blackhole = keep(Blackhole())
    proxy = adit()
    clients = []
    for _ in range(128 + 2048 + 40):
        clients.append(keep(Client(proxy.address)))
        clients[-1].send(connect_head(blackhole.authority))
    answers = [client.read_response() for client in clients]
    statuses = [answer.status for answer in answers]
    assert set(statuses) == {429, 504}
    assert 30 <= statuses.count(429) <= 60
    refused = answers[statuses.index(429)]
    assert refused.error == "connection_limit_reached"
    assert int(refused.get("Retry-After")) > 0


# -- several addresses

@pytest.mark.parametrize("dead", ["::1", "127.0.0.1"])
@pytest.mark.parametrize("how", [Blackhole, None])
def test_one_family_is_dead(world, dead, how):
    """RFC 8305: the other family is tried a moment later, not after a timeout."""
    world = world({"both.test": Answer("127.0.0.1", "::1")})
    good = world.start(Echo, host={"::1": "127.0.0.1", "127.0.0.1": "::1"}[dead])
    if how:
        world.start(how, host=dead, port=good.port)
    started = time.monotonic()
    assert world.opens(f"both.test:{good.port}")
    assert time.monotonic() - started < DIAL_TIMEOUT_S - 2


def test_several_dead_addresses_before_a_live_one(world):
    world = world({"many.test": Answer("127.0.0.11", "127.0.0.12", "127.0.0.13", "127.0.0.14")})
    good = world.start(Echo, host="127.0.0.14")
    for host in ("127.0.0.11", "127.0.0.12"):
        world.start(Blackhole, host=host, port=good.port)
    started = time.monotonic()
    assert world.opens(f"many.test:{good.port}")
    assert time.monotonic() - started < DIAL_TIMEOUT_S - 2


def test_the_losers_of_the_race_are_closed(world):
    world = world({"both.test": Answer("127.0.0.1", "::1")})
    good = world.start(Echo, host="127.0.0.1")
    world.start(Blackhole, host="::1", port=good.port)
    world.client("nonsense").read_response()
    time.sleep(0.3)
    base = world.adit.descriptors()
    client = world.client(f"both.test:{good.port}")
    assert client.read_until(b"\r\n\r\n") == ESTABLISHED
    time.sleep(0.5)
    assert world.adit.descriptors() <= base + 2
    assert good.accepted == 1


def test_all_addresses_refuse(world):
    world = world({"both.test": Answer("127.0.0.1", "::1")})
    with world.namespace:
        port = closed_port()
    response = world.answer(f"both.test:{port}")
    assert (response.status, response.error) == (502, "connection_refused")


def test_one_family_has_no_answer_from_dns(world):
    """AAAA is never answered: A alone is enough, after the resolution delay."""
    world = world({"v4.test": {"A": Answer("127.0.0.1"), "AAAA": SILENT}})
    server = world.start(Echo)
    started = time.monotonic()
    assert world.opens(f"v4.test:{server.port}")
    assert time.monotonic() - started < DNS_TIMEOUT_S - 1


def test_only_aaaa(world):
    world = world({"v6.test": Answer("::1")})
    assert world.opens(f"v6.test:{world.start(Echo, host='::1').port}")


def test_one_family_servfail(world):
    world = world({"half.test": {"A": Answer("127.0.0.1"), "AAAA": Answer(rcode=SERVFAIL)}})
    assert world.opens(f"half.test:{world.start(Echo).port}")


def test_mapped_answer_is_ipv4(world):
    world = world({"mapped.test": {"AAAA": Answer("::ffff:127.0.0.1"), "A": Answer()}})
    server = world.start(Echo)
    assert world.opens(f"mapped.test:{server.port}")
    line = world.adit.wait_for_log(event="open")
    assert line["address"] == f"127.0.0.1:{server.port}"


def test_without_ipv6(world):
    world = world({"both.test": Answer("127.0.0.1", "::1")}, ipv6=False)
    server = world.start(Echo)
    assert world.opens(f"both.test:{server.port}")
    assert world.opens(f"localhost:{server.port}")
    response = world.answer("[2001:db8::5]:443")
    assert (response.status, response.error) == (502, "destination_ip_unroutable")
    assert world.answer(f"[::1]:{server.port}").status in (502, 503)


def test_dials_leave_descriptors_to_others(world):
    """Hundreds of dials to a name with eight silent addresses, each in up to six attempts: they
    take what is spare, and another client is served."""
    addresses = [f"127.1.0.{number}" for number in range(1, 9)]
    world = world({"dead.test": Answer(*addresses)}, args=["-l", "127.0.0.1:0", "-l", "[::1]:0"],
                  prefix=["prlimit", "--nofile=1024:1024"])
    server = world.start(Echo, host="127.0.0.1")
    port = world.start(Blackhole, host=addresses[0]).port
    for address in addresses[1:]:
        world.start(Blackhole, host=address, port=port)
    for _ in range(400):
        world.client(f"dead.test:{port}")
    eventually(lambda: world.adit.descriptors() > 400 + 128)
    with world.namespace:
        for _ in range(20):
            time.sleep(0.1)  # attempts begin 250 ms apart
            open_tunnel(world.adit.listeners[1], server.authority).close()
    assert "can't accept" not in world.adit.stderr()


# -- the rule of the address

RULE_OF_EACH = """
report deny to 127.0.0.0/8 as "old"
report deny to ::1 as "new"
deny to 127.0.0.3 as "not three"
allow to 127.0.0.1 as "four"
allow to ::1 as "six"
allow to 127.0.0.2 as "two"
deny to any as "the rest"
"""


@pytest.fixture
def ruled(world, tmp_path):
    path = tmp_path / "adit.conf"
    path.write_text("log stderr\n" + RULE_OF_EACH)
    answers = {"both.test": Answer("127.0.0.1", "::1"), "four.test": Answer("127.0.0.2", "127.0.0.1"),
               "new.test": Answer("127.0.0.3", "::1"), "old.test": Answer("127.0.0.1", "::2"),
               "none.test": Answer("127.0.0.3", "::2")}
    return world(answers, args=("-c", path))


@pytest.mark.parametrize("name, host, rule, report", [
    ("both.test", "::1", "six", "new"),          # though IPv4 is judged too
    ("both.test", "127.0.0.1", "four", "old"),   # though IPv6 was dialled first
    ("four.test", "127.0.0.1", "four", "old"),   # though 127.0.0.2 was judged as well
    ("four.test", "127.0.0.2", "two", "old"),
    ("new.test", "::1", "six", "new"),           # though another address is denied
    ("old.test", "127.0.0.1", "four", "old"),
])
def test_the_rule_in_the_log_is_that_of_the_address_dialled(ruled, name, host, rule, report):
    server = ruled.start(Echo, host=host)
    client = ruled.client(f"{name}:{server.port}")
    assert client.read_until(b"\r\n\r\n") == ESTABLISHED
    line = ruled.adit.wait_for_log(event="open")
    bare = line["address"].rpartition(":")[0].strip("[]")
    assert (bare, line["rule"], line["report"]) == (host, rule, report)
    ps = json.loads(ruled.adit.control("ps", "--json").stdout)
    assert (ps["rule"], ps["report"]) == (rule, report)
    client.close()
    line = ruled.adit.wait_for_log(event="close")
    assert (line["rule"], line["report"]) == (rule, report)


@pytest.mark.parametrize("name, rules", [("both.test", {"::1": "six", "127.0.0.1": "four"}),
                                         ("new.test", {"::1": "six"})])
def test_the_rule_of_a_dial_that_failed(ruled, name, rules):
    with ruled.namespace:
        port = closed_port()
    assert ruled.answer(f"{name}:{port}").error == "connection_refused"
    line = ruled.adit.wait_for_log(event="deny")
    bare = line["address"].rpartition(":")[0].strip("[]")
    assert line["rule"] == rules[bare]
    assert line["report"] == {"six": "new", "four": "old"}[line["rule"]]


def test_the_rule_of_a_denial(ruled):
    """What the client hears, and the reports in front of that."""
    response = ruled.answer("none.test:1")
    line = ruled.adit.wait_for_log(event="deny")
    assert response.status_line == f"HTTP/1.1 403 denied by policy (rule {line['rule']})"
    assert "address" not in line
    assert (line["rule"], line.get("report")) in (("not three", "old"), ("the rest", None))


# -- DNS

def test_real_name_server(namespace, keep, adit, etc, tmp_path):
    """dnsmasq, names with one and with both kinds of address, and one that does not exist."""
    namespace = namespace()
    with namespace:
        names = keep(Dnsmasq(tmp_path, {"one.test": ["127.0.0.1"], "two.test": ["127.0.0.1", "::1"]}))
        server = keep(Echo())
        proxy = adit("-w", "1", etc=etc(resolv_conf=names.resolv_conf))
        for name in ("one.test", "two.test", "ONE.Test", "one.test."):
            with open_tunnel(proxy.address, f"{name}:{server.port}") as client:
                client.send(name.encode())
                assert client.read_exact(len(name)) == name.encode()
        response, _, _ = request(proxy.address, connect_head("none.test:443"))
    assert (response.status, response.error) == (502, "dns_error")
    assert "NXDOMAIN" in response.get("Proxy-Status")
    assert names.asked("one.test") == 2  # A and AAAA; case and dot make no other name


@pytest.mark.parametrize("rcode", [NXDOMAIN, SERVFAIL, REFUSED])
def test_error_of_the_name_server(world, rcode):
    """c-ares tells NXDOMAIN from a failure, but not one failure from the other: no rcode is named
    that may be wrong."""
    response = world({"name.test": Answer(rcode=rcode)}).answer("name.test:443")
    assert (response.status, response.error) == (502, "dns_error")
    assert (response.status_line == "HTTP/1.1 502 no such host (NXDOMAIN)") == (rcode == NXDOMAIN)
    assert ('rcode="NXDOMAIN"' in response.get("Proxy-Status")) == (rcode == NXDOMAIN)
    assert ("rcode" in response.get("Proxy-Status")) == (rcode == NXDOMAIN)


@pytest.mark.parametrize("answer", [Answer(rcode=NXDOMAIN), Answer(), Answer(rcode=SERVFAIL)])
def test_a_name_without_a_dot_has_words_of_its_own(world, answer):
    """Browsers and shells add a search domain; here, names are absolute."""
    world = world({"intranet": answer, "intranet.test": answer, "timer": SILENT})
    words = "; a name without a dot is looked up as it is: add its domain"
    short, whole = world.answer("Intranet.:443"), world.answer("intranet.test:443")
    assert (short.status, short.error) == (whole.status, whole.error)
    assert short.body.decode() == whole.body.decode().rstrip("\n") + words + "\n"
    assert short.reason == short.body.decode().removeprefix("adit: ").rstrip("\n")
    assert short.get("Proxy-Status") == \
        whole.get("Proxy-Status").removesuffix('"') + words + '"'
    assert words in world.adit.wait_for_log(event="deny", target="intranet:443")["reason"]


def test_name_without_address(world):
    response = world({"empty.test": Answer()}).answer("empty.test:443")
    assert (response.status, response.error) == (502, "destination_not_found")


@pytest.mark.parametrize("answer", [SILENT, Answer("127.0.0.1", wrong_id=True),
                                    Answer("127.0.0.1", delay=30)])
def test_no_answer_in_time(world, answer):
    """Silence, an answer to another question (never believed), an answer 30 s late."""
    world = world({"name.test": answer})
    started = time.monotonic()
    response = world.answer(f"name.test:{world.start(Echo).port}")
    assert (response.status, response.error) == (504, "dns_timeout")
    assert DNS_TIMEOUT_S - 1 < time.monotonic() - started < DNS_TIMEOUT_S + 30


def test_truncated_answer_is_asked_again_over_tcp(world):
    world = world({"big.test": Answer("127.0.0.1", truncated=True)})
    assert world.opens(f"big.test:{world.start(Echo).port}")
    assert {query[3] for query in world.names.queries} == {"udp", "tcp"}


def test_cname_chain(world):
    world = world({"alias.test": Answer("127.0.0.1", cname="real.test")})
    assert world.opens(f"alias.test:{world.start(Echo).port}")


def test_a_thousand_records(world):
    addresses = [f"127.1.{number // 250}.{number % 250 + 1}" for number in range(1000)]
    zone = {"huge.test": {"A": Answer(*addresses, truncated=True), "AAAA": Answer()}}
    world = world(zone)
    with world.namespace:
        port = closed_port()
    response = world.answer(f"huge.test:{port}")
    assert (response.status, response.error) == (502, "connection_refused")


def test_names_are_absolute(world):
    """No search list: `short` is asked for as it stands."""
    world = world({"short.corp.test": Answer("127.0.0.1")},
                  resolv_conf="search corp.test\nnameserver 127.0.0.53\noptions ndots:5\n")
    assert world.answer("short:443").status == 502
    assert world.answer("a.b:443").status == 502
    assert {query[1] for query in world.names.queries} == {"short", "a.b"}


def test_one_question_in_flight(world):
    """Fifty clients that want one slow name cause one question for each family."""
    world = world({"slow.test": Answer("127.0.0.1", delay=0.5)})  # sooner than a retry
    server = world.start(Echo)
    clients = [world.client(f"slow.test:{server.port}") for _ in range(50)]
    for client in clients:
        assert client.read_until(b"\r\n\r\n") == ESTABLISHED
    threads = world.adit.workers  # a cache and a resolver for each thread are allowed
    assert world.names.asked("slow.test", "A") <= threads
    assert world.names.asked("slow.test", "AAAA") <= threads


def test_slow_name_does_not_hold_up_others(world):
    world = world({"slow.test": SILENT, "quick.test": Answer("127.0.0.1")})
    server = world.start(Echo)
    for _ in range(300):
        world.client("slow.test:443")
    started = time.monotonic()
    assert world.opens(f"quick.test:{server.port}")
    assert time.monotonic() - started < DNS_TIMEOUT_S - 1


def test_answers_are_cached_for_their_ttl(world):
    world = world({"long.test": Answer("127.0.0.1", ttl=60), "short.test": Answer("127.0.0.1", ttl=1),
                   "zero.test": Answer("127.0.0.1", ttl=0)}, args=["-w", "1"])
    server = world.start(Echo)
    names = ("long.test", "short.test", "zero.test")
    for name in names * 2:
        assert world.opens(f"{name}:{server.port}")
    time.sleep(2.5)
    for name in names * 2:
        assert world.opens(f"{name}:{server.port}")
    assert [world.names.asked(name, "A") for name in names] == [1, 2, 2]


def test_negative_answers_are_cached(world):
    world = world(args=["-w", "1"])
    for _ in range(3):
        assert world.answer("none.test:443").status == 502
    assert world.names.asked("none.test", "A") == 1


def test_reset_of_the_client_cancels_the_lookup(world):
    world = world({"slow.test": Answer("127.0.0.1", delay=1.5)})
    target = world.start(Recorder)
    for _ in range(5):
        world.client(f"slow.test:{target.port}").reset()
    time.sleep(2.5)
    assert target.accepted == 0
    assert world.answer("x").status == 400  # alive


def test_name_server_returns(world):
    """It is dead when first asked, and asked again once it lives."""
    world = world({"late.test": lambda _name, _kind, before: SILENT if before < 1
                   else Answer("127.0.0.1")}, args=["-w", "1"])
    server = world.start(Echo)
    deadline = time.monotonic() + PATIENCE_S
    while not world.opens(f"late.test:{server.port}"):
        assert time.monotonic() < deadline


def test_slow_names_of_one_client_delay_nobody_else(world):
    """Far more than may be asked at once; another client's names are looked up at once."""
    slow = {f"slow{number}.test": SILENT for number in range(1000)}
    good = {f"good{number}.test": Answer("127.0.0.1") for number in range(10)}
    world = world({**slow, **good}, args=["-l", "127.0.0.1:0", "-l", "[::1]:0"])
    server = world.start(Echo)
    for name in slow:
        world.client(f"{name}:443")
    eventually(lambda: len(world.names.queries) >= 500)
    started = time.monotonic()
    with world.namespace:
        for name in good:
            open_tunnel(world.adit.listeners[1], f"{name}:{server.port}").close()
    assert time.monotonic() - started < DNS_TIMEOUT_S - 1


# -- /etc

def test_hosts_file(world):
    world = world(hosts="127.0.0.1 localhost\n# comment 127.0.0.9 not.test\n"
                        "127.0.0.7\tSeven.test  alias.test # and so on\n::1 six.test\nbroken line\n")
    seven, six = world.start(Echo, host="127.0.0.7"), world.start(Echo, host="::1")
    for name in ("seven.test", "SEVEN.TEST", "alias.test."):
        assert world.opens(f"{name}:{seven.port}")
    assert world.opens(f"six.test:{six.port}")
    assert world.answer("not.test:443").error == "dns_error"
    assert {query[1] for query in world.names.queries} == {"not.test"}


@pytest.mark.parametrize("change", ["write", "rewrite"])
def test_hosts_file_is_read_again(world, change):
    """By a file renamed over it, and by a change in place."""
    world = world(hosts="127.0.0.1 localhost\n127.0.0.7 moving.test\n")
    old, new = world.start(Echo, host="127.0.0.7"), world.start(Echo, host="127.0.0.8")
    assert world.opens(f"moving.test:{old.port}")
    getattr(world.etc, change)("hosts", "127.0.0.8 moving.test\n")
    eventually(lambda: world.opens(f"moving.test:{new.port}"))
    world.etc.remove("hosts")
    eventually(lambda: world.answer(f"moving.test:{new.port}").error == "dns_error")
    world.etc.write("hosts", "127.0.0.7 moving.test\n")
    eventually(lambda: world.opens(f"moving.test:{old.port}"))


@pytest.mark.parametrize("what", ["folder", "loop"])
def test_machine_files_that_can_not_be_read(world, what):
    """They count as they last were, for a worker that comes later, too; and that is told."""
    world = world({"other.test": Answer("127.0.0.1")},
                  hosts="127.0.0.1 localhost\n127.0.0.7 kept.test\n")
    seven, server = world.start(Echo, host="127.0.0.7"), world.start(Echo)
    kept = world.etc.folder / "old"
    kept.mkdir()
    why = {"folder": "Is a directory", "loop": "Too many levels of symbolic links"}[what]
    for name in ("hosts", "resolv.conf"):
        (world.etc.folder / name).rename(kept / name)
        assert world.adit.control("reload").stderr == ""  # it is gone, which is fine
        (kept / name).rename(world.etc.folder / name)
        assert world.adit.control("reload").stderr == ""
    assert world.opens(f"kept.test:{seven.port}")
    for name in ("hosts", "resolv.conf"):
        fresh = world.etc.folder / f"{name}.new"
        fresh.symlink_to(f"{name}") if what == "loop" else fresh.symlink_to("old")
        fresh.replace(world.etc.folder / name)
    told = "warning: can't read /etc/{}: " + why + "; what it said before counts\n"
    for name in ("hosts", "resolv.conf"):
        eventually(lambda: told.format(name) in world.adit.stderr())
    done = world.adit.control("reload")
    assert done.returncode == 0
    for name in ("hosts", "resolv.conf"):
        assert told.format(name) in done.stderr
    worker = world.adit.worker_pid
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: worker not in children_of(world.adit.pid) != [])
    eventually(lambda: world.opens(f"kept.test:{seven.port}"))
    assert world.opens(f"other.test:{server.port}")
    with world.namespace:
        done = subprocess.run(world.etc.wrap([binary(), "explain", "10.0.0.1:1"]), text=True,
                              capture_output=True, timeout=30)
    assert f"can't read /etc/hosts: {why}; going on without it" in done.stderr
    (world.etc.folder / "hosts").unlink()
    world.etc.write("hosts", "127.0.0.7 new.test\n")
    eventually(lambda: world.opens(f"new.test:{seven.port}"))
    assert "/etc/hosts" not in world.adit.control("reload").stderr


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("/dev/null"), lambda path: None])
def test_a_hosts_file_of_nothing(world, make):
    """One that is not there, or /dev/null in its place, is an empty one, without a word."""
    world = world({"gone.test": Answer("127.0.0.1")}, hosts="127.0.0.7 gone.test\n")
    server = world.start(Echo)
    world.etc.remove("hosts")
    make(world.etc.folder / "hosts")
    eventually(lambda: world.opens(f"gone.test:{server.port}"))
    assert world.adit.control("reload").stderr == ""


def test_a_hosts_file_that_blocks_many_names(world):
    """All of it is read, once for all threads."""
    count, threads = 400_000, 4
    world = world(args=["-w", threads])
    server, before = world.start(Echo, host="127.0.0.7"), world.adit.rss_kb()
    text = "".join(f"0.0.0.0 Name{i}.blocked.test\n" for i in range(count))
    world.etc.write("hosts", text + "127.0.0.7 last.test\n")
    eventually(lambda: world.opens(f"last.test:{server.port}"))
    if not is_sanitized():  # what is allocated is touched there, and more than that
        grown = (world.adit.rss_kb() - before) * 1024
        assert grown < len(text) + 12 * count + 4 * 1024 * 1024
    for number in (0, 199_999, count - 1):
        assert world.answer(f"name{number}.blocked.test:443").status in (403, 502)
    assert world.names.queries == [] or {query[1] for query in world.names.queries} == {"last.test"}
    world.etc.write("hosts", "127.0.0.7 only.test\n")
    eventually(lambda: world.opens(f"only.test:{server.port}"))


def test_a_hosts_file_beyond_any_bound(world):
    """What is in front is taken, and a warning names the first line that is not."""
    world = world(hosts="127.0.0.7 first.test\n127.0.0.7 second.test\n")
    server = world.start(Echo, host="127.0.0.7")
    os.truncate(world.etc.folder / "hosts", 256 * 1024 * 1024 + 10)
    eventually(lambda: "/etc/hosts is too large: line 3 and what follows is left out"
               in world.adit.stderr(), timeout=30)
    assert world.opens(f"second.test:{server.port}")
    with world.namespace:
        done = subprocess.run(world.etc.wrap([binary(), "explain", "first.test:1"]), text=True,
                              capture_output=True, timeout=30)
    assert "/etc/hosts is too large: line 3 and what follows is left out" in done.stderr
    assert "127.0.0.7" in done.stdout


@pytest.mark.parametrize("change", ["write", "rewrite"])
def test_resolv_conf_is_read_again(world, change):
    world = world({"name.test": Answer(rcode=SERVFAIL)})
    server = world.start(Echo)
    other = world.start(ScriptedNames, {"name.test": Answer("127.0.0.1"),
                                        "other.test": Answer("127.0.0.1")}, host="127.0.0.99")
    assert world.answer(f"name.test:{server.port}").error == "dns_error"
    getattr(world.etc, change)("resolv.conf", other.resolv_conf)
    eventually(lambda: world.opens(f"other.test:{server.port}"))


class Links:
    """/etc/hosts as it may be: a link to a link into a folder elsewhere."""

    def __init__(self, folder):
        self.folder = folder
        self.run = folder / "run" / "names"
        self.write("192.0.2.1 other.test\n")

    def link(self, etc):
        """hosts -> (etc) links/hosts -> elsewhere/link -> run/names/hosts"""
        (etc / "links").mkdir()
        (etc / "hosts").symlink_to("links//./hosts")
        (etc / "links" / "hosts").symlink_to(f"/etc/..{self.folder}/link")
        (self.folder / "link").symlink_to("run/names/hosts")

    def write(self, text):
        self.run.mkdir(parents=True, exist_ok=True)
        (self.run / "hosts").write_text(text)

    def write_as_an_editor(self, text):
        (self.run / "new").write_text(text)
        (self.run / "new").rename(self.run / "hosts")

    def make_folder_anew(self, text):
        self.run.rename(self.folder / "run" / "old")
        self.write(text)

    def make_all_anew(self, text):
        """In steps, as a boot would do it: what each step tells has been heard."""
        (self.folder / "run").rename(self.folder / "gone")
        time.sleep(0.3)
        (self.folder / "run").mkdir()
        time.sleep(0.3)
        self.run.mkdir()
        time.sleep(0.3)
        self.write(text)

    def set_the_last_link_anew(self, text):
        (self.folder / "third").write_text(text)
        (self.folder / "link").unlink()
        (self.folder / "link").symlink_to("third")

    def remove(self, text):
        (self.run / "hosts").unlink()
        time.sleep(0.3)
        self.write(text)


@pytest.mark.parametrize("change", ["write", "write_as_an_editor", "make_folder_anew",
                                    "make_all_anew", "set_the_last_link_anew", "remove"])
@pytest.mark.parametrize("is_dangling", [False, True], ids=["", "dangling"])
def test_links_are_followed_step_by_step(world, tmp_path, change, is_dangling):
    """And again after what was done first, as the way is another one then."""
    (tmp_path / "elsewhere").mkdir()
    links = Links(tmp_path / "elsewhere")
    if is_dangling:
        shutil.rmtree(links.folder / "run")
    world = world(hosts=None, prepare=links.link)
    server = world.start(Echo, host="127.0.0.7")
    if is_dangling:
        links.write("127.0.0.7 first.test\n")
        eventually(lambda: world.opens(f"first.test:{server.port}"))
    getattr(links, change)("127.0.0.7 second.test\n")
    eventually(lambda: world.opens(f"second.test:{server.port}"))
    links.folder.joinpath("link").resolve().write_text("127.0.0.7 third.test\n")
    eventually(lambda: world.opens(f"third.test:{server.port}"))
    assert "can't watch" not in world.adit.stderr()


def test_a_resolv_conf_that_comes_late(world, tmp_path):
    """The link of systemd-resolved, NetworkManager and resolvconf, before they run."""
    late = tmp_path / "run" / "resolve" / "resolv.conf"
    world = world({"name.test": Answer("127.0.0.1")}, resolv_conf="nameserver 127.0.0.98\n",
                  prepare=lambda etc: ((etc / "resolv.conf").unlink(),
                                       (etc / "resolv.conf").symlink_to(late)))
    late.parent.mkdir(parents=True)
    late.write_text(world.names.resolv_conf)
    server = world.start(Echo)
    eventually(lambda: world.opens(f"name.test:{server.port}"))


@pytest.mark.parametrize("limit,what", [("max_inotify_watches", "watches"),
                                        ("max_inotify_instances", "instances")])
def test_without_watches_a_reload_reads_again(world, tmp_path, limit, what):
    """And it is said at the start. The files are read whatever becomes of the configuration."""
    config = tmp_path / "adit.conf"
    config.write_text("listen 127.0.0.1:0\nallow from loopback to any, special\n")
    script = f'echo 0 >/proc/sys/user/{limit} && exec "$@"'
    world = world(hosts="127.0.0.7 first.test\n", args=["-c", config],
                  prefix=["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh"])
    server = world.start(Echo, host="127.0.0.7")
    assert world.opens(f"first.test:{server.port}")
    lines = [line for line in world.adit.stderr().splitlines() if "can't watch" in line]
    assert len(lines) == 1
    assert f"no inotify {what} are left" in lines[0] and "`adit reload`" in lines[0]
    world.etc.write("hosts", "127.0.0.7 second.test\n")
    assert world.adit.control("reload").returncode == 0
    assert world.opens(f"second.test:{server.port}")
    world.etc.write("hosts", "127.0.0.7 third.test\n")
    config.write_text("nonsense\n")
    assert world.adit.control("reload").returncode == 1
    eventually(lambda: world.opens(f"third.test:{server.port}"))
    assert world.adit.stderr().count("can't watch") == 1


def test_localhost_is_never_asked_for(world):
    """RFC 6761: not even when /etc/hosts does not know it."""
    world = world({"localhost": Answer("127.0.0.66"), "x.localhost": Answer("127.0.0.66")},
                  hosts="")
    four, six = world.start(Echo), world.start(Echo, host="::1")
    for name in ("localhost", "LOCALHOST.", "x.localhost", "a.b.localhost"):
        assert world.opens(f"{name}:{four.port}")
        assert world.opens(f"{name}:{six.port}")
    assert world.names.queries == []


@pytest.mark.parametrize("missing", ["resolv.conf", "hosts", "both"])
def test_missing_files(namespace, adit, etc, keep, missing):
    namespace = namespace()
    hosts = None if missing in ("hosts", "both") else "127.0.0.1 localhost\n127.0.0.1 h.test\n"
    with namespace:
        server = keep(Echo())
        resolv_conf = "nameserver 127.0.0.53\n" if missing == "hosts" else None
        proxy = adit(etc=etc(resolv_conf=resolv_conf, hosts=hosts))
        for host in ("127.0.0.1", "localhost") + (("h.test",) if hosts else ()):
            with open_tunnel(proxy.address, f"{host}:{server.port}"):
                pass
        response, _, _ = request(proxy.address, connect_head("name.test:443"))
    assert response.status in (502, 504)
    assert response.error in ("dns_error", "dns_timeout")


def test_second_name_server_is_asked_when_the_first_is_dead(world):
    world = world({"name.test": Answer("127.0.0.1")},
                  resolv_conf="nameserver 127.0.0.98\nnameserver 127.0.0.53\n")
    assert world.opens(f"name.test:{world.start(Echo).port}")


@pytest.mark.parametrize("server,host", [("0.0.0.0", "127.0.0.1"), ("::", "::1"),
                                         ("[::]:5353", "::1"), ("0.0.0.0:5353", "127.0.0.1")])
@pytest.mark.parametrize("where", ["resolv.conf", "resolver"])
def test_a_name_server_without_an_address_is_this_machine(world, tmp_path, server, host, where):
    check_name_server(world, tmp_path, where, [server], lambda world: world.start(
        ScriptedNames, {"name.test": Answer("127.0.0.1")}, host=host,
        port=5353 if server.endswith(":5353") else 53))


def check_name_server(world, folder, where, servers, start):
    """Lookups go to the name server that start() makes."""
    config = folder / "adit.conf"
    in_config = f"resolver {', '.join(servers)}\n" if where == "resolver" else ""
    config.write_text(f"listen 127.0.0.1:0\n{in_config}allow from loopback to any, special\n")
    world = world(args=["-c", config], resolv_conf="nameserver 127.0.0.98\n" if in_config else
                  "".join(f"nameserver {server}\n" for server in servers))
    start(world)
    assert world.opens(f"name.test:{world.start(Echo).port}")
    printed = run_adit("check", "--print", "-c", config)
    assert printed.returncode == 0


def add_link(world, name, address="fe80::53"):
    world.namespace.ip("link", "add", name, "type", "veth", "peer", "name", name + "-peer")
    for end in (name, name + "-peer"):
        world.namespace.ip("link", "set", end, "up")
    world.namespace.ip("address", "add", address + "/64", "dev", name, "nodad")


@pytest.mark.parametrize("server,port", [("fe80::53%one", 53), ("[fe80::53%one]:5353", 5353)])
@pytest.mark.parametrize("where", ["resolv.conf", "resolver"])
def test_a_name_server_on_a_link(world, tmp_path, server, port, where):
    """Over UDP and over TCP. The interface comes late, as a Wi-Fi's may."""
    def start(world):
        assert world.answer("early.test:443").status in (502, 504)
        add_link(world, "one")
        world.names = world.start(ScriptedNames, {
            "name.test": Answer("127.0.0.1"), "long.test": Answer("127.0.0.1", truncated=True),
        }, host="fe80::53%one", port=port)
        assert world.opens(f"long.test:{world.start(Echo).port}")

    check_name_server(world, tmp_path, where, [server], start)


def test_name_servers_of_one_name_on_two_links(world, tmp_path):
    """The same address, told apart by its link: the first is silent."""
    def start(world):
        add_link(world, "one")
        add_link(world, "two")
        world.start(ScriptedNames, {"name.test": SILENT}, host="fe80::53%one")
        world.start(ScriptedNames, {"name.test": Answer("127.0.0.1")}, host="fe80::53%two")

    check_name_server(world, tmp_path, "resolver", ["fe80::53%one", "fe80::53%two"], start)


# -- loops

LOOPS = ["127.0.0.1", "localhost", "LOCALHOST.", "x.localhost", "[::ffff:127.0.0.1]",
         "[::ffff:7f00:1]", "0.0.0.0", "me.test", "named-in-hosts.test"]


@pytest.mark.parametrize("host", LOOPS)
def test_own_listener_is_a_loop(world, host):
    world = world({"me.test": Answer("127.0.0.1")}, hosts="127.0.0.1 named-in-hosts.test\n")
    response = world.answer(f"{host}:{world.adit.port}")
    assert (response.status, response.error) == (502, "proxy_loop_detected")
    with world.namespace, Client(world.adit.address) as client:
        client.send(b"CONNECT x HTTP/1.1\r\n\r\n")
        assert client.read_response().status == 400


@pytest.mark.parametrize("host", ["[::1]", "[::]", "localhost"])
def test_own_ipv6_listener_is_a_loop(world, host):
    world = world(args=["-l", "[::1]:0"])
    response = world.answer(f"{host}:{world.adit.port}")
    assert (response.status, response.error) == (502, "proxy_loop_detected")


def test_each_listener_is_a_loop_through_the_other(world):
    world = world(args=["-l", "127.0.0.1:0", "-l", "127.0.0.5:0"])
    for address in world.adit.listeners:
        response = world.answer(address)
        assert (response.status, response.error) == (502, "proxy_loop_detected")


@pytest.mark.parametrize("wildcard,hosts", [
    ("0.0.0.0:0", ["127.0.0.1", "127.9.9.9", "0.0.0.0", "10.77.0.1", "[::ffff:10.77.0.1]",
                   "mine.test"]),
    ("[::]:0", ["[::1]", "[::]", "[fd77::1]", "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.77.0.1",
                "[::ffff:10.77.0.1]", "mine.test"]),
])
def test_wildcard_listener_is_a_loop_on_every_address(world, wildcard, hosts):
    world = world({"mine.test": Answer("10.77.0.1")},
                  args=["-l", wildcard, "--from", "127.0.0.0/8", "--from", "::1/128"])
    world.namespace.ip("addr", "add", "10.77.0.1/32", "dev", "lo")
    world.namespace.ip("addr", "add", "fd77::1/128", "dev", "lo", "nodad")
    address = ("127.0.0.1" if wildcard.startswith("0") else "::1", world.adit.port)
    for host in hosts:
        with world.namespace, Client(address) as client:
            client.send(connect_head(f"{host}:{world.adit.port}"))
            response = client.read_response()
        assert (response.status, response.error) == (502, "proxy_loop_detected"), host


def test_what_an_ipv6_wildcard_leaves_to_others_is_no_loop(world, tmp_path):
    """[::] beside an IPv4 listener takes IPv6 only: another program may have the port elsewhere."""
    path = tmp_path / "adit.conf"
    path.write_text("listen 127.0.0.1:10800\nlisten [::]:10800\n"
                    "allow from 127.0.0.0/8 to any, special\n")
    world = world(args=["-c", path, "-s", tmp_path / "sock"], defaults=True)
    world.start(Echo, host="127.0.0.9", port=10800)
    assert world.opens("127.0.0.9:10800")
    for host in ("127.0.0.1", "0.0.0.0", "[::1]", "[::]"):
        assert world.answer(f"{host}:10800").error == "proxy_loop_detected", host
    with world.namespace:
        for host, status in (("127.0.0.9", 0), ("127.0.0.1", 3), ("[::1]", 3)):
            assert run_adit("explain", "-c", path, f"{host}:10800").returncode == status, host


@pytest.mark.parametrize("extra", [[], ["127.0.0.1"]])
def test_ipv6_wildcard_takes_ipv4_clients(adit, origin, extra):
    """Also as IPv4 clients for the rules and the log; an IPv4 listener at that port keeps its own."""
    server = origin(Echo)
    port = closed_port()
    listeners = [word for host in (*extra, "[::]") for word in ("-l", f"{host}:{port}")]
    proxy = adit(*listeners, "--from", "::1/128")
    for host in ("127.0.0.1", "::1"):
        with Client((host, port)) as client:
            client.send(connect_head(server.authority))
            assert client.read_response().status == 200
    clients = {line["client"].rsplit(":", 1)[0] for line in proxy.wait_for_log(event="open", count=2)}
    assert clients == {"127.0.0.1", "[::1]"}


def test_another_service_on_another_address_is_no_loop(world):
    """The same port on 127.0.0.2 is not adit's."""
    world = world()
    server = world.start(Echo, host="127.0.0.2", port=world.adit.port)
    assert world.opens(f"127.0.0.2:{server.port}")
