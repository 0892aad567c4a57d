"""AG-UI's own clients, on threads of format ``agui``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from ..servers import Server, serving
from .node import run

pytestmark = pytest.mark.anyio

CLIENTS = ["@ag-ui/client", "@ag-ui/client-0"]
MODES = ["batched", "per_call"]
APPROVE = {"payload": {"type": "approve"}}
REJECT = {"payload": {"type": "reject", "message": "too much"}}


@pytest.fixture(scope="module")
def agents(folder: Path) -> Iterator[Server]:
    with serving("tests.threads.agui_agents:app", folder) as server:
        yield server


async def talk(server: Server, path: str, client: str, *steps: Any, **more: Any) -> Any:
    """What the client has after each step of a conversation on a new thread."""
    about = {"module": client, "url": f"{server.url}{path}", "thread": str(uuid4()), **more}
    runs = await run("agui_thread", steps=steps, **about)
    for each in runs:
        ids = [message["id"] for message in each["messages"]]
        assert len(set(ids)) == len(ids)
        assert each["warnings"] == []
        assert "thrown" not in each, each["thrown"]
    return runs


def texts(run: Any) -> list[tuple[str, str]]:
    return [(each["role"], each["content"]) for each in run["messages"]]


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_conversation_is_edited_and_answered_again(agents: Server, client: str) -> None:
    *_, third, again, edited = await talk(
        agents,
        "/plan",
        client,
        *({"say": "one"}, {"say": "two"}, {"say": "three"}),
        *({"keep": 5}, {"keep": 3, "edit": "2"}),
    )
    words = ["one", "Got one", "two", "Got two", "three", "Got three"]
    assert [text for _, text in texts(third)] == words
    assert [text for _, text in texts(again)] == words
    assert again["messages"][-1]["id"] != third["messages"][-1]["id"]
    assert [text for _, text in texts(edited)] == ["one", "Got one", "2", "Got 2"]
    assert (third["state"], edited["state"]) == ({"plan": "+++"}, {"plan": "++"})


@pytest.mark.parametrize("path", ["/page", "/page/decided"])
@pytest.mark.parametrize("approved", [True, False])
@pytest.mark.parametrize("client", CLIENTS)
async def test_a_page_s_tool_beside_a_call_that_waits_for_approval_runs_after_the_answer(
    agents: Server, client: str, path: str, approved: bool
) -> None:
    tools = [{"name": "look", "description": "Look.", "parameters": {"type": "object"}}]
    question, decided, reloaded, done = await talk(
        agents,
        path,
        client,
        *({"say": "look 1, refund 5"}, {"resume": [{"payload": {"approved": approved}}]}),
        *({"reload": True}, {"result": {"content": "seen"}}),
        tools=tools,
    )
    assert len(question["interrupts"]) == 1
    [call] = [
        each["id"]
        for message in decided["messages"]
        for each in message.get("toolCalls", ())
        if each["function"]["name"] == "look"
    ]
    assert call in decided["called"]  # where CopilotKit looks for what it has to run
    if client == CLIENTS[0]:
        assert decided["pending"] == reloaded["pending"] == [call]
    assert texts(done)[-1] == ("assistant", "Got seen")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("client", CLIENTS)
async def test_calls_wait_for_approval_and_the_client_resumes(
    agents: Server, client: str, mode: str
) -> None:
    decisions = [each["payload"] for each in (APPROVE, REJECT)]
    together = [{"payload": {"decisions": decisions}}]
    question, done, bye = await talk(
        agents,
        f"/{mode}",
        client,
        {"say": "refund 5, look 1, refund 7"},
        {"resume": together if mode == "batched" else [APPROVE, REJECT]},
        {"say": "bye"},
    )
    assert len(question["interrupts"]) == (1 if mode == "batched" else 2)
    calls = question["messages"][1]["toolCalls"]
    waiting = [c for each in question["interrupts"] for c in each["metadata"]["toolCalls"]]
    assert [each["toolCallId"] for each in waiting] == [calls[0]["id"], calls[2]["id"]]
    assert done["interrupts"] == []
    results = {text.split(" for ")[0] for role, text in texts(done) if role == "tool"}
    assert results == {"refunded 5", "looked at 1", "User rejected the tool call"}
    assert texts(bye)[-2:] == [("user", "bye"), ("assistant", "Got bye")]
    # The client has had all of it with the same ids, so the thread is not shown anew.
    assert bye["events"].count("MESSAGES_SNAPSHOT") == 1
    assert bye["messages"][:2] == question["messages"][:2]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("client", CLIENTS)
async def test_a_page_that_is_loaded_again_shows_the_thread_and_what_it_waits_for(
    agents: Server, client: str, mode: str
) -> None:
    new, first, question, loaded, done, again = await talk(
        agents,
        f"/{mode}",
        client,
        *({"reload": True}, {"say": "Hi"}, {"say": "refund 5"}, {"reload": True}),
        *({"resume": [APPROVE]}, {"reload": True, "say": "bye"}),
    )
    assert (new["messages"], new["events"]) == ([], ["RUN_STARTED", "RUN_FINISHED"])
    assert loaded["messages"] == question["messages"]
    assert loaded["interrupts"] == question["interrupts"]
    assert loaded["events"] == ["RUN_STARTED", "MESSAGES_SNAPSHOT", "RUN_FINISHED"]
    assert loaded["messages"][:2] == first["messages"]
    assert texts(done)[-2:] == [("tool", "refunded 5"), ("assistant", "Got refunded 5")]
    assert again["messages"][:-2] == done["messages"]
    assert texts(again)[-2:] == [("user", "bye"), ("assistant", "Got bye")]


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_question_is_cancelled_and_one_answered(agents: Server, client: str) -> None:
    question, answered = await talk(
        agents, "/ask", client, {"say": "Hi"}, {"resume": [{"payload": "this one"}]}
    )
    assert question["interrupts"][0]["reason"] == "doubt"
    assert texts(answered)[-1] == ("assistant", "It is this one.")
    _, rejected = await talk(
        agents, "/per_call", client, {"say": "refund 5"}, {"resume": [{"cancelled": True}]}
    )
    assert texts(rejected)[-2][1].startswith("User rejected")


@pytest.mark.parametrize("client", CLIENTS)
async def test_the_client_s_own_message_for_an_approved_call_is_replaced(
    agents: Server, client: str
) -> None:
    _, done = await talk(
        agents, "/per_call", client, {"say": "refund 5"}, {"resume": [APPROVE], "repeat": True}
    )
    assert [text for role, text in texts(done) if role == "tool"] == ["refunded 5"]


@pytest.mark.parametrize("client", CLIENTS)
async def test_the_client_runs_its_own_tools(agents: Server, client: str) -> None:
    parameters = {"type": "object", "properties": {"amount": {"type": "number"}}}
    look = {"name": "look", "description": "Look.", "parameters": parameters}
    called, done = await talk(
        agents, "/kit", client, {"say": "look 1"}, {"result": {"content": "seen"}}, tools=[look]
    )
    assert called["messages"][-1]["toolCalls"][0]["function"]["name"] == "look"
    assert texts(done)[-2:] == [("tool", "seen"), ("assistant", "Got seen")]


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_wrong_decision_leaves_the_question_open(agents: Server, client: str) -> None:
    about: Any = {"module": client, "url": f"{agents.url}/strict", "thread": str(uuid4())}
    steps = [{"say": "refund 5"}, {"resume": [REJECT]}, {"resume": [APPROVE]}]
    _, wrong, right = await run("agui_thread", steps=steps, **about)
    assert "422" in wrong["thrown"]
    assert ("tool", "refunded 5") in texts(right)
