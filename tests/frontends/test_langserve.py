"""LangServe's own clients, against format ``langserve``."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.serving import langserve

from ..clients import Notes, new_key, until
from ..servers import Server
from .node import run

pytestmark = pytest.mark.anyio

HERE = Path(__file__).parent
QUESTION = {"question": "Hi"}


async def remote(server: Server, case: str, value: Any) -> Any:
    """What PyPI's client brings."""
    python = await asyncio.to_thread(langserve)
    script = [str(python), str(HERE / "langserve_client.py")]
    command = [*script, f"{server.url}/langserve", case, json.dumps(value)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


async def test_the_python_client_calls_a_chain(server: Server) -> None:
    report = await remote(server, "chain", QUESTION)
    assert report["invoke"] == report["ainvoke"] == "Hello"
    assert report["batch"] == report["abatch"] == ["Hello", "Hello"]
    assert report["stream"] == report["astream"] == ["Hel", "lo", ""]
    kinds = ["on_chat_model_start", "on_chat_model_stream", "on_chat_model_end"]
    assert list(dict.fromkeys(report["astream_events"])) == kinds


async def test_the_python_client_gets_messages(server: Server) -> None:
    report = await remote(server, "model", "Hi")
    assert report["invoke"]["id"][-1] == "AIMessage"
    assert report["invoke"]["kwargs"]["content"] == "It rains."
    assert {chunk["id"][-1] for chunk in report["stream"]} == {"AIMessageChunk"}
    text = "".join(chunk["kwargs"]["content"] for chunk in report["astream"])
    assert text == "It rains."


@pytest.mark.parametrize("case", ["first", "fails"])
async def test_the_python_client_raises_after_a_failure(server: Server, case: str) -> None:
    report = await remote(server, case, QUESTION)
    for name in ("invoke", "ainvoke", "batch", "abatch", "stream", "astream"):
        assert "HTTPStatusError" in report[name], name
        assert "secret" not in report[name]
    assert "HTTPStatusError" in report["astream_events error"]


async def test_the_javascript_client_calls_a_chain(server: Server) -> None:
    url = f"{server.url}/langserve"
    report = await run("langserve", url=f"{url}/chain", input=QUESTION)
    assert report["invoke"] == "Hello"
    assert report["batch"] == ["Hello", "Hello"]
    assert report["stream"] == ["Hel", "lo", ""]
    assert {"on_chat_model_stream", "on_chain_end"} < set(report["events"])
    report = await run("langserve", url=f"{url}/fails", input=QUESTION)
    for name in ("invoke", "batch", "stream", "events"):
        assert "Error: " in report[name], name
        assert "secret" not in report[name]


async def test_leaving_stops_the_work(server: Server, notes: Notes) -> None:
    key = new_key()
    url = f"{server.url}/langserve/slow"
    await run("langserve", url=url, input=key, stopAtChunk=True)
    assert await until(lambda: notes.of(key, "cancel"), 5)


def test_the_schemas(server: Server) -> None:
    base = f"{server.url}/langserve/chain"
    schema = httpx.get(f"{base}/input_schema").json()
    assert "question" in schema["properties"]
    assert httpx.get(f"{base}/output_schema").json()["type"] == "string"
    assert "properties" in httpx.get(f"{base}/config_schema").json()


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "input"),
        ({"input": {}}, "question"),
        ({"input": QUESTION, "config": {"configurable": {"x": 1}}}, "configurable.x"),
        ({"input": QUESTION, "kwargs": {"stop": ["a"]}}, "kwargs.stop"),
    ],
)
def test_what_is_not_taken_is_told(server: Server, body: Any, place: str) -> None:
    answer = httpx.post(f"{server.url}/langserve/chain/invoke", json=body)
    assert answer.status_code == 422
    [detail] = answer.json()["detail"]
    assert ".".join(detail["loc"]) == f"body.{place}"
