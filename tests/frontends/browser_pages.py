"""Pages of the front ends, bundled for a real Chromium, and the scripts that drive them there."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse
from starlette.routing import Route

from . import node


def bundle(script: Path, file: Path) -> None:
    """Write what a page loads: a script with all that it imports."""
    for folder in {node.HERE, script.parent}:
        node.install(folder)
    program = script.parent / "node_modules" / "@esbuild" / "linux-x64" / "bin" / "esbuild"
    options = ("--bundle", "--format=esm", "--jsx=automatic", "--log-level=error")
    command = [str(program), script.name, *options, f"--outfile={file}"]
    subprocess.run(command, cwd=script.parent, check=True, timeout=60)


async def drive(script: str, playwright: Path, seconds: float = 90, **options: Any) -> Any:
    """What a script prints that drives a browser."""
    task = json.dumps({"playwright": str(playwright), **options}).encode()
    command = [str(node.NODE), str(node.HERE / f"{script}.mjs")]
    done = await asyncio.to_thread(
        lambda: subprocess.run(command, input=task, capture_output=True, timeout=seconds)
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


async def page(_: Request) -> HTMLResponse:
    return HTMLResponse('<div id="root"></div><script type="module" src="page.js"></script>')


async def code(_: Request) -> FileResponse:
    return FileResponse(Path(os.environ["PAGE"]))


ROUTES = [Route("/page", page), Route("/page.js", code)]
"""The page whose script the environment variable ``PAGE`` names."""
