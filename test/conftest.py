"""Fixtures of every end-to-end suite, those of test/clients included.

    adit(*args, env=…)      starts adit; stopped and checked at the end (support/adit.py)
    origin(kind, …)         starts a server of support/origins.py or https.py; closed at the end
    certificates            CA and server certificate of this run (support/certs.py)
    keep(object)            any other thing with close(): closed at the end, in reverse order
    namespace(…)            a network namespace (support/netns.py)
    many_clients            the test runs in a namespace where clients have many addresses
    etc(resolv_conf=, hosts=)   a private /etc, for adit(etc=…) (support/adit.py)
"""

import faulthandler
import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from support.adit import Adit, Etc, binary  # noqa: E402
from support.certs import Certificates  # noqa: E402
from support.https import HttpsOrigin  # noqa: E402
from support.netns import Namespace  # noqa: E402

TEST_TIMEOUT_S = 120


def pytest_configure(config):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # With vfork every thread of a test stands still until its child has got a processor and called
    # exec: for seconds, where the machine is busy with something else.
    subprocess._USE_VFORK = False
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]
    config.addinivalue_line("markers", "timeout(seconds): this test may take so long, not 120 s")
    if not os.access(binary(), os.X_OK):
        raise pytest.UsageError(f"there is no adit at {binary()}: run make, or set ADIT")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    """A test that hangs fails; nothing waits for ever."""
    mark = item.get_closest_marker("timeout")
    seconds = mark.args[0] if mark else TEST_TIMEOUT_S
    if threading.current_thread() is not threading.main_thread():
        # xdist may run tests in another thread, where no signal can stop one
        faulthandler.dump_traceback_later(seconds, exit=True)
        yield
        faulthandler.cancel_dump_traceback_later()
        return

    def give_up(*_):
        raise AssertionError(f"the test took over {seconds} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    run = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        run = run.parent
    return Certificates(run / "certificates")


@pytest.fixture
def keep():
    """Closes what it is given when the test ends, the last first; errors that a server met
    in one of its connections fail the test."""
    kept = []

    def keep_one(thing):
        kept.append(thing)
        return thing

    yield keep_one
    for thing in reversed(kept):
        thing.close()
    errors = [error for thing in kept for error in getattr(thing, "errors", ())]
    assert not errors, errors


@pytest.fixture
def origin(keep, certificates):
    def start(kind, *args, **options):
        if issubclass(kind, HttpsOrigin):
            args = (certificates, *args)
        return keep(kind(*args, **options))

    return start


@pytest.fixture
def namespace(keep):
    return lambda **options: keep(Namespace(**options))


@pytest.fixture
def many_clients(namespace):
    """The test runs in a namespace where a client may come from any address of 10/8 and
    2001:db8::/32: all of 127/8 is one client to adit."""
    inside = namespace()
    inside.own("10.0.0.0/8", "2001:db8::/32")
    with inside:
        yield inside


@pytest.fixture
def etc(tmp_path):
    return lambda **options: Etc(tmp_path / "etc", **options)


@pytest.fixture
def adit(tmp_path, keep):
    """Starts adit; options as support.adit.Adit has them. All are stopped at the end of the test,
    before the servers that were started earlier go away."""
    started = []

    class Stopper:
        def __init__(self, process):
            self.close = process.stop

    def start(*args, **options):
        folder = tmp_path / f"adit{len(started)}"
        folder.mkdir()
        process = Adit(folder, *args, **options)
        started.append(process)
        keep(Stopper(process))
        return process

    return start
