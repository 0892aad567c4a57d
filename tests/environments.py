"""Pythons with packages besides those of the tests, which some recipes and clients need."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from fcntl import LOCK_EX, flock
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
PACKAGES = {
    "mcp": ("mcp==2.3.0",),
    "openai_agents": ("openai-agents==0.24.0",),
    "recipes": ("langchain-mcp-adapters==0.3.2", "langfuse==5.0.4", "mcp==1.30.0"),
}
ALSO_OURS = "import site; site.addsitedir({!r})"


@cache
def python(name: str) -> str:
    """Install the packages, once for each version of them; the Python that has them."""
    folder = HERE / f".env-{name}"
    program, installed = folder / "bin" / "python", folder / "installed"
    ours = sysconfig.get_path("purelib")
    wanted = "\n".join([sys.executable, ours, *PACKAGES[name]])
    with folder.with_suffix(".lock").open("w") as file:
        flock(file, LOCK_EX)  # other processes run tests, too
        if installed.exists() and installed.read_text() == wanted:
            return str(program)
        venv.create(folder, clear=True, with_pip=True)
        paths = {"base": str(folder), "platbase": str(folder)}
        own = Path(sysconfig.get_path("purelib", "venv", vars=paths))
        (own / "tests.pth").write_text(ALSO_OURS.format(ours))
        command = [str(program), "-m", "pip", "install", "--quiet", *PACKAGES[name]]
        subprocess.run(command, check=True, timeout=300)
        installed.write_text(wanted)
    return str(program)
