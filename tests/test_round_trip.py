"""What a format has sent is accepted when its client sends it back with the next request.

The reducers build a client's messages of the frames, as far as tool calls and text go: that of
`vercel` after npm ``ai``'s ``readUIMessageStream``, that of `agui` after ``@ag-ui/client``'s
``defaultApplyEvents``, that of `openai` after what its helpers accumulate.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, ToolMessage, convert_to_messages
from langchain_core.tools import BaseTool, StructuredTool

from asgi_stream.events import NARRATED, Event, OutputChunk
from asgi_stream.formats import Asked, Call, load

from .corpus import RUNS, Answers, call, chunk, graph_of, narrated, record
from .models import Scripted

pytestmark = pytest.mark.anyio

Frame = dict[str, Any]
USER = {"id": "u1", "role": "user", "content": "Hi"}
TOOLS = [{"type": "function", "function": {"name": "add"}}]


def frames_of(wire: bytes) -> list[Frame]:
    lines = [line.removeprefix("data: ") for line in wire.decode().split("\n\n") if line]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def as_vercel(frames: list[Frame]) -> list[Frame]:
    """A ``UIMessage`` of an answer, between the user's."""
    parts: list[Frame] = []
    tools: dict[str, Frame] = {}
    open_: dict[str, Frame] = {}
    for frame in frames:
        kind = frame["type"]
        if kind == "start-step":
            parts.append({"type": "step-start"})
        elif kind == "finish-step":
            open_ = {}
        elif kind in ("text-start", "reasoning-start"):
            open_[frame["id"]] = {"type": kind.removesuffix("-start"), "text": ""}
            parts.append(open_[frame["id"]])
        elif kind in ("text-delta", "reasoning-delta"):
            open_[frame["id"]]["text"] += frame["delta"]
        elif kind in ("tool-input-start", "tool-input-available", "tool-input-error"):
            id_ = frame["toolCallId"]
            if id_ not in tools:
                tools[id_] = {"type": "dynamic-tool", "toolCallId": id_}
                parts.append(tools[id_])
            state = {"start": "input-streaming", "error": "output-error"}
            tools[id_]["state"] = state.get(kind.rpartition("-")[2], "input-available")
            tools[id_] |= {
                name: frame[name] for name in ("toolName", "input", "errorText") if name in frame
            }
        elif kind in ("tool-output-available", "tool-output-error"):
            known = tools[frame["toolCallId"]]
            known["state"] = kind.removeprefix("tool-")
            known |= {name: frame[name] for name in ("output", "errorText") if name in frame}
        elif kind.startswith(("file", "source-", "data-")) and not frame.get("transient"):
            parts.append(frame)
    user = {"id": "u", "role": "user", "parts": [{"type": "text", "text": "Hi"}]}
    return [user, {"id": "a", "role": "assistant", "parts": parts}, {**user, "id": "v"}]


def as_agui(frames: list[Frame]) -> list[Frame]:
    """AG-UI's messages."""
    messages: list[Frame] = []

    def assistant(id_: str) -> Frame:
        for message in messages:
            if message["id"] == id_:
                return message
        messages.append({"id": id_, "role": "assistant"})
        return messages[-1]

    calls: dict[str, Frame] = {}
    for frame in frames:
        kind = frame["type"]
        if kind == "TEXT_MESSAGE_START":
            assistant(frame["messageId"]).setdefault("content", "")
        elif kind == "TEXT_MESSAGE_CONTENT":
            said = assistant(frame["messageId"])
            said["content"] = said.get("content", "") + frame["delta"]
        elif kind == "TOOL_CALL_START":
            id_ = frame["toolCallId"]
            function = {"name": frame["toolCallName"], "arguments": ""}
            calls[id_] = {"id": id_, "type": "function", "function": function}
            said = assistant(frame.get("parentMessageId") or id_)
            said.setdefault("toolCalls", []).append(calls[id_])
        elif kind == "TOOL_CALL_ARGS":
            calls[frame["toolCallId"]]["function"]["arguments"] += frame["delta"]
        elif kind == "TOOL_CALL_RESULT":
            result = {"toolCallId": frame["toolCallId"], "content": frame["content"]}
            owners = [
                n
                for n, message in enumerate(messages)
                if any(each["id"] == frame["toolCallId"] for each in message.get("toolCalls", ()))
            ]
            place = owners[0] + 1 if owners else len(messages)
            while place < len(messages) and messages[place]["role"] == "tool":
                place += 1
            messages.insert(place, {"id": frame["messageId"], "role": "tool", **result})
    return [USER, *messages, {**USER, "id": "u2"}]


