"""The pages of the projects that ``asgi-stream new`` writes, in a real Chromium."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import ExitStack
from pathlib import Path

from asgi_stream.cli.new import NPM, project_files

from ..cli.test_commands import serving_table
from . import node

FORMATS = ["tokens", "vercel", "langgraph", "agui"]
RESUME = {"tokens", "vercel", "langgraph"}
"""Those whose page goes on with an answer after a reload."""


def written(folder: Path, format: str) -> Path:
    """The project, with its page built."""
    for name, text in project_files(format, docker=False).items():
        path = folder / format / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    if format in NPM:
        # What the project's package.json names is installed here.
        page = folder / format / "page"
        (page / "node_modules").symlink_to(node.MODULES)
        build = json.loads((page / "package.json").read_text())["scripts"]["build"].split()
        program = node.MODULES / "@esbuild" / "linux-x64" / "bin" / "esbuild"
        subprocess.run([program, *build[1:]], cwd=page, check=True, timeout=60)
    return folder / format


def test_the_page_of_each_project_talks_and_remembers(tmp_path: Path, playwright: Path) -> None:
    node.install()
    with ExitStack() as stack:
        servers = [
            stack.enter_context(serving_table(written(tmp_path, each), "--static=web"))
            for each in FORMATS
        ]
        visits = [
            (f"{server.url}/", format in RESUME)
            for format, server in zip(FORMATS, servers, strict=True)
        ]
        done = subprocess.run(
            [str(node.NODE), str(node.HERE / "new_project.mjs")],
            input=json.dumps({"playwright": str(playwright), "visits": visits}).encode(),
            capture_output=True,
            timeout=90,
            env={**os.environ, "NODE_ENV": "production"},
        )
        assert done.returncode == 0, done.stderr.decode()
        for format, visit in zip(FORMATS, json.loads(done.stdout), strict=True):
            assert visit["errors"] == [], format
            count = 3 if format in RESUME else 2
            assert visit["text"].count("This is your message number") == count, format


def test_the_packages_of_the_pages_are_those_that_are_tested() -> None:
    tested = json.loads((node.HERE / "package.json").read_text())["dependencies"]
    for format in NPM:
        package = json.loads(project_files(format, docker=False)["page/package.json"])
        for name, version in package["dependencies"].items():
            assert tested.get(name, version) == version, name
