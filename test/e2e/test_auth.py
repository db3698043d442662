"""Users: who is let in, what a stranger learns and costs, and where passwords may not appear."""

import base64
import subprocess
import time

import pytest

from support.adit import run_adit
from support.checks import echoes
from support.client import ESTABLISHED, Client, connect_head, request
from support.https import HttpsOrigin
from support.origins import Echo, Recorder, closed_port
from support.users import COSTLY_LINE, HASHES, KINDS, NEW_LINE, NEW_PASSWORD, PASSWORDS, basic, htpasswd

pytestmark = pytest.mark.usefixtures("many_clients")

ALLOW_USERS = "allow user any to any, special"
CHALLENGE = 'Basic realm="adit", charset="UTF-8"'


class Gate:
    """An adit with users; each client may come from an address of its own."""

    def __init__(self, adit, folder, rules=ALLOW_USERS, users=None, workers=None, **options):
        self.users = folder / "htpasswd"
        self.users.write_text(users or htpasswd("alice", "bob", "carol", "dave"))
        self.config = folder / "adit.conf"
        self.config.write_text(f'users file "htpasswd"\n{rules}\n')
        count = () if workers is None else ("-w", str(workers))
        self.proxy = adit("-c", self.config, *count, **options)

    def client(self, target, *fields, source="127.0.0.1"):
        client = Client(self.proxy.address, source=source)
        client.send(connect_head(target, *fields))
        return client

    def answer(self, target, *fields, source="127.0.0.1"):
        with self.client(target, *fields, source=source) as client:
            response = client.read_response()
            if response.status != 200:
                assert client.read_to_end() == (b"", "fin")
            return response

    def status(self, *args, **options):
        return self.answer(*args, **options).status

    def hashes(self):
        return self.counter("adit_auth_hashes_total")

    def counter(self, name):
        lines = self.proxy.control("stats").stdout.splitlines()
        return int(dict(line.split() for line in lines)[name])


@pytest.fixture
def gate(adit, tmp_path):
    return lambda *args, **options: Gate(adit, tmp_path, *args, **options)


# -- who is let in

def test_right_password_opens(gate, origin):
    gate, server = gate(), origin(Echo)
    for name in ("alice", "bob", "carol", "dave"):  # a blank, a colon, UTF-8, a long one
        with gate.client(server.authority, basic(name)) as client:
            assert client.read_until(b"\r\n\r\n") == ESTABLISHED
            assert echoes(client)
            line = gate.proxy.wait_for_log(event="open", client=client.name)
        assert line["user"] == name
        assert gate.proxy.wait_for_log(event="close", user=name)


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_hashes(gate, origin, kind):
    gate, server = gate(users=f"kim:{KINDS[kind]}\n"), origin(Echo)
    assert gate.status(server.authority, basic("kim", "slow secret")) == 200
    assert gate.status(server.authority, basic("kim", "slow secret ")) == 407
    assert gate.status(server.authority, basic("kim", "")) == 407
    assert gate.hashes() >= 2


def test_no_credentials_are_asked_for(gate, origin):
    """What a client must know stands in the head, and for a person in the body."""
    gate, server = gate(), origin(Recorder)
    response = gate.answer(server.authority)
    assert response.status == 407
    assert response.reason == ("this proxy needs a password: http://USER:PASSWORD@ (Java: "
                               "-Djdk.http.auth.tunneling.disabledSchemes=) (line 2)")
    assert response.get("Proxy-Authenticate") == CHALLENGE
    assert response.get("Connection") == "close"
    assert response.error == "http_request_denied"
    assert b"jdk.http.auth.tunneling.disabledSchemes" in response.body
    line = gate.proxy.wait_for_log(event="deny")
    assert (line["status"], line["verdict"], line["rule"]) == ("407", "ask", "adit.conf:2")
    assert "user" not in line
    assert gate.hashes() == 0
    assert server.accepted == 0


WRONG = {
    "wrong password": basic("alice", "wonderland"),
    "empty password": basic("alice", ""),
    "another's password": basic("alice", PASSWORDS["bob"]),
    "unknown user": basic("mallory", "x"),
    "other case": basic("Alice", PASSWORDS["alice"]),
    "empty user": basic("", PASSWORDS["alice"]),
    "hash for a password": basic("alice", HASHES["alice"]),
    "long password": basic("alice", "x" * 128),
    "long user": basic("x" * 256, "y"),
    "no colon": "Proxy-Authorization: Basic " + base64.b64encode(b"alice").decode(),
    "no base64": "Proxy-Authorization: Basic alice:wonder",
    "nothing": "Proxy-Authorization: Basic ",
    "NUL": "Proxy-Authorization: Basic " + base64.b64encode(b"alice\0x:wonder land").decode(),
}


