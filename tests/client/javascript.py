"""Runs the reader in JavaScript, `asgi_stream/client/stream.js`, in Node.js."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE
from pathlib import Path
from shutil import copy
from typing import Any

import asgi_stream

HERE = Path(__file__).parent
FILE = Path(asgi_stream.__file__).parent / "client" / "stream.js"


async def run(script: str, folder: Path, seconds: float = 60, **task: Any) -> Any:
    """What a script of this folder prints, as JSON, when it gets `task`."""
    module = folder / "stream.mjs"
    copy(FILE, module)
    process = await asyncio.create_subprocess_exec(
        "node", str(HERE / f"{script}.mjs"), stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    try:
        async with asyncio.timeout(seconds):
            sent = json.dumps({"module": str(module), **task}).encode()
            printed, errors = await process.communicate(sent)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode()
    return json.loads(printed)
