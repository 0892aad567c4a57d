from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..clients import Notes
from ..servers import Server, serving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Notes]]:
    folder = tmp_path_factory.mktemp("client")
    notes = folder / "notes"
    with serving("tests.client.app:app", folder, env={"PROBE_LOG": str(notes)}) as server:
        yield server, Notes(notes)


@pytest.fixture(scope="module")
def server(served: tuple[Server, Notes]) -> Server:
    return served[0]


@pytest.fixture(scope="module")
def notes(served: tuple[Server, Notes]) -> Notes:
    return served[1]
