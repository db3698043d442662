"""Who may connect, and where to: clients beyond loopback come from a namespace of their own, over a
veth pair."""

from support.checks import eventually, works
from support.client import Client, Response, connect_head
from support.names import Answer, ScriptedNames
from support.netns import connect_namespaces
from support.origins import Echo, Recorder

PUBLIC, PUBLIC6 = "1.2.3.4", "2a00:77::1"  # addresses of the namespace's own; nothing leaves it


class Office:
    """adit's namespace, 10.77.0.1, joined by a cable to a client's, 10.77.0.2; a public-looking
    address of adit's side serves as the world."""

    def __init__(self, namespace, keep, adit, etc, *args):
        self.inside, self.outside = namespace(), namespace()
        connect_namespaces(self.inside, self.outside)
        self.outside.ip("addr", "add", "10.77.0.3/24", "dev", "veth0")
        self.inside.ip("addr", "add", f"{PUBLIC}/32", "dev", "lo")
        self.inside.ip("addr", "add", f"{PUBLIC6}/128", "dev", "lo", "nodad")
        with self.inside:
            self.names = keep(ScriptedNames({
                "public.test": Answer(PUBLIC), "private.test": Answer("127.0.0.1"),
                "office.test": Answer("10.77.0.1"), "mapped.test": Answer("::ffff:127.0.0.1"),
                "mixed.test": Answer("127.0.0.1", PUBLIC)}))
            self.world = keep(Recorder(host="0.0.0.0"))
            self.world6 = keep(Recorder(host="::1", port=self.world.port))
            self.public6 = keep(Recorder(host=PUBLIC6, port=self.world.port))
            self.adit = adit(*args, etc=etc(resolv_conf=self.names.resolv_conf))

    def ask(self, target, source="10.77.0.2", to="10.77.0.1"):
        """The status and error that a client from outside gets."""
        with self.outside, Client((to, self.adit.port), source=source) as client:
            client.send(connect_head(f"{target}:{self.world.port}"))
            head = client.read_until(b"\r\n\r\n")
            response = Response(head)
            return response.status, response.error

    def accepted(self):
        return self.world.accepted + self.world6.accepted + self.public6.accepted


def test_client_beyond_loopback_is_denied(namespace, keep, adit, etc):
    office = Office(namespace, keep, adit, etc, "-l", "0.0.0.0:0", "--from", "127.0.0.0/8")
    for target in (PUBLIC, "public.test", "127.0.0.1", "localhost", "private.test"):
        assert office.ask(target) == (403, "http_request_denied")
    assert office.accepted() == 0
    assert office.names.queries == []  # denied for sure: nothing is looked up
    line = office.adit.wait_for_log(event="deny")
    assert line["client"].startswith("10.77.0.2:")
    assert (line["verdict"], line["rule"], line["status"]) == ("deny", "default", "403")


SPECIAL = ["127.0.0.1", "10.77.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "localhost",
           "x.localhost", "private.test", "office.test", "mapped.test", "169.254.169.254",
           "168.63.129.16", "100.64.0.1", "192.0.2.1", "224.0.0.1", "255.255.255.255", "[fd77::1]",
           "[fe80::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::127.0.0.1]", "[2001:db8::1]"]


def test_from_reaches_the_world_and_nothing_special(namespace, keep, adit, etc):
    office = Office(namespace, keep, adit, etc, "-l", "0.0.0.0:0", "--from", "10.77.0.2/32")
    for target in (PUBLIC, "public.test", f"[::ffff:{PUBLIC}]", f"[{PUBLIC6}]"):
        assert office.ask(target) == (200, None), target
    eventually(lambda: office.accepted() == 4)
    before = office.accepted()
    for target in SPECIAL:
        assert office.ask(target) == (403, "destination_ip_prohibited"), target
    assert office.accepted() == before
    assert office.ask(PUBLIC, source="10.77.0.3") == (403, "http_request_denied")


def test_only_the_allowed_address_of_a_name_is_dialled(namespace, keep, adit, etc):
    office = Office(namespace, keep, adit, etc, "-l", "0.0.0.0:0", "--from", "10.77.0.0/24")
    for _ in range(5):
        assert office.ask("mixed.test") == (200, None)
    for line in office.adit.wait_for_log(event="open", count=5):
        assert line["address"] == f"{PUBLIC}:{office.world.port}"


def test_from_over_ipv6(namespace, keep, adit, etc):
    office = Office(namespace, keep, adit, etc, "-l", "[::]:0", "--from", "fd77::2/128")
    assert office.ask(PUBLIC, source="fd77::2", to="fd77::1") == (200, None)
    assert office.ask("[::1]", source="fd77::2", to="fd77::1") == (403, "destination_ip_prohibited")


def test_loopback_clients_keep_their_right_beside_from(adit, origin):
    """--from adds; who sits on the machine may still reach what he could reach by himself."""
    proxy = adit("-l", "127.0.0.1:0", "--from", "10.0.0.0/8")
    assert works(proxy, origin(Echo))
