"""Runs as LangGraph's protocol v2 shows them: events, and the data of theirs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from asgi_stream.errors import InvalidInput, RunCancelled, RunReplaced
from asgi_stream.events import (
    BREAKPOINT,
    Event,
    Interrupt,
    NodeStarted,
    OutputChunk,
    RunError,
    RunFinished,
    RunStarted,
)
from asgi_stream.formats._langgraph.blocks import BlockStream
from asgi_stream.formats._langgraph.envelopes import Envelopes, StoredEvent, Subscription
from asgi_stream.formats._langgraph.protocol import ProtocolEncoder

from .script import FAILED, NODE, RUN

STARTED = RunStarted("r1")
ABOUT = {"langgraph_node": "reply", "langgraph_step": 1, "secret": "x", "ls_model_type": "chat"}
INNER = ("inner:7",)


def chunk(mode: str, data: Any, namespace: tuple[str, ...] = ()) -> OutputChunk:
    return OutputChunk(RUN, data, mode, namespace)


def piece(text: Any, namespace: tuple[str, ...] = (), **more: Any) -> OutputChunk:
    return chunk("messages", (AIMessageChunk(content=text, id="m1", **more), ABOUT), namespace)


def checkpoint(id_: str, parent: str | None = None, step: int = 0) -> OutputChunk:
    before = {"configurable": {"checkpoint_id": parent}} if parent else None
    about = {"step": step, "source": "loop"}
    config = {"configurable": {"checkpoint_id": id_, "thread_id": "hashed"}}
    return chunk("checkpoints", {"config": config, "parent_config": before, "metadata": about})


def envelopes(*events: Event) -> list[Any]:
    encoder = ProtocolEncoder()
    blocks = b"".join(map(encoder.encode, events)).split(b"\n\n")[:-1]
    return [json.loads(each.partition(b"\ndata: ")[2]) for each in blocks]


def data_of(*events: Event, method: str = "messages") -> list[Any]:
    """The data of the run's events with a method."""
    return [each["params"]["data"] for each in envelopes(*events) if each["method"] == method]


def blocks_of(*messages: Any) -> list[Any]:
    """The events of a message, without its id."""
    stream = BlockStream(messages[0], ABOUT)
    parts = [each for message in messages for each in stream.add(message)]
    events = [json.loads(each) for each in (*parts, *stream.finish())]
    assert {each.pop("message_id") for each in events} == {"m1"}
    return events


def test_a_run_has_numbers_that_grow_and_ids_that_name_it() -> None:
    started, update, end = envelopes(
        STARTED, chunk("updates", {"reply": {"x": 1}}), RunFinished(RUN, {})
    )
    assert started["event_id"] == "synth:r1:lc||running"
    assert end["event_id"] == "synth:r1:lc||completed"
    assert end["params"]["data"] == {"event": "completed"}
    assert started["seq"] < update["seq"] < end["seq"] < 2**53
    assert update["event_id"] == str(update["seq"])
    assert update["params"]["timestamp"] == update["seq"] // 1000
    assert update["params"]["node"] == "reply"
    assert update["params"]["data"] == {"node": "reply", "values": {"x": 1}}


def test_numbers_grow_when_the_clock_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 5000)
    made = Envelopes(last=9)
    frames = [made.frame("values", (), b"{}") for _ in range(2)]
    assert [(StoredEvent.read(each) or frames).number for each in frames] == [10, 11]  # type: ignore[union-attr]


