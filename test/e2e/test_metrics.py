"""/metrics: well-formed to the letter, true to the number, and no bigger for whatever outsiders do.
(That its sums are the log's is held by test_accounting.py; promtool looks at it in the zoo.)"""

import os
import re
import signal

import pytest

from support.adit import split_address
from support.checks import eventually
from support.client import Client, connect_head, open_tunnel, request
from support.metrics import get, scrape
from support.origins import Echo, closed_port
from support.users import basic, htpasswd

RULES = "allow from loopback to any, special\n"


@pytest.fixture
def config(adit, tmp_path):
    """config(text): an adit with this configuration, and an admin page."""
    def start(text=RULES, *args, **options):
        (tmp_path / "adit.conf").write_text("listen 127.0.0.1:0\nadmin 127.0.0.1:0\n" + text)
        return adit("-c", tmp_path / "adit.conf", "-s", tmp_path / "sock", *args, defaults=True,
                    **options)

    return start


def use(proxy, server, count=1, data=b"ping"):
    for _ in range(count):
        with open_tunnel(proxy.address, server.authority) as client:
            client.send(data)
            assert client.read_exact(len(data)) == data
            client.shutdown_write()
            client.read_to_end()


def test_every_family_has_help_and_type(adit):
    """And series from the first scrape on, so that a rate has a zero to begin with. Metrics() is
    strict about the form."""
    metrics = scrape(adit(admin=True))
    assert set(metrics.kinds) == set(metrics.helps)
    for family, kind in metrics.kinds.items():
        assert family.startswith(("adit_", "process_"))
        assert (kind == "counter") == family.endswith("_total"), family
        if kind == "histogram":
            assert metrics.get(family + "_count") == 0
            assert metrics.get(family + "_bucket", le="+Inf") == 0
    assert metrics.by("adit_tunnels_total", "outcome") == {
        "established": 0, "denied": 0, "asked": 0, "failed": 0, "cancelled": 0}
    assert metrics.by("adit_bytes_total", "direction") == {"up": 0, "down": 0}
    errors = metrics.by("adit_errors_total", "error")
    assert set(errors.values()) == {0}
    assert {"dns_error", "connection_limit_reached", "http_request_denied"} <= set(errors)
    assert metrics.by("adit_denied_total", "rule") == {"default": 0, "built-in": 0}


def test_it_says_what_stats_says(adit, origin):
    """The same table, asked by another door."""
    proxy = adit(admin=True)
    use(proxy, origin(Echo), 3)
    proxy.wait_for_log(event="close", count=3)
    said = dict(re.findall(r"^(adit_[a-z_]+)(?:\{.*\})? (\d+)$", proxy.control("stats").stdout, re.M))
    metrics = scrape(proxy)
    assert said
    assert set(said) <= {name for name, _ in metrics.values}


def test_histograms(adit, origin):
    """Cumulative, complete, and of exactly the tunnels that there were."""
    server = origin(Echo)
    proxy = adit(admin=True)
    use(proxy, server, 5, b"x" * 3000)
    request(proxy.address, connect_head(f"127.0.0.1:{closed_port()}"))
    proxy.wait_for_log(event="close", count=5)
    eventually(lambda: scrape(proxy).get("adit_tunnel_seconds_count") == 5)
    metrics = scrape(proxy)
    for family in (name for name, kind in metrics.kinds.items() if kind == "histogram"):
        series = {}
        for (name, labels), value in metrics.values.items():
            if name == family + "_bucket":
                labels = dict(labels)
                bound = float(labels.pop("le").replace("+Inf", "inf"))
                series.setdefault(tuple(labels.items()), []).append((bound, value))
        for labels, buckets in series.items():
            counts = [count for _, count in buckets]
            assert buckets == sorted(buckets) and counts == sorted(counts), family
            assert buckets[-1] == (float("inf"), metrics.get(family + "_count", **dict(labels)))
            assert len(buckets) >= 8, family
    assert metrics.get("adit_dial_seconds_count") >= 5
    for direction in ("up", "down"):
        assert metrics.get("adit_tunnel_bytes_sum", direction=direction) == 15000
        assert metrics.get("adit_tunnel_bytes_bucket", direction=direction, le="+Inf") == 5
        assert metrics.get("adit_bytes_total", direction=direction) == 15000


def test_bytes_and_tunnels_move_while_a_tunnel_lives(adit, origin):
    server = origin(Echo)
    proxy = adit(admin=True)
    with open_tunnel(proxy.address, server.authority) as client:
        for turn in range(1, 4):
            client.send(b"x" * 1000)
            assert client.read_exact(1000)
            metrics = scrape(proxy)
            assert metrics.get("adit_bytes_total", direction="up") == 1000 * turn
            assert metrics.get("adit_tunnels_open") == 1
    eventually(lambda: scrape(proxy).get("adit_tunnels_open") == 0)


def test_denials_are_counted_by_rule(config):
    """Under the very names that the log has, whatever signs they are made of."""
    name = 'a "quoted" \\ and a { brace } = 1'
    written = name.replace("\\", "\\\\").replace('"', '\\"')
    proxy = config(f'deny to *.a.test as "{written}"\ndeny to *.b.test\nallow to *.c.test port 1\n')
    for target in ["x.a.test:1"] * 3 + ["x.b.test:1"] * 2 + ["x.d.test:1"]:
        request(proxy.address, connect_head(target))
    expected = {name: 3, "adit.conf:4": 2, "default": 1}
    eventually(lambda: proxy.log_lines(event="deny")[5:])
    found = scrape(proxy).by("adit_denied_total", "rule")
    assert {rule: count for rule, count in found.items() if count} == expected
    logged = [line["rule"] for line in proxy.log_lines(event="deny")]
    assert {rule: logged.count(rule) for rule in logged} == expected


