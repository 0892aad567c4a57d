"""The app of a page, for a server: what ``app`` is after the page's Python blocks."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ..servers import Server, serving
from .blocks import ROOT, blocks
from .names import page_names
from .python_blocks import provide, run_block


@contextmanager
def serving_page(page: str, folder: Path) -> Iterator[Server]:
    """Serve the page's own ``app`` on uvicorn; files that it writes are in `folder`."""
    env = {"DOCS_PAGE": page, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"}
    with serving(f"{__name__}:app", folder, env=env, home=folder) as server:
        yield server


async def _run(page: str) -> dict[str, Any]:
    names, patch = page_names(page), pytest.MonkeyPatch()
    provide(page, Path.cwd(), patch)
    for block in blocks(page, "python"):
        if "RemoteRunnable" not in block.code:  # that is the client of this server
            await run_block(block, names, patch)
    return names


if page := os.environ.get("DOCS_PAGE"):
    with ThreadPoolExecutor(1) as thread:  # uvicorn's loop runs in this one
        app: Any = thread.submit(asyncio.run, _run(page)).result()["app"]