def test_values_come_right_after_their_checkpoint() -> None:
    events = envelopes(
        STARTED,
        chunk("values", {"x": 1}),
        checkpoint("c1", step=-1),
        chunk("values", {"x": 2, "__interrupt__": []}),
        checkpoint("c2", "c1"),
        chunk("values", {"x": 3}),
        chunk("custom", 1),
        chunk("values", {"x": 4}),
        RunFinished(RUN, {}),
    )
    assert [(each["method"], each["params"]["data"]) for each in events[1:-1]] == [
        ("checkpoints", {"id": "c1", "step": -1, "source": "loop"}),
        ("values", {"x": 1}),
        ("checkpoints", {"id": "c2", "parent_id": "c1", "step": 0, "source": "loop"}),
        ("values", {"x": 2}),
        ("values", {"x": 3}),
        ("custom", {"payload": 1}),
        ("values", {"x": 4}),
    ]


def test_values_that_are_no_mapping_and_updates_that_are_none() -> None:
    events = envelopes(chunk("values", [1]), chunk("updates", "x"), RunFinished(RUN, {}))
    assert [each["params"]["data"] for each in events] == [[1], {"event": "completed"}]


def test_an_interrupt_is_requested_before_the_run_stops() -> None:
    stopped = RunFinished(RUN, {}, [Interrupt("i1", {"q": 1}), BREAKPOINT])
    updates = chunk("updates", {"__interrupt__": ()})
    requested, end = envelopes(STARTED, updates, stopped)[1:]
    assert requested["method"] == "input.requested"
    expected = {"interrupt_id": "i1", "payload": {"q": 1}, "value": {"q": 1}}
    assert requested["params"]["data"] == expected
    assert end["event_id"] == "synth:r1:lc||interrupted"


def test_answers_are_announced_when_their_run_starts() -> None:
    blocks = ProtocolEncoder(["i1"]).encode(STARTED).split(b"\n\n")[:-1]
    _, answered = (StoredEvent.read(each + b"\n\n") for each in blocks)
    assert answered is not None
    assert (answered.method, answered.channel) == ("input.answered", "input")
    assert answered.frame.startswith(f"id: {answered.number}\nevent: input.answered\n".encode())
    assert b'"data":{"interrupt_ids":["i1"]}' in answered.frame


def test_a_breakpoint_ends_the_run_because_clients_wait_for_what_an_interrupt_asks() -> None:
    *_, end = envelopes(STARTED, RunFinished(RUN, {}, [BREAKPOINT]))
    assert end["params"]["data"] == {"event": "completed"}


def test_a_failure_has_the_public_message_and_a_cancelled_run_fails_too() -> None:
    *_, failed = envelopes(STARTED, FAILED)
    about = {"event": "failed", "id": "e1"}
    error = {"error": "The run failed.", "code": "run_failed"}
    assert failed["params"]["data"] == {**about, **error}
    *_, stopped = envelopes(STARTED, RunError(RunCancelled.code, RunCancelled.message, "e1"))
    error = {"error": "The run was cancelled.", "code": "cancelled"}
    assert stopped["params"]["data"] == {**about, **error}


@pytest.mark.parametrize("end", [RunFinished(RUN, None), FAILED])
def test_a_subgraph_ends_with_its_run_at_the_latest(end: Any) -> None:
    # What a run of the older API streams does not say when a task has its result.
    chunk = OutputChunk(NODE, {"a": 1}, "updates", ("outer:1", "inner:2"))
    *_, inner, outer, root = envelopes(STARTED, chunk, end)
    status = root["params"]["data"]["event"]
    assert [each["params"]["namespace"] for each in (inner, outer)] == [
        ["outer:1", "inner:2"],
        ["outer:1"],
    ]
    assert {each["params"]["data"]["event"] for each in (inner, outer)} == {status}


def test_a_run_that_another_one_replaces_is_no_failure() -> None:
    *_, replaced = envelopes(STARTED, RunError(RunReplaced.code, RunReplaced.message, "e1"))
    assert replaced["params"]["data"] == {"event": "interrupted"}


def test_a_run_that_fails_before_it_starts_has_no_id() -> None:
    [failed] = envelopes(FAILED)
    assert failed["event_id"] == str(failed["seq"])


