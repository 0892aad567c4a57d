"""What a client decodes of a stream is what the server has encoded, as far as the wire has it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from langgraph.pregel import Pregel

from asgi_stream.events import (
    ALL_EVENTS,
    BlockFinished,
    BlockStarted,
    Custom,
    Event,
    FileMade,
    LangChainEvent,
    ModelFinished,
    ModelStarted,
    NodeFinished,
    NodeStarted,
    OutputChunk,
    ReasoningDelta,
    RunError,
    RunFinished,
    RunStarted,
    SourceFound,
    Step,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
    ToolCallStarted,
    ToolFailed,
    ToolFinished,
)
from asgi_stream.formats import Format, FormatRequest, Frame, load, names
from asgi_stream.serialize import to_json

from ..corpus import RUNS, record
from ..reducers import BODIES, FIRST, TOOLS
from .own import Lines
from .script import ENDED, FAILED, FINISHED, MODEL, USAGE

pytestmark = pytest.mark.anyio

ENDS = {RunFinished, RunError}
TEXTS = {TextDelta, ReasoningDelta}
BLOCKS = {BlockStarted, BlockFinished}
CALL = ToolCallStarted | ToolCallDelta | ToolCalled
CALLS = {ToolCallStarted, ToolCallDelta, ToolCalled}
RESULTS = {ToolFinished, ToolFailed}
EXTRAS = {SourceFound, FileMade, Custom}

CARRIED: dict[str, set[type]] = {
    "tokens": {TextDelta, *ENDS},
    # No end: that is the end of the body, and its abortion an error.
    "text": {TextDelta},
    "chunks": {OutputChunk, *ENDS},
    "events": {LangChainEvent, *ENDS},
    "langserve": {RunStarted, OutputChunk, *ENDS},
    "langserve events": {LangChainEvent, *ENDS},
    "langgraph": {RunStarted, OutputChunk, *ENDS},
    "langgraph events": {RunStarted, LangChainEvent, *ENDS},
    # Calls of the client's tools only, and their ends all at once. No files, sources or results.
    "openai": {RunStarted, *TEXTS, *CALLS, ModelFinished, *ENDS},
    "openai responses": {RunStarted, *TEXTS, *CALLS, *RESULTS, ModelFinished, *ENDS},
    "mcp": {TextDelta, *ENDS},
    "agui": {
        *(RunStarted, NodeStarted, NodeFinished, OutputChunk, ModelFinished),
        *(*TEXTS, *BLOCKS, *CALLS, *RESULTS, *EXTRAS, *ENDS),
    },
    "vercel": {
        *(RunStarted, ModelFinished),
        *(*TEXTS, *BLOCKS, *CALLS, *RESULTS, *EXTRAS, *ENDS),
    },
}
"""The types of events that each wire carries. None carries the output of a `RunFinished`."""

NO_RUN_ID = {"openai", "openai responses", "agui"}
"""The id of the run is hashed, or the client's own."""
NO_INTERRUPTS = {"langserve", "langserve events", "openai responses"}
NO_CODES = {"vercel"}
"""Errors are a text with the message and the id."""
TEXT_RESULTS = {"agui"}
"""Results of tools are text, and failures are results."""
NO_MEDIA_TYPES = {"agui"}
"""Sources have no media type; those of the AI SDK have one only without a URL."""
CALL_A_TOOL = {
    **{"jsonrpc": "2.0", "id": 1, "method": "tools/call"},
    "params": {"name": "m", "_meta": {"progressToken": 1}},
}
MODES = ["values", "updates", "custom", "messages"]


def frames_of(wire: bytes) -> Iterator[Frame]:
    for block in wire.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        yield Frame(fields.get("event", ""), fields.get("data", ""))


def decoded(name: str, wires: list[bytes]) -> list[Event]:
    """The events of a stream, up to its end."""
    decoder = load(name.split(" ")[0])()
    events = []
    for wire in wires:
        for frame in [Frame("", wire.decode())] if name == "text" else frames_of(wire):
            for event in decoder.decode(frame):
                events.append(event)
                if isinstance(event, RunFinished | RunError):
                    return events
    return events