@pytest.mark.parametrize("rules", [ALLOW_USERS, "allow from any to any, special"],
                         ids=["users", "anybody"])
def test_wrong_credentials_are_407(gate, origin, rules):
    """Also where no rule would have asked for them."""
    gate, server = gate(rules), origin(Recorder)
    for number, (what, field) in enumerate(WRONG.items()):
        response = gate.answer(server.authority, field, source=f"10.0.1.{number + 1}")
        assert (response.status, response.get("Proxy-Authenticate")) == (407, CHALLENGE), what
    lines = gate.proxy.wait_for_log(event="auth_failure", count=len(WRONG))
    assert {line["status"] for line in lines} == {"407"}
    assert server.accepted == 0
    assert gate.counter("adit_auth_failures_total") == len(WRONG)


SCHEMES = ["Negotiate TlRMTVNTUAABAAAA", "NTLM TlRMTVNTUAABAAAA", "Bearer abcdef", "Kerberos",
           'Digest username="alice", realm="adit"', "Basic1 YTpi"]


def test_another_scheme_is_a_deny(gate, origin):
    """Many programs try Negotiate first, and then what is asked for: fail2ban must not ban them."""
    gate, server = gate(), origin(Recorder)
    for scheme in SCHEMES:
        for _ in range(3):  # no guess: more than ten of them
            response = gate.answer(server.authority, f"Proxy-Authorization: {scheme}")
            assert (response.status, response.get("Proxy-Authenticate")) == (407, CHALLENGE)
            assert b"scheme Basic only" in response.body
    lines = gate.proxy.wait_for_log(event="deny", count=3 * len(SCHEMES))
    assert {line["status"] for line in lines} == {"407"}
    assert all("scheme Basic" in line["reason"] and line["verdict"] == "ask" for line in lines)
    assert gate.proxy.log_lines(event="auth_failure") == []
    assert gate.counter("adit_auth_failures_total") == 0
    assert gate.counter('adit_tunnels_total{front="h1",outcome="asked"}') == 3 * len(SCHEMES)
    assert gate.status(server.authority, basic("bob", "x")) == 407
    assert server.accepted == 0


def test_a_long_password_is_said(gate, origin):
    gate, server = gate(users=htpasswd("alice") + f"kim:{KINDS['bcrypt-2b']}\n"), origin(Echo)
    for user, length, what in (("alice", 129, "longer than the 128 bytes"),
                               ("mallory", 500, "longer than the 128 bytes"),
                               ("kim", 73, "bcrypt takes only the first 72 bytes")):
        response = gate.answer(server.authority, basic(user, "x" * length))
        assert (response.status, response.get("Proxy-Authenticate")) == (407, CHALLENGE)
        assert what in response.body.decode()
        line = gate.proxy.wait_for_log(event="auth_failure", user=user)
        assert what in line["reason"]
    assert "bcrypt" not in gate.answer(server.authority, basic("kim", "x" * 72)).body.decode()
    assert gate.counter("adit_auth_failures_total") == 4
    assert gate.hashes() == 2


def test_two_fields_are_no_credentials(gate, origin):
    gate, server = gate(), origin(Recorder)
    status = gate.status(server.authority, basic("alice", "x"), basic("alice"))
    assert status in (400, 407)
    assert server.accepted == 0


def test_wrong_and_unknown_look_alike(gate, origin):
    gate, server = gate(), origin(Recorder)
    wrong = gate.answer(server.authority, basic("alice", "x"))
    unknown = gate.answer(server.authority, basic("mallory", "x"))
    assert (wrong.raw, wrong.body) == (unknown.raw, unknown.body)


def test_without_users_the_field_is_ignored(adit, origin):
    server = origin(Echo)
    proxy = adit()
    head = connect_head(server.authority, basic("mallory", "x"))
    with Client(proxy.address) as client:
        client.send(head)
        assert client.read_until(b"\r\n\r\n") == ESTABLISHED
        assert echoes(client)


# -- clients

def curl(gate, server, certificates, *args):
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", "30", "--noproxy", "", "--cacert",
         certificates.ca, "--proxy", gate.proxy.url, "--write-out", "%{http_connect}", *args,
         server.url("/", "localhost")], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout


