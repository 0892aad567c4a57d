"""Messages of LangGraph's stream mode ``messages``: each frame has all of a message so far."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...events import OutputChunk, Step
from .._frame import Frame

MODE = "messages/"
"""How the names of the frames begin."""

AT_END = ("tool_call_chunks", "usage_metadata", "chunk_position")
"""What the last chunk of a message has besides its text."""


class CumulativeMessages:
    """Reads what each frame adds to its message.

    Args:
        step: The run.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self._metadata: dict[str, Any] = {}
        self._texts: dict[str, str] = {}

    def read(self, frame: Frame) -> Iterator[OutputChunk]:
        """Yield the chunks, or the whole messages, in a frame."""
        kind, value = frame.event.removeprefix(MODE), frame.json()
        if kind == "metadata":
            self._metadata |= {id_: about["metadata"] for id_, about in value.items()}
            return
        for message in value:
            added = self._chunk(message) if kind == "partial" else message
            metadata = self._metadata.get(message["id"], {})
            yield OutputChunk(self._step, (added, metadata), "messages")

    def _chunk(self, message: Mapping[str, Any]) -> dict[str, Any]:
        id_, text = message["id"], _text(message["content"])
        known = self._texts.get(id_, "")
        self._texts[id_] = text
        last = message.get("chunk_position") == "last"
        return {
            "type": "AIMessageChunk",
            "id": id_,
            "content": text.removeprefix(known),
            **({key: message[key] for key in AT_END if message.get(key)} if last else {}),
        }


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    blocks = (block if isinstance(block, dict) else {"text": block} for block in content)
    return "".join(str(block.get("text") or "") for block in blocks)
