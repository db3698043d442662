"""`adit explain`: each phase, exit statuses, what is told of each rule, and that it reads what a start
would read, or asks the running adit. (That it and the proxy never differ is test_policy.py's.)"""

import http.client
import json
import socket
import subprocess
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.adit import binary, run_adit
from support.checks import eventually, works
from support.origins import Echo
from support.users import htpasswd

RULES = '''listen 127.0.0.1:10800
deny to *.ads.example as "advertising"
report deny port 443 as "would rather not"
allow user any to secret.example
allow from 127.0.0.0/8 to localhost, loopback
allow to *.example port 443
'''


@pytest.fixture
def explain(tmp_path):
    path = tmp_path / "adit.conf"
    path.write_text(RULES + 'users file "htpasswd"\n')
    (tmp_path / "htpasswd").write_text(htpasswd("alice"))
    return lambda *words: run_adit("explain", "-c", path, *words)


def last(done):
    return done.stdout.splitlines()[-1]


def test_denied_by_name(explain):
    done = explain("X.ads.Example.:443")
    assert (done.returncode, done.stderr) == (3, "")
    assert last(done) == "verdict: deny (403), http_request_denied: rule advertising (adit.conf:2)"
    assert "name     x.ads.example: deny" in done.stdout
    assert "lookup" not in done.stdout


def test_allowed_after_the_lookup(explain):
    done = explain("localhost:80")
    assert done.returncode == 0
    assert last(done) == "verdict: allow (200) by rule adit.conf:5"
    assert "lookup   A: 127.0.0.1" in done.stdout
    assert "address  127.0.0.1: allow" in done.stdout
    assert "address  ::1: allow" in done.stdout


def test_a_literal_has_no_name_phase(explain):
    done = explain("127.0.0.1:80")
    assert done.returncode == 0
    assert "name " not in done.stdout and "lookup" not in done.stdout


def test_from_elsewhere(explain):
    done = explain("127.0.0.1:80", "-f", "10.1.2.3")
    assert done.returncode == 3
    assert "default" in last(done)


def test_report_rules_are_told(explain):
    done = explain("127.0.0.1:443")
    assert done.returncode == 0
    assert "report   would rather not (adit.conf:3) would deny, and is only logged" in done.stdout


def test_what_comes_from_outside_moves_no_cursor(explain):
    done = explain("127.0.0.1:80", "-u", "x\x1b]0;pwn\a\u202e")
    assert r", user x\u001b]0;pwn\u0007\u202e, at" in done.stdout
    assert r"user     x\u001b]0;pwn\u0007\u202e is not in" in done.stdout


def test_users(explain):
    assert explain("secret.example:22").returncode == 3
    assert last(explain("secret.example:22")).startswith("verdict: ask (407)")
    done = explain("secret.example:22", "-u", "mallory")
    assert done.returncode == 3 and "407" in last(done)
    assert "lookup" in explain("secret.example:22", "-u", "alice").stdout


def test_a_lookup_that_fails(explain, namespace):
    with namespace():
        done = explain("nosuch.example:443")
    assert done.returncode == 1
    assert "the lookup failed (50" in last(done)
    assert "without a dot" not in last(done)


def test_a_lookup_of_a_name_without_a_dot(tmp_path, namespace):
    path = tmp_path / "adit.conf"
    path.write_text("allow from loopback to any, special\n")
    with namespace():
        done = run_adit("explain", "-c", path, "intranet:443")
    assert "the lookup failed (50" in last(done) and "a name without a dot" in last(done)


@pytest.mark.parametrize("target", ["127.0.0.1:10800", "127.0.0.1:10801"])
def test_the_proxy_itself(tmp_path, target):
    """Its admin page as well: a running adit refuses both."""
    path = tmp_path / "adit.conf"
    path.write_text("admin 0.0.0.0:10801 from loopback\nallow from loopback to any, loopback\n")
    done = run_adit("explain", "-c", path, target)
    assert done.returncode == 3
    assert "502" in last(done) and "proxy_loop_detected" in last(done)