def test_curl(gate, origin, certificates):
    gate, server = gate(), origin(HttpsOrigin)
    right = ("--proxy-user", f"alice:{PASSWORDS['alice']}")
    assert curl(gate, server, certificates, *right) == (0, "hello over h2\n200")
    assert curl(gate, server, certificates, "--proxy-anyauth", *right) == (0, "hello over h2\n200")
    assert curl(gate, server, certificates)[1] == "407"
    assert curl(gate, server, certificates, "--proxy-user", "alice:x")[1] == "407"
    assert curl(gate, server, certificates, "--proxy-digest", *right)[1] == "407"
    assert server.accepted == 2


def test_like_dotnet(gate, origin):
    """.NET asks without credentials, drains the body, sees `Connection: close`, and comes again with
    them on a new connection; it gives up at a second 407, and would loop on 401."""
    gate, server = gate(), origin(Echo)
    bare = connect_head(server.authority, "User-Agent: dotnet")
    for password, status in ((None, 200), ("x", 407)):
        response, rest, ending = request(gate.proxy.address, bare)
        assert (response.status, rest, ending) == (407, b"", "fin")
        assert len(response.body) == int(response.get("Content-Length"))
        assert response.get("Proxy-Authenticate").startswith("Basic ")
        assert gate.status(server.authority, basic("alice", password)) == status


def test_credentials_end_at_the_proxy(gate, origin):
    gate, server = gate(), origin(Recorder)
    with gate.client(server.authority, basic("alice")) as client:
        assert client.read_until(b"\r\n\r\n") == ESTABLISHED
        client.send(b"payload")
        client.shutdown_write()
        server.wait_for_ending()
    assert server.received == [b"payload"]


# -- what it costs

@pytest.mark.parametrize("field", [basic("mallory", "x"), basic("alice", "x"), basic("slow", "x")],
                         ids=["unknown", "wrong", "wrong-slow"])
def test_a_wrong_guess_costs_one_hash(gate, origin, field):
    gate, server = gate(users=htpasswd("alice", "slow")), origin(Recorder)
    for number in range(1, 6):
        assert gate.status(server.authority, field, source=f"10.0.2.{number}") == 407
        assert gate.hashes() == number


def test_a_success_is_remembered(gate, origin):
    gate, server = gate(), origin(Echo)
    for number in range(1, 21):
        assert gate.status(server.authority, basic("alice"), source=f"10.0.2.{number}") == 200
    assert gate.hashes() == 1


def test_many_at_once_share_one_hash(gate, origin, keep):
    gate, server = gate("allow user slow to any, special", users=htpasswd("slow")), origin(Echo)
    clients = [keep(gate.client(server.authority, basic("slow"))) for _ in range(40)]
    for client in clients:
        assert client.read_until(b"\r\n\r\n") == ESTABLISHED
    assert gate.hashes() <= 2  # one per thread at the most


def test_ten_failures_throttle_an_address(gate, origin):
    gate, server = gate(), origin(Echo)
    assert gate.status(server.authority, basic("alice")) == 200  # remembered from now on
    for number in range(10):
        assert gate.status(server.authority, basic("bob", f"guess {number}"),
                           source="10.0.0.7") == 407
    before = gate.hashes()
    for field in (basic("bob", "guess"), basic("bob"), basic("mallory", "x")):
        response = gate.answer(server.authority, field, source="10.0.0.7")
        assert response.status == 429
        assert int(response.get("Retry-After")) > 0
    assert gate.hashes() == before
    assert gate.status(server.authority, basic("alice"), source="10.0.0.7") == 200
    assert gate.status(server.authority, basic("bob", "guess"), source="10.0.0.8") == 407
    assert gate.status(server.authority, basic("bob"), source="10.0.0.8") == 200
    assert gate.status(server.authority, basic("bob"), source="10.0.0.7") == 200  # now remembered
    assert gate.proxy.wait_for_log(status=429)["client"].startswith("10.0.0.7:")


def test_the_same_wrong_password_is_one_guess(gate, origin):
    """What a misconfigured program sends all day locks nobody out that shares its address: neither
    adit nor fail2ban, which counts auth_failure."""
    gate, server = gate(), origin(Echo)
    for _ in range(30):
        assert gate.status(server.authority, basic("alice", "old password")) == 407
    assert gate.hashes() == 1
    lines = gate.proxy.wait_for_log(event="deny", count=29)
    assert {line["status"] for line in lines} == {"407"}
    assert all("the same wrong password again" in line["reason"] for line in lines)
    assert len(gate.proxy.log_lines(event="auth_failure")) == 1
    assert gate.counter("adit_auth_failures_total") == 1
    assert gate.counter('adit_tunnels_total{front="h1",outcome="denied"}') == 30
    assert gate.status(server.authority, basic("alice")) == 200


