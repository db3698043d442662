"""The admin page in headless Chromium, against a live adit with 200 tunnels that change.

Everything is in a network namespace that has loopback only, and every request of the page is kept:
the page may ask adit and nobody else. Whatever a test does, at its end there must be no error in the
console and no violation of the page's Content-Security-Policy.
"""

import base64
import contextlib
import itertools
import json
import re
import subprocess
import threading
from urllib.parse import unquote

import pytest

from support.adit import split_address
from support.client import Client, open_tunnel
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


# From a row to its details, and from there to the question.
ASK_TO_KILL = ("await page.locator('#tunnels tbody .c-client').first().click();"
               "await page.locator('#details-kill').click();")
ROWS = "document.querySelectorAll('#tunnels tbody tr').length"


def test_charts_move(busy, browse):
    browser = browse(busy[0])
    browser.wait(f"{ROWS} > 150")
    browser.wait("parseInt(document.querySelectorAll('.legend dd')[5].textContent) > 150")
    curve = "document.querySelector('.curve.is-accent').getAttribute('d')"
    before = browser.do(f"return await page.evaluate(() => {curve})")
    browser.wait(f"{curve} !== {json.dumps(before)} && {curve}.split('L').length > 4")
    browser.wait("/[KM]iB.s/.test(document.querySelector('.legend dd').textContent)")
    browser.wait("[...document.querySelectorAll('.c-rate')].some((cell) => /iB.s/.test(cell.textContent))")
    browser.do("await page.locator('.plot').first().focus(); await page.keyboard.press('ArrowLeft')")
    browser.wait("document.querySelectorAll('.cross').length === 5")  # one moment in all charts
    browser.wait(r"/^\d\d:\d\d:\d\d: .* down, .* up$/.test("
                 "document.activeElement.getAttribute('aria-valuetext'))")
    browser.wait("document.querySelectorAll('#top-users .figure').length === 2")
    assert browser.text("#top-users li:nth-child(1) .name") in ("alice", "127.0.0.1")
    assert "localhost" in browser.text("#top-hosts")
    browser.wait(r"/^(< 1|[\d.]+) ms$/.test(document.querySelectorAll('.legend dd')[8].textContent)")  # dials
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
    with open_tunnel(running.address, f"localhost:{echo.port}") as client:
        browser.do(ASK_TO_KILL)
        assert f"localhost:{echo.port}" in browser.text("#kill")
        browser.do("await page.locator('#kill-no').click()")
        browser.wait("!document.getElementById('kill').open")
        client.send(b"alive")
        assert client.read_exact(5) == b"alive"
        assert browser.text("#details-title") == f"Live tunnel: localhost:{echo.port}"  # as it was
        browser.do("await page.locator('#details-kill').click(); await page.locator('#kill-yes').click()")
        client.read_to_end()
        assert running.wait_for_log(event="close", timeout=20)["closed_by"] == "killed"
    browser.wait("document.getElementById('message').textContent.startsWith('Killed')")
    browser.wait("document.querySelectorAll('#tunnels tbody tr:not(.gone)').length === 0")
    browser.check()


def names_of(browser):
    return browser.do("return await page.evaluate(() => [...document.querySelectorAll('#details-facts dt')]"
                      ".map((name) => name.textContent))")


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_details(proxy, origin, browse, size):
    """All that the log has of a tunnel; it goes on while one looks, and says how it ended."""
    echo = origin(Echo)
    running = proxy(admin=True)
    browser = browse(running, size)
    with open_tunnel(running.address, f"localhost:{echo.port}") as client:
        browser.do("await page.locator('#tunnels .open').focus(); await page.keyboard.press('Enter')")
        logged = set(running.wait_for_log(event="open")) - {"time", "event", "status"}
        assert logged | {"up_bytes", "down_bytes", "duration_ms"} <= set(names_of(browser))
        assert browser.do("return await axe(page)") == []
        client.send(b"x" * 3000)
        client.read_exact(3000)
        browser.wait("document.getElementById('details-facts').textContent.includes('3,000 B')")
    browser.wait("document.getElementById('details-title').textContent.startsWith('Tunnel that has ended')")
    closed = running.wait_for_log(event="close")
    browser.wait("document.getElementById('details-facts').textContent.includes('closed_by')")
    assert set(closed) <= set(names_of(browser))
    browser.do("await page.keyboard.press('Escape')")
    browser.check()