def test_a_message_is_streamed_in_blocks() -> None:
    events = data_of(piece("He"), piece(""), piece("llo"), piece("", chunk_position="last"))
    about = {"langgraph_node": "reply", "langgraph_step": 1}
    assert [{**each, "message_id": "m1"} == each for each in events] == [True] * 6
    assert [{k: v for k, v in each.items() if k != "message_id"} for each in events] == [
        {"event": "message-start", "role": "ai", "id": "m1", "metadata": about},
        {"event": "content-block-start", "index": 0, "content": {"type": "text", "text": ""}},
        _delta(0, type="text-delta", text="He"),
        _delta(0, type="text-delta", text="llo"),
        {"event": "content-block-finish", "index": 0, "content": {"type": "text", "text": "Hello"}},
        {"event": "message-finish"},
    ]


def test_a_message_that_is_open_is_finished_or_failed_with_its_run() -> None:
    assert data_of(piece("a"), RunFinished(RUN, {}))[-1]["event"] == "message-finish"
    failed = {"event": "error", "message_id": "m1", "message": "The run failed."}
    assert data_of(piece("a"), FAILED)[-1] == failed


def test_a_message_is_sent_once() -> None:
    streamed = data_of(piece("a"), piece("", chunk_position="last"))
    again = chunk("messages", (AIMessage("a", id="m1"), ABOUT))
    assert data_of(piece("a"), piece("", chunk_position="last"), again) == streamed


def test_whole_messages_and_results_of_tools() -> None:
    def events(message: Any) -> list[str]:
        return [each["event"] for each in data_of(chunk("messages", (message, ABOUT)))]

    whole = ["message-start", "content-block-start", "content-block-delta"]
    whole += ["content-block-finish", "message-finish"]
    for message in (AIMessage("a", id="1"), HumanMessage("a", id="2"), SystemMessage("a", id="3")):
        assert events(message) == whole
    assert events(ToolMessage("a", tool_call_id="c", id="4")) == []


def test_messages_that_no_model_has_written_are_in_the_values_only() -> None:
    by_node = {key: each for key, each in ABOUT.items() if key != "ls_model_type"}
    assert data_of(chunk("messages", (AIMessage("a", id="1"), by_node))) == []
    piece_of_node = AIMessageChunk(content="a", id="2")
    assert len(data_of(chunk("messages", (piece_of_node, by_node)))) == 3


def test_calls_of_tools_are_joined() -> None:
    def call(index: int, args: str | None, **more: Any) -> AIMessageChunk:
        part: Any = {"name": None, "id": None, **more, "args": args, "index": index}
        return AIMessageChunk(content="", id="m1", tool_call_chunks=[part])

    chunks = [call(0, None, name="f", id="c1"), call(0, '{"x"'), call(0, ": 1}")]
    chunks += [call(1, "", name="g", id="c2"), call(2, "[1", name="h", id="c3")]
    fresh = {"type": "tool_call_chunk", "id": "c1", "name": "f", "args": ""}
    events = blocks_of(*chunks)
    assert events[:4] == [
        {"event": "content-block-start", "index": 0, "content": fresh},
        _delta(0, type="tool-call-delta", args='{"x"'),
        _delta(0, type="tool-call-delta", args=": 1}"),
        {"event": "content-block-start", "index": 1, "content": {**fresh, "id": "c2", "name": "g"}},
    ]
    error = "The arguments are not a JSON object."
    broken = {"id": "c3", "name": "h", "args": "[1", "error": error}
    assert events[6:9] == [
        _finish(0, type="tool_call", id="c1", name="f", args={"x": 1}),
        _finish(1, type="tool_call", id="c2", name="g", args={}),
        _finish(2, type="invalid_tool_call", **broken),
    ]


