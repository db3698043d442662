"""Who controls a name controls its answers: whatever they are, no SYN goes to an address that an
allow by name may not reach. Seen from the wire, in a world in which every address would answer."""

import itertools
import random

import pytest

from support.checks import eventually
from support.client import connect_head
from support.everywhere import Everywhere, settle
from support.names import Answer, Dnsmasq, ScriptedNames
from support.origins import closed_port

CLIENT = "10.77.0.2"
WORLD, WORLD2, WORLD6 = "93.184.216.34", "151.101.1.1", "2606:2800:220:1::1"
FORBIDDEN = {
    "loopback": ["127.0.0.1"],
    "loopback-far": ["127.254.3.4"],
    "loopback6": ["::1"],
    "ten": ["10.0.0.5"],
    "ours": ["10.77.0.1"],
    "theirs": ["10.77.0.2"],
    "docker": ["172.17.0.1"],
    "home": ["192.168.1.1"],
    "cgnat": ["100.64.0.1"],
    "metadata": ["169.254.169.254"],
    "azure": ["168.63.129.16"],
    "zero": ["0.0.0.0"],
    "multicast": ["224.0.0.1"],
    "reserved": ["240.0.0.1"],
    "broadcast": ["255.255.255.255"],
    "mapped": ["::ffff:127.0.0.1"],
    "mapped-ten": ["::ffff:10.0.0.5"],
    "compatible": ["::127.0.0.1"],
    "nat64": ["64:ff9b::127.0.0.1"],
    "nat64-metadata": ["64:ff9b::169.254.169.254"],
    "nat64-local": ["64:ff9b:1::1.1.1.1"],
    "6to4": ["2002:7f00:1::1"],
    "6to4-public": ["2002:5db8:d822::1"],
    "teredo": ["2001:0:5db8:d822::1"],
    "unique-local": ["fd00::5"],
    "link-local": ["fe80::5"],
    "unspecified": ["::"],
    "all-of-them": ["127.0.0.1", "10.0.0.5", "169.254.169.254", "::1", "fd00::5"],
}
MIXED = {
    "mixed": ["127.0.0.1", WORLD],
    "mixed-late": [WORLD, "10.0.0.5"],
    "mixed-families": ["::1", WORLD],
    "mixed-families6": ["127.0.0.1", WORLD6],
    "mixed-many": ["169.254.169.254", "10.0.0.5", WORLD, "192.168.1.1", WORLD2, "::1"],
}
PUBLIC = {WORLD, WORLD2, WORLD6}


class Fence:
    """An adit that serves its neighbours, who may go to any address that is nobody's own."""

    def __init__(self, keep, adit, etc, make_names, hosts="127.0.0.1 localhost\n"):
        self.world = Everywhere(keep, ports={443})
        with self.world.inside:
            self.names = keep(make_names())
            self.proxy = adit("-l", "10.77.0.1:0", "--from", "10.77.0.0/24",
                              etc=etc(resolv_conf=self.names.resolv_conf, hosts=hosts))
        self.world.syns()

    def open(self, target):
        """A client whose CONNECT is under way."""
        client = self.world.connect(CLIENT, self.proxy.port)
        client.send(connect_head(target))
        return client

    def ask(self, target):
        """(status, error, the addresses that got a SYN)."""
        with self.open(target) as client:
            response = client.read_response(has_body=False)
            return response.status, response.error, self.dialled()

    def dialled(self):
        return {address for address, _ in self.world.syns(53, self.proxy.port)}


PROHIBITED = (403, "destination_ip_prohibited", set())


@pytest.fixture
def fence(keep, adit, etc):
    return lambda make_names, **options: Fence(keep, adit, etc, make_names, **options)


def zone_of(names):
    return {f"{name}.test": Answer(*addresses, ttl=0) for name, addresses in names.items()}


@pytest.mark.parametrize("server", ["scripted", "dnsmasq"])
def test_names_of_forbidden_addresses(fence, tmp_path, server):
    """A scripted server, which can answer anything, and a real one."""
    dotted = {f"{name}.test": addresses for name, addresses in FORBIDDEN.items()
              if name != "zero"}  # dnsmasq takes 0.0.0.0 for "no address"
    fence = fence((lambda: ScriptedNames(zone_of(FORBIDDEN))) if server == "scripted"
                  else (lambda: Dnsmasq(tmp_path, dotted)))
    for name in zone_of(FORBIDDEN) if server == "scripted" else dotted:
        assert fence.ask(f"{name}:443") == PROHIBITED, name
        assert fence.ask(f"{name.upper()}.:443") == PROHIBITED, name
    assert not settle(fence.dialled)


@pytest.mark.parametrize("server", ["scripted", "dnsmasq"])
def test_of_mixed_answers_only_the_public_ones_are_dialled(fence, tmp_path, server):
    dotted = {f"{name}.test": addresses for name, addresses in MIXED.items()
              if server == "scripted" or "families" in name}  # dnsmasq has one of a family
    fence = fence((lambda: ScriptedNames(zone_of(MIXED))) if server == "scripted"
                  else (lambda: Dnsmasq(tmp_path, dotted)))
    for name in dotted:
        for _ in range(3):
            status, _, dialled = fence.ask(f"{name}:443")
            assert status == 200 and dialled and dialled <= PUBLIC, name


def test_a_public_address_that_refuses_leads_to_no_other(fence):
    """The race of addresses and the search for a next one keep to those that passed."""
    fence = fence(lambda: ScriptedNames(zone_of(MIXED)))
    with fence.world.inside:
        port = closed_port()
    for name in MIXED:
        status, error, dialled = fence.ask(f"{name}.test:{port}")
        assert (status, error) == (502, "connection_refused")
        assert dialled and dialled <= PUBLIC, name


