"""The servers of the benchmarks."""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from uuid import uuid4

from tests.redis_server import redis_server
from tests.servers import Server, serving

from .driver import Contender
from .lineup import THEIRS
from .measures import apart

LANGSERVE = Path(__file__).parent / ".langserve"
TUNED = "50000,50,50"
"""Thresholds of the garbage collector, after ``gc.freeze()``, as the README advises."""


@contextmanager
def served(
    contender: Contender, folder: Path, gc: str | None = None, *, alone: bool = True
) -> Iterator[Server]:
    """Its server; `alone`: on a core of its own."""
    python = LANGSERVE / "bin" / "python" if contender in THEIRS else Path(sys.executable)
    options = ("--http=httptools", "--loop=uvloop", "--no-access-log", "--backlog=8192")
    env = {} if gc is None else {"GC": gc}
    with ExitStack() as stack:
        if contender.name == "ours_redis":
            redis = stack.enter_context(redis_server(folder / uuid4().hex))
            env["REDIS"] = redis.url
        server = stack.enter_context(
            serving(
                f"benchmarks.{contender.app}", folder, env=env, options=options, python=str(python)
            )
        )
        stack.enter_context(apart(server) if alone else nullcontext())
        yield server


def langserve() -> Path:
    """Install LangServe and the like where they disturb nothing; the Python that has them."""
    python = LANGSERVE / "bin" / "python"
    if not (LANGSERVE / "installed").exists():
        venv.create(LANGSERVE, clear=True, with_pip=True)
        packages = ["langserve[server]==0.3.3", "ag-ui-langgraph==0.0.47", "uvicorn[standard]"]
        command = [str(python), "-m", "pip", "install", "-q", *packages]
        subprocess.run(command, check=True)
        (LANGSERVE / "installed").touch()
    return python
