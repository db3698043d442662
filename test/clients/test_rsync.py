"""rsync through RSYNC_PROXY to its own daemon, there and back."""

import pytest

from support.origins import closed_port, pattern
from zoo import PAYLOAD


@pytest.fixture
def rsyncd(daemon, tmp_path):
    folder = tmp_path / "module"
    folder.mkdir()
    (tmp_path / "rsyncd.conf").write_text(
        f"use chroot = no\nread only = no\nuid = 0\ngid = 0\n"
        f"[files]\n    path = {folder}\n")
    port = closed_port()
    server = daemon(["rsync", "--daemon", "--no-detach", "--address=127.0.0.1",
                     f"--port={port}", f"--config={tmp_path}/rsyncd.conf"], port)
    server.folder = folder
    return server


def test_rsync(adit, rsyncd, client, tunnelled, tmp_path):
    proxy = adit()
    through = {"RSYNC_PROXY": proxy.address}
    module = f"rsync://localhost:{rsyncd.port}/files"
    for number in range(20):
        (rsyncd.folder / f"file{number}").write_bytes(pattern(PAYLOAD // 20 + number, seed=number))
    client("rsync", "--recursive", f"{module}/", "down/", env=through)
    for number in range(20):
        assert (tmp_path / "down" / f"file{number}").read_bytes() == pattern(
            PAYLOAD // 20 + number, seed=number)
    (tmp_path / "up").write_bytes(pattern(PAYLOAD, seed=50))
    client("rsync", "up", f"{module}/up", env=through)
    assert (rsyncd.folder / "up").read_bytes() == pattern(PAYLOAD, seed=50)
    assert len(tunnelled(proxy, rsyncd)) == 2
