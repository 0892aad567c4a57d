"""OpenAI's Agents SDK, against format ``openai``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest

from .. import environments
from ..clients import Notes, new_key, until
from ..servers import Server
from . import node
from .served import served

pytestmark = pytest.mark.anyio

HERE = Path(__file__).parent
ADD_FIVE = 'call add {"a": 2, "b": 3}'


server = served("responses_app")


@pytest.fixture(scope="module")
def process() -> Iterator[Popen[str]]:
    """The SDK for Python, which takes seconds to import."""
    command = [environments.python("openai_agents"), str(HERE / "agents_client.py")]
    with Popen(command, stdin=PIPE, stdout=PIPE, text=True) as running:
        yield running
        running.kill()


Run = Callable[..., Awaitable[Any]]
RESULT = {"python": "function_call_output", "javascript": "function_call_result"}
SERVER_CALL = {"python": "mcp_call", "javascript": "hosted_tool_call"}
SDKS = ("python", "javascript")


@pytest.fixture
def run(server: Server, sdk: str, process: Popen[str]) -> Run:
    """What an SDK brings, with each turn in the conversation of those before it."""

    async def of(model: str, *turns: str, **options: Any) -> Any:
        about = {"base": f"{server.url}/v1", "model": model, "turns": turns, "tools": [], "how": ""}
        options = {**about, **options}
        if sdk == "javascript":
            return await node.run("agents", **options)
        assert process.stdin is not None
        assert process.stdout is not None
        print(json.dumps(options), file=process.stdin, flush=True)
        async with asyncio.timeout(60):
            return json.loads(await asyncio.to_thread(process.stdout.readline))

    return of


@pytest.mark.parametrize("sdk", SDKS)
async def test_a_client_s_tools_are_run_in_each_turn(run: Run, sdk: str) -> None:
    report = await run("caller", ADD_FIVE, ADD_FIVE, tools=["add"])
    for turn in report["turns"]:
        assert turn["output"] == "I have: 5"
        assert turn["items"] == ["function_call", RESULT[sdk], "message"]
        assert turn["tokens"] == 14
    assert report["ran"] == ["add", "add"]


@pytest.mark.parametrize("sdk", SDKS)
async def test_what_the_server_runs_is_shown_and_not_run_again(run: Run, sdk: str) -> None:
    report = await run("agent", "Hi", "And then?")
    for turn in report["turns"]:
        assert turn["text"].startswith("I look. It rains.")
        assert turn["items"].count(SERVER_CALL[sdk]) == 2
        assert "function_call" not in turn["items"]
    # The served agent does not take the client's tool of the same name.
    report = await run("agent", "Hi", tools=["weather"])
    assert report["ran"] == []


@pytest.mark.parametrize("sdk", ["python"])
async def test_a_custom_tool_gets_text(run: Run) -> None:
    report = await run("caller", 'call count {"input": "abc"}', tools=["count"])
    [turn] = report["turns"]
    assert turn["items"] == ["custom_tool_call", "custom_tool_call_output", "message"]
    assert turn["output"] == "I have: 3 letters"


@pytest.mark.parametrize("sdk", ["python"])
async def test_a_hosted_tool_is_left_out_beside_others_and_refused_alone(run: Run) -> None:
    report = await run("caller", ADD_FIVE, tools=["web_search", "add"])
    assert report["turns"][0]["output"] == "I have: 5"
    options: Any = {"tools": ["web_search"], "how": "alone"}
    [refused] = (await run("caller", "Hi", **options))["turns"]
    assert (refused["status"], "'web_search'" in refused["error"]) == (400, True)


@pytest.mark.parametrize("sdk", SDKS)
async def test_a_call_of_the_server_s_own_tools_is_approved(run: Run, server: Server) -> None:
    base = f"{server.url}/bank/v1"
    report = await run("bank", "refund 5", base=base, tools=["server"], how="approve")
    [turn] = report["turns"]
    assert turn["questions"] == 1
    assert "refunded 5" in turn["output"]


@pytest.mark.parametrize("sdk", SDKS)
async def test_a_handoff(run: Run) -> None:
    [turn] = (await run("caller", "call transfer_to_second {}"))["turns"]
    assert turn["agent"] == "second"
    assert turn["output"].startswith('I have: {"assistant":')


@pytest.mark.parametrize("sdk", SDKS)
async def test_the_form_of_the_answer(run: Run) -> None:
    [turn] = (await run("fills", "Hi", how="parse"))["turns"]
    assert turn["output"] == {"city": "Paris"}
    [refused] = (await run("chain", "Hi", how="parse"))["turns"]
    assert (refused["status"], "text.format" in refused["error"]) == (400, True)


@pytest.mark.parametrize("sdk", SDKS)
@pytest.mark.parametrize(
    ("base", "model", "status", "code", "message"),
    [
        ("/v1", "first", 500, "run_failed", "The run failed."),
        ("/v1", "nope", 404, "model_not_found", "Unknown model 'nope'"),
        ("/busy/v1", "caller", 429, "quota", "You have used it up."),
    ],
)
async def test_a_refusal(
    run: Run, server: Server, base: str, model: str, status: Any, code: Any, message: str
) -> None:
    report = await run(model, "Hi", base=f"{server.url}{base}")
    [failure] = report["turns"]
    assert (failure["status"], failure["code"]) == (status, code)
    assert message in failure["error"]
    assert "secret" not in failure["error"]


@pytest.mark.parametrize("sdk", SDKS)
async def test_a_failure_in_the_middle_raises(run: Run) -> None:
    [failure] = (await run("fails", "Hi"))["turns"]
    assert "response.failed" in failure["error"]
    assert "secret" not in failure["error"]


@pytest.mark.parametrize("sdk", SDKS)
async def test_a_cancel_stops_the_run(run: Run, folder: Path) -> None:
    key = new_key()
    await run("slow", key, how="leave")
    notes = Notes(folder / "notes")
    assert await until(lambda: notes.of(key, "cancel"), 5)
