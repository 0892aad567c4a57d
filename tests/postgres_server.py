"""A PostgreSQL server for tests, from Debian's package."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .servers import free_port

STARTS_WITHIN_SECONDS = 20


@contextmanager
def postgres_server() -> Iterator[str]:
    """Start a server with an empty database, and yield its URL."""
    [*_, programs] = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    data = Path(tempfile.mkdtemp(prefix="postgres-"))
    # The server refuses to run as root.
    user: dict[str, Any] = {"user": "postgres"} if os.geteuid() == 0 else {}
    if user:
        account = pwd.getpwnam("postgres")
        os.chown(data, account.pw_uid, account.pw_gid)
    port = free_port()
    options = ["-c", f"port={port}", "-c", f"unix_socket_directories={data}", "-c", "fsync=off"]
    try:
        subprocess.run(
            [programs / "initdb", "--auth=trust", "--username=postgres", data / "db"],
            check=True,
            capture_output=True,
            cwd="/",
            **user,
        )
        server = subprocess.Popen(
            [programs / "postgres", "-D", data / "db", *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            **user,
        )
        try:
            _wait(programs, port)
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            server.terminate()
            server.wait(20)
    finally:
        shutil.rmtree(data, ignore_errors=True)


def _wait(programs: Path, port: int) -> None:
    ready: list[Any] = [
        programs / "pg_isready",
        "--host=127.0.0.1",
        f"--port={port}",
        "--timeout=20",
    ]
    deadline = time.monotonic() + STARTS_WITHIN_SECONDS
    while subprocess.run(ready, capture_output=True).returncode != 0:
        if time.monotonic() > deadline:
            raise TimeoutError("PostgreSQL did not start")
        time.sleep(0.1)
