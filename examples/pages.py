"""The page of a front end, bundled with its npm packages at startup."""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import mkdtemp

from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route

WEB = Path(__file__).with_name("web")


def page_of(name: str) -> list[Route]:
    """Return routes for a page with the script ``web/NAME.jsx``. Needs npm."""
    package, installed = WEB / "package.json", WEB / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < package.stat().st_mtime:
        quiet = ("--silent", "--no-audit", "--no-fund", "--no-package-lock", "--force")
        subprocess.run(["npm", "install", *quiet], cwd=WEB, check=True)
    script = Path(mkdtemp()) / "page.js"
    options = ("--bundle", "--format=esm", "--jsx=automatic", "--log-level=error")
    esbuild = WEB / "node_modules" / "esbuild" / "bin" / "esbuild"
    subprocess.run([esbuild, f"{name}.jsx", *options, f"--outfile={script}"], cwd=WEB, check=True)

    async def page(request: Request) -> FileResponse:
        return FileResponse(WEB / "page.html")

    async def code(request: Request) -> FileResponse:
        return FileResponse(script)

    return [Route("/", page), Route("/page.js", code)]
