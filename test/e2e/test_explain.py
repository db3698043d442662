"""`adit explain`: each phase, exit statuses, and that it reads what a start would read.
(That it and the proxy never differ is test_policy.py's.)"""

import http.client
import json
import socket
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.adit import run_adit
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


def test_the_proxy_itself(explain):
    done = explain("127.0.0.1:10800")
    assert done.returncode == 3
    assert "502" in last(done) and "proxy_loop_detected" in last(done)


def test_what_is_inside(tmp_path):
    path = tmp_path / "adit.conf"
    path.write_text("deny sni bad.example port 443\nallow from loopback to loopback port 443\n")
    words = ["explain", "-c", path, "127.0.0.1:443"]
    assert run_adit(*words, "--sni", "BAD.example").returncode == 3
    assert run_adit(*words, "--sni", "good.example").returncode == 0


@pytest.mark.parametrize("words", [
    [], ["example.com"], ["example.com:"], ["example.com:0443"], ["127.1:80"], ["a..b:1"],
    ["example.com:443", "-f", "x"], ["example.com:443", "more:1"], ["example.com:99999"],
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
        assert (answer["exit"], answer["text"]) == (done.returncode, done.stdout), question
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