@pytest.mark.parametrize(
    "pieces",
    [
        [(0, "c1", "f", ""), (1, "c2", "g", "{"), (0, None, None, "{}"), (1, "", "", "}")],
        [(0, None, "f", "{}"), (0, "c1", None, ""), (0, "c2", "g", "{"), (0, None, None, "}")],
        [(None, "c1", "f", "{"), (None, "c1", "f", "}"), (None, "c2", "g", "{}")],
        [(None, "c1", "f", "{"), (None, None, None, "}"), (None, "c2", "g", None)],
    ],
    ids=["side by side", "an index twice", "by their ids", "not numbered"],
)
def test_pieces_of_two_calls(pieces: list[Any]) -> None:
    keys = ("index", "id", "name", "args")
    chunks: Any = [dict(zip(keys, each, strict=True)) for each in pieces]
    made = [AIMessageChunk(content="", id="m1", tool_call_chunks=[each]) for each in chunks]
    events = blocks_of(
        AIMessageChunk(content="Hm", id="m1"), *made, AIMessageChunk(content="So", id="m1")
    )
    finished = [each for each in events if each["event"] == "content-block-finish"]
    assert finished == [
        _finish(0, type="text", text="Hm"),
        _finish(3, type="text", text="So"),
        _finish(1, type="tool_call", id="c1", name="f", args={}),
        _finish(2, type="tool_call", id="c2", name="g", args={}),
    ]


def test_a_call_that_the_provider_runs_is_joined_too() -> None:
    def piece_of(args: str, **more: Any) -> AIMessageChunk:
        part = {"type": "server_tool_call_chunk", "index": 1, "args": args, **more}
        return AIMessageChunk(content=[part], id="m1")

    events = blocks_of(piece_of("", id="s1", name="search"), piece_of('{"q"'), piece_of(': "x"}'))
    call = {"type": "server_tool_call", "id": "s1", "name": "search", "args": {"q": "x"}}
    assert [each["index"] for each in events[:-1]] == [0] * 4
    assert events[-2] == _finish(0, **call)


def test_reasoning_images_annotations_and_usage() -> None:
    image = {"type": "image", "url": "https://x/a.png"}
    cited = {"type": "text", "text": "b", "annotations": [{"type": "citation"}]}
    usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    details = {"output_token_details": {"reasoning": 4}, "odd": None}
    message = AIMessageChunk(
        content=[
            {"type": "reasoning", "reasoning": "Hm"},
            {"type": "reasoning"},
            {"type": "text", "text": "a"},
            cited,
            image,
        ],
        id="m1",
    )
    more = message.model_copy(update={"content": "", "usage_metadata": {**usage, **details}})
    events = blocks_of(message, more, more)
    assert events[1] == _delta(0, type="reasoning-delta", reasoning="Hm")
    finished = [each["content"] for each in events if each["event"] == "content-block-finish"]
    text = {"type": "text", "text": "a"}
    assert finished == [{"type": "reasoning", "reasoning": "Hm"}, text, cited, image]
    counts = {"input_tokens": 2, "output_tokens": 4, "total_tokens": 6}
    total = {**counts, "output_token_details": {"reasoning": 8}}
    assert events[-1] == {"event": "message-finish", "usage": total}


@pytest.mark.parametrize(
    ("task", "status"),
    [
        ({"error": None, "interrupts": []}, "completed"),
        ({"error": "boom", "interrupts": []}, "failed"),
        ({"error": None, "interrupts": [{}]}, "interrupted"),
    ],
)
def test_subgraphs_start_and_end(task: Any, status: str) -> None:
    result = {"id": "7", "name": "inner", "result": {}, "metadata": {"secret": 1}, **task}
    events = envelopes(
        STARTED,
        chunk("tasks", {"id": "7", "name": "inner", "input": {}}),
        chunk("values", {"x": 1}, (*INNER, "deep:8")),
        chunk("values", {"x": 2}, INNER),
        chunk("tasks", result),
        chunk("tasks", {**result, "id": "8"}),
        RunFinished(RUN, {}),
    )
    seen = [
        (each["method"], each["params"]["namespace"], each["params"]["data"]) for each in events
    ]
    names = {"event": "started", "graph_name": "inner"}
    assert seen[2:5] == [
        ("lifecycle", ["inner:7"], names),
        ("lifecycle", ["inner:7", "deep:8"], {"event": "started", "graph_name": "deep"}),
        ("tasks", [], {key: each for key, each in result.items() if key != "metadata"}),
    ]
    assert seen[5:7] == [
        ("values", ["inner:7"], {"x": 2}),
        ("lifecycle", ["inner:7"], {**names, "event": status}),
    ]
    assert seen[8:9] == [("values", ["inner:7", "deep:8"], {"x": 1})]


