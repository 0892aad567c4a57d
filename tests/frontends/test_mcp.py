"""MCP's own clients, in Python and JavaScript, against format ``mcp``."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from ..clients import Notes, new_key, until
from ..environments import python
from ..servers import Server
from .node import MODULES, NODE, install, run
from .served import served

pytestmark = pytest.mark.anyio

HERE = Path(__file__).parent
INSPECTOR = MODULES / ".bin" / "mcp-inspector"
MODES = pytest.mark.parametrize(
    ("mode", "version"), [("auto", "2026-07-28"), ("legacy", "2025-11-25")]
)
NAMES = ["chain", "agent", "slow", "fails", "shout"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mcp")


server = served("mcp_app")


def tool(name: str, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "arguments": arguments}


async def printed(*command: str, **options: Any) -> Any:
    """What a program prints, as JSON."""
    words = [*command, json.dumps(options)]
    done = await asyncio.to_thread(subprocess.run, words, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


async def in_python(**options: Any) -> Any:
    """What PyPI's client brings."""
    program = await asyncio.to_thread(python, "mcp")
    return await printed(program, str(HERE / "mcp_client.py"), **options)


def texts(call: Any) -> list[str]:
    return [each["text"] for each in call["content"]]


@MODES
async def test_the_python_client_calls_tools(server: Server, mode: str, version: str) -> None:
    calls = [
        tool("chain", question="Hi?"),
        tool("shout", input="hey"),
        tool("agent", messages=["Hi"]),
        tool("fails", question="Hi?"),
        tool("chain"),
        tool("nothing"),
    ]
    report = await in_python(url=f"{server.url}/mcp", mode=mode, calls=calls)
    assert report["version"] == version
    assert [each["name"] for each in report["tools"]] == NAMES
    assert report["tools"][-1]["description"] == "Shouts."
    chain, shout, agent, fails, empty, unknown = report["calls"]
    assert chain["progress"] == ["Hel", "lo"]
    assert (texts(chain), chain["structuredContent"]) == (["Hello"], {"output": "Hello"})
    assert shout["structuredContent"] == {"output": "HEY"}
    [text] = texts(agent)
    assert text.startswith("I look. It rains.")
    assert agent["structuredContent"]["output"]["messages"][-1]["type"] == "ai"
    assert (fails["progress"], fails["isError"]) == (["Hel"], True)
    assert "The run failed. (error id " in texts(fails)[0]
    assert empty["isError"]
    assert "question: Field required" in texts(empty)[0]
    assert unknown["code"] == -32602
    assert "unknown tool 'nothing'; available: chain, agent" in unknown["message"]
    assert "secret" not in json.dumps(fails)


@MODES
async def test_the_python_client_cancels_a_call(
    server: Server, notes: Notes, mode: str, version: str
) -> None:
    key = new_key()
    calls = [tool("slow", input=key)]
    report = await in_python(url=f"{server.url}/mcp", mode=mode, calls=calls, seconds=1)
    assert report["calls"][0]["left"]
    assert report["calls"][0]["progress"][0] == "w0 "
    assert await until(lambda: notes.of(key, "cancel"), 5)


async def test_the_python_client_asks_its_user(server: Server) -> None:
    answers = [
        {"action": "accept", "content": {"answer": "Ann"}},
        {"action": "accept", "content": {"decision": "approve"}},
        {"action": "decline"},
    ]
    calls = [tool("ask", words=["Hi"]), tool("refunds", messages=["refund A B"])]
    url = f"{server.url}/kept"
    report = await in_python(url=url, mode="auto", calls=calls, answers=answers)
    assert report["asked"][0] == "Your name?"
    assert len(report["asked"]) == 3
    ask, refunds = report["calls"]
    assert ask["structuredContent"]["output"] == {"words": ["Hi", "Ann"]}
    messages = refunds["structuredContent"]["output"]["messages"]
    results = [each["content"] for each in messages if each["type"] == "tool"]
    assert "refunded A" in results
    assert len(results) == 2
    assert not any("refunded B" in each for each in results)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_who_cannot_ask_is_told_what_the_call_waits_for(server: Server, mode: str) -> None:
    url = f"{server.url}/kept"
    report = await in_python(url=url, mode=mode, calls=[tool("ask", words=["Hi"])])
    [call] = report["calls"]
    assert "Your name?" in texts(call)[0]
    thread = call["structuredContent"]["thread_id"]
    answer = tool("ask", thread_id=thread, resume="Bob")
    report = await in_python(url=url, mode=mode, calls=[answer])
    assert report["calls"][0]["structuredContent"]["output"] == {"words": ["Hi", "Bob"]}


