"""Every run of the corpus, read by the strictest of the front ends' own readers."""

from __future__ import annotations

import pytest

from ..corpus import RUNS
from ..servers import Server
from .node import run

pytestmark = pytest.mark.anyio

MODULES = {"agui": ["@ag-ui/client", "@ag-ui/client-0"], "vercel": ["ai-5", "ai-6", "ai"]}
FAILS = {"a tool that fails": ["The run failed."], "a failure": ["The run failed."]}


@pytest.mark.parametrize("format", MODULES)
async def test_no_reader_objects_to_any_run(server: Server, format: str) -> None:
    base = f"{server.url}/corpus/{format}"
    urls = [f"{base}/{n}" for n in range(len(RUNS))]
    report = await run("corpus", 120, modules=MODULES[format], urls=urls)
    names = list(RUNS)
    assert len(report) == len(MODULES[format]) * len(RUNS)
    for seen in report:
        assert "warned" not in seen, seen
        name = names[int(seen["url"].rpartition("/")[2])]
        assert "thrown" not in seen, (name, seen)
        errors = [error.partition(" (error id ")[0] for error in seen["errors"]]
        assert errors == FAILS.get(name, []), (name, seen)
