from __future__ import annotations

from pathlib import Path

import pytest

from ..clients import Notes
from .served import served


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("frontends")


server = served("app", "session")


@pytest.fixture
def notes(folder: Path) -> Notes:
    return Notes(folder / "notes")
