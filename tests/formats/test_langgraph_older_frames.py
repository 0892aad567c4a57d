"""The frames of LangGraph's older API that the events of protocol v2 stand for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk

from asgi_stream.events import OutputChunk, RunStarted, Step
from asgi_stream.formats._langgraph.older_frames import older_frame
from asgi_stream.formats._langgraph.protocol import ProtocolEncoder

METADATA = {"langgraph_node": "model", "ls_model_type": "chat"}
STEP = Step("r1", "", "chain")


def older(
    mode: str, *data: Any, namespace: Sequence[str] = (), encoder: ProtocolEncoder | None = None
) -> list[tuple[str, Any]]:
    """The names and values of the older frames for chunks of a stream mode."""
    encoder = encoder or ProtocolEncoder()
    chunks = (OutputChunk(STEP, each, mode, tuple(namespace) or None) for each in data)
    frames = b"".join(map(encoder.encode, chunks)).split(b"\n\n")[:-1]
    joined = (older_frame(b"id: 7\n" + each + b"\n\n").decode() for each in frames)
    shown = []
    for frame in filter(None, joined):
        id_, name, data_line, *rest = frame.split("\n")
        assert (id_, rest) == ("id: 7", ["", ""])
        value = json.loads(data_line.removeprefix("data: "))
        shown.append((name.removeprefix("event: "), value))
    return shown


def pieces(*messages: Any) -> Any:
    """The chunks of messages, joined by LangChain as a client joins them."""
    frames = older("messages", *((each, METADATA) for each in messages))
    assert {name for name, _ in frames} == {"messages"}
    assert all(about["langgraph_node"] == "model" for _, (_, about) in frames)
    first, *others = (AIMessageChunk(**piece) for _, (piece, _) in frames)
    for each in others:
        first += each
    return first


def test_text_reasoning_and_usage_are_joined_again() -> None:
    usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    thought = [{"type": "reasoning", "reasoning": "Hm.", "index": 0}]
    message = pieces(
        AIMessageChunk(content=thought, id="m1"),  # type: ignore[arg-type]
        AIMessageChunk(content="Hel", id="m1"),
        AIMessageChunk(content="lo", id="m1", usage_metadata=usage, chunk_position="last"),  # type: ignore[arg-type]
    )
    assert (message.id, message.text) == ("m1", "Hello")
    assert message.content == [*thought, {"type": "text", "text": "Hello", "index": 1}]
    assert message.content_blocks[0]["reasoning"] == "Hm."
    assert message.usage_metadata == usage


def test_calls_of_tools_are_joined_again() -> None:
    parts = [("lookup", '{"wo', "c1"), (None, 'rd": "x"}', None)]
    streamed = pieces(
        *(
            AIMessageChunk(
                content="",
                id="m1",
                tool_call_chunks=[tool_call_chunk(name=name, args=args, id=id_, index=0)],
            )
            for name, args, id_ in parts
        )
    )
    whole = AIMessage(
        "", id="m1", tool_calls=[{"name": "lookup", "args": {"word": "x"}, "id": "c1"}]
    )
    for message in (streamed, pieces(whole)):
        [call] = message.tool_calls
        assert (call["name"], call["args"], call["id"]) == ("lookup", {"word": "x"}, "c1")


def test_a_text_with_citations_is_all_there() -> None:
    cited = {"type": "text", "text": "this", "annotations": [{"type": "citation", "url": "u"}]}
    parts: Any = ([{"type": "text", "text": "See ", "index": 0}], [{**cited, "index": 0}], " end")
    message = pieces(*(AIMessageChunk(content=each, id="m1") for each in parts))
    assert message.text == "See this end"


def test_an_image_is_a_block_of_the_content() -> None:
    image = {"type": "image", "url": "https://example.com/cat.png"}
    message = pieces(AIMessage([image], id="m1"))
    [block] = message.content_blocks
    assert (block["type"], block["url"]) == ("image", image["url"])


@pytest.mark.parametrize("data", [1, {"name": "progress", "percent": 3}, {"name": "a|b"}, None])
def test_what_a_node_writes_is_as_it_was(data: Any) -> None:
    assert older("custom", data, namespace=["sub:1"])[-1] == ("custom|sub:1", data)


def test_tasks_and_tools_are_as_they_were() -> None:
    task = {"id": "t1", "name": "model", "input": {}, "triggers": ["start"]}
    assert older("tasks", task) == [("tasks", task)]
    started = {"event": "tool-started", "tool_call_id": "c1"}
    assert older("tools", started) == [("tools", started)]


def test_a_run_that_goes_on_has_the_number_of_its_attempt() -> None:
    encoder = ProtocolEncoder()
    assert encoder.restore([], 3) == b""
    frame = older_frame(b"id: 1\n" + encoder.encode(RunStarted("r1"))).decode()
    assert 'data: {"run_id":"r1","attempt":3}' in frame
