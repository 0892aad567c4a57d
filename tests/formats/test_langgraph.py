from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk, ToolMessage
from langgraph.graph import START, MessagesState, StateGraph

from asgi_stream import StreamApp, StreamRoute
from asgi_stream.errors import InvalidInput
from asgi_stream.events import Event, OutputChunk, RunStarted
from asgi_stream.formats import Document, FormatRequest, Frame
from asgi_stream.formats._decoded import RUN as RUN_READ
from asgi_stream.formats.langgraph import LangGraphFormat

from ..asgi import post
from .script import FAILED, FINISHED, RUN, WAITS, refused, wire

STREAM = "/runs/stream"
NAMED = {"assistant_id": "x", "input": {"a": 1}}
ABOUT = {"langgraph_node": "n", "tags": [], "__pregel": 1, "user": "ada"}
SHOWN = '{"langgraph_node":"n","tags":[]}'


def request_of(body: Any, endpoint: str = STREAM) -> FormatRequest:
    return FormatRequest(endpoint=endpoint, body=body, models=("x", "y"), configurable=("tone",))


def piece(text: str) -> OutputChunk:
    return OutputChunk(RUN, (AIMessageChunk(content=text, id="m"), ABOUT), "messages")


CASES: list[tuple[Any, list[Event], list[str]]] = [
    (
        ["values", "updates"],
        [
            RunStarted("r"),
            OutputChunk(RUN, {"a": "\u2028"}, "values"),
            OutputChunk(RUN, {"n": {"a": 1}}, "updates", ("sub:1", "sub:2")),
            FINISHED,
        ],
        [
            'event: metadata\ndata: {"run_id":"r","attempt":1}',
            'event: values\ndata: {"a":"\\u2028"}',
            'event: updates|sub:1|sub:2\ndata: {"n":{"a":1}}',
            "event: end\ndata: null",
        ],
    ),
    (
        "custom",
        [OutputChunk(RUN, 1, "custom"), FAILED],
        [
            "event: custom\ndata: 1",
            'event: error\ndata: {"error":"run_failed","message":"The run failed.","id":"e1"}',
        ],
    ),
]


@pytest.mark.parametrize(("modes", "events", "expected"), CASES)
def test_events_become_these_bytes(modes: Any, events: list[Event], expected: list[str]) -> None:
    format = LangGraphFormat()
    format.parse(request_of({**NAMED, "stream_mode": modes}))
    assert wire(format, *events) == "".join(frame + "\n\n" for frame in expected)


def test_messages_come_in_pieces_or_as_they_grow() -> None:
    format = LangGraphFormat()
    format.parse(request_of({**NAMED, "stream_mode": ["messages", "messages-tuple"]}))
    *frames, rest = wire(format, piece("a"), piece("b")).split("\n\n")
    assert rest == ""
    named = [(frame.split("\n")[0], frame) for frame in frames]
    assert [name for name, _ in named] == [
        "event: messages",
        "event: messages/metadata",
        "event: messages/partial",
        "event: messages",
        "event: messages/partial",
    ]
    assert '"content":"a"' in named[0][1]
    assert named[0][1].endswith(f",{SHOWN}]")
    assert '"content":"b"' in named[3][1]
    assert '"content":"ab"' in named[4][1]
    # A client appends a message whose type is that of a chunk.
    assert ['"type":"AIMessageChunk"' in frame for _, frame in named] == [
        *(True, False, False, True, False)
    ]
    assert '"type":"ai"' in named[4][1]
    format.parse(request_of({**NAMED, "stream_mode": "messages"}))
    whole = OutputChunk(RUN, (ToolMessage("x", tool_call_id="c", id="t"), ABOUT), "messages")
    assert "event: messages/complete" in wire(format, whole)
    format.parse(request_of({**NAMED, "stream_mode": "messages-tuple"}))
    assert wire(format, whole).startswith("event: messages\n")
    format.parse(request_of({**NAMED, "stream_mode": ["values", "messages-tuple"]}))
    assert (
        wire(format, whole).count("event: ") == wire(format, whole).count("event: messages\n") == 1
    )