def test_a_rule_is_called_as_the_running_adit_calls_it(adit, tmp_path):
    """However the path of the configuration is written."""
    folder = tmp_path / "here"
    for name in ("here/s", "here/a/s"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "x.conf").write_text("deny port 25\n")
    (folder / "adit.conf").write_text('listen 127.0.0.1:0\ninclude "s/x.conf"\n'
                                      'include "a/s/x.conf"\nallow from loopback port 443\n')
    proxy = adit("-c", folder / "adit.conf", "-s", tmp_path / "sock", defaults=True)
    running = proxy.control("explain", "10.0.0.1:25")
    assert "here/s/x.conf:1" in running.stdout
    for path, at in (("adit.conf", folder), ("here/adit.conf", tmp_path)):
        done = subprocess.run([binary(), "explain", "-c", path, "10.0.0.1:25"], cwd=at, text=True,
                              capture_output=True, timeout=30)
        assert last(done) == last(running)


def lines_of_rules(done):
    """What `--all` lists, a list for each step."""
    steps = []
    for line in done.stdout.splitlines():
        if line.startswith(("name ", "address ")):
            steps.append([])
        elif line.startswith("  rule   "):
            steps[-1].append(line.removeprefix("  rule   "))
    return steps


WHY_NOT = '''listen 127.0.0.1:10800
listen 127.0.0.1:10801
users file "htpasswd"
deny to *.ads.example as "advertising"
deny time Sat 20:00-24:00 port 80 as "weekend"
report deny not port 80, 443
allow listener 127.0.0.1:10801 user alice to any
allow from loopback to *.example
deny protocol not tls to 127.0.0.0/8 port 9
allow to localhost, 127.0.0.0/8
'''


@pytest.fixture
def why_not(tmp_path):
    path = tmp_path / "adit.conf"
    path.write_text(WHY_NOT)
    (tmp_path / "htpasswd").write_text(htpasswd("alice"))
    return lambda *words: run_adit("explain", "--all", "-c", path, "--time", "Mon 08:00", *words)


def test_each_rule_with_its_first_false_condition(why_not):
    done = why_not("127.0.0.1:22", "-f", "10.0.0.9")
    assert done.returncode == 0
    assert lines_of_rules(done) == [[
        "deny advertising (adit.conf:4): false: to *.ads.example",
        "deny weekend (adit.conf:5): false: time Sat 20:00-24:00",
        "report deny adit.conf:6: true",
        "allow adit.conf:7: false: listener 127.0.0.1:10801",
        "allow adit.conf:8: false: from loopback",
        "deny adit.conf:9: false: port 9",
        "allow adit.conf:10: true  <- this one",
    ]]


def test_each_rule_in_each_phase(why_not):
    name, *addresses = lines_of_rules(why_not("localhost:9"))
    assert name[5:] == ["deny adit.conf:9: undecided: protocol not tls",
                        "allow adit.conf:10: true  <- this one"]
    assert len(addresses) == 2  # ::1 and 127.0.0.1
    assert sorted(rules[5] for rules in addresses) == [
        "deny adit.conf:9: false: to 127.0.0.0/8", "deny adit.conf:9: undecided: protocol not tls"]


def test_a_rule_that_does_not_reach_a_special_address(why_not):
    done = why_not("169.254.169.254:80", "--listener", "127.0.0.1:10801", "-u", "alice")
    assert done.returncode == 3
    assert ("allow adit.conf:7: true but for a special-purpose address, which must be named to be "
            "reached  <- this one") in lines_of_rules(done)[0]


def test_an_undecided_rule_that_does_not_reach_a_special_address(why_not):
    done = why_not("169.254.169.254:80", "--listener", "127.0.0.1:10801")
    assert done.returncode == 3
    assert ("allow adit.conf:7: undecided: user alice, and a special-purpose address, which must be "
            "named to be reached  <- this one") in lines_of_rules(done)[0]


