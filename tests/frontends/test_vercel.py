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
    report = await chat(server, "/vercel/agent", module=module)
    assert report["errors"] == []
    message = report["message"]
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
    assert report["parts"].count("tool-input-delta") == 3
    assert report["parts"][-2:] == ["finish-step", "finish"]


@pytest.mark.parametrize("module", VERSIONS)
@pytest.mark.parametrize(
    ("case", "message"),
    [("first", "The run failed."), ("fails", "The run failed."), ("cut", "The run took too long.")],
)
async def test_a_failure_is_an_error_and_no_answer(
    server: Server, case: str, message: str, module: str
) -> None:
    report = await chat(server, f"/vercel/{case}", module=module)
    if case == "first":
        assert quotable(report["thrown"]["message"]) == message
        assert "message" not in report
    else:
        assert [quotable(error) for error in report["errors"]] == [message]
        assert "finish" not in report["parts"]


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
    (ended,) = await until(lambda: notes.of(key, "cancel"), 5)
    assert ended


@pytest.mark.parametrize("module", VERSIONS)
async def test_plain_text_is_a_chat_too(server: Server, module: str) -> None:
    report = await chat(server, "/text/chain", module=module, transport="TextStreamChatTransport")
    assert report["errors"] == []
    assert without_ids(report["message"]["parts"])[-1]["text"] == "Hello"


async def test_plain_text_that_fails_is_an_error(server: Server) -> None:
    report = await chat(server, "/text/fails", transport="TextStreamChatTransport")
    assert report["errors"] or report["thrown"]
    report = await chat(server, "/text/first", transport="TextStreamChatTransport")
    assert quotable(report["thrown"]["message"]) == "The run failed."


async def test_files_are_content_blocks(server: Server) -> None:
    files = [
        part("file", mediaType="image/png", url=PNG, filename="a.png"),
        part("file", mediaType="application/pdf", url="https://example.com/a.pdf"),
    ]
    report = await chat(server, "/vercel/echo", asking(*files))
    text = report["message"]["parts"][-1]["text"]
    assert text == "text:- image:image/png file:application/pdf"
    report = await chat(server, "/vercel/echo", asking(part("file", mediaType="a/b", url="blob:x")))
    assert report["thrown"]["message"].startswith("messages.0.parts.1.url: expected an")


async def test_the_hook_shows_an_agent_and_runs_none_of_its_tools(server: Server) -> None:
    report = await run("use_chat", api=f"{server.url}/vercel/agent", hook="useChat", text="Hi")
    assert report["statuses"] == ["ready", "submitted", "streaming", "ready"]
    assert report["toolCalls"] == []
    transient = part("data-custom", data={"looked": "Paris"}, transient=True)
    assert transient in report["data"]
    assert report["messages"][-1]["parts"][-1]["text"].startswith("It rains.")


@pytest.mark.parametrize("case", ["first", "fails", "cut"])
async def test_the_hook_is_in_its_error_state_after_a_failure(server: Server, case: str) -> None:
    report = await run("use_chat", api=f"{server.url}/vercel/{case}", hook="useChat", text="Hi")
    assert report["statuses"][-1] == "error"
    assert quotable(report["error"]) in ("The run failed.", "The run took too long.")


async def test_the_hook_s_stop_stops_the_work(server: Server, notes: Notes) -> None:
    key = new_key()
    api = f"{server.url}/vercel/slow"
    report = await run("use_chat", api=api, hook="useChat", text=key, stopAtText=True)
    assert report["statuses"][-1] == "ready"
    assert await until(lambda: notes.of(key, "cancel"), 5)


async def test_a_completion_is_read_from_the_same_stream(server: Server) -> None:
    api = f"{server.url}/vercel/chain"
    report = await run("use_chat", api=api, hook="useCompletion", text="Hi")
    assert report["completion"] == "Hello"
    report = await run(
        "use_chat", api=f"{server.url}/vercel/fails", hook="useCompletion", text="Hi"
    )
    assert quotable(report["error"]) == "The run failed."