def encoder_of(name: str) -> Format:
    encoder = load(name.split(" ")[0])()
    options: dict[str, Any] = {"tools": TOOLS, "stream_options": {"include_usage": True}}
    requests = {
        "langserve": ("/stream", {"input": 1}),
        "langserve events": ("/stream_events", {"input": 1}),
        "langgraph": ("", {}),
        "langgraph events": ("", {"stream_mode": "events"}),
        "openai": ("/chat/completions", {**BODIES["openai"], **options, "messages": []}),
        "openai responses": ("/responses", {"model": "m", "input": "Hi", "stream": True}),
        "mcp": ("", CALL_A_TOOL),
        "agui": ("", {**BODIES["agui"], "messages": FIRST["agui"]}),
        "vercel": ("", {**BODIES["vercel"], "messages": FIRST["vercel"]}),
    }
    endpoint, body = requests.get(name, ("", {}))
    encoder.parse(FormatRequest(endpoint=endpoint, body=body, models=("m",)))
    return encoder


async def recorded(encoder: Format, run: str) -> list[Event]:
    runnable, input = RUNS[run]
    stream = {"stream_mode": MODES, "subgraphs": True} if isinstance(runnable, Pregel) else {}
    raw = LangChainEvent in encoder.wants
    events = await record(
        runnable, input, {LangChainEvent} if raw else ALL_EVENTS | {OutputChunk}, stream
    )
    wants = (*encoder.wants, RunFinished, RunError)
    return [RunStarted("r"), *(event for event in events if isinstance(event, wants))]


def at_client(event: Event) -> Event:
    """The event of a run with the client's tools: the corpus has its own."""
    if isinstance(event, ToolCallStarted):
        return replace(event, at_client=event.name == "add")
    return event


def plain(value: Any) -> Any:
    """`value` as a client has it."""
    return json.loads(to_json(value))


class Comparable:
    """Makes the events of one run comparable: without what their wire does not carry."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._blocks: dict[str, int] = {}

    def of(self, events: list[Event]) -> list[Any]:
        carried = [event for event in events if type(event) in CARRIED[self._name]]
        return [each for event in carried for each in self._of(event)]

    def _of(self, event: Event) -> Iterator[Any]:
        name = self._name
        if name == "openai" and isinstance(event, CALL) and event.step.name != "add":
            return  # no tool of the client's
        match event:
            case RunStarted(run_id=run_id):
                yield "start", None if name in NO_RUN_ID else run_id
            case BlockStarted(kind=kind) | BlockFinished(kind=kind):
                yield type(event), self._number(event.block), kind
            case TextDelta(text=text) | ReasoningDelta(text=text):
                number = self._number(event.block) if BlockStarted in CARRIED[name] else None
                yield type(event), number, text
            case NodeStarted(step=step) | NodeFinished(step=step):
                yield type(event), step.name
            case ToolCallStarted():
                yield "call", event.call_id, event.name
            case ToolCallDelta(call_id=id_, text=text):
                yield "arguments", id_, text
            case ToolCalled(call_id=id_, arguments=arguments, valid=valid):
                yield "called", id_, event.name, plain(arguments), valid
            case ToolFinished(output=output):
                text = output if isinstance(output, str) else to_json(output).decode()
                as_text = name in TEXT_RESULTS or name == "openai responses"
                result = text if as_text else plain(output)
                yield "result", event.call_id, event.name, result
            case ToolFailed(call_id=id_, message=message):
                label = "result" if name in TEXT_RESULTS else "failure"
                yield label, id_, event.name, message
            case SourceFound(url=url):
                no_type = name in NO_MEDIA_TYPES or url is not None
                media_type = None if no_type else event.media_type
                yield "source", event.source_id, event.title, url, media_type
            case FileMade(media_type=media_type, url=url):
                yield "file", media_type, url
            case Custom(data=data):
                yield "custom", event.name, plain(data)
            case OutputChunk():
                yield from self._chunk(event)
            case LangChainEvent(step=step):
                about = step.run_id, step.name, step.type, plain(step.tags)
                content = plain([event.data, event.metadata, event.parent_ids])
                yield event.event, about, content
            case RunFinished(interrupts=interrupts):
                questions = () if name in NO_INTERRUPTS else interrupts
                yield "end", [(each.id, plain(each.value)) for each in questions]
            case RunError():
                code = None if name in NO_CODES else event.code
                yield "error", code, event.message, event.id

    def _chunk(self, event: OutputChunk) -> Iterator[Any]:
        data = plain(event.data)
        labels: Any = event.mode, list(event.namespace or ())
        if self._name == "agui":
            if event.mode == "values":
                keys = {key for key in data if key != "messages" and not key.startswith("__")}
                yield "state", {key: data[key] for key in sorted(keys)}
        elif self._name == "langserve":
            yield "chunk", data
        elif self._name == "langgraph" and event.mode == "messages":
            yield "message", labels, data[0]  # of its metadata only a part is sent
        elif self._name != "langgraph" or not (
            isinstance(data, dict) and [*data] == ["__interrupt__"]
        ):
            yield "chunk", labels, data

    def _number(self, block: str) -> int:
        return self._blocks.setdefault(block, len(self._blocks))


def usage_of(events: list[Event]) -> dict[str, int]:
    total: dict[str, int] = {}
    for event in events:
        if isinstance(event, ModelFinished):
            for name in ("input_tokens", "output_tokens", "total_tokens"):
                total[name] = total.get(name, 0) + (event.usage.get(name) or 0)
    return {name: count for name, count in total.items() if count}


LATE = {"openai"}
"""The calls' ends come at the end of the answer."""


