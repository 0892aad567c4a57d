"""A checkpointer that a lifespan opens: threads outlive the server, which ends cleanly."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ..asgi import frames, tokens
from ..postgres_server import postgres_server
from ..servers import HERE, serving

APP = "examples.recipes.postgres:app"
THREAD = "/ai/agent/threads/mine"
JSON = {"content-type": "application/json"}
ASK = {"messages": [["human", "Hi?"]]}


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with postgres_server() as url:
        yield url


@pytest.fixture(params=["postgres", "sqlite"])
def env(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    if request.param == "sqlite":
        return {"SQLITE": str(tmp_path / "threads.db")}
    env = {"DATABASE_URL": request.getfixturevalue("postgres")}
    command = [sys.executable, "-m", APP.removesuffix(":app")]
    subprocess.run(command, check=True, cwd=HERE.parent, env={**os.environ, **env}, timeout=60)
    return env


def test_a_thread_outlives_a_server_that_stops_in_mid_answer(
    env: dict[str, str], tmp_path: Path
) -> None:
    with (
        serving(APP, tmp_path, env=env) as server,
        httpx.stream("POST", f"{server.url}{THREAD}", json=ASK, timeout=30) as response,
    ):
        parts = response.iter_raw()
        body = next(part for part in parts if b"token" in part)
        server.terminate()
        body += b"".join(parts)
        assert server.process.wait(15) in (0, -15)  # uvicorn raises the signal again at its end
        log = server.log()
    *_, end, done = frames(body)
    assert (end["error"]["code"], done) == ("shutdown", "[DONE]")
    assert "Application shutdown complete." in log
    assert "Traceback" not in log
    with serving(APP, tmp_path, env=env) as server:
        kept = httpx.get(f"{server.url}{THREAD}/messages", timeout=30).json()["messages"]
        # What the agent had completed: all but the answer, which was cut off.
        assert [message["type"] for message in kept] == ["human", "ai", "tool"]
        answer = httpx.post(f"{server.url}{THREAD}", content="null", headers=JSON, timeout=30)
        assert "".join(tokens(answer.content)).endswith("question number 1, as I remember.")
        answer = httpx.post(f"{server.url}{THREAD}", json=ASK, timeout=30)
        assert "".join(tokens(answer.content)).endswith("question number 2, as I remember.")
        assert "Traceback" not in server.log()