def test_what_is_asked_for_is_a_call() -> None:
    config = {"configurable": {"thread_id": "t", "tone": 1}}
    spec: Any = LangGraphFormat().parse(request_of({"input": {"a": 1}, "config": config}, ""))
    assert spec.input == {"a": 1}
    assert (spec.model, spec.gathered) == (None, False)
    assert spec.configurable == {"tone": 1}
    assert spec.astream_kwargs == {"stream_mode": ["values", "messages", "updates", "custom"]}
    body = {**NAMED, "stream_mode": "values", "stream_subgraphs": True, "context": {"tone": 2}}
    spec = LangGraphFormat().parse(request_of(body))
    subgraphs = {"stream_mode": ["values"], "subgraphs": True, "context": {"tone": 2}}
    assert (spec.model, spec.astream_kwargs) == ("x", subgraphs)
    spec = LangGraphFormat().parse(request_of(NAMED))
    assert spec.astream_kwargs == {"stream_mode": ["values"]}
    spec = LangGraphFormat().parse(request_of(NAMED, "/runs/wait"))
    assert (spec.astream_kwargs, spec.gathered) == ({"stream_mode": ["values"]}, True)


def test_an_answer_in_one_piece_is_the_state() -> None:
    format = LangGraphFormat()
    assert format.gather(RunStarted("r")) is None
    assert format.document("r", format.gather(FINISHED), FINISHED) == {"x": 1}
    assert format.gather(WAITS) == {"x": 1, "__interrupt__": WAITS.questions}
    assert format.headers_of("r") == {"Content-Location": "/runs/r"}
    assert format.gap("r", 1, 2) == b""


def test_an_error_from_the_start_is_a_detail() -> None:
    body = b'{"detail":"The run failed.","code":"run_failed","id":"e1"}'
    assert LangGraphFormat.refusal(FAILED) == (body, "application/json")


def test_the_assistants_are_the_route_s_graphs() -> None:
    page: Any = LangGraphFormat().parse(request_of({}, "/assistants/search"))
    assert [each["graph_id"] for each in page.body] == ["x", "y"]
    assert LangGraphFormat().parse(request_of(None, "/ok")) == Document({"ok": True})
    assert isinstance(LangGraphFormat().parse(request_of(None, "/info")), Document)
    named = {**NAMED, "assistant_id": page.body[1]["assistant_id"]}
    assert getattr(LangGraphFormat().parse(request_of(named)), "model", None) == "y"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, ["x", "y"]),
        ([], ["x", "y"]),
        ({"graph_id": "y"}, ["y"]),
        ({"name": "X"}, ["x"]),
        ({"metadata": {"created_by": "system"}}, ["x", "y"]),
        ({"metadata": {"a": [1]}}, []),
        ({"limit": 1}, ["x"]),
        ({"limit": 1, "offset": 1}, ["y"]),
        ({"limit": "1", "offset": "1"}, ["y"]),
        ({"sort_by": "name"}, ["y", "x"]),
        ({"sort_by": "name", "sort_order": "asc"}, ["x", "y"]),
    ],
)
def test_assistants_are_searched_for(body: Any, expected: list[str]) -> None:
    page: Any = LangGraphFormat().parse(request_of(body, "/assistants/search"))
    assert [each["graph_id"] for each in page.body] == expected
    if not {"limit", "offset"} & set(body):
        assert LangGraphFormat().parse(request_of(body, "/assistants/count")) == Document(
            len(expected)
        )


@pytest.mark.parametrize(
    ("body", "next_"),
    [
        ({}, None),
        ({"limit": 1}, "1"),
        ({"limit": 1, "offset": 1}, None),
        ({"limit": 2}, None),
        ({"limit": None, "offset": None}, None),
        ({"limit": 1, "graph_id": "x"}, None),
    ],
)
def test_a_page_of_assistants_says_where_the_next_begins(body: Any, next_: str | None) -> None:
    page: Any = LangGraphFormat().parse(request_of(body, "/assistants/search"))
    assert page.headers == ({"X-Pagination-Next": next_} if next_ else {})


