from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..clients import Notes
from ..servers import Server, serving


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("frontends")


@pytest.fixture(scope="session")
def server(folder: Path) -> Iterator[Server]:
    env = {"PROBE_LOG": str(folder / "notes")}
    with serving("tests.frontends.app:app", folder, env=env) as running:
        yield running


@pytest.fixture
def notes(folder: Path) -> Notes:
    return Notes(folder / "notes")
