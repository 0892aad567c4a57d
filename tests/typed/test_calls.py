"""Editors and type checkers know the options: what is wrong is seen before it runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

CALLS = Path(__file__).with_name("calls.py")
ROOT = CALLS.parents[2]
WRONG = {
    number for number, line in enumerate(CALLS.read_text().splitlines(), 1) if "# wrong" in line
}
PYRIGHT = "pyright@1.1.414"


def test_mypy_refuses_the_wrong_calls_only(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mypy", "--strict", f"--cache-dir={tmp_path}", str(CALLS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    lines = re.findall(r"^[^\n]*calls\.py:(\d+): error:", done.stdout, re.MULTILINE)
    assert {int(line) for line in lines} == WRONG, done.stdout


def test_pyright_refuses_the_wrong_calls_only(tmp_path: Path) -> None:
    install = ["npm", "install", "--silent", "--no-audit", "--no-fund", PYRIGHT]
    subprocess.run(install, cwd=tmp_path, check=True, timeout=120)
    command = ["node", "node_modules/pyright/index.js", "--outputjson", "--pythonpath"]
    done = subprocess.run(
        [*command, sys.executable, str(CALLS)], cwd=tmp_path, capture_output=True, timeout=300
    )
    diagnostics = json.loads(done.stdout)["generalDiagnostics"]
    errors = [each for each in diagnostics if each["severity"] == "error"]
    assert {each["range"]["start"]["line"] + 1 for each in errors} == WRONG, errors
