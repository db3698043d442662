"""The admin page in headless Chromium, against a live adit with 200 tunnels that change.

Everything is in a network namespace that has loopback only, and every request of the page is kept:
the page may ask adit and nobody else. Whatever a test does, at its end there must be no error in the
console and no violation of the page's Content-Security-Policy.
"""

import base64
import itertools
import json
import re
import subprocess
import threading
from urllib.parse import unquote

import pytest

from support.adit import split_address
from support.client import Client
from support.origins import Echo
from support.users import PASSWORDS, htpasswd
from test_chromium import fenced  # noqa: F401 (a fixture)
from zoo import HERE, MODULES

TUNNELS = 200
DESKTOP, PHONE = (1280, 800), (390, 844)
CONFIG = """\
users file "htpasswd"
deny to *.ads.example as "advertising"
allow from loopback to any, special as "everyone"
"""
# What a browser would take for markup, and what turns the direction of writing.
HOSTILE = "<img src=x onerror=alert(1)>\u202egpj"

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("fenced")]


class Browser:
    """dashboard.cjs as a child: do() runs a script there and returns its value."""

    def __init__(self, url, size, scheme, folder, environment, login):
        """login: `user:password@`, as it stands in front of an address's host."""
        self.url = url
        self.address = url.replace("//", "//" + login)
        self.errors = []
        self.stderr = open(folder / "browser.log", "wb")
        self.process = subprocess.Popen(
            ["node", HERE / "dashboard.cjs", self.address, *map(str, size), scheme, folder / "profile"],
            env=dict(environment, NODE_PATH=str(MODULES)), text=True, cwd=folder,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.stderr)
        assert self.answer() == "ready"

    def answer(self):
        line = self.process.stdout.readline()
        assert line, "the browser ended"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["value"]

    def do(self, script):
        self.process.stdin.write(json.dumps(script) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def wait(self, condition):
        """Until the expression is true in the page."""
        self.do(f"await page.waitForFunction(() => {condition}, null, {{ polling: 100 }})")

    def text(self, selector):
        return self.do(f"return await page.locator({json.dumps(selector)}).innerText()")

    def column(self, name):
        """The texts of one column of the table of tunnels, in one look."""
        cells = json.dumps(f"#tunnels tbody tr:not(.gone) .c-{name}")
        return self.do(f"return await page.evaluate(() => [...document.querySelectorAll({cells})]"
                       ".map((cell) => cell.textContent))")

    def check(self, is_unreached=False):
        """is_unreached: adit was away meanwhile, and the browser said so."""
        seen = self.do("return seen")
        kept = [text for text in seen["console"]
                if not (is_unreached and ("net::ERR_" in text or "status of 503" in text))]
        assert kept == []
        assert seen["violations"] == []
        strange = [url for url in seen["requests"]
                   if not url.startswith((self.url, "data:")) and unquote(url) != unquote(self.address)]
        assert strange == []
        assert len(seen["requests"]) > 3

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()
        self.stderr.close()


class Traffic:
    """Tunnels to an echo that come and go, some with much to say; all from one thread."""

    def __init__(self, proxy, port):
        self.proxy, self.port = proxy, port
        self.errors = []
        self.tunnels = []
        self.numbers = itertools.count()
        self.is_over = threading.Event()
        for _ in range(TUNNELS):
            self.open()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def open(self):
        number = next(self.numbers)
        client = Client(self.proxy.address)
        host = ("127.0.0.1", "localhost")[number % 2]
        user = base64.b64encode(f"alice:{PASSWORDS['alice']}".encode()).decode()
        credentials = f"Proxy-Authorization: Basic {user}\r\n" if number % 4 == 0 else ""
        client.send(f"CONNECT {host}:{self.port} HTTP/1.1\r\n{credentials}\r\n".encode())
        assert client.read_response(has_body=False).status == 200
        self.tunnels.append(client)

    def talk(self):
        for client in self.tunnels[::7]:
            client.send(b"x" * 20_000)
            client.read_exact(20_000)

    def run(self):
        try:
            while not self.is_over.wait(0.2):
                for client in self.tunnels[:2]:
                    client.__exit__()
                    self.tunnels.remove(client)
                    self.open()
                self.talk()
        except OSError:
            pass  # adit ended, or a test killed this one
        except Exception as error:  # pylint: disable=broad-except
            self.errors.append(error)

    def close(self):
        self.is_over.set()
        self.thread.join()
        for client in self.tunnels:
            client.__exit__()
        self.tunnels = []


@pytest.fixture
def proxy(adit, tmp_path):
    """proxy(...): an adit with users, a rule that denies, and an admin page."""
    (tmp_path / "htpasswd").write_text(htpasswd("alice"))
    (tmp_path / "adit.conf").write_text(CONFIG)
    return lambda *args, **options: adit("-c", tmp_path / "adit.conf", *args, **options)


@pytest.fixture
def busy(proxy, origin, keep):
    """(adit, the traffic through it)"""
    echo = origin(Echo)
    running = proxy(admin=True)
    return running, keep(Traffic(running, echo.port))


@pytest.fixture
def browse(keep, environment, tmp_path):
    def start(running, size=DESKTOP, scheme="light", login=""):
        browser = keep(Browser(f"http://{running.admin}/", size, scheme, tmp_path, environment, login))
        browser.wait("document.getElementById('link').textContent === 'live'")
        return browser

    return start


def refuse(running, target, user=None):
    with Client(running.address) as client:
        words = base64.b64encode(f"{user}:wrong".encode()).decode()
        credentials = f"Proxy-Authorization: Basic {words}\r\n" if user else ""
        client.send(f"CONNECT {target} HTTP/1.1\r\n{credentials}\r\n".encode())
        return client.read_response().status


ROWS = "document.querySelectorAll('#tunnels tbody tr').length"


def test_charts_move(busy, browse):
    browser = browse(busy[0])
    browser.wait(f"{ROWS} > 150")
    browser.wait("parseInt(document.querySelectorAll('.legend dd')[2].textContent) > 150")
    curve = "document.querySelector('.curve.is-accent').getAttribute('d')"
    before = browser.do(f"return await page.evaluate(() => {curve})")
    browser.wait(f"{curve} !== {json.dumps(before)} && {curve}.split('L').length > 4")
    browser.wait("/[KM]iB.s/.test(document.querySelector('.legend dd').textContent)")
    browser.wait("[...document.querySelectorAll('.c-rate')].some((cell) => /iB.s/.test(cell.textContent))")
    browser.do("await page.locator('.plot').first().focus(); await page.keyboard.press('ArrowLeft')")
    browser.wait("document.querySelectorAll('.cross').length === 4")  # one moment in all charts
    browser.wait(r"/^\d\d:\d\d:\d\d: .* down, .* up$/.test("
                 "document.activeElement.getAttribute('aria-valuetext'))")
    assert browser.text("#top-users li:nth-child(1) .name") in ("alice", "127.0.0.1")
    assert "localhost" in browser.text("#top-hosts")
    browser.check()


def test_table(busy, browse):
    browser = browse(busy[0])
    browser.wait(f"{ROWS} > 150")
    browser.do("await page.locator('#filter').fill('localhost alice')")
    assert browser.column("target") == []  # every fourth is alice's, and to the address
    assert "No tunnel matches" in browser.text("#no-tunnels")
    browser.do("await page.locator('#filter').fill('ALICE 127.0')")
    assert set(browser.column("user")) == {"alice"}
    assert "match" in browser.text("#shown")
    browser.do("await page.locator('#filter').fill('')")
    for name, key in (("up", None), ("client", None), ("target", None)):
        head = f"#tunnels th.c-{name}"
        browser.do(f"await page.locator('{head} button').focus(); await page.keyboard.press('Enter')")
        first = browser.do(f"return await page.getAttribute('{head}', 'aria-sort')")
        assert first == ("descending" if name == "up" else "ascending")
        browser.do("await page.keyboard.press('Enter')")
        assert browser.do(f"return await page.getAttribute('{head}', 'aria-sort')") not in (first, "none")
    targets = browser.column("target")  # the last: descending
    assert targets == sorted(targets, reverse=True) and len(set(targets)) == 2
    assert len(targets) > 150
    browser.check()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_kill(proxy, origin, browse, size):
    echo = origin(Echo)
    running = proxy(admin=True)
    browser = browse(running, size)
    with Client(running.address) as client:
        client.send(f"CONNECT localhost:{echo.port} HTTP/1.1\r\n\r\n".encode())
        assert client.read_response(has_body=False).status == 200
        browser.do("await page.locator('.kill').click()")
        assert f"localhost:{echo.port}" in browser.text("#kill")
        browser.do("await page.locator('#kill-no').click()")
        browser.wait("!document.getElementById('kill').open")
        client.send(b"alive")
        assert client.read_exact(5) == b"alive"
        browser.do("await page.locator('.kill').click(); await page.locator('#kill-yes').click()")
        client.read_to_end()
        assert running.wait_for_log(event="close", timeout=20)["closed_by"] == "killed"
    browser.wait("document.getElementById('message').textContent.startsWith('Killed')")
    browser.wait("document.querySelectorAll('#tunnels tbody tr:not(.gone)').length === 0")
    browser.check()


def test_denies_and_explain(proxy, browse):
    running = proxy(admin=True)
    browser = browse(running)
    assert refuse(running, "banner.ads.example:443") == 403
    browser.do("await page.getByText('banner.ads.example:443').waitFor()")
    assert "advertising" in browser.text("#denies tbody tr")
    browser.do("await page.locator('#denies tbody tr .link-like').click()")
    browser.wait("document.getElementById('explain-verdict').textContent === 'denied'")
    assert "deny by rule advertising" in browser.text("#explain-text")
    browser.wait("document.getElementById('top-rules').textContent === 'advertising1'")
    browser.do("await page.locator('#explain-target').fill('127.0.0.1:1');"
               "await page.keyboard.press('Enter')")
    browser.wait("document.getElementById('explain-verdict').textContent === 'allowed'")
    browser.do("await page.locator('#explain-client').fill('192.0.2.1');"
               "await page.keyboard.press('Enter')")
    browser.wait("document.getElementById('explain-verdict').textContent === 'denied'")
    browser.check()


def test_a_password_in_the_address(proxy, origin, browse, tmp_path):
    """As people keep it in a bookmark: fetch takes no such address, and the page needs none."""
    echo = origin(Echo)
    path = tmp_path / "adit.conf"
    path.write_text("admin 127.0.0.1:0 user alice\n" + path.read_text())
    running = proxy()
    browser = browse(running, login=f"alice:{PASSWORDS['alice']}@")
    with Client(running.address) as client:
        client.send(f"CONNECT localhost:{echo.port} HTTP/1.1\r\n\r\n".encode())
        assert client.read_response(has_body=False).status == 200
        browser.wait(f"{ROWS} === 1")  # the stream of events, and the list
        browser.do("await page.locator('.kill').click(); await page.locator('#kill-yes').click()")
        client.read_to_end()
    browser.do("await page.locator('#explain-target').fill('127.0.0.1:1');"
               "await page.keyboard.press('Enter')")
    browser.wait("document.getElementById('explain-verdict').textContent === 'allowed'")
    assert len(running.log_lines(event="auth_failure")) == 0
    browser.check()


def test_outside_text_is_text(proxy, browse):
    running = proxy(admin=True)
    browser = browse(running)
    assert refuse(running, "127.0.0.1:1", HOSTILE) == 407
    browser.wait("document.querySelectorAll('#denies tbody tr').length === 1")
    shown = browser.text("#denies tbody .d-user")
    assert shown.startswith("<img src=x onerror=alert(1)>") and "\u202e" not in shown
    assert browser.do("return await page.locator('#denies img').count()") == 0
    browser.check()


def test_policy_holds(proxy, browse):
    """An injected script, handler or style does not run; the browser reports each."""
    browser = browse(proxy(admin=True))
    browser.do("await page.evaluate(() => { const script = document.createElement('script');"
               "script.textContent = 'window.isRun = true'; document.body.append(script); })")
    browser.do("await page.evaluate(() => { document.querySelector('footer').innerHTML ="
               " '<img src=\"data:,\" onerror=\"window.isRun = true\"><b style=\"color: red\">x</b>'; })")
    for _ in range(3):  # a turn for the handler and the reports
        browser.do("await page.evaluate(() => new Promise(requestAnimationFrame))")
    assert browser.do("return await page.evaluate(() => window.isRun ?? false)") is False
    directives = {text.split()[0] for text in browser.do("return seen.violations")}
    assert {"script-src-elem", "script-src-attr", "style-src-attr"} == directives


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible_in_each_theme(busy, browse, scheme, size):
    refuse(busy[0], "banner.ads.example:443")
    browser = browse(busy[0], size, scheme)
    browser.wait(f"{ROWS} > 150 && document.querySelectorAll('#denies tbody tr').length > 0")
    assert browser.do("return await axe(page)") == []
    assert browser.do("return await page.evaluate(() => document.documentElement.scrollWidth)") == size[0]
    colour = "getComputedStyle(document.body).backgroundColor"
    before = browser.do(f"return await page.evaluate(() => {colour})")
    browser.do("await page.locator('#theme').click()")
    after = browser.do(f"return await page.evaluate(() => {colour})")
    assert before != after
    assert browser.do("return await axe(page)") == []
    browser.do("await page.reload()")  # it is remembered
    browser.wait(f"{colour} === {json.dumps(after)}")
    browser.check()


def test_restart(proxy, origin, browse):
    """The link is lost, says since when, and comes back by itself with what the new adit knows."""
    echo = origin(Echo)
    first = proxy(admin=True)
    browser = browse(first)
    with Client(first.address) as client:
        client.send(f"CONNECT localhost:{echo.port} HTTP/1.1\r\n\r\n".encode())
        assert client.read_response(has_body=False).status == 200
        browser.wait(f"{ROWS} === 1")
        first.stop()
    browser.wait("document.getElementById('link').textContent === 'disconnected'")
    said = browser.text("#lost")
    assert "No answer from adit since " in said and "What you see is from then." in said
    browser.wait("[...document.querySelectorAll('.kill')].every((button) => button.disabled)")
    browser.wait("document.getElementById('lost-next').textContent.startsWith('Trying again')")
    assert browser.do("return await axe(page)") == []

    port = split_address(first.admin)[1]
    second = proxy("-a", f"127.0.0.1:{port}")
    refuse(second, "other.ads.example:443")
    browser.wait("document.getElementById('link').textContent === 'live'")
    assert browser.do("return await page.locator('#lost').isVisible()") is False
    browser.do("await page.getByText('other.ads.example:443').waitFor()")  # from its history
    browser.wait(f"{ROWS} === 0")
    browser.check(is_unreached=True)


def test_a_failed_reload(proxy, browse, tmp_path):
    """It says when, where and what, and goes with the next good one."""
    running = proxy(admin=True)
    browser = browse(running)
    path = tmp_path / "adit.conf"
    good = path.read_text()
    path.write_text(good + "alow <b>\n")
    assert running.control("reload").returncode == 1
    browser.wait("document.getElementById('reload-failed').checkVisibility()")
    said = browser.text("#reload-failed")
    assert f"{path}:4:1: error: unknown statement 'alow'" in said
    assert re.search(r"The reload at \d\d:\d\d:\d\d failed.*configuration of \d\d:\d\d:\d\d serves on", said, re.S)
    assert browser.do("return await axe(page)") == []
    path.write_text(good)
    assert running.control("reload").returncode == 0
    browser.wait("document.getElementById('reload-failed').hidden")
    browser.check()


def test_draining(proxy, origin, browse):
    echo = origin(Echo)
    running = proxy(admin=True)
    browser = browse(running)
    with Client(running.address) as client:
        client.send(f"CONNECT localhost:{echo.port} HTTP/1.1\r\n\r\n".encode())
        assert client.read_response(has_body=False).status == 200
        running.control("drain")
        browser.do("await page.getByText('adit is draining.').waitFor()")
        assert browser.text("#state") == "draining"
    assert running.wait() == 0
    browser.do("await page.getByText('It was draining, so it has probably ended.').waitFor()")
    browser.check(is_unreached=True)


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_empty(proxy, browse, size):
    running = proxy(admin=True)
    browser = browse(running, size)
    browser.do("await page.getByText('No tunnel is open. Try one:').waitFor()")
    assert "curl -x http://" in browser.text("#no-tunnels code")
    assert "Nothing was denied" in browser.text("#no-denies")
    assert browser.do("return await axe(page)") == []
    browser.check()
