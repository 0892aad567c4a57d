"""Bundles the JavaScript blocks of the documentation, and runs them against their page's app.

The packages are those that ``tests/frontends/package.json`` names.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asgi_stream

from ..frontends import node
from ..servers import Server
from .blocks import Block, blocks

HERE = Path(__file__).parent
LANGUAGES = ("js", "jsx", "ts", "tsx", "html")
EXTERNAL = ("@copilotkit/*", "node:*", "/client.js", "/ai/client.js")
"""What a block may import that is not bundled: the server has it, or it is not installed."""
READER = Path(asgi_stream.__file__).parent / "client" / "stream.js"
PLACEHOLDER = "http://localhost:8000"
"""The address of the app in the documentation; here it is that of the server."""


@dataclass(frozen=True)
class Script:
    """A block that a check runs.

    Attributes:
        block: The block.
        server: The server with the page's own app: what ``app`` is after its Python blocks.
        folder: A folder with the block, and with the other JavaScript blocks of its page.
        playwright: The module that drives Chromium.
    """

    block: Block
    server: Server
    folder: Path
    playwright: Path

    async def in_node(self, seconds: float = 30) -> str:
        """Run the block in Node.js; return what it prints."""
        out = self.folder / "node.mjs"
        await asyncio.to_thread(bundle, [self.file], "--platform=node", f"--outfile={out}")
        self._at_server(out)
        prelude = f"const origin = {json.dumps(self.server.url)};\n{NODE_PRELUDE}\n"
        out.write_text(prelude + out.read_text())
        return await _printed([str(node.NODE), str(out)], "", seconds)

    async def in_chromium(self, *steps: tuple[str, ...], seconds: float = 60) -> Any:
        """Show the block in Chromium and take the steps; return what drive.mjs prints.

        A block with ``export default`` is a React component, and is rendered. A step is
        ``("fill", selector, text)``, ``("click", selector)``, ``("press", selector, key)``,
        ``("wait", text)``, ``("wait", selector, text)`` or ``("reload",)``.
        """
        out = self.folder / "page.js"
        entry = self.file
        if self.block.language == "html":
            out = self.folder / "page.html"
            out.write_text(self.block.code)
        else:
            if re.search(r"^export default\b", self.block.code, re.MULTILINE):
                entry = self.folder / "entry.jsx"
                entry.write_text(MOUNT.format(file=self.file.name))
            await asyncio.to_thread(bundle, [entry], f"--outfile={out}")
        self._at_server(out)
        task = {
            "playwright": str(self.playwright),
            "page": f"{self.server.url}/docs-page",
            "folder": str(self.folder),
            "steps": steps,
        }
        command = [str(node.NODE), str(HERE / "drive.mjs")]
        return json.loads(await _printed(command, json.dumps(task), seconds))

    @property
    def file(self) -> Path:
        return self.folder / file_of(self.block)

    def _at_server(self, out: Path) -> None:
        out.write_text(out.read_text().replace(PLACEHOLDER, self.server.url))


NODE_PRELUDE = """
const fetched = globalThis.fetch;
globalThis.fetch = (url, options) =>
  fetched(typeof url === "string" ? new URL(url, origin) : url, options);
"""
MOUNT = """
import {{ createRoot }} from "react-dom/client";
import App from "./{file}";
createRoot(document.getElementById("root")).render(<App />);
"""


def file_of(block: Block) -> str:
    """The name of a block's file: its title, or its place."""
    return block.title or f"line-{block.line}.{block.language}"


def write_blocks(page: str, folder: Path) -> list[Path]:
    """Write the JavaScript blocks of a page, which may import one another by their titles."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(READER, folder / "stream.mjs")
    files = []
    for block in blocks(page, *LANGUAGES):
        path = folder / file_of(block)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.code)
        if block.language == "html":
            scripts = re.findall(r"<script[^>]*>(.*?)</script>", block.code, re.DOTALL)
            path = path.with_suffix(".js")
            path.write_text("\n".join(scripts))
        files.append(path)
    return files


def bundle(files: list[Path], *options: str) -> None:
    """Bundle files with esbuild: an import of what does not exist is an error."""
    node.install()
    program = node.MODULES / "@esbuild" / "linux-x64" / "bin" / "esbuild"
    general = ["--bundle", "--format=esm", "--jsx=automatic", "--log-level=warning"]
    general += [f"--external:{each}" for each in EXTERNAL]
    command = [str(program), *map(str, files), *general, *options]
    env = {"NODE_PATH": str(node.MODULES)}
    made = subprocess.run(command, env=env, capture_output=True, timeout=60)
    assert made.returncode == 0, made.stderr.decode()
    assert not made.stderr, made.stderr.decode()


async def _printed(command: list[str], typed: str, seconds: float) -> str:
    def run() -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(command, input=typed.encode(), capture_output=True, timeout=seconds)

    done = await asyncio.to_thread(run)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()
