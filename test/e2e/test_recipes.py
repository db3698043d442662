"""doc/recipes.md: each configuration passes `check`, and each question under "Ask it" has the answer
that the page gives, from `explain` and from the running proxy."""

import ipaddress
import re
import subprocess
from pathlib import Path

import pytest

from support.adit import ROOT, binary, split_address
from support.client import connect_head
from support.everywhere import Everywhere
from support.names import Answer, ScriptedNames
from support.users import basic, htpasswd

PAGE = (ROOT / "doc" / "recipes.md").read_text()
RECIPES = dict(re.findall(r"^```adit (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
QUESTION = re.compile(r"^\$ adit explain -c (?P<file>\S+)(?: -f (?P<client>\S+))?(?: -u (?P<user>\S+))?"
                      r" (?P<target>\S+) +# (?P<verdict>\w+): (?P<rule>.+)$", re.MULTILINE)
QUESTIONS = [match.groupdict() for match in QUESTION.finditer(PAGE)]
OUTCOMES = {"allow": (200, 0), "deny": (403, 3), "special": (403, 3), "ask": (407, 3)}


class Zone(dict):
    """Every name exists: the company's in private, `rebound` on loopback, the world's in public."""

    def get(self, name, default=None):
        if name.startswith("rebound."):
            return Answer("127.0.0.1")
        return Answer("10.20.0.80" if name.endswith(".corp.example") else "93.184.216.34")


def listeners_of(recipe):
    return re.findall(r"^listen (\S+)$", RECIPES[recipe], re.MULTILINE)


class Site:
    """What a recipe takes for granted: its addresses, clients at the end of a cable, users, names."""

    def __init__(self, recipe, keep, adit, etc, folder):
        self.questions = [question for question in QUESTIONS if question["file"] == recipe]
        for question in self.questions:
            question["client"] = question["client"] or "127.0.0.1"
        ports = {split_address(question["target"])[1] for question in self.questions
                 if question["verdict"] == "allow"}
        self.world = Everywhere(keep, ports)
        self.listener = split_address(listeners_of(recipe)[0])
        self._lay_cable({question["client"] for question in self.questions})
        self.etc = etc(resolv_conf="nameserver 127.0.0.53\n")
        (Path(self.etc.folder) / "adit").mkdir()
        self.etc.write("adit/htpasswd", htpasswd("alice", "bob", "carol"))
        self.config = folder / recipe
        self.config.write_text(RECIPES[recipe])
        with self.world.inside:
            keep(ScriptedNames(Zone()))
            self.proxy = adit("-c", self.config, "-s", folder / "sock", defaults=True, etc=self.etc)

    def _lay_cable(self, clients):
        """adit's namespace takes any address for its own; the clients' are outside."""
        for client in clients:
            if not ipaddress.ip_address(client).is_loopback:
                self.world.outside.ip("addr", "add", f"{client}/32", "dev", "veth0")
                self.world.inside.ip("route", "add", client, "dev", "veth0")
        if not ipaddress.ip_address(self.listener[0]).is_loopback:
            self.world.outside.ip("route", "add", self.listener[0], "dev", "veth0")

    def run(self, *words):
        with self.world.inside:
            return subprocess.run(self.etc.wrap([binary(), *map(str, words)]), text=True, timeout=20,
                                  stdin=subprocess.DEVNULL, capture_output=True)

    def ask(self, question):
        """The status that a client gets."""
        with self.world.connect_to(self.listener, question["client"]) as client:
            user = question["user"]
            client.send(connect_head(question["target"], *([basic(user)] if user else [])))
            response = client.read_response(has_body=False)
            if response.status == 200:
                client.send(b"ping")
                assert client.read_exact(4) == b"ping"
            return response.status


def test_the_page_has_what_it_should():
    assert len(RECIPES) == 5
    for recipe in RECIPES:
        verdicts = {question["verdict"] for question in QUESTIONS if question["file"] == recipe}
        assert {"allow", "deny"} <= verdicts
        port = split_address(listeners_of(recipe)[0])[1]
        section = PAGE[:PAGE.index(f"```adit {recipe}")].rpartition("\n## ")[2]
        assert f"**Port {port} on " in section
    assert len(QUESTIONS) == PAGE.count("$ adit explain")


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipe(keep, adit, etc, tmp_path, recipe):
    site = Site(recipe, keep, adit, etc, tmp_path)
    checked = site.run("check", "-c", site.config)
    assert (checked.returncode, checked.stderr) == (0, "")  # no warning either
    for question in site.questions:
        status, exit_status = OUTCOMES[question["verdict"]]
        words = ["-c", site.config, "-f", question["client"]]
        words += ["-u", question["user"]] if question["user"] else []
        explained = site.run("explain", *words, question["target"])
        assert explained.returncode == exit_status, (question, explained)
        last = explained.stdout.strip().rpartition("\n")[2]
        assert question["rule"] in last, (question, explained.stdout)
        assert site.ask(question) == status, question


def test_the_shipped_example_is_good():
    done = subprocess.run([binary(), "check", "-c", ROOT / "dist" / "adit.conf"], text=True,
                          capture_output=True, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_shipped_configuration_is_what_it_says_it_is():
    """The built-in one, but for mail."""
    def effective(*words):
        done = subprocess.run([binary(), "check", "--print", *words], text=True, capture_output=True,
                              timeout=20, check=True)
        return [re.split(" as | # ", line)[0] for line in done.stdout.splitlines()]

    shipped = effective(ROOT / "dist" / "adit.conf")
    assert [line for line in shipped if line != "deny port 25"] == effective()
    assert shipped.index("deny port 25") < len(shipped) - 1
