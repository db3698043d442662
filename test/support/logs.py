"""Reading a log as a program would: every line must parse, whatever its format.

The three formats say the same of a tunnel, each in its own words; `entries` gives dicts with the
names of the JSON format. squid's native lines have fewer fields (see parse_squid).
"""

import json
import re

from .adit import parse_logfmt

NUMBERS = {"status", "dns_ms", "dial_ms", "up_bytes", "down_bytes", "duration_ms"}
SQUID = re.compile(r"(?P<stamp> *\d+\.\d{3}) +(?P<duration_ms>\d+) (?P<client>\S+) "
                   r"(?P<code>[A-Z_]+)/(?P<status>\d{3}) (?P<bytes>\d+) (?P<method>\S+) "
                   r"(?P<target>\S+) (?P<user>\S+) (?P<hierarchy>[A-Z_]+)/(?P<address>\S+) "
                   r"(?P<type>\S+)")


def parse_json(line):
    try:
        found = json.loads(line)
    except json.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def parse_squid(line):
    """One line of squid's native format -> dict, or None."""
    match = SQUID.fullmatch(line)
    if not match:
        return None
    found = match.groupdict()
    for name in ("duration_ms", "status", "bytes"):
        found[name] = int(found[name])
    return found


def _parse_logfmt(line):
    found = parse_logfmt(line)
    if found is None:
        return None
    return {name: int(value) if name in NUMBERS else value for name, value in found.items()}


PARSERS = {"json": parse_json, "logfmt": _parse_logfmt, "squid": parse_squid}


def whole_lines(text):
    """Of a log that is being written: a reader may see the first part of a write alone."""
    return text[:text.rfind("\n") + 1]


def entries(text, log_format):
    """Every line of a log's text as a dict; fails at the first that does not parse."""
    assert text == "" or text.endswith("\n"), f"the last line is torn: {text[-300:]!r}"
    found = []
    for number, line in enumerate(text.split("\n")[:-1], 1):
        entry = PARSERS[log_format](line)
        assert entry is not None, f"line {number} does not parse: {line!r}"
        found.append(entry)
    return found


def is_whole_json(line):
    """A line of adit's own, whole: it begins with the time, and nothing is glued behind it."""
    return line.startswith('{"time":"') and parse_json(line) is not None
