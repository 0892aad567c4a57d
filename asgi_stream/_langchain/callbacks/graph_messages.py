"""Finds the messages and tool calls in what the nodes and tools of a graph take and return.

LangGraph is not imported: its classes are recognized by name.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import fields, is_dataclass
from typing import Any

import orjson
from langchain_core.messages import BaseMessage, ToolMessage
from pydantic import BaseModel

from ..messages import failure_of

PLAIN = (str, int, float, bool, type(None))
"""Types of values that contain no others."""


def messages_in(value: Any) -> Iterator[BaseMessage]:
    """Yield the messages in a graph's state, in a node's return value, or in a state update."""
    if isinstance(value, BaseMessage):
        yield value
    elif (update := _update_of(value)) is not value:
        yield from messages_in(update)
    else:
        for part in _parts_of(value):
            if type(part) not in PLAIN:
                yield from messages_in(part)


def messages_by_field(output: Any) -> Iterator[tuple[str | None, BaseMessage]]:
    """Yield the messages that a node returns, with the field of the state that each is for."""
    update = _update_of(output)
    if isinstance(update, (list, tuple)) and not _is_field(update):
        for part in update:
            yield from messages_by_field(part)
        return
    for field, value in _fields_of(update):
        for message in messages_in(value):
            yield field, message


def handed_up(error: BaseException) -> Any:
    """Return what a node passes to its parent graph, which it does by raising; or None."""
    return error.args if _is_langgraph_s(error, "ParentCommand") else None


def last_answers(output: Any) -> list[ToolMessage]:
    """Return the tool messages that a graph's state, or a list of messages, ends with."""
    messages = output.get("messages") if isinstance(output, Mapping) else output
    answers: list[ToolMessage] = []
    for message in reversed(messages) if isinstance(messages, list) else ():
        if not isinstance(message, ToolMessage):
            break
        answers.insert(0, message)
    return answers


def calls_in(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the tool calls, LangChain's ``ToolCall``, in a node's input."""
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from calls_in(item)
    elif isinstance(value, Mapping):
        if value.get("type") == "tool_call" and {"id", "name", "args"} <= value.keys():
            yield value
        elif "tool_call" in value:
            yield from calls_in(value["tool_call"])


def resumes(value: Any, *, in_node: bool = False) -> bool:
    """Return whether a graph with this input resumes where it stopped.

    Args:
        value: The input of a chain, perhaps a graph: to resume it is None or a ``Command``.
        in_node: Whether the chain runs in a node, whose code may pass None to other chains.
    """
    if value is None:
        return not in_node
    return _is_langgraph_s(value, "Command")


def is_no_failure(error: BaseException) -> bool:
    """Return whether a step has not failed but stopped: by an interrupt, or by cancellation."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return isinstance(error, CancelledError) or "GraphBubbleUp" in kinds


def answer_of(output: Any, call_id: str) -> Any:
    """Return the part of a tool's output that answers a call.

    A tool may return values that are meant for its graph only: a ``Command`` or ``Send`` of
    LangGraph with parts of the graph's state, or messages, alone or in such a state. The answer is
    then the tool message for the call, or None. Any other output is the answer itself.
    """
    if isinstance(output, ToolMessage) or not _is_for_the_graph(output):
        return output
    return next(
        (each for each in messages_in(output) if getattr(each, "tool_call_id", None) == call_id),
        None,
    )


def content_of(output: Any) -> Any:
    """Return what a client sees of a tool's answer: a message's content, or an error with it."""
    if not isinstance(output, ToolMessage):
        return output
    return failure_of(output) if output.status == "error" else output.content


def _is_for_the_graph(output: Any) -> bool:
    """Return whether a tool's output contains a message, a ``Command`` or a ``Send``."""
    with suppress(TypeError):
        orjson.dumps(output, option=orjson.OPT_PASSTHROUGH_DATACLASS)
        return False  # plain data, which may be large
    parts, known = [output], {}
    while parts:
        part = parts.pop()
        if isinstance(part, BaseMessage) or _is_langgraph_s(part, "Command", "Send"):
            return True
        if id(part) not in known:
            known[id(part)] = part  # kept alive, so that no other part gets its id
            parts += [each for each in _parts_of(part) if type(each) not in PLAIN]
    return False


def _is_langgraph_s(value: Any, *names: str) -> bool:
    """Return whether `value` is an instance of a LangGraph class with one of these names."""
    return any(
        kind.__name__ in names and kind.__module__.partition(".")[0] == "langgraph"
        for kind in type(value).__mro__
    )


def _update_of(value: Any) -> Any:
    """Return what a node's return value adds to the state of its graph: in most cases itself."""
    if not _is_langgraph_s(value, "Command", "final"):
        return value
    return value.value if hasattr(value, "save") else value.update  # an entrypoint's, or a command


def _is_field(value: Sequence[Any]) -> bool:
    """Return whether a part of an update is a field's name and value."""
    return isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str)


def _fields_of(update: Any) -> Iterable[tuple[str | None, Any]]:
    if isinstance(update, tuple):
        return [(update[0], update[1])]
    named = None if isinstance(update, BaseMessage) else _named_parts_of(update)
    return [(None, update)] if named is None else named.items()


def _parts_of(value: Any) -> Iterable[Any]:
    """Return the items of a collection, or the fields of an object."""
    if isinstance(value, (list, tuple, Set, deque)):
        return value
    return (_named_parts_of(value) or {}).values()


def _named_parts_of(value: Any) -> Mapping[Any, Any] | None:
    """Return a mapping, or the fields of an object; None if it has none."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, BaseModel):
        return {**vars(value), **(value.__pydantic_extra__ or {})}
    if is_dataclass(value):
        return {each.name: getattr(value, each.name, None) for each in fields(value)}
    return None
