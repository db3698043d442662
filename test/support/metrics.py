"""/metrics, read as strictly as its format is written (Prometheus' text format 0.0.4)."""

import http.client
import re

from .patience import PATIENCE_S

SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)')
LABEL = re.compile(r'([a-z]+)="((?:[^"\\]|\\.)*)"')
SUFFIXES = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def get(proxy, path, method="GET", headers=None, timeout=PATIENCE_S):
    """One request to the admin page: (status, fields in lower case, text)."""
    connection = http.client.HTTPConnection(proxy.admin, timeout=timeout)
    try:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        fields = {name.lower(): value for name, value in response.getheaders()}
        return response.status, fields, response.read().decode()
    finally:
        connection.close()


class Metrics:
    """kinds     {family: kind}                               helps   {family: text}
    values    {(name, ((label, value), ...)): number}      series  {'name{label="value"}': number}
    """

    def __init__(self, text):
        self.values, self.series, self.kinds, self.helps = {}, {}, {}, {}
        assert text.endswith("\n")
        family = None
        for line in text.split("\n")[:-1]:
            if line.startswith("# HELP "):
                family, text = line[len("# HELP "):].split(" ", 1)
                assert family not in self.helps and text, line
                self.helps[family] = text
            elif line.startswith("# TYPE "):
                name, kind = line[len("# TYPE "):].split(" ")
                assert name == family and name not in self.kinds and kind in SUFFIXES, line
                self.kinds[name] = kind
            else:
                self._add(line, family)

    def _add(self, line, family):
        match = SAMPLE.fullmatch(line)
        assert match, f"no sample: {line!r}"
        name, labels, value = match.groups()
        assert name in [family + suffix for suffix in SUFFIXES[self.kinds[family]]], line
        key = (name, tuple(sorted((label, re.sub(r"\\(.)", lambda one: {"n": "\n"}.get(
            one.group(1), one.group(1)), text)) for label, text in LABEL.findall(labels or ""))))
        assert key not in self.values, f"twice: {line}"
        self.values[key] = self.series[line.rpartition(" ")[0]] = float(value)

    def get(self, name, **labels):
        """The sum of the series with these labels, whatever others they have; None: there is none."""
        found = [value for (one, pairs), value in self.values.items()
                 if one == name and labels.items() <= dict(pairs).items()]
        return sum(found) if found else None

    def by(self, name, label):
        """{value of a label: sum}"""
        sums = {}
        for (one, pairs), value in self.values.items():
            if one == name:
                key = dict(pairs).get(label)
                sums[key] = sums.get(key, 0) + value
        return sums


def scrape(proxy):
    status, fields, text = get(proxy, "/metrics")
    assert status == 200
    assert fields["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return Metrics(text)
