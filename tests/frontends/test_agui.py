"""AG-UI's own client and its Python types, against format ``agui``."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest
from ag_ui.core import Event, RunAgentInput, UserMessage
from pydantic import TypeAdapter

from ..clients import Notes, new_key, until
from ..servers import Server
from .node import run

pytestmark = pytest.mark.anyio

CLIENTS = ["@ag-ui/client", "@ag-ui/client-0"]
EVENT: TypeAdapter[Any] = TypeAdapter(Event)
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOLS = [
    {"name": "weather", "description": "The weather.", "parameters": PARAMETERS},
    {"name": "fails", "description": "Fails.", "parameters": PARAMETERS},
]


async def ask(server: Server, case: str, client: str = CLIENTS[0], **more: Any) -> Any:
    options = {"content": "Hi", **more}
    return await run("agui", module=client, url=f"{server.url}/agui/{case}", **options)


@pytest.mark.parametrize("client", CLIENTS)
async def test_an_agent_s_messages_and_tools_are_the_client_s_messages(
    server: Server, client: str
) -> None:
    report = await ask(server, "agent", client)
    assert "thrown" not in report
    assert "warnings" not in report, report["warnings"]
    messages = [
        (message["role"], message.get("content"))
        for message in report["messages"]
        if message["role"] != "reasoning"
    ]
    assert messages == [
        ("user", "Hi"),
        ("assistant", "I look. "),
        ("tool", "rain in Paris"),
        ("tool", "The tool failed."),
        ("assistant", "It rains. (it failed: ValueError('secret'))"),
    ]
    caller = next(message for message in report["messages"] if message.get("toolCalls"))
    assert [
        (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
        for call in caller["toolCalls"]
    ] == [("call_1", "weather", {"city": "Paris"}), ("call_2", "fails", {"city": "Rome"})]
    kinds = [event["type"] for event in report["events"]]
    assert kinds[0] == "RUN_STARTED"
    assert kinds[-1] == "RUN_FINISHED"
    customs = {e["name"]: e["value"] for e in report["events"] if e["type"] == "CUSTOM"}
    assert customs == {"progress": {"id": "p", "percent": 50}, "custom": {"looked": "Paris"}}
    steps = [event["stepName"] for event in report["events"] if event["type"] == "STEP_STARTED"]
    assert sorted(steps) == ["model", "model", "tools", "tools (2)"]
    usage = report["events"][-1]["usage"]
    assert [each["totalTokens"] for each in usage] == [7, 7]


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_failure_is_the_client_s_error(server: Server, client: str) -> None:
    report = await ask(server, "fails", client)
    assert report["text"] == "Hel"
    assert report["runError"]["code"] == "run_failed"
    assert re.fullmatch(r"The run failed\. \(error id \w+\)", report["runError"]["message"])
    report = await ask(server, "cut", client)
    assert report["runError"]["code"] == "timeout"
    report = await ask(server, "first", client)
    assert "500" in report["thrown"]
    assert "secret" not in report["thrown"]


async def test_a_stop_stops_the_work(server: Server, notes: Notes) -> None:
    for client in CLIENTS:
        key = new_key()
        await ask(server, "slow", client, content=key, stopAtText=True)
        assert await until(lambda key=key: notes.of(key, "cancel"), 5)  # type: ignore[misc]


@pytest.mark.parametrize("client", CLIENTS)
async def test_the_client_s_own_tools_are_called_by_a_chat_model(
    server: Server, client: str
) -> None:
    report = await ask(server, "model", client, tools=TOOLS)
    assert "thrown" not in report
    [_, caller] = [message for message in report["messages"] if message["role"] != "reasoning"]
    assert [call["id"] for call in caller["toolCalls"]] == ["call_1", "call_2"]
    if client == CLIENTS[0]:  # the other one does not know of it
        outcome = report["events"][-1]["outcome"]
        assert outcome == {"type": "success", "pendingToolCallIds": ["call_1", "call_2"]}


@pytest.mark.parametrize("client", CLIENTS)
async def test_an_agent_that_cannot_take_the_client_s_tools_runs_without_them(
    server: Server, client: str
) -> None:
    confirm = {"name": "confirm", "description": "Asks the user.", "parameters": PARAMETERS}
    report = await ask(server, "agent", client, tools=[confirm])
    assert "thrown" not in report
    assert report["messages"][-1]["content"].startswith("It rains.")
    assert server.log().count("does not support client tools (confirm)") == 1


@pytest.mark.parametrize("client", CLIENTS)
async def test_the_client_runs_its_own_tools_for_a_graph_and_the_graph_goes_on(
    server: Server, client: str
) -> None:
    report = await ask(server, "kit", client, tools=TOOLS[1:], answers={"fails": "it did not"})
    assert "thrown" not in report
    assert "warnings" not in report, report["warnings"]
    assert report["ran"] == ["fails"]
    messages = [
        (message["role"], message.get("content"))
        for message in report["messages"]
        if message["role"] != "reasoning"
    ]
    assert messages == [
        ("user", "Hi"),
        ("assistant", "I look. "),
        ("tool", "rain in Paris"),
        ("tool", "it did not"),
        ("assistant", "It rains. (it did not)"),
    ]
    ids = [message["id"] for message in report["messages"]]
    assert len(set(ids)) == len(ids)


async def test_files_are_content_blocks(server: Server) -> None:
    source = {"type": "data", "value": "AAAA", "mimeType": "image/png"}
    content = [{"type": "text", "text": "Hi"}, {"type": "image", "source": source}]
    assert (await ask(server, "echo", content=content))["text"] == "text:- image:image/png"


@pytest.mark.parametrize("case", ["agent", "model", "chain", "echo", "fails"])
def test_every_frame_is_an_event_of_the_python_package(server: Server, case: str) -> None:
    run_input = RunAgentInput(
        thread_id="t",
        run_id="r",
        state={},
        messages=[UserMessage(id="1", content="Hi")],
        tools=[],
        context=[],
        forwarded_props={},
    )
    body = run_input.model_dump(by_alias=True, mode="json", exclude_none=True)
    answer = httpx.post(f"{server.url}/agui/{case}", json=body).text
    *blocks, rest = answer.split("\n\n")
    assert rest == ""
    events = [EVENT.validate_json(block.removeprefix("data: ")) for block in blocks]
    assert events[-1].type in ("RUN_FINISHED", "RUN_ERROR")
    assert "null" not in answer


def test_what_is_no_run_is_refused(server: Server) -> None:
    body = {"threadId": "t", "runId": "r", "messages": [{"role": "nobody"}]}
    answer = httpx.post(f"{server.url}/agui/chain", json=body)
    assert answer.status_code == 422
    assert list(answer.json()["error"]["fields"]) == ["messages.0.role"]
