"""`make install`: what lands where, man pages at 80 columns, the completions in real shells."""

import fcntl
import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.adit import ROOT, binary
from support.terminal import Terminal

INSTALLED = {
    "bin/adit",
    "libexec/adit/adit-top",
    "share/bash-completion/completions/adit",
    "share/fish/vendor_completions.d/adit.fish",
    "share/man/man5/adit.conf.5",
    "share/man/man8/adit.8",
    "share/zsh/site-functions/_adit",
}


def try_make(*words):
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    done = subprocess.run(["make", "-C", str(ROOT), *words], env=environment, timeout=300,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return done


def make(*words):
    done = try_make(*words)
    assert done.returncode == 0, done.stdout + done.stderr


def files_below(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


@contextmanager
def alone_with(build):
    """An uninstall undoes the last install, and a prefix is the build folder's."""
    with open(build / "install.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder that looks like /usr/local after `make install`, of which `make uninstall` left nothing."""
    destination = tmp_path_factory.mktemp("install")
    kept = tmp_path_factory.mktemp("kept")
    build = Path(binary()).parent
    words = f"DESTDIR={destination}", f"BUILD={build}"
    with alone_with(build):
        make("install", *words)
        shutil.copytree(next(destination.rglob("bin")).parent, kept, dirs_exist_ok=True)
        make("uninstall", *words)
    assert files_below(destination) == set()
    return kept


def test_what_is_installed(installed):
    assert files_below(installed) == INSTALLED
    done = subprocess.run([installed / "bin/adit", "-V"], capture_output=True, text=True, timeout=20)
    assert done.stdout.startswith("adit ")


def test_top_is_found_where_it_was_installed(installed):
    done = subprocess.run([installed / "bin/adit", "top"], capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (1, "adit: top needs a terminal; 'adit ps' and 'adit stats' don't\n")


def test_each_place_is_installed_to_and_uninstalled_from_by_itself(tmp_path):
    build = Path(binary()).parent
    here = f"DESTDIR={tmp_path}", f"BUILD={build}"
    first, second, usual = tmp_path / "first place", tmp_path / "second", tmp_path / "usr/local"
    with alone_with(build):
        make("install", "PREFIX=/first place", *here)
        make("install", "PREFIX=/second", *here)
        make("install", "PREFIX=/second", *here)
        make("install", *here)  # /usr/local again, whatever the last one was
        assert files_below(first) == files_below(second) == files_below(usual) == INSTALLED
        make("uninstall", "PREFIX=/first place", *here)
        assert not first.exists()
        assert files_below(second) == files_below(usual) == INSTALLED
        again = try_make("uninstall", "PREFIX=/first place", *here)
        assert again.returncode != 0 and "nothing was installed" in again.stderr
        assert "delete" not in again.stdout
        make("uninstall", f"BUILD={build}")  # the last one
        assert not usual.exists()
        assert files_below(second) == INSTALLED
        assert try_make("uninstall", f"BUILD={build}").returncode != 0
        make("uninstall", "PREFIX=/second", *here)
    assert not second.exists()


@pytest.mark.parametrize("page,source", [("man8/adit.8", "adit.8"), ("man5/adit.conf.5", "adit.conf.5")])
def test_examples_of_man_pages_can_be_pasted(installed, page, source):
    """At 80 columns: no line of an example is broken, and each hyphen is one."""
    shown = subprocess.run(["man", "-l", installed / "share/man" / page], capture_output=True, text=True,
                           check=True, timeout=60,
                           env=dict(os.environ, MANWIDTH="80", MAN_KEEP_FORMATTING="0", LC_ALL="C.UTF-8",
                                    MANPAGER="cat", GROFF_NO_SGR="1")).stdout
    shown = re.sub(".\b", "", shown)
    lines = {line.strip() for line in shown.split("\n")}
    text = (ROOT / "doc" / f"{source}.scd").read_text()
    examples = [line for block in re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
                for line in block.split("\n") if line]
    assert examples
    for example in examples:
        assert example.strip() in lines
        assert len(example) <= 69, "behind the margin of 11 it does not fit into 80 columns"
    assert not re.search(r"^\t.*\n\n\t|\n\n\t(adit|curl|allow|deny|listen) ", text), "an example that is filled"


# -- completions: what is offered behind these words

CASES = [
    (["adit", ""], {"ps", "check", "explain", "kill", "top", "help"}, {"--json"}),
    (["adit", "che"], {"check"}, {"ps"}),
    (["adit", "--"], {"--from", "--help", "--version"}, {"--json", "--print"}),
    (["adit", "ps", "--"], {"--json", "--user", "--host"}, {"--from", "--print"}),
    (["adit", "-s", "x", "kill", "--"], {"--user", "--host"}, {"--json", "--from"}),
    (["adit", "help", "st"], {"stats"}, {"ps"}),
    (["adit", "check", "--p"], {"--print"}, {"--from"}),
    (["adit", "check", "own"], {"own.conf"}, {"ps"}),
    (["adit", "-c", "own"], {"own.conf"}, {"ps"}),
    (["adit", "reload", "-c", "own"], {"own.conf"}, set()),
    (["adit", "explain", "-u", ""], set(), {"ps", "--from", "own.conf"}),
    (["adit", "-c", "own.conf", ""], {"ps", "check"}, {"own.conf"}),
    (["adit", "-c", "own.conf", "-s", "x", "--"], {"--from"}, {"--json"}),
    (["adit", "-c", "own.conf", "explain", "--"], {"--sni"}, {"--from", "--json"}),
    (["adit", "--from=10.0.0.0/8", ""], {"ps", "check"}, {"own.conf"}),
    (["adit", "-s", "stats", "ps", "--"], {"--json"}, {"--from"}),
    (["adit", "-s", "stats", ""], {"ps", "check"}, {"own.conf"}),
    (["adit", "check", ""], {"own.conf", "my file.conf"}, {"--print", "-c", "ps"}),
    (["adit", "check", "my"], {"my file.conf"}, {"own.conf"}),
    (["adit", "-c", "my"], {"my file.conf"}, {"own.conf"}),
    (["adit", "help", ""], {"ps", "check"}, {"--help", "-V"}),
    (["adit", "help", "ps", "--"], {"--help"}, {"--from", "--json"}),
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "own.conf").write_text("")
    (tmp_path / "my file.conf").write_text("")
    return tmp_path


def offered_by_bash(installed, folder, words):
    script = ('. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _adit; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(
        ["bash", "--norc", "-c", script, installed / "share/bash-completion/completions/adit", *words],
        capture_output=True, text=True, cwd=folder, timeout=20, check=True)
    assert done.stderr == ""
    return set(done.stdout.splitlines())


def offered_by_fish(installed, folder, words):
    script = "source $argv[1]; complete -C $argv[2]"
    done = subprocess.run(
        ["fish", "--no-config", "-c", script,
         installed / "share/fish/vendor_completions.d/adit.fish", " ".join(words)],
        capture_output=True, text=True, cwd=folder, timeout=20, check=True,
        env=dict(os.environ, HOME=str(folder)))
    assert done.stderr == ""
    return {line.split("\t")[0].replace("\\", "") for line in done.stdout.splitlines()}


@pytest.mark.parametrize("words,wanted,unwanted", CASES)
@pytest.mark.parametrize("offered", [offered_by_bash, offered_by_fish])
def test_completion(installed, folder, offered, words, wanted, unwanted):
    found = offered(installed, folder, words)
    assert wanted <= found
    assert not unwanted & found


def prompt_of_bash(installed, folder, keep):
    (folder / ".bashrc").write_text(
        f". {installed}/share/bash-completion/completions/adit; PS1='ready> '; cd {folder}\n")
    script = 'exec bash --noprofile --rcfile "$0" -i 2>/dev/tty'  # it prompts on stderr
    return keep(Terminal(folder / "terminal", ["sh", "-c", script, folder / ".bashrc"],
                         INPUTRC="/dev/null", TERM="xterm"))


def prompt_of_zsh(installed, folder, keep):
    functions = folder / "functions"
    functions.mkdir()
    shutil.copy(installed / "share/zsh/site-functions/_adit", functions / "_adit")
    (folder / ".zshrc").write_text(
        f"fpath=({functions} $fpath); autoload -Uz compinit; compinit -u -D; PS1='ready> '; cd {folder}\n")
    return keep(Terminal(folder / "terminal", ["zsh", "-d", "-i"], ZDOTDIR=str(folder), TERM="xterm"))


def check_at_the_prompt(terminal, typed, wanted, unwanted):
    terminal.go()
    terminal.wait_for("ready>")
    terminal.type(typed)
    terminal.press("Tab")
    terminal.wait_for(f"ready> {wanted}".rstrip())
    assert unwanted not in terminal.text()
    terminal.press("C-u")
    terminal.type("exit")
    terminal.press("Enter")
    terminal.wait_for("status 0")


AT_THE_PROMPT = [
    ("adit che", "adit check ", "adit ps"),
    ("adit ps --js", "adit ps --json ", "--from"),
    ("adit -s stats ps --js", "adit -s stats ps --json ", "--from"),
    ("adit reload -c ow", "adit reload -c own.conf ", "--from"),
    ("adit check ow", "adit check own.conf ", "--from"),
    ("adit check my", "adit check my\\ file.conf ", "own.conf"),
    ("adit check my\\ f", "adit check my\\ file.conf ", "own.conf"),
    ("adit -c my", "adit -c my\\ file.conf ", "own.conf"),
    ("adit help sta", "adit help stats ", "--from"),
]


@pytest.mark.parametrize("typed,wanted,unwanted", [
    *AT_THE_PROMPT,
    ("adit check 'my f", "adit check 'my file.conf' ", "own.conf"),
    ("adit --sni=stats ps --js", "adit --sni=stats ps --json ", "--from"),
    ("adit --from=10.0.0.0/8 --he", "adit --from=10.0.0.0/8 --help ", "--json"),
])
def test_completion_of_bash_at_the_prompt(installed, folder, keep, typed, wanted, unwanted):
    """Where blanks are quoted, and a word is broken at `=` and `:`."""
    check_at_the_prompt(prompt_of_bash(installed, folder, keep), typed, wanted, unwanted)


@pytest.mark.parametrize("typed,wanted,unwanted", [
    *AT_THE_PROMPT,
    ("adit --fr", "adit --from=", "--json"),
    ("adit --from 10.0.0.0/8 --fr", "adit --from 10.0.0.0/8 --from=", "--json"),
])
def test_completion_of_zsh(installed, folder, keep, typed, wanted, unwanted):
    """At a prompt, since that is the only place where zsh completes."""
    check_at_the_prompt(prompt_of_zsh(installed, folder, keep), typed, wanted, unwanted)
