"""CopilotKit: the hook of its page, by its own runtime, on threads of format ``agui``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from ..servers import Server, serving
from .node import COPILOTKIT, install, run

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture(scope="module")
def agents(folder: Path) -> Iterator[Server]:
    with serving("tests.threads.agui_agents:app", folder) as server:
        yield server


async def talk(server: Server, path: str, *steps: Any) -> Any:
    await asyncio.to_thread(install, COPILOTKIT)
    about: Any = {"url": f"{server.url}{path}", "thread": str(uuid4()), "steps": steps}
    page = await run("copilotkit", 60, packages=str(COPILOTKIT), **about)
    assert page["printed"] == []
    assert page["pendingInterrupts"] == []
    return page


def texts(page: Any) -> list[tuple[str, str]]:
    return [(each["role"], each["content"]) for each in page["messages"]]


async def test_a_page_approves_and_rejects_calls(agents: Server) -> None:
    page = await talk(
        agents,
        "/per_call",
        *({"say": "Hi"}, {"say": "refund 5, refund 7"}),
        {"answers": [{"payload": {"approved": True}}, {"payload": {"type": "reject"}}]},
        {"say": "bye"},
    )
    [waiting] = page["waiting"]
    calls = page["messages"][3]["toolCalls"]
    assert [each["toolCallId"] for each in waiting] == [each["id"] for each in calls]
    assert [role for role, _ in texts(page)] == [
        *("user", "assistant", "user", "assistant", "tool", "tool", "assistant", "user"),
        "assistant",
    ]
    assert {text.split(" for ")[0] for role, text in texts(page) if role == "tool"} == {
        *("refunded 5", "User rejected the tool call")
    }
    assert texts(page)[-1] == ("assistant", "Got bye")


async def test_a_page_decides_on_several_calls_at_once(agents: Server) -> None:
    edit = {"type": "edit", "edited_action": {"name": "refund", "args": {"amount": 1}}}
    payload = {"decisions": [edit, {"type": "respond", "message": "Later."}]}
    page = await talk(
        agents, "/batched", {"say": "refund 5, refund 7"}, {"answers": [{"payload": payload}]}
    )
    [edited, responded] = sorted(text for role, text in texts(page) if role == "tool")[::-1]
    assert "refunded 1" in edited
    assert responded == "Later."


async def test_a_page_answers_and_cancels(agents: Server) -> None:
    page = await talk(
        agents, "/ask", {"say": "Hi"}, {"answers": [{"payload": {"choice": "this one"}}]}
    )
    assert texts(page)[-1] == ("assistant", "It is {'choice': 'this one'}.")
    page = await talk(agents, "/per_call", {"say": "refund 5"}, {"answers": [{"cancelled": True}]})
    assert texts(page)[-2][1].startswith("User rejected the tool call")
