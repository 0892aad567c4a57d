"""Tool calls that grow in a message, several at once if their model writes them side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

WHOLE = {"tool_call_chunk": "tool_call", "server_tool_call_chunk": "server_tool_call"}
"""The types of calls, by those of their pieces."""


class CallBlock:
    """A call that is not complete yet.

    Args:
        place: The place of its block in the message.
        chunk: Its first piece, as one of LangChain's standard content blocks.
    """

    def __init__(self, place: int, chunk: Mapping[str, Any]) -> None:
        self.place = place
        self.args = ""
        self._type, self._index = chunk["type"], chunk.get("index")
        self._id, self._name = chunk.get("id"), chunk.get("name")

    def content(self) -> dict[str, Any]:
        """Return the call as far as it has come."""
        return {"type": self._type, "id": self._id, "name": self._name, "args": self.args}

    def add(self, chunk: Mapping[str, Any]) -> str:
        """Add a piece, and return the arguments in it."""
        self._id = self._id or chunk.get("id")
        self._name = self._name or chunk.get("name")
        args = chunk.get("args") or ""
        self.args += args
        return args

    def whole(self) -> dict[str, Any]:
        """Return the call at its end."""
        try:
            arguments = json.loads(self.args or "{}")
        except ValueError:
            arguments = None
        if isinstance(arguments, dict):
            return {**self.content(), "type": WHOLE[self._type], "args": arguments}
        error = "The arguments are not a JSON object."
        return {**self.content(), "type": "invalid_tool_call", "error": error}

    def goes_on_in(self, chunk: Mapping[str, Any]) -> bool:
        """Return whether a piece is one of this call, if it is of none that began later."""
        index, id_ = chunk.get("index"), chunk.get("id")
        if index is not None:
            return index == self._index and (not id_ or not self._id or id_ == self._id)
        # A model that does not number its calls continues the last one.
        return id_ == self._id if id_ else not chunk.get("name")