def in_order(name: str, events: list[Any]) -> list[Any]:
    late = [event for event in events if name in LATE and event[0] == "called"]
    return [event for event in events if event not in late] + late


PAIRS = [
    (name, run)
    for name in CARRIED
    for run, (runnable, _) in RUNS.items()
    if name != "langgraph" or isinstance(runnable, Pregel)
]


@pytest.mark.parametrize(("name", "run"), PAIRS)
async def test_a_client_decodes_what_the_server_has_encoded(name: str, run: str) -> None:
    encoder = encoder_of(name)
    events = await recorded(encoder, run)
    if name == "openai":
        events = [at_client(event) for event in events]
    result = decoded(name, [encoder.encode(event) for event in events])
    expected = Comparable(name).of(events)
    assert in_order(name, Comparable(name).of(result)) == in_order(name, expected)
    if ModelFinished in CARRIED[name]:
        assert usage_of(result) == usage_of(events)


@pytest.mark.parametrize("name", [name for name in CARRIED if name != "text"])
def test_a_failure_is_decoded(name: str) -> None:
    encoder = encoder_of(name)
    begun: list[Event] = [RunStarted("r"), BlockStarted(MODEL, "b", "text")]
    events: list[Event] = [*begun, TextDelta(MODEL, "a", "b"), FAILED]
    result = decoded(name, [encoder.encode(event) for event in events])
    code = "" if name in NO_CODES else "run_failed"
    assert isinstance(result[-1], RunError)
    assert (result[-1].code, result[-1].message, result[-1].id) == (code, "The run failed.", "e1")


@pytest.mark.parametrize("name", ["agui", "openai", "openai responses", "vercel"])
def test_the_counts_of_tokens_are_decoded(name: str) -> None:
    encoder = encoder_of(name)
    events: list[Event] = [RunStarted("r"), ModelStarted(MODEL), ENDED, FINISHED]
    result = decoded(name, [encoder.encode(event) for event in events])
    [usage] = [event.usage for event in result if isinstance(event, ModelFinished)]
    assert usage == USAGE


@pytest.mark.parametrize("name", ["agui", "openai", "vercel", "langgraph"])
def test_unknown_frames_are_ignored(name: str) -> None:
    for data in ('{"type": "new"}', '{"error": null}', "[1]", "null", ""):
        assert [*load(name)().decode(Frame("new", data))] == []


@pytest.mark.parametrize("name", [name for name in names() if name != "text"])
def test_data_that_is_not_json_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match="Invalid JSON: 'x'"):
        list(load(name)().decode(Frame("", "x")))


def test_deltas_of_unknown_calls_are_decoded() -> None:
    decoder = load("agui")()
    frame = Frame("", '{"type": "TOOL_CALL_ARGS", "toolCallId": "c", "delta": "{}"}')
    [event] = decoder.decode(frame)
    assert event == ToolCallDelta(Step("", "", "tool"), "c", "{}")


def test_events_of_another_shape_are_chunks() -> None:
    assert [*load("events")().decode(Frame("", "[1]"))] == [OutputChunk(Step("", "", "chain"), [1])]


def test_a_format_of_someone_s_own_decodes_its_data_as_it_is() -> None:
    frame = Frame("", '{"a": 1}')
    assert [*Lines().decode(frame)] == [OutputChunk(Step("", "", "chain"), {"a": 1})]
    assert not Lines.recognizes(frame)
