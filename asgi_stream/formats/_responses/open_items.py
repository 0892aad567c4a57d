"""An output item of a response of OpenAI's that is not complete yet, and its parts."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

Item = dict[str, Any]
Sent = tuple[str, dict[str, Any]]
"""The type and the content of an event of a stream, without its number."""

Emitted = Iterator[Sent]


@dataclass(slots=True)
class OpenItem:
    """An item that is not complete yet.

    Attributes:
        item: The item.
        index: Its index among the items of the response.
        model: Run id of the model call that makes it.
        pieces: Its text, or its arguments.
        ended: Whether nothing is added to it any more.
    """

    item: Item
    index: int
    model: str
    pieces: list[str] = field(default_factory=list)
    ended: bool = False

    @property
    def at(self) -> dict[str, Any]:
        """Return how events name the item."""
        return {"item_id": self.item["id"], "output_index": self.index}

    @property
    def text(self) -> str:
        return "".join(self.pieces)


Begins = Generator[Sent, None, OpenItem]
"""The events with which an item begins, and then the item."""


def whole_item(kind: str, growing: OpenItem) -> tuple[str, dict[str, Any]]:
    content = {"output_index": growing.index, "item": {**growing.item}}
    return f"response.output_item.{kind}", content


def arguments_event(growing: OpenItem) -> str:
    return "mcp_call_arguments" if growing.item["type"] == "mcp_call" else "function_call_arguments"


def text_part(text: str, annotations: list[Item]) -> Item:
    return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": []}


def summary(text: str) -> Item:
    return {"type": "summary_text", "text": text}
