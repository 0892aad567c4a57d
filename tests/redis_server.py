"""A real Redis in a process of its own, which tests may kill."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import redis

from .servers import free_port

STARTS_WITHIN_SECONDS = 20


class RedisServer:
    """A server on a port of its own.

    Args:
        folder: For its files and its log.
        persistent: It keeps what it has, also when it is killed.
        options: Of ``redis-server``.
        program: Its path; by default that of Debian's package.
    """

    def __init__(
        self,
        folder: Path,
        *,
        persistent: bool = False,
        options: tuple[str, ...] = (),
        program: Path | None = None,
    ):
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        kept = ["--appendonly", "yes", "--appendfsync", "always"] if persistent else []
        command = str(program or shutil.which("redis-server") or "redis-server")
        self._command = [command, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self._command += ["--dir", str(folder), *kept, *options]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        deadline = time.monotonic() + STARTS_WITHIN_SECONDS
        while True:
            try:
                self.client().ping()
            except redis.ConnectionError:
                if time.monotonic() > deadline:
                    self.kill()
                    raise
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def client(self) -> redis.Redis:
        """For what the tests themselves want to know or do."""
        return redis.Redis(port=self.port)


@contextmanager
def redis_server(
    folder: Path,
    *,
    persistent: bool = False,
    options: tuple[str, ...] = (),
    program: Path | None = None,
) -> Iterator[RedisServer]:
    """A running server, until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    server = RedisServer(folder, persistent=persistent, options=options, program=program)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def settled(server: RedisServer) -> str:
    """A prefix of its own on a Redis that is known to have lost nothing."""
    prefix = uuid4().hex
    client: Any = server.client()
    process, history = client.info("server")["run_id"], client.info("replication")["master_replid"]
    client.set(f"{prefix}:server", f"{process}:{history}")
    return prefix