def test_room(busy, browse):
    """How much of how much: tunnels and descriptors; nearly full is said in words' colour, too."""
    browser = browse(busy[0])
    browser.wait("/^[12]\\d\\d of [\\d,]+$/.test(document.querySelector('#tunnel-room dd').textContent)")
    browser.wait("/^[\\d,]+ of [\\d,]+$/.test(document.querySelector('#fd-room dd').textContent)")
    assert re.match(r"read \d\d:\d\d:\d\d$", browser.text("#config"))
    browser.do("await page.evaluate(() => drawRoom(document.getElementById('tunnel-room'), 97, 100))")
    assert browser.do("return await page.evaluate(() => document.querySelector('#tunnel-room dd').dataset.is)") == "bad"
    browser.check()


def test_top_lists_are_adits(proxy, origin, browse):
    """Whoever comes late sees who moved most before, though those tunnels are long closed."""
    echo = origin(Echo)
    running = proxy(admin=True)
    for host, size in (("127.0.0.1", 1000), ("localhost", 90_000)):
        with open_tunnel(running.address, f"{host}:{echo.port}") as client:
            client.send(b"x" * size)
            client.read_exact(size)
    running.wait_for_log(event="close", count=2)
    refuse(running, "banner.ads.example:443")
    browser = browse(running)
    browser.wait("document.getElementById('top-hosts').textContent === 'localhost176 KiB127.0.0.11.95 KiB'")
    browser.wait("document.getElementById('top-rules').textContent === 'advertising1'")
    browser.check()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_denials_are_seen_without_scrolling(busy, browse, size):
    for number in range(4):
        refuse(busy[0], f"banner{number}.ads.example:443")
    browser = browse(busy[0], size)
    browser.wait("document.querySelectorAll('#denies li').length === 4")
    bottom = browser.do("return await page.evaluate(() => document.querySelectorAll('#denies li')[3].getBoundingClientRect().bottom)")
    assert bottom <= size[1]


OVERLAPS = """
    return await page.evaluate(() => {
        const bad = [], spans = new Set();
        for (const [minutes, is] of [[1, 'good'], [5, 'good'], [15, 'good'], [1, 'bad'], [5, 'bad'], [15, 'bad']]) {
            link.is = is; // then the axis ends with a time of day
            const now = Date.now(), zeros = facts.waits.map(() => 0).concat(0);
            facts.samples = Array.from({ length: minutes * 30 }, (_, i) => ({ time_ms: now - (minutes * 30 - i) * 2000,
                tunnels_open: 123456, established: i * 9000, denied: i * 2000, failed: i, auth_failures: i, asked: i,
                bytes_up: i * 4e9, bytes_down: i * 4e9, dial: zeros.map((_, j) => j * i), dns: zeros.map((_, j) => j * i) }));
            drawCharts();
            for (const svg of document.querySelectorAll('.plot svg')) {
                const boxes = [...svg.querySelectorAll('.tick')].map((tick) => [tick.textContent, tick.getBoundingClientRect()]);
                spans.add(boxes.find(([text]) => text.startsWith('\u2212'))[0]);
                boxes.forEach(([text, a], i) => boxes.slice(i + 1).forEach(([other, b]) => {
                    if (a.left < b.right && b.left < a.right && a.top + 2 < b.bottom && b.top + 2 < a.bottom)
                        bad.push(`${minutes} min, ${is}: ${text} over ${other}`);
                }));
                if (boxes.some(([, box]) => box.left < svg.closest('.chart').getBoundingClientRect().left))
                    bad.push(`${minutes} min: beyond the edge`);
            }
        }
        return [bad, [...spans]];
    });"""


