"""The command line, the listeners, the start line, and what is said when one of them is wrong."""

import os
import re
import resource
import subprocess

import pytest

from support.adit import ROOT, binary, children_of, is_sanitized, run_adit, split_address
from support.checks import echoes, works
from support.client import open_tunnel
from support.origins import Echo

COMMANDS = ("stats", "drain")


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_worker_threads(adit, origin, workers):
    proxy = adit("-w", workers)
    assert proxy.workers == workers
    assert len(os.listdir(f"/proc/{proxy.worker_pid}/task")) >= workers
    server = origin(Echo)
    for _ in range(20):
        assert works(proxy, server)


def test_default_is_a_thread_for_each_core(adit):
    assert adit().workers == len(os.sched_getaffinity(0))


def test_one_child_in_calm(adit):
    proxy = adit()
    assert len(children_of(proxy.pid)) == 1
    assert children_of(proxy.worker_pid) == []


def test_several_listeners(adit, origin):
    server = origin(Echo)
    proxy = adit("-l", "127.0.0.1:0", "-l", "127.0.0.4:0", "-l", "[::1]:0")
    assert [split_address(address)[0] for address in proxy.listeners] == [
        "127.0.0.1", "127.0.0.4", "::1"]
    for address in proxy.listeners:
        with open_tunnel(address, server.authority) as client:
            assert echoes(client)
            line = proxy.wait_for_log(event="open", client=client.name)
        assert line["listener"] == address


def test_start_line(adit):
    proxy = adit("-w", "2")
    assert proxy.stderr().splitlines()[0] == (
        f"adit 0.1.0 listening on {proxy.address} (2 workers); try: "
        f"curl -v --http1.1 --proxy http://{proxy.address}/ https://example.com/")


def test_built_in_defaults(adit, namespace, keep, tmp_path):
    """No argument at all: 127.0.0.1:10800, and the control socket in XDG_RUNTIME_DIR."""
    (tmp_path / "run").mkdir()
    environment = {"XDG_RUNTIME_DIR": str(tmp_path / "run")}
    with namespace():
        server = keep(Echo())
        proxy = adit(defaults=True, env=environment)
        assert proxy.address == "127.0.0.1:10800"
        assert works(proxy, server)
        done = run_adit("stats", env=dict(os.environ, **environment))
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "adit.sock").is_socket()


def test_default_control_socket_that_cannot_be_made_is_a_warning(adit, origin):
    proxy = adit("-l", "127.0.0.1:0", defaults=True, env={"XDG_RUNTIME_DIR": "/nonexistent"})
    assert works(proxy, origin(Echo))
    assert "/nonexistent/adit.sock" in proxy.stderr()


def test_busy_port(adit):
    proxy = adit()
    done = run_adit("-l", proxy.address, "-s", proxy.folder / "other")
    assert done.returncode == 1
    assert proxy.address in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "in use" in done.stderr


def test_address_of_somebody_else(tmp_path):
    done = run_adit("-l", "203.0.113.1:0", "--from", "127.0.0.0/8", "-s", tmp_path / "sock")
    assert done.returncode == 1
    assert "203.0.113.1:0" in done.stderr


def test_one_busy_listener_of_two(adit):
    proxy = adit()
    done = run_adit("-l", "127.0.0.1:0", "-l", proxy.address, "-s", proxy.folder / "other")
    assert done.returncode == 1


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "203.0.113.1:8080", "[2001:db8::1]:0"])
def test_open_listener_does_not_start(listen, tmp_path):
    done = run_adit("-l", "127.0.0.1:0", "-l", listen, "-s", tmp_path / "sock")
    assert done.returncode == 1
    assert done.stdout == ""
    assert listen in done.stderr
    assert "--from" in done.stderr


def test_open_listener_with_from_starts(adit, origin):
    proxy = adit("-l", "0.0.0.0:0", "--from", "127.0.0.0/8")
    assert proxy.address == f"0.0.0.0:{proxy.port}"
    with open_tunnel(("127.0.0.1", proxy.port), origin(Echo).authority) as client:
        assert echoes(client)