def as_openai(frames: list[Frame]) -> list[Frame]:
    """OpenAI's messages; the client answers the calls of its own tools."""
    said: Frame = {"role": "assistant", "content": ""}
    for delta in (each["delta"] for frame in frames for each in frame.get("choices", ())):
        said["content"] += delta.get("content") or ""
        for piece in delta.get("tool_calls") or ():
            calls = said.setdefault("tool_calls", [])
            if piece["index"] == len(calls):
                made = {name: value for name, value in piece.items() if name != "index"}
                calls.append({**made, "function": dict(made["function"])})
            else:
                calls[piece["index"]]["function"]["arguments"] += piece["function"]["arguments"]
    answers = [
        {"role": "tool", "tool_call_id": each["id"], "content": "3"}
        for each in said.get("tool_calls", ())
    ]
    return [USER, said, *answers, USER]


READERS: dict[str, Callable[[list[Frame]], list[Frame]]] = {
    "agui": as_agui,
    "openai": as_openai,
    "vercel": as_vercel,
}
BODIES: dict[str, Frame] = {
    "agui": {"threadId": "t", "runId": "r"},
    "openai": {"model": "m", "stream": True, "tools": TOOLS},
    "vercel": {"id": "c"},
}
FIRST: dict[str, list[Frame]] = {
    "agui": [USER],
    "openai": [USER],
    "vercel": [{"id": "u", "role": "user", "parts": [{"type": "text", "text": "Hi"}]}],
}


ENDPOINTS = {"openai": "/chat/completions"}


def next_turn(format: str, events: list[Event]) -> list[Any]:
    """What the model of the next turn gets."""
    encoder = load(format)()
    body = BODIES[format]
    about: Any = {"models": ["m"], "endpoint": ENDPOINTS.get(format, "")}
    encoder.parse(Asked(body={**body, "messages": FIRST[format]}, **about))
    wanted = tuple(encoder.wants)
    ends = ("RunStarted", "RunFinished", "RunError")
    heard = [e for e in events if isinstance(e, wanted) or type(e).__name__ in ends]
    sent = READERS[format](frames_of(b"".join(map(encoder.encode, heard))))
    # As a client's JSON has it.
    sent = json.loads(json.dumps(sent))
    asked = load(format)().parse(Asked(body={**body, "messages": sent}, **about))
    assert isinstance(asked, Call)
    assert asked.messages is not None
    return convert_to_messages([dict(each) for each in asked.messages])


def check(messages: list[Any]) -> None:
    """Check what OpenAI and Anthropic want: a call's answers follow its message, each once."""
    open_: list[str] = []
    for message in messages:
        if isinstance(message, ToolMessage):
            assert message.tool_call_id in open_, messages
            open_.remove(message.tool_call_id)
            continue
        assert not open_, messages
        if isinstance(message, AIMessage):
            assert not message.invalid_tool_calls
            open_ = [str(each["id"]) for each in message.tool_calls]
            assert len(set(open_)) == len(open_), messages
            assert all(open_), messages
            assert all(isinstance(each["args"], dict) for each in message.tool_calls)
    assert not open_, messages


@pytest.mark.parametrize("format", READERS)
@pytest.mark.parametrize("name", RUNS)
async def test_what_a_client_has_of_a_run_is_accepted_with_its_next_message(
    name: str, format: str
) -> None:
    check(next_turn(format, await narrated(name)))