def test_cname_chains_of_a_real_server(fence, tmp_path):
    chain = ["--cname=one.test,two.test", "--cname=two.test,three.test",
             "--cname=three.test,inner.test", "--cname=good.test,world.test"]
    fence = fence(lambda: Dnsmasq(tmp_path, {"inner.test": ["10.0.0.5"], "world.test": [WORLD]},
                                  arguments=chain))
    for name in ("one.test", "two.test", "three.test", "inner.test"):
        assert fence.ask(f"{name}:443") == PROHIBITED, name
    assert fence.ask("good.test:443") == (200, None, {WORLD})


@pytest.mark.parametrize("inner", ["127.0.0.1", "169.254.169.254", "fd00::5"])
def test_cname_to_an_allowed_name_of_a_forbidden_address(fence, inner):
    zone = {"alias.test": Answer(inner, cname="www.world.test"), "www.world.test": Answer(WORLD)}
    fence = fence(lambda: ScriptedNames(zone))
    assert fence.ask("alias.test:443") == PROHIBITED
    assert fence.ask("www.world.test:443") == (200, None, {WORLD})


def rebinding(*answers):
    """Each question for a family gets the next of the answers, the last one from then on."""
    return lambda name, kind, count: Answer(answers[min(count, len(answers) - 1)], ttl=0)


@pytest.mark.parametrize("evil", ["127.0.0.1", "10.77.0.1", "169.254.169.254"])
def test_what_was_judged_is_what_is_dialled(fence, evil):
    """TTL 0: good when it is judged, evil for whoever asks again. One lookup a request, and the
    address that passed is the one that is dialled."""
    fence = fence(lambda: ScriptedNames({"rebind.test": rebinding(WORLD, evil)}))
    assert fence.ask("rebind.test:443") == (200, None, {WORLD})
    assert fence.names.asked("rebind.test", "A") == 1
    # From now on the answer is evil; a cached good one may still serve for the shortest TTL.
    def is_denied():
        status, error, dialled = fence.ask("rebind.test:443")
        assert dialled <= {WORLD}
        return (status, error) == PROHIBITED[:2]
    eventually(is_denied, what="the evil answer was never judged")


def test_good_in_one_family_evil_in_the_other(fence):
    """The evil one comes first, or late, while the good one is being dialled."""
    zone = {}
    for name, four, six in (("early", "127.0.0.1", WORLD6), ("late", WORLD, "::1")):
        for first, second in ((0, 0.2), (0.2, 0)):
            zone[f"{name}{first}.test"] = {"A": Answer(four, ttl=0, delay=first),
                                           "AAAA": Answer(six, ttl=0, delay=second)}
    fence = fence(lambda: ScriptedNames(zone))
    for name in zone:
        status, _, dialled = fence.ask(f"{name}:443")
        assert status == 200 and dialled and dialled <= PUBLIC, name


def test_hosts_file_is_judged_like_a_name_server(fence):
    fence = fence(lambda: ScriptedNames({}),
                  hosts="127.0.0.1 localhost\n10.0.0.5 inner.test\n127.0.0.1 me.test\n"
                        f"{WORLD} world.test\n")
    for name in ("inner.test", "me.test", "localhost", "a.localhost", "LOCALHOST."):
        assert fence.ask(f"{name}:443") == PROHIBITED, name
    assert fence.ask("world.test:443") == (200, None, {WORLD})


def test_storm_of_answers_that_flip(fence):
    """300 requests, 16 names, each answer drawn anew: whatever was dialled was public."""
    draw = random.Random(7)
    pool = [address for addresses in FORBIDDEN.values() for address in addresses] + [*PUBLIC] * 12

    def flip(name, kind, count):
        return Answer(*draw.sample(pool, 4), ttl=0)

    fence = fence(lambda: ScriptedNames({f"n{i}.test": flip for i in range(16)}))
    dialled, statuses = set(), []
    names = itertools.cycle(f"n{i}.test:443" for i in range(16))
    for _ in range(10):
        clients = [fence.open(next(names)) for _ in range(30)]
        for client in clients:
            statuses.append(client.read_response(has_body=False).status)
            client.close()
        dialled |= fence.dialled()
    settle(lambda: False, 0.3)
    dialled |= fence.dialled()
    assert dialled and dialled <= PUBLIC
    assert set(statuses) <= {200, 403, 502}


def test_reload_while_a_name_is_looked_up(keep, adit, etc, tmp_path):
    """Whether the old or the new policy judges the answer: it goes to no address that neither allows."""
    world = Everywhere(keep, ports={443})
    config = tmp_path / "adit.conf"
    good = "listen 10.77.0.1:10800\nresolver 127.0.0.53\nallow from any to *.test\n"
    policies = [good, good.replace("*.test", "*.other"), good + "deny to special\n", good + "# more\n"]
    config.write_text(good)
    zone = {f"n{i}.test": Answer(*(("10.0.0.5", "::1", WORLD) if i % 2 else ("127.0.0.1", "fd00::5")),
                                 ttl=0, delay=0.15) for i in range(40)}
    with world.inside:
        keep(ScriptedNames(zone))
        proxy = adit("-c", config, "-s", tmp_path / "sock", defaults=True, etc=etc())
    for turn in range(10):
        clients = [world.connect(CLIENT, 10800) for _ in range(20)]
        for number, client in enumerate(clients):
            client.send(connect_head(f"n{(turn * 20 + number) % 40}.test:443"))
        config.write_text(policies[(turn + 1) % len(policies)])
        assert proxy.control("reload").returncode == 0
        for number, client in enumerate(clients):
            status = client.read_response(has_body=False).status
            assert status == 403 or (status == 200 and number % 2)
            client.close()
    assert {address for address, _ in world.syns(53, 10800)} == {WORLD}
