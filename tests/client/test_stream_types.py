"""The types of the reader in JavaScript."""

from __future__ import annotations

import subprocess
from pathlib import Path
from shutil import copy

from ..frontends import node
from .javascript import FILE, HERE


def test_typescript_refuses_the_wrong_calls_only(tmp_path: Path) -> None:
    node.install(HERE)
    for file in (FILE, FILE.with_suffix(".d.ts"), HERE / "typed.ts"):
        copy(file, tmp_path)
    options = ("--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom,dom.iterable")
    done = subprocess.run(
        ["node", str(HERE / "node_modules/typescript/bin/tsc"), *options, "typed.ts"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout == ""
    assert done.returncode == 0
