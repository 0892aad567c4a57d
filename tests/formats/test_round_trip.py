"""What a format has sent is accepted when its client sends it back with the next request."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, convert_to_messages
from langchain_core.tools import BaseTool, StructuredTool

from asgi_stream.events import ALL_EVENTS, Event, OutputChunk
from asgi_stream.formats import FormatRequest, RunSpec, load

from ..corpus import RUNS, Answers, call, chunk, graph_of, narrated, record
from ..models import Scripted
from ..reducers import BODIES, ENDPOINTS, FIRST, READERS, USER, Frame, check, frames_of
from ..said import FEW

pytestmark = pytest.mark.anyio


def next_turn(format: str, events: list[Event]) -> list[Any]:
    """What the model of the next turn gets."""
    encoder = load(format)()
    body = BODIES[format]
    about: Any = {"models": ["m"], "endpoint": ENDPOINTS.get(format, "")}
    encoder.parse(FormatRequest(body={**body, "messages": FIRST[format]}, **about))
    wanted = tuple(encoder.wants)
    ends = ("RunStarted", "RunFinished", "RunError")
    carried = [e for e in events if isinstance(e, wanted) or type(e).__name__ in ends]
    sent = READERS[format](frames_of(b"".join(map(encoder.encode, carried))))
    # As a client's JSON has it.
    sent = json.loads(json.dumps(sent))
    spec = load(format)().parse(FormatRequest(body={**body, "messages": sent}, **about))
    assert isinstance(spec, RunSpec)
    assert spec.messages is not None
    return convert_to_messages([dict(each) for each in spec.messages])


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
FAST = settings(FEW, max_examples=60)


@FAST
@given(TEXTS, st.lists(st.tuples(IDS, NAMES, ARGUMENTS), max_size=3))
def test_what_a_model_alone_has_sent_is_accepted(
    text: str, calls: list[tuple[str | None, str, str]]
) -> None:
    made = [call(n, args, name, id_) for n, (id_, name, args) in enumerate(calls)]
    run = record(Scripted(script=[chunk(text), *made]), "?", ALL_EVENTS | {OutputChunk})
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
    events = asyncio.run(record(agent, {"messages": ["?"]}, ALL_EVENTS | {OutputChunk}))
    for format in READERS:
        check(next_turn(format, events))


URLS = st.sampled_from(
    ["https://example.com/a", "gs://bucket/a", "file-id", "data:image/png;base64,AAAA", ""]
)


@FAST
@given(st.sampled_from(["image", "file", "audio"]), URLS)
def test_a_file_that_a_model_has_sent_is_accepted(kind: str, url: str) -> None:
    model = Scripted(script=[chunk([{"type": kind, "url": url}]), "See."])
    events = asyncio.run(record(model, "?", ALL_EVENTS | {OutputChunk}))
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
    spec = load("agui")().parse(FormatRequest(body={**BODIES["agui"], "messages": sent}))
    assert isinstance(spec, RunSpec)
    assert spec.messages is not None
    seen = [
        (each.get("id"), [c["id"] for c in each.get("tool_calls", ())]) for each in spec.messages
    ]
    assert seen == [("b", ["c2"]), ("x", []), ("c", []), ("u1", []), ("d", ["c4"])]
