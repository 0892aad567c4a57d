"""Behind nginx and HAProxy with a timeout of 2 s and a model that is silent for 5 s."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from ..asgi import tokens
from ..clients import Connection, Notes, new_key, until
from ..servers import Server, free_port, serving, stop

pytestmark = pytest.mark.anyio

NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr;
events {{ }}
http {{
  access_log off; gzip on; gzip_types text/event-stream; gzip_min_length 1;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port};
    location {prefix} {{ proxy_pass http://127.0.0.1:{behind}{kept}; proxy_read_timeout 2s; }}
  }}
}}
"""

HAPROXY = """
defaults
  mode http
  option http-no-delay
  timeout connect 2s
  timeout client 60s
  timeout server 2s
frontend f
  bind 127.0.0.1:{port}
  default_backend b
backend b
  server s 127.0.0.1:{behind}
"""


@contextmanager
def proxy(name: str, behind: Server, folder: Path, prefix: str = "/") -> Iterator[int]:
    """Its port. nginx takes `prefix` off the path."""
    port = free_port()
    config = folder / f"{name}.conf"
    text = {"nginx": NGINX, "haproxy": HAPROXY}[name]
    where = {"prefix": prefix, "kept": "" if prefix == "/" else "/"}
    config.write_text(text.format(port=port, behind=behind.port, folder=folder, **where))
    program = shutil.which(name) or f"/usr/sbin/{name}"
    command = [program, "-c" if name == "nginx" else "-f", str(config)]
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        for _ in range(200):
            try:
                httpx.get(f"http://127.0.0.1:{port}/health")
                break
            except httpx.TransportError:
                assert process.poll() is None, (folder / f"{name}.log").read_text()
                time.sleep(0.02)
        yield port
    finally:
        stop(process)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("proxies")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with serving("tests.apps:app", folder, env={"PROBE_LOG": str(folder / "notes")}) as running:
        yield running


@pytest.fixture(scope="module", params=["nginx", "haproxy"])
def port(request: pytest.FixtureRequest, server: Server, folder: Path) -> Iterator[int]:
    with proxy(request.param, server, folder) as proxy_port:
        yield proxy_port


def test_pings_carry_a_silent_run_through(port: int) -> None:
    answer = httpx.post(f"http://127.0.0.1:{port}/stream/silence", json="x", timeout=10)
    assert tokens(answer.content) == ["first ", "last"]
    assert answer.content.count(b": ping\n") >= 3


def test_without_pings_the_proxy_cuts_it(port: int) -> None:
    """The proxies are what they are said to be, or the test above shows nothing."""
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.post(f"http://127.0.0.1:{port}/stream/silence-unpinged", json="x", timeout=10)


def test_spaces_carry_a_json_answer_through(port: int) -> None:
    url, headers = f"http://127.0.0.1:{port}/stream/silence", {"Accept": "application/json"}
    answer = httpx.post(f"{url}-json", json="x", timeout=10, headers=headers)
    assert answer.json()["output"] == "first last"
    assert answer.text.startswith("    ")
    # The proxy is what it is said to be.
    assert httpx.post(url, json="x", timeout=10, headers=headers).status_code == 504


def test_frames_are_not_held_back(port: int) -> None:
    with httpx.stream("POST", f"http://127.0.0.1:{port}/stream/words", json="x") as answer:
        arrived = [time.monotonic() for part, _ in zip(answer.iter_raw(), range(10), strict=False)]
    assert arrived[-1] - arrived[0] > 0.2


async def test_a_drop_is_seen_through_the_proxy(port: int, folder: Path) -> None:
    notes, key = Notes(folder / "notes"), new_key()
    async with await Connection.post(port, "/stream/silence", key) as client:
        await client.read_until(b"first")
        client.leave()
        # HAProxy tells only after it has had something to pass on: a ping, a second later.
        await until(lambda: notes.of(key, "cancel"), 8)
        assert len(notes.of(key, "cancel")) == 1
