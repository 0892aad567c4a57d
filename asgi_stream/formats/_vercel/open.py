"""The open parts of a UI message stream whose worker has died."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .approvals import Part

ANSWERS = ("tool-output-available", "tool-output-error", "tool-output-denied", "tool-input-error")


class OpenParts:
    """Reads the parts of one stream.

    Attributes:
        started: Whether it has its first part.
        in_step: Whether a step is open.
        ids: The ids of its texts and reasoning, in order.
        calls: The part with the newest state of each tool call without an answer.
    """

    def __init__(self) -> None:
        self.started = self.in_step = False
        self.ids: list[str] = []
        self.calls: dict[str, Mapping[str, Any]] = {}
        self._open: dict[str, str] = {}

    def read(self, part: Mapping[str, Any]) -> None:
        """Read the next part; ``{}`` for a frame that is none."""
        kind, id_ = str(part.get("type")), str(part.get("id"))
        match kind:
            case "start":
                self.started = True
            case "start-step" | "finish-step":
                self.in_step = kind == "start-step"
            case "text-start" | "reasoning-start":
                self.ids.append(id_)
                self._open[id_] = kind.removesuffix("-start")
            case "text-end" | "reasoning-end":
                self._open.pop(id_, None)
            case "tool-input-start" | "tool-input-available":
                self.calls[part["toolCallId"]] = part
            case _ if kind in ANSWERS:
                self.calls.pop(part["toolCallId"], None)

    def ends(self) -> Iterator[Part]:
        """Yield the ends of the texts and reasoning that are open."""
        for id_, kind in self._open.items():
            yield {"type": f"{kind}-end", "id": id_}