BAD_COMMAND_LINES = [
    ["--nonsense"], ["-x"], ["nonsense"], ["-l"], ["-l", "127.0.0.1"], ["-l", "127.0.0.1:"],
    ["-l", ":8080"], ["-l", "127.0.0.1:65536"], ["-l", "127.0.0.1:+80"], ["-l", "::1:80"],
    ["-l", "127.1:80"], ["-w"], ["-w", "0"], ["-w", "-1"], ["-w", "x"], ["-w", "1x"],
    ["-w", "99999999999"], ["--from"], ["--from", "10.0.0.0/33"], ["--from", "10.0.0.1/8"],
    ["--from", "x"], ["--from", "10.0.0.0/"], ["-s"], ["stats", "operand"], ["drain", "now"],
    ["help", "nonsense"],
]


@pytest.mark.parametrize("words", BAD_COMMAND_LINES, ids=" ".join)
def test_bad_command_line(words):
    """Exit status 2; stderr says what was wrong, in few lines, and names the word."""
    done = run_adit(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert 1 <= len(done.stderr.splitlines()) <= 3
    assert words[-1] in done.stderr


def test_version():
    done = run_adit("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, "adit 0.1.0\n", "")


@pytest.mark.parametrize("words", [["--help"], ["help"]])
def test_help(words):
    done = run_adit(*words)
    assert (done.returncode, done.stderr) == (0, "")
    for word in ("adit", "-l", "-w", "-s", "--from", "--version", "127.0.0.1:10800", *COMMANDS):
        assert word in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(command):
    done = run_adit("help", command)
    assert (done.returncode, done.stderr) == (0, "")
    assert command in done.stdout and "-s" in done.stdout


def test_help_goes_into_a_closed_pipe():
    """`adit --help | head -1` must not hang or crash."""
    done = subprocess.run(["sh", "-c", '"$0" --help | head -1', binary()], capture_output=True,
                          timeout=20)
    assert done.returncode == 0 and done.stdout


# ThreadSanitizer writes a file of its own before there is an adit that could ignore the signal.
BEFORE_IT_STARTS = "trap '' XFSZ; " if is_sanitized() else ""


@pytest.mark.parametrize("command", ["help", "--version", "check", "explain 127.0.0.1:1"])
@pytest.mark.parametrize("where,why", [
    (">/dev/full", "No space left on device"),
    ("", "File too large"),
])
def test_an_answer_that_cannot_be_written(tmp_path, command, where, why):
    script = f'{BEFORE_IT_STARTS}exec "$0" {command} {where}'
    with open(tmp_path / "out", "wb") as out:
        done = subprocess.run(["sh", "-c", script, binary()], stdout=out, stderr=subprocess.PIPE,
                              text=True, timeout=20, preexec_fn=lambda: resource.setrlimit(
                                  resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY)))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"adit: can't write to stdout: {why}"


def test_a_file_size_limit_at_the_start():
    done = run_adit("-l", "127.0.0.1:0", prefix=[
        "sh", "-c", BEFORE_IT_STARTS + 'ulimit -f 0; exec "$@"', "sh"])
    assert done.returncode == 1
    assert "File too large; raise the limit of file sizes" in done.stderr


def _binary():
    from support.adit import binary
    return binary()


def commands_of(document):
    """The lines of a document's blocks that begin with a command, or with an address that one opens."""
    for block in re.findall(r"^```\n(.*?)^```$", (ROOT / document).read_text(), re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if re.match(r"(adit|curl|make|sudo|export|http://)", line):
                yield line


@pytest.mark.parametrize("document", ["README.md", "HACKING.md"])
def test_commands_of_documents_can_be_pasted(document):
    """What explains one is a comment; a bar is a pipe, and brackets are a pattern."""
    lines = list(commands_of(document))
    assert len(lines) >= 4
    for line in lines:
        command = line.split("#")[0].rstrip()
        assert "  " not in command, line
        assert not re.search(r"\| (top|drain|stats)\b|(?<!')\[|^http:", command), line