def test_tools_and_custom_data() -> None:
    tool = {"event": "tool-started", "tool_call_id": "c", "tool_name": "f", "input": {}}
    named: Any = {"name": "progress", "payload": 1}
    events = envelopes(chunk("tools", tool), chunk("custom", named), NodeStarted(NODE))
    assert [each["params"]["data"] for each in events] == [tool, named]
    step = {"name": "progress", "step": 1}
    frame = StoredEvent.read(ProtocolEncoder().encode(chunk("custom", step)))
    assert frame is not None
    assert (frame.channel, frame.method) == ("custom:progress", "custom")
    assert envelopes(chunk("custom", step))[0]["params"]["data"] == step
    assert envelopes(chunk("custom", {"name": "a|b", "payload": 1}))[0]["params"]["data"] == {
        "payload": {"name": "a|b", "payload": 1}
    }
    assert envelopes(chunk("debug", {})) == []


@pytest.mark.parametrize(
    ("filter", "channel", "namespace", "expected"),
    [
        ({"channels": ["values"]}, "values", ["a:1", "b:2"], True),
        ({"channels": ["values"]}, "updates", [], False),
        ({"channels": ["custom"]}, "custom:x", [], True),
        ({"channels": ["custom:x"]}, "custom:x", [], True),
        ({"channels": ["custom:x"]}, "custom", [], False),
        ({"channels": ["values"], "namespaces": [[]], "depth": 1}, "values", ["a:1"], True),
        ({"channels": ["values"], "namespaces": [[]], "depth": 0}, "values", ["a:1"], False),
        ({"channels": ["values"], "namespaces": [["a"]]}, "values", ["a:1", "b:2"], True),
        ({"channels": ["values"], "namespaces": [["a:1"]]}, "values", ["a:1"], True),
        ({"channels": ["values"], "namespaces": [["a:2"]]}, "values", ["a:1"], False),
        ({"channels": ["values"], "namespaces": [["a", "b"]]}, "values", ["a:1"], False),
        ({"channels": ["values"], "namespaces": [["b"], ["a"]]}, "values", ["a:1"], True),
        ({"channels": ["values"], "namespaces": []}, "values", ["a:1"], True),
    ],
)
def test_a_reader_s_channels_namespaces_and_depth(
    filter: Any, channel: str, namespace: list[str], expected: bool
) -> None:
    assert Subscription.parse(filter).accepts(channel, namespace) is expected


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"channels": "values"},
        {"channels": [1]},
        {"channels": [], "namespaces": [1]},
        {"channels": [], "namespaces": "x"},
        {"channels": [], "depth": -1},
        {"channels": [], "since": "1"},
    ],
)
def test_a_reader_s_request_that_is_not_valid(body: Any) -> None:
    with pytest.raises(InvalidInput):
        Subscription.parse(body)


def test_frames_of_other_runs_are_no_events() -> None:
    assert StoredEvent.read(b'id: 1\nevent: values\ndata: {"x":1}\n\n') is None


def _delta(index: int, **delta: Any) -> dict[str, Any]:
    return {"event": "content-block-delta", "index": index, "delta": delta}


def _finish(index: int, **content: Any) -> dict[str, Any]:
    return {"event": "content-block-finish", "index": index, "content": content}