def test_rules_are_counted_from_zero(config, tmp_path):
    """Each that can decide has a zero before it denies anything, those of a reload too; files of
    the same name are two."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "rules.conf").write_text("deny port 25\n")
    proxy = config('include "a/rules.conf"\ninclude "b/rules.conf"\nreport deny port 26 as "r"\n'
                   'allow from loopback as "ours"\n')
    rules = {"a/rules.conf:1", "b/rules.conf:1", "ours", "default"}
    assert scrape(proxy).by("adit_denied_total", "rule") == dict.fromkeys(rules, 0)
    with (tmp_path / "adit.conf").open("a") as file:
        file.write('deny port 27 as "new"\n')
    assert proxy.control("reload").returncode == 0
    assert scrape(proxy).by("adit_denied_total", "rule") == dict.fromkeys(rules | {"new"}, 0)


def test_rules_that_come_with_any_reload_are_counted_from_zero(config, tmp_path):
    """Those that are gone, and denied nothing, take no places."""
    def rules(prefix):
        return "".join(f'deny port {port} as "{prefix}-{port}"\n' for port in range(1, 301))

    proxy = config(rules("a"))
    request(proxy.address, connect_head("a.test:7"))
    for prefix in "bcd":
        (tmp_path / "adit.conf").write_text("listen 127.0.0.1:0\nadmin 127.0.0.1:0\n"
                                             + rules(prefix))
        assert proxy.control("reload").returncode == 0
        found = scrape(proxy).by("adit_denied_total", "rule")
        assert found == {"a-7": 1, "default": 0} | {f"{prefix}-{n}": 0 for n in range(1, 301)}


def test_outsiders_cannot_add_series(config, tmp_path):
    """Whatever is asked for, by whomever: only the rules of the configuration make series."""
    (tmp_path / "htpasswd").write_text(htpasswd("alice"))
    proxy = config('users file "htpasswd"\ndeny to *.a.test as "first"\n'
                   "allow user alice to *.b.test\n")
    request(proxy.address, connect_head("x.a.test:1"))
    request(proxy.address, connect_head("x.b.test:1"))
    request(proxy.address, connect_head("x.c.test:1"))
    before = set(scrape(proxy).values)
    for number in range(100):
        request(proxy.address, connect_head(f"host{number}.a.test:{number + 1}"))
        request(proxy.address, connect_head(f"host{number}.c.test:443"),
                source=f"127.0.1.{number + 1}")
        request(proxy.address, f"X{number} / HTTP/1.1\r\nHost: h{number}\r\n\r\n".encode())
        with Client(proxy.address, source=f"127.0.2.{number + 1}") as client:
            client.send(connect_head("x.b.test:1", basic(f"user{number}", "wrong")))
            assert client.read_response().status == (407 if number < 10 else 429)
    assert set(scrape(proxy).values) == before


def test_reload_success(config, tmp_path):
    proxy = config()
    path = tmp_path / "adit.conf"
    good = path.read_text()
    assert scrape(proxy).get("adit_config_reload_success") == 1
    path.write_text(good + "nonsense\n")
    assert proxy.control("reload").returncode == 1
    eventually(lambda: scrape(proxy).get("adit_config_reload_success") == 0)
    path.write_text(good)
    assert proxy.control("reload").returncode == 0
    eventually(lambda: scrape(proxy).get("adit_config_reload_success") == 1)


def test_a_new_worker_says_so(adit, origin):
    """Counters begin again, as rate() expects, and the restart is counted."""
    server = origin(Echo)
    proxy = adit(admin=True)
    use(proxy, server, 3)
    before = scrape(proxy)
    assert before.get("adit_worker_restarts_total") == 0
    worker = proxy.worker_pid
    os.kill(worker, signal.SIGKILL)

    def is_counted():
        try:
            return scrape(proxy).get("adit_worker_restarts_total") == 1
        except OSError:
            return False

    eventually(is_counted)
    after = scrape(proxy)
    assert after.get("adit_tunnels_total") == 0
    assert after.get("process_start_time_seconds") > before.get("process_start_time_seconds")


def test_process_figures(adit):
    """As /proc has them."""
    proxy = adit(admin=True)
    metrics = scrape(proxy)
    limits = open(f"/proc/{proxy.worker_pid}/limits").read()
    assert metrics.get("process_max_fds") == int(re.search(r"Max open files +(\d+)", limits).group(1))
    assert abs(metrics.get("process_open_fds") - proxy.descriptors()) <= 3
    resident = metrics.get("process_resident_memory_bytes") / 1024
    assert 0.5 < resident / proxy.rss_kb() < 2
    assert 0 <= metrics.get("process_cpu_seconds_total") < 60


def test_draining_is_seen(adit, origin):
    """/healthz turns a balancer away while /metrics still answers whoever scrapes."""
    server = origin(Echo)
    proxy = adit(admin=True)
    assert get(proxy, "/healthz")[::2] == (200, "ok\n")
    with open_tunnel(proxy.address, server.authority):
        assert proxy.control("drain").returncode == 0
        eventually(lambda: get(proxy, "/healthz")[::2] == (503, "draining\n"))
        assert scrape(proxy).get("adit_tunnels_open") == 1
    assert proxy.wait() == 0


def test_many_scrapers_at_once(adit, origin, keep):
    """Thirty connections that ask at the same time, then read: each gets all of it."""
    proxy = adit(admin=True)
    use(proxy, origin(Echo))
    clients = [keep(Client(proxy.admin)) for _ in range(30)]
    host = split_address(proxy.admin)[0]
    for client in clients:
        client.send(f"GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    for client in clients:
        response = client.read_response()
        assert response.status == 200 and b"process_open_fds" in response.body
        assert client.read_to_end() == (b"", "fin")
