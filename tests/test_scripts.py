"""The scripts that a newcomer and a maintainer start, on a copy of the repository."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from asgi_stream.cli.commands import main

ROOT = Path(__file__).parent.parent


def run(folder: Path, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=200,
    )


def script(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(("#!/bin/bash", *lines)) + "\n")
    path.chmod(0o755)
    return path


FIND = "source scripts/environment; find_python"


def find_python(folder: Path, names: Sequence[str], **env: str) -> subprocess.CompletedProcess[str]:
    """What is found on a PATH that has these interpreters, all of which are this one."""
    bin_ = folder / "bin"
    bin_.mkdir(exist_ok=True)
    for name in names:
        script(bin_ / name, f'exec {sys.executable} "$@"')
    for tool in ("bash", "cat", "dirname"):
        (bin_ / tool).symlink_to(shutil.which(tool) or "")
    return run(ROOT, str(bin_ / "bash"), "-c", FIND, **{"PATH": str(bin_), "HOME": "/", **env})


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["python3.11", "python3.13", "python3"], "python3.11"),
        (["python3.14", "python3"], "python3.14"),
        (["python3"], "python3"),
    ],
)
def test_a_python_is_found(tmp_path: Path, names: Sequence[str], chosen: str) -> None:
    script(tmp_path / "bin/python3.12", "exit 127")  # one of pyenv's that is not selected
    done = find_python(tmp_path, names, PYTHON="", PYENV_ROOT=str(tmp_path))
    assert done.stdout == f"{chosen}\n"


def test_a_python_of_pyenv_is_found(tmp_path: Path) -> None:
    script(tmp_path / "versions/3.9.1/bin/python3", "exit 1")
    own = script(tmp_path / "versions/3.12.1/bin/python3", f'exec {sys.executable} "$@"')
    done = find_python(tmp_path, [], PYTHON="", PYENV_ROOT=str(tmp_path))
    assert done.stdout == f"{own}\n"


@pytest.mark.parametrize("chosen", ["", "/no/such/python"])
def test_without_a_python_the_scripts_say_what_to_do(tmp_path: Path, chosen: str) -> None:
    done = find_python(tmp_path, ["python3.11"] if chosen else [], PYTHON=chosen, PYENV_ROOT="/no")
    assert done.returncode == 1
    assert "There is no Python 3.11 or later here" in done.stderr
    assert (chosen or "python3.14 python3") in done.stderr
    assert "PYTHON=/path/to/python3 " in done.stderr


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the repository, in a repository of their own, with an environment."""
    folder = tmp_path_factory.mktemp("release") / "repository"
    listed = run(ROOT, "git", "ls-files", "--cached", "--others", "--exclude-standard")
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    # What `environment` would install is installed here.
    install = 'if [ "$1 $2" = "-m pip" ]; then echo "pip 26.0"; exit; fi'
    script(folder / ".venv/bin/python", install, f'exec {sys.executable} "$@"')
    commit(folder)
    return folder


def commit(folder: Path) -> None:
    names = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message=x"]):
        done = run(folder, "git", *names, *command)
        assert done.returncode == 0, done.stderr


def test_a_release_is_built_checked_and_not_published(copy: Path) -> None:
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = run(copy, "scripts/release", "9.8.7", PATH=programs)
    assert done.returncode == 0, done.stderr + done.stdout
    assert done.stdout.count("PASSED") == 2
    assert "files, as git has them" in done.stdout
    assert "git tag --annotate v9.8.7" in done.stdout
    assert 'version = "9.8.7"\n' in (copy / "pyproject.toml").read_text()
    changes = (copy / "CHANGELOG.md").read_text()
    assert re.search(r"\n## Unreleased\n\n## 9\.8\.7 - 20\d\d-\d\d-\d\d\n\n### ", changes)
    assert {each.name for each in (copy / "dist").iterdir()} == {
        "asgi_stream-9.8.7-py3-none-any.whl",
        "asgi_stream-9.8.7.tar.gz",
    }
    assert run(copy, "git", "tag").stdout == ""
    again = run(copy, "scripts/release", "9.8.8", PATH=programs)
    assert again.returncode == 1
    assert "There are changes that are not committed." in again.stderr


@pytest.mark.parametrize(
    ("version", "changes", "message"),
    [
        ("1.0", None, "1.0: expected three numbers, such as 0.2.0"),
        ("0.0.9", None, "0.0.9 is before "),
        (
            "9.9.9",
            "# Changelog\n\n## Unreleased\n\n## 0.1.0\n\n- x\n",
            "no changes under Unreleased",
        ),
        ("9.9.9", "# Changelog\n\n## 9.9.9 - 2026-01-01\n", "CHANGELOG.md already has 9.9.9."),
    ],
)
def test_a_version_that_cannot_be(
    tmp_path: Path, version: str, changes: str | None, message: str
) -> None:
    (tmp_path / "scripts").mkdir()
    for name in ("scripts/version", "pyproject.toml", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    if changes is not None:
        (tmp_path / "CHANGELOG.md").write_text(changes)
    before = (tmp_path / "CHANGELOG.md").read_text()
    done = run(tmp_path, sys.executable, "scripts/version", version)
    assert done.returncode == 1
    assert message in done.stderr
    assert (tmp_path / "CHANGELOG.md").read_text() == before


def test_files_that_do_not_ship_are_named(copy: Path, tmp_path: Path) -> None:
    for suffix in (".whl", ".tar.gz"):
        [file] = (copy / "dist").glob(f"*{suffix}")
        shutil.copy(file, tmp_path)
    (copy / "asgi_stream/new.js").touch()
    commit(copy)
    done = run(copy, sys.executable, "scripts/shipped", str(tmp_path))
    lacking = ["the wheel lacks asgi_stream/new.js", "the sdist lacks asgi_stream/new.js"]
    assert done.stderr.splitlines() == lacking
    [sdist] = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"asgi_stream/py.typed", "asgi_stream/client/stream.js", "SECURITY.md"} <= names


def test_uvx_writes_a_project(tmp_path: Path) -> None:
    program = shutil.which("uvx", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert program, "install the group test of pyproject.toml"
    command = [program, "--python", sys.executable, "--from", f"{ROOT}[serve]", "asgi-stream"]
    done = run(tmp_path, *command, "new", "mybot", UV_SYSTEM_CERTS="1")  # as pip does
    assert done.returncode == 0, done.stderr
    assert "cd mybot && asgi-stream serve" in done.stdout
    assert (tmp_path / "mybot/web/stream.js").exists()
    assert {"new", "serve", "call", "check", "routes", "schema", "migrate"} == {*main.commands}
