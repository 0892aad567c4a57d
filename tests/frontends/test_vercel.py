"""The Vercel AI SDK's own clients, against formats ``vercel`` and ``text``."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ..clients import Notes, new_key, until
from ..servers import Server
from .node import run

pytestmark = pytest.mark.anyio

VERSIONS = ["ai-5", "ai-6", "ai"]
PNG = "data:image/png;base64,iVBORw0KGgo="


def asking(*parts: Any, role: str = "user") -> list[Any]:
    return [{"id": "1", "role": role, "parts": [{"type": "text", "text": "Hi"}, *parts]}]


async def chat(
    server: Server,
    path: str,
    messages: list[Any] | None = None,
    module: str = "ai",
    transport: str = "DefaultChatTransport",
    **more: Any,
) -> Any:
    return await run(
        "vercel",
        module=module,
        api=f"{server.url}{path}",
        messages=messages or asking(),
        transport=transport,
        **more,
    )


def quotable(error: str) -> str:
    """An error's message, without the id that its user can quote."""
    match = re.fullmatch(r"(.+) \(error id \w+\)", error)
    assert match, error
    return match[1]


def part(type_: str, **fields: Any) -> dict[str, Any]:
    return {"type": type_, **fields}


def tool(name: str, call_id: str, **fields: Any) -> dict[str, Any]:
    known = {"toolName": name, "toolCallId": call_id, "providerExecuted": True}
    return {"type": "dynamic-tool", **known, **fields}


def without_ids(parts: list[Any]) -> list[Any]:
    return [{key: value for key, value in each.items() if key != "id"} for each in parts]


@pytest.mark.parametrize("module", VERSIONS)
async def test_an_agent_is_one_message_with_all_its_parts(server: Server, module: str) -> None:
    told = await chat(server, "/vercel/agent", module=module)
    assert told["errors"] == []
    message = told["message"]
    usage = {"inputTokens": 10, "outputTokens": 4, "totalTokens": 14}
    assert message["metadata"] == {"usage": usage}
    parts = without_ids(message["parts"])
    # The two tools run side by side, and either may tell first.
    assert parts.pop(5) == part("data-progress", data={"id": "p", "percent": 50})
    assert parts == [
        part("step-start"),
        part("reasoning", text="Let me think.", state="done"),
        part("text", text="I look. ", state="done"),
        tool(
            *("weather", "call_1"),
            state="output-available",
            input={"city": "Paris"},
            output="rain in Paris",
        ),
        tool(
            *("fails", "call_2"),
            state="output-error",
            input={"city": "Rome"},
            errorText="The tool failed.",
        ),
        part("step-start"),
        part("reasoning", text="Let me think.", state="done"),
        part("text", text="It rains. (it failed: ValueError('secret'))", state="done"),
    ]
    assert told["parts"].count("tool-input-delta") == 3
    assert told["parts"][-2:] == ["finish-step", "finish"]


@pytest.mark.parametrize("module", VERSIONS)
@pytest.mark.parametrize(
    ("case", "said"),
    [("first", "The run failed."), ("fails", "The run failed."), ("cut", "The run took too long.")],
)
async def test_a_failure_is_an_error_and_no_answer(
    server: Server, case: str, said: str, module: str
) -> None:
    told = await chat(server, f"/vercel/{case}", module=module)
    if case == "first":
        assert quotable(told["thrown"]["message"]) == said
        assert "message" not in told
    else:
        assert [quotable(error) for error in told["errors"]] == [said]
        assert "finish" not in told["parts"]


@pytest.mark.parametrize("path", ["/vercel/slow", "/text/slow"])
async def test_a_stop_stops_the_work(server: Server, notes: Notes, path: str) -> None:
    key = new_key()
    await chat(
        server,
        path,
        [{"id": "1", "role": "user", "parts": [{"type": "text", "text": key}]}],
        transport="TextStreamChatTransport" if "text" in path else "DefaultChatTransport",
        stopAtText=True,
    )
    (ended,) = await until(lambda: notes.of(key, "cancel"), 2)
    assert ended


@pytest.mark.parametrize("module", VERSIONS)
async def test_plain_text_is_a_chat_too(server: Server, module: str) -> None:
    told = await chat(server, "/text/chain", module=module, transport="TextStreamChatTransport")
    assert told["errors"] == []
    assert without_ids(told["message"]["parts"])[-1]["text"] == "Hello"


async def test_plain_text_that_fails_is_an_error(server: Server) -> None:
    told = await chat(server, "/text/fails", transport="TextStreamChatTransport")
    assert told["errors"] or told["thrown"]
    told = await chat(server, "/text/first", transport="TextStreamChatTransport")
    assert quotable(told["thrown"]["message"]) == "The run failed."


async def test_files_are_content_blocks(server: Server) -> None:
    files = [
        part("file", mediaType="image/png", url=PNG, filename="a.png"),
        part("file", mediaType="application/pdf", url="https://example.com/a.pdf"),
    ]
    told = await chat(server, "/vercel/echo", asking(*files))
    said = told["message"]["parts"][-1]["text"]
    assert said == "text:- image:image/png file:application/pdf"
    told = await chat(server, "/vercel/echo", asking(part("file", mediaType="a/b", url="blob:x")))
    assert told["thrown"]["message"].startswith("messages.0.parts.1.url: expected an")


async def test_the_hook_shows_an_agent_and_runs_none_of_its_tools(server: Server) -> None:
    told = await run("use_chat", api=f"{server.url}/vercel/agent", hook="useChat", text="Hi")
    assert told["statuses"] == ["ready", "submitted", "streaming", "ready"]
    assert told["toolCalls"] == []
    transient = part("data-custom", data={"looked": "Paris"}, transient=True)
    assert transient in told["data"]
    assert told["messages"][-1]["parts"][-1]["text"].startswith("It rains.")


@pytest.mark.parametrize("case", ["first", "fails", "cut"])
async def test_the_hook_is_in_its_error_state_after_a_failure(server: Server, case: str) -> None:
    told = await run("use_chat", api=f"{server.url}/vercel/{case}", hook="useChat", text="Hi")
    assert told["statuses"][-1] == "error"
    assert quotable(told["error"]) in ("The run failed.", "The run took too long.")


async def test_the_hook_s_stop_stops_the_work(server: Server, notes: Notes) -> None:
    key = new_key()
    api = f"{server.url}/vercel/slow"
    told = await run("use_chat", api=api, hook="useChat", text=key, stopAtText=True)
    assert told["statuses"][-1] == "ready"
    assert await until(lambda: notes.of(key, "cancel"), 2)


async def test_a_completion_is_read_from_the_same_stream(server: Server) -> None:
    api = f"{server.url}/vercel/chain"
    told = await run("use_chat", api=api, hook="useCompletion", text="Hi")
    assert told["completion"] == "Hello"
    told = await run("use_chat", api=f"{server.url}/vercel/fails", hook="useCompletion", text="Hi")
    assert quotable(told["error"]) == "The run failed."