async def test_langchain_s_adapters_make_tools_of_a_route(server: Server) -> None:
    program = await asyncio.to_thread(python, "recipes")
    calls = [tool("chain", question="Hi?"), tool("shout", input="hey"), tool("fails", question="x")]
    script = str(HERE / "mcp_adapters_client.py")
    report = await printed(program, script, url=f"{server.url}/mcp", calls=calls)
    assert report["tools"]["shout"] == ["Shouts.", ["input"]]
    assert report["tools"]["chain"][1] == ["chat_history", "question"]
    chain, shout, fails = report["calls"]
    assert chain["content"][0]["text"] == "Hello"
    assert shout["artifact"]["structured_content"] == {"output": "HEY"}
    assert "The run failed." in str(fails)
    assert "secret" not in json.dumps(fails)


async def test_the_javascript_client_calls_tools(server: Server) -> None:
    calls = [tool("chain", question="Hi?"), tool("agent", messages=["Hi"]), tool("fails")]
    report = await run("mcp", url=f"{server.url}/mcp", calls=[*calls, tool("nothing")])
    assert (report["version"], report["server"]) == ("2025-11-25", "asgi_stream")
    assert report["tools"] == NAMES
    chain, agent, fails, unknown = report["calls"]
    assert (chain["progress"], texts(chain)) == (["Hel", "lo"], ["Hello"])
    assert agent["structuredContent"]["output"]["messages"][-1]["type"] == "ai"
    assert fails["isError"]
    assert unknown["code"] == -32602


async def test_the_javascript_client_cancels_a_call(server: Server, notes: Notes) -> None:
    key = new_key()
    report = await run("mcp", url=f"{server.url}/mcp", calls=[tool("slow", input=key)], abort=True)
    assert "stopped" in report["calls"][0]["message"]
    assert await until(lambda: notes.of(key, "cancel"), 5)


def inspected(server: Server, folder: Path, method: str, *more: str, path: str = "/mcp") -> Any:
    """What the inspector's command line prints."""
    install()
    command = [str(NODE), str(INSPECTOR), "--cli", f"{server.url}{path}", "--transport", "http"]
    env = {**os.environ, "HOME": str(folder)}
    words = [*command, "--method", method, *more]
    return subprocess.run(words, capture_output=True, env=env, timeout=60)


def test_the_inspector_lists_and_calls_tools(server: Server, tmp_path: Path) -> None:
    listed = inspected(server, tmp_path, "tools/list")
    assert [each["name"] for each in json.loads(listed.stdout)["tools"]] == NAMES
    ask = ("--tool-name", "chain", "--tool-arg", "question=Hi?")
    called = json.loads(inspected(server, tmp_path, "tools/call", *ask).stdout)
    assert called["structuredContent"] == {"output": "Hello"}
    fail = ("--tool-name", "fails", "--tool-arg", "question=Hi?")
    assert json.loads(inspected(server, tmp_path, "tools/call", *fail).stdout)["isError"]


def test_the_inspector_needs_the_key_of_a_route(server: Server, tmp_path: Path) -> None:
    refused = inspected(server, tmp_path, "tools/list", path="/keyed")
    assert refused.returncode != 0
    key = ("--header", "Authorization: Bearer key")
    listed = inspected(server, tmp_path, "tools/list", *key, path="/keyed")
    assert [each["name"] for each in json.loads(listed.stdout)["tools"]] == ["keyed"]


def test_curl_needs_no_session(server: Server) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    body["params"] = tool("shout", input="hey")
    accept = {"accept": "application/json"}
    response = httpx.post(f"{server.url}/mcp", json=body, headers=accept)
    assert response.json()["result"]["structuredContent"] == {"output": "HEY"}
