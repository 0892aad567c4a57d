"""Streams that go on after their worker has died: what has been open is closed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from asgi_stream.events import (
    BlockFinished,
    BlockStarted,
    Event,
    ModelStarted,
    OutputChunk,
    ReasoningDelta,
    RunFinished,
    RunStarted,
    Step,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
    ToolCallResumed,
    ToolCallStarted,
    ToolFinished,
)
from asgi_stream.formats import FormatRequest, load
from asgi_stream.formats._frame import Frame

RUN = Step("run", "agent", "chain")
MODEL = Step("model", "model", "chat_model")
TOOL = Step("tool", "look", "tool")

CHAT = {
    "id": "c",
    "messages": [{"id": "u", "role": "user", "parts": [{"type": "text", "text": ""}]}],
}


def vercel() -> Any:
    format = load("vercel")()
    format.parse(FormatRequest(body=CHAT, threads=True, sdk_version=7))
    return format


def frames_of(format: Any, *events: Event) -> list[Frame]:
    """What an attempt has sent before its worker died, with the first frame of the next one."""
    stored = b"".join(map(format.encode, events)).split(b"\n\n")[:-1]
    return [Frame.parse(each + b"\n\n") for each in stored] + [Frame.parse(b": goes on\n")]


def parts_of(data: bytes) -> list[Any]:
    return [json.loads(each[6:]) for each in data.decode().split("\n\n") if each[6:7] == "{"]


STARTED = RunStarted("run"), ModelStarted(MODEL)
CALL = ToolCallStarted(TOOL, "c1", "look", "model"), ToolCallDelta(TOOL, "c1", '{"a":')
CALLED = *CALL, ToolCalled(TOOL, "c1", "look", {"a": 1})
ABOUT = {"toolCallId": "c1", "dynamic": True, "providerExecuted": True}
WITHDRAWN = "The server that made this call was lost; the model is asked again."


@pytest.mark.parametrize(
    ("events", "calls", "closing"),
    [
        ([], (), []),
        ([*STARTED], (), []),
        (
            [*STARTED, BlockStarted(MODEL, "m", "text"), TextDelta(MODEL, "a", "m")],
            (),
            [{"type": "text-end", "id": "1"}],
        ),
        (
            [
                *STARTED,
                BlockStarted(MODEL, "r", "reasoning"),
                ReasoningDelta(MODEL, "a", "r"),
                BlockFinished(MODEL, "r", "reasoning"),
                BlockStarted(MODEL, "r2", "reasoning"),
            ],
            (),
            [{"type": "reasoning-end", "id": "2"}],
        ),
        (
            [*STARTED, *CALL],
            (),
            [
                {"type": "tool-input-error", "toolName": "look", "input": None}
                | {"errorText": WITHDRAWN, **ABOUT}
            ],
        ),
        (
            [*STARTED, *CALLED],
            (),
            [{"type": "tool-output-error", "errorText": WITHDRAWN, **ABOUT}],
        ),
        ([*STARTED, *CALLED], ("c1",), []),
        ([*STARTED, *CALLED, ToolFinished(TOOL, "c1", "look", "x")], (), []),
    ],
)
def test_what_a_vercel_stream_has_left_open_is_closed(
    events: list[Event], calls: tuple[str, ...], closing: list[Any]
) -> None:
    frames = frames_of(vercel(), *events)
    assert parts_of(vercel().restore(frames, 2, calls)) == closing


def test_a_vercel_stream_goes_on_with_its_steps_and_ids() -> None:
    events = *STARTED, BlockStarted(MODEL, "m", "text"), *CALLED
    format = vercel()
    format.restore(frames_of(vercel(), *events), 2, ("c1",))
    again = Step("model2", "model", "chat_model")
    data = [
        format.encode(event)
        for event in (
            RunStarted("run"),
            ToolCallResumed(TOOL, "c1", "look", {"a": 1}),
            ToolFinished(TOOL, "c1", "look", "x"),
            ModelStarted(again),
            BlockStarted(again, "m2", "text"),
            BlockFinished(again, "m2", "text"),
            RunFinished(RUN, None),
        )
    ]
    assert parts_of(b"".join(data)) == [
        {"type": "tool-output-available", "output": "x", **ABOUT},
        {"type": "finish-step"},
        {"type": "start-step"},
        {"type": "text-start", "id": "2"},
        {"type": "text-end", "id": "2"},
        {"type": "finish-step"},
        {"type": "finish", "finishReason": "stop"},
    ]


def test_calls_that_the_browser_executes_remain_its_own() -> None:
    def chat_model() -> Any:
        format = vercel()
        format.encode(RunStarted("run"))
        return format

    own = Step("tool", "look", "tool")
    frames = frames_of(chat_model(), ModelStarted(RUN), ToolCallStarted(own, "c1", "look", "run"))
    [part] = parts_of(chat_model().restore(frames, 2, ()))
    assert "providerExecuted" not in part


def test_a_stream_of_which_nothing_was_stored_begins() -> None:
    format = vercel()
    assert format.restore([Frame.parse(b": goes on\n")], 2, ()) == b""
    assert parts_of(format.encode(RunStarted("run")))[0]["type"] == "start"


def test_langgraph_numbers_the_attempts() -> None:
    format = load("langgraph")()
    format.parse(FormatRequest(endpoint="/runs/stream", body={"assistant_id": "g"}, models=("g",)))
    assert format.restore([], 2, ()) == b""
    assert b'"attempt":2' in format.encode(RunStarted("run"))


def test_plain_formats_have_nothing_open() -> None:
    assert load("chunks")().restore([], 2, ()) == b""
    assert load("events")().restore([], 2, ()) == b""


def command() -> Any:
    format = load("langgraph")()
    endpoint = "/threads/{stored_thread}/commands"
    body = {"id": 1, "method": "run.start", "params": {"assistant_id": "g", "input": {}}}
    params = {"stored_thread": "t"}
    request = FormatRequest(
        endpoint=endpoint, body=body, models=("g",), threads=True, params=params
    )
    format.parse(request)
    return format


def test_a_run_of_a_command_goes_on_with_its_numbers_and_messages() -> None:
    from langchain_core.messages import AIMessageChunk

    def piece(id_: str, text: str, **more: Any) -> OutputChunk:
        message = AIMessageChunk(content=text, id=id_, **more)
        about = {"langgraph_node": "model"}
        return OutputChunk(RUN, (message, about), "messages", ("sub:1",))

    task = {"name": "sub", "id": "2", "result": {}}
    frames = frames_of(
        command(),
        RunStarted("run"),
        OutputChunk(RUN, {}, "custom", ("sub:2",)),
        OutputChunk(RUN, task, "tasks", ()),
        piece("m0", "whole", chunk_position="last"),
        piece("m1", "be"),
    )
    numbers = [json.loads(each.data)["seq"] for each in frames if each.data]
    late = 9_007_199_254_740_000
    frames[1] = Frame(frames[1].event, frames[1].data.replace(str(numbers[1]), str(late)))
    frames = [*frames[:1], *frames[2:], frames[1]]
    format = command()
    [closing] = [
        Frame.parse(each + b"\n\n") for each in format.restore(frames, 2, ()).split(b"\n\n")[:-1]
    ]
    event = json.loads(closing.data)
    assert event["seq"] == late + 1
    assert event["method"] == "messages"
    assert event["params"]["namespace"] == ["sub:1"]
    assert event["params"]["node"] == "model"
    assert event["params"]["data"]["event"] == "error"
    assert event["params"]["data"]["message_id"] == "m1"
    # To clients it is another event, by which they drop what the lost attempt has sent.
    assert b'"synth:run:lc||running|2"' in format.encode(RunStarted("run"))
    # The subgraph has started, and neither message is streamed again.
    data = [format.encode(each) for each in (piece("m0", "whole"), piece("m1", "be"))]
    assert data == [b"", b""]
    assert b'"started"' not in format.encode(OutputChunk(RUN, {}, "custom", ("sub:1",)))
    end = Frame.parse(format.encode(RunFinished(RUN, None)).rstrip() + b"\n\n")
    assert json.loads(end.data)["params"]["data"]["event"] == "completed"
