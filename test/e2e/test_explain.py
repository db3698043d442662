"""`adit explain`: each phase, exit statuses, and that it reads what a start would read.
(That it and the proxy never differ is test_policy.py's.)"""

import pytest

from support.adit import run_adit
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