@pytest.mark.parametrize("condition", ["protocol tls", "sni a.example", "not protocol ssh"])
def test_what_is_inside_and_a_special_address(tmp_path, condition):
    path = tmp_path / "adit.conf"
    path.write_text(f"allow {condition} port 80\nallow to 10.0.0.0/8 {condition} port 80\n")
    rules = lines_of_rules(run_adit("explain", "--all", "-c", path, "10.0.0.1:80"))[0]
    assert rules[0].startswith("allow adit.conf:1: undecided: ")
    assert rules[0].endswith(", and a special-purpose address, which must be named to be reached")
    assert "special" not in rules[1] and "undecided: " in rules[1]


def test_a_rule_that_waits_for_a_password(why_not):
    done = why_not("a.test:80", "--listener", "127.0.0.1:10801")
    assert "allow adit.conf:7: undecided: user alice  <- this one" in lines_of_rules(done)[0]
    assert last(done) == "verdict: ask (407), http_request_denied: rule adit.conf:7"


def test_at_another_time(why_not):
    done = why_not("127.0.0.1:80", "--time", "sat 23:30")
    assert done.returncode == 3
    assert "rule weekend" in last(done)
    assert ", Sat 23:30\n" in done.stdout
    rules = lines_of_rules(done)[0]
    assert rules[1] == "deny weekend (adit.conf:5): true  <- this one"
    assert rules[6] == "allow adit.conf:10: true  (not reached)"
    assert why_not("127.0.0.1:80", "--time", "Sun 00:00").returncode == 0


def test_at_another_listener(why_not):
    at = ["--listener", "127.0.0.1:10801"]
    assert "at listener 127.0.0.1:10801" in why_not("a.example:80", *at).stdout
    assert why_not("a.example:80", *at).returncode == 3
    done = why_not("a.example:80", "--listener", "127.0.0.1:1")
    assert done.returncode == 1
    assert last(done) == ("verdict: adit does not listen at 127.0.0.1:1; "
                          "it listens at 127.0.0.1:10800, 127.0.0.1:10801")


def test_it_says_which_policy_was_asked(explain, tmp_path):
    assert explain("127.0.0.1:80").stdout.startswith(f"policy   {tmp_path}/adit.conf\n")
    assert run_adit("explain", "127.0.0.1:80").stdout.startswith("policy   the built-in one (-c FILE")


def test_what_is_inside(tmp_path):
    path = tmp_path / "adit.conf"
    path.write_text("deny sni bad.example port 443\nallow from loopback to loopback port 443\n")
    words = ["explain", "-c", path, "127.0.0.1:443"]
    assert run_adit(*words, "--sni", "BAD.example").returncode == 3
    assert run_adit(*words, "--sni", "good.example").returncode == 0
    assert run_adit(*words, "--protocol", "ssh").returncode == 0


@pytest.mark.parametrize("words", [
    [], ["example.com"], ["example.com:"], ["example.com:0443"], ["127.1:80"], ["a..b:1"],
    ["example.com:443", "-f", "x"], ["example.com:443", "more:1"], ["example.com:99999"],
    ["a.test:1", "--time", "Sat"], ["a.test:1", "--time", "Sat 24:00"], ["a.test:1", "--time", "23:30"],
    ["a.test:1", "--listener", "10800"], ["a.test:1", "-s", "x", "-c", "y"], ["a.test:1", "-s", ""],
], ids=" ".join)
def test_malformed_questions(words):
    done = run_adit("explain", *words)
    assert done.returncode == 2
    assert done.stdout == ""


def test_a_bad_configuration(tmp_path):
    path = tmp_path / "adit.conf"
    path.write_text("alow to any\n")
    done = run_adit("explain", "-c", path, "example.com:443")
    assert done.returncode == 1
    assert "adit.conf:1:1" in done.stderr


