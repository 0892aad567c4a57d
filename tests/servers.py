"""Real servers in processes of their own, on free ports of 127.0.0.1."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import choice  # hypothesis seeds random's

HERE = Path(__file__).parent
STARTS_WITHIN_SECONDS = 180  # an example may have to install its page's packages

COMMANDS: dict[str, list[str]] = {
    "uvicorn": ["uvicorn", "{app}", "--host=127.0.0.1", "--port={port}"],
    "uvicorn-httptools": [
        *["uvicorn", "{app}", "--host=127.0.0.1", "--port={port}"],
        *["--http=httptools", "--loop=asyncio"],
    ],
    "uvicorn-httptools-uvloop": [
        *["uvicorn", "{app}", "--host=127.0.0.1", "--port={port}"],
        *["--http=httptools", "--loop=uvloop"],
    ],
    "uvicorn-h11": [
        *["uvicorn", "{app}", "--host=127.0.0.1", "--port={port}"],
        *["--http=h11", "--loop=asyncio"],
    ],
    "uvicorn-h11-uvloop": [
        *["uvicorn", "{app}", "--host=127.0.0.1", "--port={port}"],
        *["--http=h11", "--loop=uvloop"],
    ],
    "uvicorn-2-workers": ["uvicorn", "{app}", "--host=127.0.0.1", "--port={port}", "--workers=2"],
    "hypercorn": ["hypercorn", "{app}", "--bind=127.0.0.1:{port}", "--graceful-timeout=3"],
    "gunicorn": [
        *["gunicorn", "{app}", "--worker-class=uvicorn_worker.UvicornWorker"],
        *["--bind=127.0.0.1:{port}", "--workers=1", "--timeout=15", "--graceful-timeout=10"],
    ],
    "granian": [
        *["granian", "{app}", "--interface=asgi", "--host=127.0.0.1", "--port={port}"],
    ],
}

ALL_SERVERS = [
    name for name in COMMANDS if name not in ("uvicorn", "uvicorn-2-workers", "gunicorn")
]


class Server:
    """A running server: where it is, and what it has printed."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._log = log

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)


def free_port() -> int:
    """A port that nothing listens on, and that no other process of this run of tests chooses.

    It is below those that the system gives to connections.
    """
    first = 20_000 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    step = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    while True:
        port = choice(range(first, 32_000, step))
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


@contextmanager
def serving(
    app: str,
    folder: Path,
    server: str = "uvicorn",
    env: Mapping[str, str] | None = None,
    options: tuple[str, ...] = (),
    python: str = sys.executable,
    home: Path | None = None,
) -> Iterator[Server]:
    """`app` (``"module:attribute"``) on a server of this kind, until the block ends."""
    command = [python, "-m", *(part.replace("{app}", app) for part in COMMANDS[server]), *options]
    with started(command, folder, server, env, home) as running:
        yield running


@contextmanager
def started(
    command: list[str],
    folder: Path,
    name: str,
    env: Mapping[str, str] | None = None,
    home: Path | None = None,
) -> Iterator[Server]:
    """A program that listens on ``{port}``, until the block ends."""
    port = free_port()
    log = folder / f"{name}-{port}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [part.replace("{port}", str(port)) for part in command],
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=home or HERE.parent,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "PORT": str(port), **(env or {})},
        )
        running = Server(process, port, log)
        try:
            _wait_until_listening(running)
            yield running
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process that a test has started, whatever state it is in."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_listening(server: Server) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_SECONDS
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise RuntimeError(f"the server did not start:\n{server.log()}")
        try:
            socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"the server does not listen:\n{server.log()}")
