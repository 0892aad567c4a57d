"""Pieces of a run's events for a terminal: text, tools, results, errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from ..events import (
    Custom,
    Event,
    FileMade,
    LangChainEvent,
    ModelFinished,
    NodeStarted,
    OutputChunk,
    ReasoningDelta,
    RunError,
    RunFinished,
    SourceFound,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
    ToolCallStarted,
    ToolFailed,
    ToolFinished,
)

Kind = Literal["text", "reasoning", "call", "arguments", "result", "failure", "note", "error"]


class Piece(NamedTuple):
    """A piece of the output.

    Attributes:
        kind: What it is. ``arguments`` continue the last ``call``; a ``failure`` is a tool's, an
            ``error`` the run's.
        text: The text.
    """

    kind: Kind
    text: str


class Pieces:
    """Makes the pieces of the events of one run."""

    def __init__(self) -> None:
        self._streamed: set[str] = set()
        """The models whose messages have been streamed."""
        self._calls: dict[str, str] = {}
        """The names of the calls whose arguments grow, by their ids."""
        self._call = ""
        self._state: Any = None
        self._has_text = False

    def of(self, event: Event) -> Iterator[Piece]:
        """Yield the pieces of an event."""
        for piece in self._of(event):
            self._has_text = self._has_text or piece.kind == "text"
            yield piece

    def _of(self, event: Event) -> Iterator[Piece]:
        match event:
            case TextDelta(text=text):
                yield Piece("text", text)
            case ReasoningDelta(text=text):
                yield Piece("reasoning", text)
            case ToolCallStarted(call_id=id_, name=name):
                self._calls[id_], self._call = name, id_
                yield Piece("call", f"{name} ")
            case ToolCallDelta(call_id=id_, text=text):
                if self._call != id_:  # the arguments of concurrent calls alternate
                    self._call = id_
                    yield Piece("call", f"{self._calls.get(id_, '')} ")
                self._streamed.add(id_)
                yield Piece("arguments", text)
            case ToolCalled(call_id=id_, name=name, arguments=arguments):
                if id_ not in self._calls:
                    yield Piece("call", f"{name}({_short(arguments)})")
                elif id_ not in self._streamed:
                    yield Piece("arguments", _short(arguments))
                if not event.valid:
                    yield Piece("failure", f"the arguments of {name} are not valid JSON")
            case ToolFinished(output=output):
                yield Piece("result", _result(output))
            case ToolFailed(message=message):
                yield Piece("failure", message)
            case NodeStarted(step=step):
                yield Piece("note", step.name)
            case Custom(name=name, data=data):
                yield Piece("note", f"{name}: {_short(data)}" if name else _short(data))
            case SourceFound(url=url, title=title):
                yield Piece("note", f"source: {url or title}")
            case FileMade(media_type=media_type, url=url):
                yield Piece("note", f"file: {media_type} {_short(url, 100)}")
            case ModelFinished(usage=usage) if usage:
                yield Piece("note", f"usage: {_short(dict(usage))}")
            case OutputChunk():
                yield from self._chunk(event)
            case LangChainEvent():
                yield from self._langchain_event(event)
            case RunFinished(interrupts=interrupts):
                if self._state is not None and not self._has_text:
                    yield Piece("note", f"state: {_short(self._state)}")
                for each in interrupts:
                    yield Piece("note", f"interrupt {each.id}: {_short(each.value)}")
            case RunError(code=code, id=id_):
                about = ", ".join(filter(None, (code, f"error id {id_}" if id_ else "")))
                yield Piece("error", f"{event.message} ({about})" if about else event.message)

    def _chunk(self, chunk: OutputChunk) -> Iterator[Piece]:
        """Yield the pieces of a chunk, which may have a LangGraph stream mode."""
        match chunk.mode, chunk.data:
            case None, str(text) | {"content": str(text), "type": str()}:
                yield Piece("text", text)
            case None, data:
                yield Piece("note", _short(data))
            case "values", data:
                self._state = data  # only the last one counts
            case "messages", [{"type": "tool"} as message, _]:
                yield Piece("result", _result(message))
            case "messages", [dict(message), _]:
                yield from _called(message.get("tool_calls"))
                yield from _message(message)
            case "updates", dict(update):
                yield Piece("note", ", ".join(update))
            case _:
                yield Piece("note", f"{chunk.mode}: {_short(chunk.data)}")

    def _langchain_event(self, event: LangChainEvent) -> Iterator[Piece]:
        name, data, run_id = event.step.name, event.data, event.step.run_id
        match event.event:
            case "on_chat_model_stream" | "on_llm_stream":
                self._streamed.add(run_id)
                yield from _message(data.get("chunk"))
            case "on_chat_model_end" if run_id not in self._streamed:
                yield from _message(data.get("output"))
            case "on_tool_start":
                yield Piece("call", f"{name}({_short(data.get('input', ''))})")
            case "on_tool_end":
                yield Piece("result", _result(data.get("output")))
            case "on_tool_error":
                yield Piece("failure", f"{name} failed")
            case "on_retriever_end":
                documents = data.get("output")
                count = len(documents) if isinstance(documents, list) else 0
                noun = "document" if count == 1 else "documents"
                yield Piece("result", f"{name}: {count} {noun}")
            case "on_custom_event":
                yield Piece("note", f"{name}: {_short(data)}")


def _called(calls: Any) -> Iterator[Piece]:
    """Yield the tool calls of a LangChain message."""
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict):
            yield Piece("call", f"{call.get('name')}({_short(call.get('args'))})")


def _message(message: Any) -> Iterator[Piece]:
    """Yield the text and the reasoning of a LangChain message."""
    is_message = isinstance(message, dict)
    content: Any = message.get("content", message.get("text")) or "" if is_message else ""
    for block in content if isinstance(content, list) else [content]:
        match block:
            case str() if block:
                yield Piece("text", block)
            case {"type": "text", "text": str(text)}:
                yield Piece("text", text)
            case {"type": "reasoning", "reasoning": str(text)}:
                yield Piece("reasoning", text)


def _result(output: Any) -> str:
    if isinstance(output, dict) and "content" in output:
        output = output["content"]
    return output if isinstance(output, str) else _short(output)


def _short(value: Any, most: int = 500) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= most else text[: most - 1] + "…"
