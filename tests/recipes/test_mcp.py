"""Each run has a session of its own with an MCP server (mcp_server.py), which ends with the run."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from .. import environments
from ..asgi import tokens
from ..clients import until
from ..servers import Server, serving

pytestmark = pytest.mark.anyio

ASK = {"messages": [["human", "What is the weather in Paris?"]]}


def process_in(text: str) -> Path:
    """What the system has of the MCP server's process."""
    match = re.search(r"It rains in Paris, says process (\d+)\.", text)
    assert match is not None, text
    return Path("/proc", match[1])


def whole_run(server: Server) -> Path:
    answer = httpx.post(f"{server.url}/agent", json=ASK, timeout=30)
    return process_in("".join(tokens(answer.content)))


def run_that_is_left(server: Server) -> Path:
    with httpx.stream("POST", f"{server.url}/agent", json=ASK, timeout=30) as response:
        text = ""
        for part in response.iter_text():
            text += "".join(re.findall(r'"token": ?"([^"]*)"', part))
            if "." in text.partition("process")[2]:
                process = process_in(text)
                assert process.exists()
                return process
    raise AssertionError(text)


async def test_a_session_ends_with_its_run_however_it_ends(tmp_path: Path) -> None:
    app = "examples.recipes.mcp_tools:app"
    with serving(app, tmp_path, python=environments.python("recipes")) as server:
        with ThreadPoolExecutor() as threads:
            runs = [threads.submit(run, server) for run in (whole_run, whole_run, run_that_is_left)]
            processes = {run.result() for run in runs}
        assert len(processes) == 3
        await until(lambda: not any(process.exists() for process in processes))
        log = server.log()
    assert "Traceback" not in log, log