@pytest.mark.parametrize("size", [DESKTOP, PHONE, (320, 568), (820, 1180), (1680, 1000)], ids=str)
def test_axes_do_not_overlap(proxy, browse, size):
    browser = browse(proxy(admin=True), size)
    browser.wait("facts.waits.length > 0")
    assert browser.do(OVERLAPS) == [[], ["\u221260 s", "\u22125 min", "\u221215 min"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_denied_and_failed_differ_in_lightness(proxy, browse, scheme):
    """For eyes that know no red and green, on paper, and beside the panel."""
    browser = browse(proxy(admin=True), DESKTOP, scheme)
    colours = browser.do("return await page.evaluate(() => ['--denied', '--failed', '--panel'].map((name) =>"
                         " getComputedStyle(document.documentElement).getPropertyValue(name)))")
    denied, failed, panel = map(luminance, colours)

    def contrast(one, other):
        return (max(one, other) + .05) / (min(one, other) + .05)

    assert contrast(denied, failed) >= 2.5
    assert min(contrast(denied, panel), contrast(failed, panel)) >= 2.8


def luminance(colour):
    """Relative luminance, as of WCAG 2, of #rrggbb."""
    parts = [int(colour.strip()[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= .04045 else ((part + .055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((.2126, .7152, .0722), linear))


def test_forced_colours_keep_marks(busy, browse):
    browser = browse(busy[0])
    browser.do("await page.emulateMedia({ forcedColors: 'active' })")
    browser.wait("document.querySelectorAll('#top-users .figure').length > 0")
    marks = browser.do("""return await page.evaluate(() => [...document.querySelectorAll('.legend dt, .light')].map((node) => {
        const style = getComputedStyle(node, '::before');
        return [style.forcedColorAdjust, style.backgroundColor];
    }))""")
    assert len(marks) >= 11
    for adjust, colour in marks:
        assert adjust == "none" and colour not in ("rgba(0, 0, 0, 0)", "transparent")
    assert browser.do("return await page.evaluate(() => getComputedStyle(document.querySelector('.share')).borderBottomWidth)") == "3px"
    browser.check()


def test_denies_and_explain(proxy, browse):
    running = proxy(admin=True)
    browser = browse(running)
    assert refuse(running, "banner.ads.example:443") == 403
    browser.do("await page.getByText('banner.ads.example:443').waitFor()")
    assert "advertising" in browser.text("#denies li")
    browser.do("await page.locator('#denies li button').click()")
    assert browser.text("#details-title") == "Refused: banner.ads.example:443"
    assert not browser.do("return await page.locator('#details-kill').isVisible()")
    browser.do("await page.locator('#details-explain').click()")
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
    with open_tunnel(running.address, f"localhost:{echo.port}") as client:
        browser.wait(f"{ROWS} === 1")  # the stream of events, and the list
        browser.do(ASK_TO_KILL + "await page.locator('#kill-yes').click()")
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
    browser.wait("document.querySelectorAll('#denies li').length === 1")
    shown = browser.text("#denies li .d-why")
    assert "<img src=x onerror=alert(1)>" in shown and "\u202e" not in shown
    browser.do("await page.locator('#denies li button').click()")
    shown = browser.text("#details-facts")
    assert "<img src=x onerror=alert(1)>" in shown and "\u202e" not in shown
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
    browser.wait(f"{ROWS} > 150 && document.querySelectorAll('#denies li').length > 0")
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
    with open_tunnel(first.address, f"localhost:{echo.port}") as client:
        browser.wait(f"{ROWS} === 1")
        first.stop()
    browser.wait("document.getElementById('link').textContent === 'disconnected'")
    said = browser.text("#lost")
    assert "No answer from adit since " in said and "What you see is from then." in said
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


def test_a_failed_reload_fits_a_phone(proxy, browse, tmp_path):
    """Also with a long path that has no place to break."""
    running = proxy(admin=True)
    browser = browse(running, (320, 568))
    rules = tmp_path / ("office_rules_" * 6)
    rules.write_text("alow\n")
    path = tmp_path / "adit.conf"
    path.write_text(path.read_text() + f'include "{rules}"\n')
    assert running.control("reload").returncode == 1
    browser.wait("document.getElementById('reload-failed').checkVisibility()")
    assert rules.name in browser.text("#reload-failed")
    assert browser.do("return await page.evaluate(() => document.documentElement.scrollWidth)") == 320
    browser.check()


def test_room_is_taken_by_requests_that_wait(browse, adit):
    """Not only by tunnels: descriptors are what there is room for."""
    running = adit(admin=True)
    browser = browse(running)
    with contextlib.ExitStack() as stack:
        for _ in range(7):
            client = stack.enter_context(Client(running.address))
            client.send(b"CONNECT ")
        browser.wait("/^7 of [\\d,]+$/.test(document.querySelector('#tunnel-room dd').textContent)")
    browser.check()


def test_draining(proxy, origin, browse):
    echo = origin(Echo)
    running = proxy(admin=True)
    browser = browse(running)
    with open_tunnel(running.address, f"localhost:{echo.port}") as client:
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
