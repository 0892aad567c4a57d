"""Messages of LangGraph's protocol v2: content blocks that start, grow and finish."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from json.encoder import encode_basestring_ascii
from typing import Any

from ...serialize import to_json
from .call_blocks import CallBlock

ROLES = {"ai": "ai", "AIMessageChunk": "ai", "human": "human", "system": "system"}
"""The roles of messages that the protocol has; results of tools are events of their own."""

SCALARS = ("langgraph_node", "langgraph_step", "ls_provider", "ls_model_name", "run_id")
"""The keys of a message's metadata that are sent with its start."""


MESSAGE_ENDS = ("message-finish", "error")
"""The last events of messages."""


def is_text_only(message: Any) -> bool:
    """Return whether a chunk of a message has nothing but text."""
    return isinstance(message.content, str) and not (
        message.additional_kwargs
        or message.response_metadata
        or getattr(message, "tool_call_chunks", True)
        or message.usage_metadata
        or message.chunk_position
    )


class BlockStream:
    """One message, as the data of its events.

    Args:
        message: The first chunk of it, or all of it.
        metadata: LangGraph's metadata of the message.
    """

    def __init__(self, message: Any, metadata: Mapping[str, Any]) -> None:
        self.node = metadata.get("langgraph_node")
        self._about = {key: metadata[key] for key in SCALARS if metadata.get(key) is not None}
        self._id = str(message.id)
        self._role = ROLES[message.type]
        self._blocks = 0
        """How many blocks the message has so far."""
        self._index = 0
        self._key: Any = None
        self._block: dict[str, Any] = {}
        self._calls: list[CallBlock] = []
        """The calls that are open: models may write several side by side."""
        self._usage: dict[str, Any] = {}

    def start(self) -> bytes:
        """Return the data of the first event."""
        return self._data("message-start", role=self._role, id=self._id, metadata=self._about)

    def add(self, message: Any) -> Iterator[bytes]:
        """Return the data of the events of a chunk, or of the whole message."""
        content = message.content
        if isinstance(content, str) and not getattr(message, "tool_call_chunks", True):
            yield from self._add_text(content)
        else:
            for block in message.content_blocks:
                yield from self._add(block)
        _add_counts(self._usage, getattr(message, "usage_metadata", None) or {})

    def finish(self) -> Iterator[bytes]:
        """Return the data of the last events."""
        yield from self._finish_block()
        for call in self._calls:
            yield self._data("content-block-finish", index=call.place, content=call.whole())
        yield self._data("message-finish", **({"usage": self._usage} if self._usage else {}))

    def fail(self, message: str) -> bytes:
        """Return the data of the last event of a message that will not be finished."""
        return failure(self._id, message)

    def _add_text(self, text: str) -> Iterator[bytes]:
        # This runs for every token.
        if not text:
            return
        if self._key is None or self._key[0] != "text":
            yield from self._open(("text", None), {"type": "text", "text": ""})
        self._block["text"] += text
        yield (
            f'{{"event":"content-block-delta","message_id":"{self._id}","index":{self._index},'
            f'"delta":{{"type":"text-delta","text":{encode_basestring_ascii(text)}}}}}'
        ).encode()

    def _add(self, block: Mapping[str, Any]) -> Iterator[bytes]:
        kind = block["type"]
        match kind:
            case "text" if not block.get("annotations"):
                yield from self._add_text(block["text"])
            case "reasoning":
                key = kind, block.get("index")
                if self._key != key:
                    yield from self._open(key, {"type": kind, "reasoning": ""})
                text = block.get("reasoning") or ""
                self._block["reasoning"] += text
                if text:
                    yield self._delta(self._index, "reasoning-delta", reasoning=text)
            case "tool_call_chunk" | "server_tool_call_chunk":
                yield from self._add_call(block)
            case _:
                # A whole block: a call of a message that was not streamed, or an image.
                yield from self._open((kind, object()), dict(block))
                yield from self._finish_block()

    def _add_call(self, chunk: Mapping[str, Any]) -> Iterator[bytes]:
        call = next((each for each in reversed(self._calls) if each.goes_on_in(chunk)), None)
        if call is None:
            yield from self._finish_block()
            call = CallBlock(self._blocks, chunk)
            self._calls.append(call)
            yield self._start_block(call.content())
        if args := call.add(chunk):
            yield self._delta(call.place, "tool-call-delta", args=args)

    def _open(self, key: Any, block: dict[str, Any]) -> Iterator[bytes]:
        yield from self._finish_block()
        self._key, self._block, self._index = key, block, self._blocks
        yield self._start_block(block)

    def _start_block(self, block: dict[str, Any]) -> bytes:
        self._blocks += 1
        return self._data("content-block-start", index=self._blocks - 1, content=block)

    def _finish_block(self) -> Iterator[bytes]:
        if self._key is not None:
            self._key = None
            yield self._data("content-block-finish", index=self._index, content=self._block)

    def _delta(self, index: int, kind: str, **more: Any) -> bytes:
        return self._data("content-block-delta", index=index, delta={"type": kind, **more})

    def _data(self, event: str, **more: Any) -> bytes:
        return to_json({"event": event, "message_id": self._id, **more})


def failure(message_id: str, message: str) -> bytes:
    """Return the data of the last event of a message that will not be finished."""
    return to_json({"event": "error", "message_id": message_id, "message": message})


def _add_counts(total: dict[str, Any], usage: Mapping[str, Any]) -> None:
    for key, value in usage.items():
        if isinstance(value, Mapping):
            _add_counts(total.setdefault(key, {}), value)
        elif isinstance(value, int):
            total[key] = total.get(key, 0) + value
