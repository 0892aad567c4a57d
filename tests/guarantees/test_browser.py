"""A real browser."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from ..servers import serving, stop

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--no-first-run", "--disable-component-update", "--disable-sync", "--disable-quic"),
]


@contextmanager
def browsing(url: str, folder: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    program = shutil.which("chromium")
    assert program, "install Debian's chromium"
    profile = f"--user-data-dir={folder / 'profile'}"
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            [program, *FLAGS, profile, "--remote-debugging-port=0", *options, url],
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        stop(process)


@pytest.mark.parametrize(("host", "status"), [("localhost", 415), ("127.0.0.1", 404)])
def test_a_page_of_another_origin_stops_no_run(tmp_path: Path, host: str, status: int) -> None:
    with serving("tests.apps:app", tmp_path, env={"PROBE_LOG": "unused"}) as server:
        request_line = f"POST /stream/chat/mine/stream?from={host} "
        with browsing(f"http://{host}:{server.port}/stopping", tmp_path):
            deadline = time.monotonic() + 30
            while request_line not in server.log():
                assert time.monotonic() < deadline, (tmp_path / "chromium.log").read_text()
                time.sleep(0.1)
        [line] = [line for line in server.log().splitlines() if request_line in line]
        assert f" {status} " in line


def test_an_event_source_reads_the_answer_once_and_comes_to_rest(tmp_path: Path) -> None:
    """It reconnects three seconds after any end; only 204 stops it."""
    with serving("tests.apps:app", tmp_path, env={"PROBE_LOG": "unused"}) as server:
        with browsing(f"{server.url}/", tmp_path):
            deadline = time.monotonic() + 30
            while not (reported := httpx.get(f"{server.url}/report").text):
                assert time.monotonic() < deadline, (tmp_path / "chromium.log").read_text()
                time.sleep(0.1)
        assert reported == "1 Hello|"
        assert server.log().count("GET /stream/browser") == 2
        assert "204" in server.log()