@pytest.mark.parametrize("is_known", [True, False], ids=["known", "first time"])
def test_a_repeated_wrong_password_takes_nobodys_room(gate, origin, is_known):
    """More connections than there is room for, all of one client's, whose answers are held back."""
    gate = gate(users=htpasswd("alice") + COSTLY_LINE, workers=1,
                prefix=["prlimit", "--nofile=256:256"])
    server = origin(Echo)
    assert gate.status(server.authority, basic("alice")) == 200  # remembered
    field, source = basic("alice", "bad"), "10.0.6.1"
    if is_known:
        assert gate.status(server.authority, field, source=source) == 407
    clients = [gate.client(server.authority, field, source=source) for _ in range(150)]
    assert gate.status(server.authority, basic("alice")) == 200
    statuses = {client.read_response().status for client in clients}
    assert statuses - {503} == ({407, 429} if is_known else {407})
    for client in clients:
        client.close()
    assert gate.hashes() <= 2


def test_the_throttle_counts_guesses_that_are_under_way(gate, origin, keep):
    gate, server = gate("allow user slow to any, special", users=htpasswd("slow")), origin(Echo)
    clients = [keep(gate.client(server.authority, basic("slow", str(number)))) for number in range(100)]
    statuses = [client.read_response().status for client in clients]
    assert set(statuses) == {407, 429}
    assert 10 <= gate.hashes() <= 12  # two are hashed at once


def test_missing_credentials_are_no_failure(gate, origin):
    gate, server = gate(), origin(Echo)
    for _ in range(15):
        assert gate.status(server.authority) == 407
    assert gate.status(server.authority, basic("alice")) == 200
    assert gate.counter("adit_auth_failures_total") == 0


def test_a_flood_of_guesses_delays_nobody_for_long(gate, origin):
    """Hashes are computed off the loops: a known user's tunnels open meanwhile."""
    gate, server = gate(users=htpasswd("alice", "slow")), origin(Echo)
    assert gate.status(server.authority, basic("alice")) == 200
    flood = [gate.client(server.authority, basic("mallory", str(number)), source=f"10.0.3.{number}")
             for number in range(1, 120)]
    for _ in range(20):
        assert gate.status(server.authority, basic("alice")) == 200
    assert gate.hashes() < 2 + len(flood), "the flood was over before the question"
    for client in flood:
        assert client.read_response().status in (407, 503)
        client.close()


def test_the_time_of_an_answer_tells_nobody_who_exists(gate, origin):
    """None comes while the costliest hash would still be at work. Half of its time tells: alice's own
    takes a thirtieth. (How exactly answers are held back is auth_pace's test, by a clock of its own.)"""
    gate, server = gate(users=htpasswd("slow", "alice")), origin(Recorder)
    assert gate.status(server.authority, basic("x", "y")) == 407  # measures, too
    times = {"slow": [], "mallory": [], "alice": []}
    for number in range(1, 7):
        for name, taken in times.items():
            began = time.monotonic()
            field, source = basic(name, f"guess {number}"), f"10.0.5.{number}"
            assert gate.status(server.authority, field, source=source) == 407
            taken.append(time.monotonic() - began)
    assert min(times["mallory"] + times["alice"]) > min(times["slow"]) / 2, times
    assert gate.hashes() == 19
    checked = run_adit("check", "-c", gate.config)
    assert checked.returncode == 0
    assert "htpasswd:2:1: warning: hashes quicker to guess than that of 'slow' (yescrypt): 'alice'" \
        in checked.stdout + checked.stderr


# -- where passwords may not be

