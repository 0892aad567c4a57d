"""Nothing grows with the number of finished runs; ``scripts/soak`` shows it with 20,000."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.driver import Contender
from benchmarks.soak import run

from .servers import serving

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("name", ["ours", "ours_events"])
async def test_nothing_grows_with_the_number_of_finished_runs(name: str, tmp_path: Path) -> None:
    app = f"benchmarks.contenders:{name}"
    contender = Contender(name, app, events=name == "ours_events")
    with serving(app, tmp_path, "uvicorn-httptools-uvloop") as server:
        assert await run(server, contender, 3000) == []