def test_without_a_file():
    done = run_adit("explain", "127.0.0.1:80")
    assert done.returncode == 0
    assert last(done) == "verdict: allow (200) by rule built-in (built-in:2)"
    assert run_adit("explain", "-f", "192.0.2.1", "example.com:443").returncode == 3


# -- inside the running adit


def ask(proxy, **question):
    """What /api/explain answers: (status, object)."""
    connection = http.client.HTTPConnection(proxy.admin, timeout=20)
    try:
        connection.request("GET", "/api/explain?" + urllib.parse.urlencode(question),
                           headers={"X-Adit": "1"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@pytest.fixture
def running(adit, tmp_path):
    def start(rules, **options):
        path = tmp_path / "adit.conf"
        path.write_text(f'listen 127.0.0.1:0\nadmin 127.0.0.1:0\nusers file "htpasswd"\n{rules}')
        (tmp_path / "htpasswd").write_text(htpasswd("alice"))
        return adit("-c", path, **options)

    return start


QUESTIONS = [
    {"target": "X.ads.Example.:443"},
    {"target": "localhost:80"},
    {"target": "127.0.0.1:443"},
    {"target": "127.0.0.1:80", "client": "10.1.2.3"},
    {"target": "secret.example:22"},
    {"target": "localhost:80", "user": "alice"},
    {"target": "secret.example:22", "user": "mallory"},
    {"target": "[::ffff:169.254.169.254]:80", "client": "fd00::1"},
]


def test_the_running_adit_says_the_same(running, tmp_path):
    proxy = running(RULES.replace("listen 127.0.0.1:10800\n", ""))
    outcomes = set()
    for question in QUESTIONS:
        words = [question["target"]]
        for option, name in (("-u", "user"), ("-f", "client")):
            if name in question:
                words += [option, question[name]]
        done = run_adit("explain", "-c", tmp_path / "adit.conf", *words)
        status, answer = ask(proxy, **question)
        assert status == 200
        policy, _, text = answer["text"].replace(f" ({proxy.address})", "").partition("\n")
        assert policy == f"policy   of the running adit: {tmp_path}/adit.conf"
        assert (answer["exit"], text) == (done.returncode, done.stdout.partition("\n")[2]), question
        outcomes.add(answer["verdict"])
    assert outcomes == {"allow", "deny", "ask"}


def test_the_running_adit_explains_what_it_serves(running, tmp_path):
    """Not what stands in the file by now."""
    proxy = running("deny to a.example as \"first\"\n")
    path = tmp_path / "adit.conf"
    path.write_text(path.read_text().replace("first", "second"))
    assert "rule first" in ask(proxy, target="a.example:1")[1]["text"]
    assert proxy.control("reload").returncode == 0
    assert "rule second" in ask(proxy, target="a.example:1")[1]["text"]


def test_the_control_socket_says_the_same(adit, tmp_path):
    path = tmp_path / "adit.conf"
    path.write_text(WHY_NOT.replace("10800", "0").replace("listen 127.0.0.1:10801\n", "")
                    .replace("127.0.0.1:10801 user", "127.0.0.1:0 user"))
    (tmp_path / "htpasswd").write_text(htpasswd("alice"))
    proxy = adit("-c", path)
    statuses = set()
    for words in (["127.0.0.1:80"], ["localhost:9", "--all"], ["a.ads.example:443", "--all"],
                  ["127.0.0.1:80", "--time", "Sat 20:00"], ["127.0.0.1:1", "-u", "mallory"],
                  ["127.0.0.1:9", "--protocol", "ssh"], ["127.0.0.1:9", "--sni", "a.test", "-u", "alice"],
                  ["127.0.0.1:80", "-f", "10.1.2.3"], ["127.0.0.1:1", "--listener", "127.0.0.1:1"]):
        if "--time" not in words:
            words += ["--time", "Mon 08:00"]
        alone = run_adit("explain", "-c", path, *words)
        asked = run_adit("explain", "-s", proxy.socket_path, *words)
        said = asked.stdout.replace(f"127.0.0.1:0 ({proxy.address})", "127.0.0.1:0")
        assert said.startswith(f"policy   of the running adit: {path}\n"), asked
        assert said.partition("\n")[2] == alone.stdout.partition("\n")[2], words
        assert (asked.returncode, asked.stderr) == (alone.returncode, "")
        statuses.add(asked.returncode)
    assert statuses == {0, 1, 3}


def test_a_listener_whose_port_the_system_chose(running):
    """By what the log calls it as well as by what stands in the file."""
    proxy = running("allow from loopback to loopback listener 127.0.0.1:0\n")
    for listener in (proxy.address, "127.0.0.1:0"):
        done = run_adit("explain", "-s", proxy.socket_path, "--listener", listener, "127.0.0.1:80")
        assert done.returncode == 0, done.stdout
        assert f"at listener 127.0.0.1:0 ({proxy.address})\n" in done.stdout
    done = run_adit("explain", "-s", proxy.socket_path, "--listener", "127.0.0.1:1", "127.0.0.1:80")
    assert last(done) == ("verdict: adit does not listen at 127.0.0.1:1; "
                          f"it listens at 127.0.0.1:0 ({proxy.address})")
    done = run_adit("explain", "-s", proxy.socket_path, "--listener", proxy.admin, "127.0.0.1:80")
    assert done.returncode == 1


def test_the_listener_without_a_statement(tmp_path):
    path = tmp_path / "adit.conf"
    path.write_text("allow from loopback to loopback listener 127.0.0.1:10800\n")
    at = ["--listener", "127.0.0.1:10800"]
    assert run_adit("explain", "-c", path, "127.0.0.1:80", *at).returncode == 0


def test_nobody_answers_at_the_control_socket(tmp_path):
    done = run_adit("explain", "-s", tmp_path / "none.sock", "127.0.0.1:80")
    assert done.returncode == 1
    assert "none.sock" in done.stderr and done.stdout == ""


def test_the_running_adit_knows_its_hosts_file(running, etc):
    folder = etc(hosts="127.0.0.1 localhost\n127.0.0.7 here.test\n")
    proxy = running("allow to here.test address loopback\n", etc=folder)
    assert "lookup   A: 127.0.0.7\n" in ask(proxy, target="here.test:80")[1]["text"]
    folder.write("hosts", "127.0.0.1 localhost\n127.0.0.8 here.test\n")
    eventually(lambda: "lookup   A: 127.0.0.8\n" in ask(proxy, target="here.test:80")[1]["text"])


def test_questions_in_flight_are_bounded(running, origin):
    """Names that nobody answers for hold up neither further questions for ever nor the tunnels."""
    server = origin(Echo)
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 0))
    with silent:
        proxy = running(f"resolver 127.0.0.1:{silent.getsockname()[1]} timeout 1s\n"
                        "allow from loopback to *.test\nallow to 127.0.0.1 address loopback\n")
        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(ask, proxy, target=f"slow{i}.test:80") for i in range(8)]
            assert works(proxy, server)
            answers = [question.result() for question in asked]
        good = [answer for status, answer in answers if status == 200]
        busy = [answer for status, answer in answers if status == 503]
        assert len(good) + len(busy) == 8 and len(good) >= 4
        assert all(answer["verdict"] == "failed" and answer["exit"] == 1 for answer in good)
        assert all("the lookup failed (504)" in answer["text"] for answer in good)
        assert all(answer["error"] for answer in busy)
        assert ask(proxy, target="127.0.0.1:80")[0] == 200


@pytest.mark.parametrize("question", [
    {}, {"target": ""}, {"target": "example.com"}, {"target": "127.1:80"},
    {"target": "a.example:80", "client": "x"}, {"target": "a.example:80", "user": "x" * 256},
], ids=str)
def test_malformed_questions_to_the_running_adit(running, question):
    proxy = running("deny\n")
    status, answer = ask(proxy, **question)
    assert status == 400 and answer["error"]