def test_passwords_appear_nowhere(gate, origin, keep):
    gate, server = gate(), origin(Echo)
    secrets = {"right": PASSWORDS["alice"], "wrong": "Sesame-2931", "unknown": "Sesame-2932"}
    fields = [basic("alice"), basic("alice", secrets["wrong"]), basic("mallory", secrets["unknown"])]
    texts = []
    for field in fields:
        response = gate.answer(server.authority, field)
        texts.append(response.raw.decode() + response.body.decode())
    closed = f"127.0.0.1:{closed_port()}"
    texts.append(gate.answer(closed, basic("alice")).raw.decode())
    texts.append(gate.answer("0x7f.1:443", basic("alice")).body.decode())
    texts.append(gate.answer("a.test:443", basic("alice"), "Bad Field: x").body.decode())
    alive = keep(gate.client(server.authority, basic("alice")))
    assert alive.read_until(b"\r\n\r\n") == ESTABLISHED
    gate.proxy.wait_for_log(event="auth_failure", count=2)
    texts += [gate.proxy.control(command).stdout for command in ("ps", "stats")]
    texts.append(gate.proxy.stderr())
    assert "alice" in texts[-1]  # names are told
    for text in texts:
        for secret in (*secrets.values(), *(field.split()[-1] for field in fields), "$5$"):
            assert secret not in text


def test_a_user_name_cannot_forge_a_line(gate, origin):
    gate, server = gate(), origin(Recorder)
    names = ["x\nevent=open", 'x" event=open user="alice', "x event=open", "x\\", "é\u202e", "\x1b[2J"]
    for number, name in enumerate(names):
        gate.answer(server.authority, basic(name, "x"), source=f"10.0.4.{number + 1}")
    lines = gate.proxy.wait_for_log(event="auth_failure", count=len(names))
    assert len(lines) == len(names)
    assert gate.proxy.log_lines(event="open") == []
    said = gate.proxy.stderr()
    assert "\x1b" not in said and "\u202e" not in said


# -- the users file

def test_a_byte_order_mark_and_blanks_lock_nobody_out(gate, origin):
    lines = [f" {line}".replace(":", " : ", 1) for line in htpasswd("alice", "bob").splitlines()]
    gate, server = gate(users="\ufeff" + "\r\n".join(lines)), origin(Echo)
    for name in ("alice", "bob"):
        assert gate.status(server.authority, basic(name)) == 200


def test_the_users_file_is_read_again_at_reload(gate, origin):
    gate, server = gate(), origin(Echo)
    assert gate.status(server.authority, basic("alice")) == 200
    with gate.client(server.authority, basic("bob")) as alive:
        assert alive.read_until(b"\r\n\r\n") == ESTABLISHED
        gate.users.write_text(NEW_LINE + htpasswd("carol"))
        assert gate.status(server.authority, basic("alice")) == 200  # not before it is told
        assert gate.proxy.control("reload").returncode == 0
        # what was remembered is forgotten where the hash has changed or the user is gone
        assert gate.status(server.authority, basic("alice"), source="10.0.0.2") == 407
        assert gate.status(server.authority, basic("alice", NEW_PASSWORD)) == 200
        assert gate.status(server.authority, basic("bob"), source="10.0.0.3") == 407
        assert gate.status(server.authority, basic("carol")) == 200
        assert echoes(alive)


@pytest.mark.parametrize("text", ["alice:hunter2\n", "alice:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n",
                                  "no colon\n", None])
def test_a_bad_users_file_changes_nothing(gate, origin, text):
    gate, server = gate(), origin(Echo)
    if text is None:
        gate.users.unlink()
    else:
        gate.users.write_text(text)
    done = gate.proxy.control("reload")
    assert done.returncode == 1
    assert "htpasswd" in done.stderr
    assert "hunter2" not in done.stderr and "W6ph5" not in done.stderr
    assert gate.status(server.authority, basic("alice")) == 200
    assert gate.status(server.authority, basic("alice", "hunter2")) == 407


def test_reloads_while_passwords_are_hashed(gate, origin):
    """Requests that wait for a hash when the file changes are answered, by the old or the new one."""
    gate, server = gate(users=htpasswd("slow", "alice")), origin(Echo)
    for turn in range(10):
        gate.users.write_text(htpasswd("slow", "alice") if turn % 2 else htpasswd("slow", "bob"))
        clients = [gate.client(server.authority, basic("slow", f"{turn} {number}"),
                               source=f"10.0.{10 + turn}.{number}") for number in range(1, 15)]
        clients.append(gate.client(server.authority, basic("slow"), source=f"10.0.{10 + turn}.99"))
        assert gate.proxy.control("reload").returncode == 0
        statuses = [client.read_response().status for client in clients]
        assert statuses == [407] * 14 + [200]
        for client in clients:
            client.close()
    assert gate.status(server.authority, basic("alice")) == 200
    assert gate.status(server.authority, basic("bob")) == 407