@pytest.mark.anyio
async def test_the_next_page_of_assistants_is_named_in_a_header() -> None:
    graph: Any = StateGraph(MessagesState).add_node("n", lambda state: {}).add_edge(START, "n")
    names = [f"g{n}" for n in range(12)]
    app = StreamApp([StreamRoute("/x", dict.fromkeys(names, graph.compile()), format="langgraph")])
    first = await post(app, "/x/assistants/search", {})
    assert [each["graph_id"] for each in first.json()] == names[:10]
    offset = int(first.headers["x-pagination-next"])
    second = await post(app, "/x/assistants/search", {"offset": offset})
    assert [each["graph_id"] for each in second.json()] == names[10:]
    assert "x-pagination-next" not in second.headers


def test_an_assistant_is_known_by_its_name_and_its_id() -> None:
    page: Any = LangGraphFormat().parse(request_of({"graph_id": "x"}, "/assistants/search"))
    [one] = page.body
    for name in ("x", one["assistant_id"]):
        asking = FormatRequest(
            endpoint="/assistants/{assistant_id}", models=("x",), params={"assistant_id": name}
        )
        assert LangGraphFormat().parse(asking) == Document(one)
    chosen: Any = LangGraphFormat().parse(
        request_of({"select": ["name"], "limit": 1}, "/assistants/search")
    )
    assert chosen.body == [{"name": "x"}]


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 0},
        {"limit": -1},
        {"limit": False},
        {"offset": -1},
        {"offset": ""},
        {"limit": "x"},
        {"limit": 1001},
        {"sort_by": "x"},
        {"sort_order": "up"},
        {"select": "name"},
        {"select": [1]},
        {"name": 1},
    ],
)
def test_a_search_that_cannot_be_is_refused(body: Any) -> None:
    with pytest.raises(InvalidInput):
        LangGraphFormat().parse(request_of(body, "/assistants/search"))


def test_a_run_that_fails_while_it_is_waited_for_is_the_sdk_s_own_error() -> None:
    error = {"error": "run_failed", "message": "The run failed.", "id": "e1"}
    assert LangGraphFormat().failure(FAILED) == {"__error__": error}


def test_what_libraries_say_of_a_message_is_passed_on() -> None:
    format = LangGraphFormat()
    format.parse(request_of({**NAMED, "stream_mode": "messages-tuple"}))
    about = {"lc_agent_name": "a", "ls_provider": "p", "thread_id": "t", "secret": 1, "__x": 1}
    message = AIMessageChunk(content="x", id="m")
    frame = format.encode(OutputChunk(RUN, (message, about), "messages")).decode()
    assert '{"lc_agent_name":"a","ls_provider":"p","thread_id":"t"}' in frame
    assert "secret" not in frame


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "body"),
        ({}, "Unknown assistant None; available: x and y."),
        ({**NAMED, "assistant_id": "z"}, "Unknown assistant 'z'; available: x and y."),
        ({**NAMED, "stream_mode": "debug"}, "stream_mode"),
        ({**NAMED, "stream_mode": []}, "stream_mode"),
        ({**NAMED, "command": {"resume": 1}}, "command"),
        ({**NAMED, "context": {"role": 1}}, "context.role"),
        ({**NAMED, "config": {"configurable": {"role": 1}}}, "configurable.role"),
    ],
)
def test_what_is_not_accepted_is_refused(body: Any, field: str) -> None:
    assert refused(LangGraphFormat(), body, endpoint=STREAM, models=("x", "y")) == field


@pytest.mark.parametrize("mode", ["tasks", "checkpoints", "debug"])
def test_frames_about_checkpoints_are_read(mode: str) -> None:
    frame = Frame(f"{mode}|sub:1", '{"id":"1"}')
    assert list(LangGraphFormat().decode(frame)) == [
        OutputChunk(RUN_READ, {"id": "1"}, mode, ("sub:1",))
    ]
