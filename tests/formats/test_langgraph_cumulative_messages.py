"""Frames of the stream mode ``messages``, each with all of its message so far, as chunks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from asgi_stream.events import Step
from asgi_stream.formats import Frame
from asgi_stream.formats._langgraph.cumulative_messages import CumulativeMessages

METADATA = ("metadata", {"m1": {"metadata": {"langgraph_node": "model"}}})
CALL = {"name": "look", "args": "{}", "id": "c1", "index": 0, "type": "tool_call_chunk"}


def read(*frames: tuple[str, Any]) -> list[Any]:
    reader = CumulativeMessages(Step("r1", "", "chain"))
    decoded = (Frame(f"messages/{kind}", json.dumps(value)) for kind, value in frames)
    return [chunk.data for frame in decoded for chunk in reader.read(frame)]


def partial(content: Any, **more: Any) -> tuple[str, Any]:
    return "partial", [{"type": "ai", "id": "m1", "content": content, **more}]


@pytest.mark.parametrize(
    "contents",
    [
        ("Hel", "Hello"),
        ([{"type": "text", "text": "Hel"}], [{"type": "text", "text": "Hello"}]),
        (["Hel"], ["Hel", {"type": "image", "url": "u"}, {"type": "text", "text": "lo"}]),
    ],
)
def test_each_chunk_has_the_text_that_its_frame_adds(contents: tuple[Any, Any]) -> None:
    chunks = read(METADATA, *map(partial, contents))
    assert [message["content"] for message, _ in chunks] == ["Hel", "lo"]
    assert {message["type"] for message, _ in chunks} == {"AIMessageChunk"}
    assert all(about == {"langgraph_node": "model"} for _, about in chunks)


def test_the_last_chunk_has_the_calls_and_the_usage() -> None:
    about = {"tool_call_chunks": [CALL], "usage_metadata": {"total_tokens": 3}}
    [[first, _], [last, _]] = read(
        partial("a", **about), partial("a", **about, chunk_position="last")
    )
    assert first.keys() == {"type", "id", "content"}
    assert last == {**first, "content": "", **about, "chunk_position": "last"}


def test_a_message_that_was_not_streamed_is_as_it_was() -> None:
    message = {"type": "ai", "id": "m1", "content": "Hello"}
    assert read(("complete", [message])) == [(message, {})]
