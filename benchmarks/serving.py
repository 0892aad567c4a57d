"""The servers of the benchmarks."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from fcntl import LOCK_EX, flock
from pathlib import Path
from uuid import uuid4

from tests.frontends import node
from tests.redis_server import redis_server
from tests.servers import Server, serving, started

from .driver import Contender
from .measures import apart

HERE = Path(__file__).parent
NODE = HERE / "node"
TUNED = "50000,50,50"
"""Thresholds of the garbage collector, after ``gc.freeze()``, as the documentation advises."""
ENVIRONMENTS = {
    # LangServe pins an older sse-starlette.
    "langserve": [
        *["langserve[server]==0.3.3", "ag-ui-langgraph==0.0.47"],
        *["langchain-openai", "uvicorn[standard]"],
    ],
    "pydantic_ai": ["pydantic-ai-slim[ui]==2.68.0", "uvicorn[standard]"],
}
UVICORN = ("--http=httptools", "--loop=uvloop", "--no-access-log", "--backlog=8192")


@contextmanager
def upstream(folder: Path) -> Iterator[None]:
    """The provider of the model that is not a fake one, which the servers inside will use."""
    with serving("benchmarks.upstream:app", folder, options=UVICORN) as server:
        os.environ["UPSTREAM"] = f"{server.url}/v1"
        try:
            yield
        finally:
            del os.environ["UPSTREAM"]


@contextmanager
def served(
    contender: Contender, folder: Path, gc: str | None = None, *, alone: bool = True
) -> Iterator[Server]:
    """Its server; `alone`: on a core of its own."""
    env = {} if gc is None else {"GC": gc}
    with ExitStack() as stack:
        if contender.name == "ours_redis":
            redis = stack.enter_context(redis_server(folder / uuid4().hex))
            env["REDIS"] = redis.url
        program = str(install(contender.environment))
        if contender.environment == "node":
            command = [program, str(NODE / contender.app), "{port}"]
            server = stack.enter_context(started(command, folder, contender.name, env))
        else:
            app = f"benchmarks.{contender.app}"
            server = stack.enter_context(
                serving(app, folder, env=env, options=UVICORN, python=program)
            )
        stack.enter_context(apart(server) if alone else nullcontext())
        yield server


def install(environment: str) -> Path:
    """Install a contender where it disturbs nothing; the program that runs it."""
    if environment == "node":
        node.install()
        node.install(NODE)
        return node.NODE
    if not environment:
        return Path(sys.executable)
    folder, packages = HERE / f".{environment}", ENVIRONMENTS[environment]
    installed, python = folder / "installed", folder / "bin" / "python"
    with folder.with_suffix(".lock").open("w") as lock:
        flock(lock, LOCK_EX)  # other processes run tests, too
        if not installed.exists() or installed.read_text() != "\n".join(packages):
            venv.create(folder, clear=True, with_pip=True)
            subprocess.run([str(python), "-m", "pip", "install", "-q", *packages], check=True)
            installed.write_text("\n".join(packages))
    return python


def langserve() -> Path:
    """Install LangServe; the Python that has it."""
    return install("langserve")
