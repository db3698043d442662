"""Reads test/data/policy-live.cases; its head says what the rows mean."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from .names import Answer

FILE = Path(__file__).resolve().parents[1] / "data" / "policy-live.cases"
VERDICTS = ("allow", "deny", "late", "special", "ask", "loop", "bad")


@dataclass
class Row:
    line: int
    client: str
    user: str          # None: no credentials
    target: str
    verdict: str
    rule: str          # None: none is told
    addresses: tuple   # the only ones that may be dialled; empty: any


@dataclass
class Case:
    title: str
    policy: str = ""
    rows: list = field(default_factory=list)


def _parse_row(number, text):
    words, _, addresses = text.partition("->")
    # the rule may be several words
    client, user, target, verdict, rule = words.split(None, 4)
    assert verdict in VERDICTS, f"{FILE.name}:{number}: {verdict}"
    rule = rule.strip()
    return Row(number, client, None if user == "-" else user, target, verdict,
               None if rule == "-" else rule, tuple(addresses.split()))


def load_cases():
    cases, is_policy = [], False
    for number, line in enumerate(FILE.read_text().splitlines(), 1):
        if line.startswith("== "):
            cases.append(Case(line[3:]))
            is_policy = True
        elif line == "--":
            is_policy = False
        elif not cases or not line.strip() or line.startswith("#"):
            continue
        elif is_policy:
            cases[-1].policy += line + "\n"
        else:
            cases[-1].rows.append(_parse_row(number, line))
    return cases


def load_zone():
    """The `names` of the file's head, for ScriptedNames."""
    block = re.search(r"^# names \{\n(.*?)^# \}", FILE.read_text(), re.MULTILINE | re.DOTALL)
    words = [line.strip("# ").split() for line in block.group(1).splitlines()]
    addresses = {name: rest for name, *rest in words}
    zone = {}
    for name, rest in addresses.items():
        if rest[0] == "=":
            zone[name] = Answer(*addresses[rest[1]], cname=rest[1])
        else:
            zone[name] = Answer(*rest)
    return zone
