"""What `make` does where a package is missing: says so, and installs it only where it was asked to.

The compiler is missing; sudo is a stand-in, and so is apt-get, which notes what it was asked for.
"""

import os
import subprocess

import pytest

from support.adit import ROOT
from support.patience import PATIENCE_S


class Machine:
    def __init__(self, folder):
        self.compiler = folder / "no-compiler"
        self.asked = folder / "asked"
        self.tools = folder / "tools"
        self.tools.mkdir()
        self.add("apt-get", f'echo "$@" >>{self.asked}')
        self.add("sudo", '"$@"')

    def add(self, name, script):
        (self.tools / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.tools / name).chmod(0o755)

    def make(self, *words):
        environment = {name: value for name, value in os.environ.items()
                       if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
        environment |= {"CC": str(self.compiler), "PATH": f"{self.tools}:{environment['PATH']}"}
        return subprocess.run(["make", "-C", str(ROOT), *words], env=environment, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S)

    def asked_for(self):
        return self.asked.read_text().splitlines() if self.asked.exists() else []


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


@pytest.mark.parametrize("target", ["all", "asan", "install"])
def test_make_tells_what_is_missing_and_installs_nothing(machine, target):
    done = machine.make(target)
    assert done.returncode != 0
    assert "gcc: compiles adit" in done.stderr
    assert "run: make deps" in done.stderr
    assert "as root: apt-get update && apt-get install gcc" in done.stderr
    assert "ninja" not in done.stdout
    assert machine.asked_for() == []


def test_make_deps_installs(machine):
    done = machine.make("deps")
    assert done.returncode == 0, done.stderr
    assert "gcc: compiles adit" in done.stdout
    update, install = machine.asked_for()
    assert update.endswith("update")
    assert install.split()[-1] == "gcc" and " install " in install


@pytest.mark.parametrize("target", ["run", "test"])
def test_a_newcomers_commands_install_by_themselves(machine, target):
    machine.add("apt-get", f'echo "$@" >>{machine.asked}; case "$*" in *install*) exit 7; esac')
    done = machine.make(target)
    assert done.returncode != 0  # no compiler came
    assert len(machine.asked_for()) == 2
    assert machine.asked_for()[1].split()[-1] == "gcc"