def returns(value: Any) -> BaseTool:
    async def add(a: int = 0) -> Any:
        """Adds."""
        return value

    return StructuredTool.from_function(coroutine=add, name="add")


NAN, INFINITE = float("nan"), float("inf")
TEXTS = st.text(st.characters(), max_size=4) | st.sampled_from(
    ["\ud83d", "\0", "\u2028", "x" * 9999]
)
ARGUMENTS = TEXTS | st.sampled_from(
    ["", "{}", "[1]", "null", "1", '"a"', "NaN", '{"a": NaN}', '{"a']
)
IDS = st.sampled_from([None, "", "c1", "c 1/\u00e9", "\ud83d", "call_0"])
NAMES = st.sampled_from(["add", "", "odd name", "\ud83d"])
RESULTS = TEXTS | st.sampled_from([None, 1, NAN, INFINITE, b"\xff", {"a": {1, 2}}, [object()]])
FAST = settings(
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@FAST
@given(TEXTS, st.lists(st.tuples(IDS, NAMES, ARGUMENTS), max_size=3))
def test_what_a_model_alone_has_sent_is_accepted(
    text: str, calls: list[tuple[str | None, str, str]]
) -> None:
    made = [call(n, args, name, id_) for n, (id_, name, args) in enumerate(calls)]
    run = record(Scripted(script=[chunk(text), *made]), "?", NARRATED | {OutputChunk})
    events = asyncio.run(run)
    for format in READERS:
        check(next_turn(format, events))


@FAST
@given(TEXTS, st.lists(st.tuples(IDS, NAMES), min_size=1, max_size=3), RESULTS)
@example("", [("call_0", "add"), ("call_0", "add")], 1)
def test_what_an_agent_has_sent_is_accepted(
    text: str, calls: list[tuple[str | None, str]], result: Any
) -> None:
    made: list[Any] = [{"id": id_ or "", "name": name, "args": {}} for id_, name in calls]
    model = Answers(messages=[AIMessage(text, tool_calls=made), AIMessage("Done.")])
    agent = graph_of(model, returns(result))
    events = asyncio.run(record(agent, {"messages": ["?"]}, NARRATED | {OutputChunk}))
    for format in READERS:
        check(next_turn(format, events))


URLS = st.sampled_from(
    ["https://example.com/a", "gs://bucket/a", "file-id", "data:image/png;base64,AAAA", ""]
)


@FAST
@given(st.sampled_from(["image", "file", "audio"]), URLS)
def test_a_file_that_a_model_has_sent_is_accepted(kind: str, url: str) -> None:
    model = Scripted(script=[chunk([{"type": kind, "url": url}]), "See."])
    events = asyncio.run(record(model, "?", NARRATED | {OutputChunk}))
    for format in READERS:
        check(next_turn(format, events))


def test_agui_calls_without_an_answer_are_left_out_of_the_next_turn() -> None:
    def message(id_: str, *calls: str, content: str = "") -> Frame:
        made = [{"id": call, "function": {"name": "add", "arguments": "{}"}} for call in calls]
        return {"id": id_, "role": "assistant", "content": content, "toolCalls": made}

    answer = {"id": "x", "role": "tool", "toolCallId": "c2", "content": "3"}
    sent = [
        message("a", "c0"),
        message("b", "c1", "c2"),
        answer,
        message("c", "c3", content="Well."),
        USER,
        message("d", "c4"),
    ]
    asked = load("agui")().parse(Asked(body={**BODIES["agui"], "messages": sent}))
    assert isinstance(asked, Call)
    assert asked.messages is not None
    seen = [
        (each.get("id"), [c["id"] for c in each.get("tool_calls", ())]) for each in asked.messages
    ]
    assert seen == [("b", ["c2"]), ("x", []), ("c", []), ("u1", []), ("d", ["c4"])]
