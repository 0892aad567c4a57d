"""What LangChain's messages hold, in the words of this package."""

from __future__ import annotations

from asyncio import CancelledError
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import suppress
from dataclasses import fields, is_dataclass
from typing import Any

import orjson
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    BaseMessageChunk,
    ChatMessage,
    ChatMessageChunk,
    FunctionMessage,
    FunctionMessageChunk,
    HumanMessage,
    HumanMessageChunk,
    SystemMessage,
    SystemMessageChunk,
    ToolMessage,
    ToolMessageChunk,
    message_chunk_to_message,
)
from pydantic import BaseModel

from ..events import ModelFinished, Step

REASONS = {
    "stop": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "safety": "content_filter",
    "refusal": "content_filter",
}
"""Why models say that they have stopped, in lower case, in the words of `ModelFinished`."""

MESSAGES: Mapping[str, type[BaseMessage]] = {
    "ai": AIMessage,
    "chat": ChatMessage,
    "function": FunctionMessage,
    "human": HumanMessage,
    "system": SystemMessage,
    "tool": ToolMessage,
    "AIMessageChunk": AIMessageChunk,
    "ChatMessageChunk": ChatMessageChunk,
    "FunctionMessageChunk": FunctionMessageChunk,
    "HumanMessageChunk": HumanMessageChunk,
    "SystemMessageChunk": SystemMessageChunk,
    "ToolMessageChunk": ToolMessageChunk,
}
"""Messages by their ``type``: the only ones that are built from JSON."""

NOT_STREAMED = frozenset({"nostream", "langsmith:nostream"})
"""Tags by which LangGraph keeps a model's text out of its own messages stream."""

MEDIA = {
    "image": "image/png",
    "audio": "audio/wav",
    "video": "video/mp4",
    "file": "application/octet-stream",
}
"""Content blocks that are files, with the media type of those that do not give theirs."""

PLAIN = (str, int, float, bool, type(None))
"""Types of what holds nothing else."""


def text_of_chunk(value: Any) -> str:
    """The text of what a run yields, if it is text or a model's message."""
    if isinstance(value, AIMessage):
        return text_of_content(value.content)
    return value if isinstance(value, str) else ""


def text_of(value: Any) -> str | None:
    """The text of a run's output, or None if it is neither text nor a message.

    A graph's state and a list of messages stand for their last message.
    """
    if isinstance(value, Mapping):
        value = value.get("messages")
    if isinstance(value, list) and value and isinstance(value[-1], BaseMessage):
        value = value[-1]
    return text_of_chunk(value) if isinstance(value, (str, BaseMessage)) else None


def last_answers(output: Any) -> list[ToolMessage]:
    """The answers to calls with which a graph's state, or a list of messages, ends."""
    messages = output.get("messages") if isinstance(output, Mapping) else output
    found: list[ToolMessage] = []
    for message in reversed(messages) if isinstance(messages, list) else ():
        if not isinstance(message, ToolMessage):
            break
        found.insert(0, message)
    return found


def added(total: Any, chunk: Any) -> Any:
    """Chunks so far and one more; of those that cannot be added up the last, as in LangChain."""
    if total is None:
        return chunk
    try:
        return total + chunk
    except TypeError:
        return chunk


def text_of_content(content: Any) -> str:
    """The text in a message's content: no reasoning, no tool calls, no images."""
    if isinstance(content, str):
        return content
    return "".join(
        block if isinstance(block, str) else str(block.get("text", ""))
        for block in content or ()
        if isinstance(block, str) or block.get("type") == "text"
    )


class ToolMessageError(Exception):
    """What a tool has said of its failure, which is for the model."""


def model_finished(step: Step, output: Any) -> ModelFinished:
    about = getattr(output, "response_metadata", {})
    given = about.get("finish_reason") or about.get("stop_reason") or ""
    reason = REASONS.get(str(given).lower(), "other")
    if not given:
        reason = "tool_calls" if getattr(output, "tool_calls", None) else "stop"
    return ModelFinished(
        step,
        reason,
        getattr(output, "usage_metadata", None) or {},
        about.get("model_name") or about.get("model"),
        about.get("model_provider"),
    )


def whole(output: Any) -> Any:
    """A run's output, with a message where streaming has left all the message's chunks in one."""
    return message_chunk_to_message(output) if isinstance(output, BaseMessageChunk) else output


def answer_of(output: Any, call_id: str) -> Any:
    """Return what a tool has answered to a call.

    A tool may return what only its graph is to see: a ``Command`` or ``Send`` of LangGraph, with
    the graph's state in it, or messages, alone or in such a state. Of these the answer is the
    message for the call, or None.
    """
    if isinstance(output, ToolMessage) or not _is_for_the_graph(output):
        return output
    return next(
        (each for each in messages_in(output) if getattr(each, "tool_call_id", None) == call_id),
        None,
    )


def content_of(output: Any) -> Any:
    """What a client sees of a tool's answer: of a message its content."""
    if not isinstance(output, ToolMessage):
        return output
    return ToolMessageError(str(output.content)) if output.status == "error" else output.content


def _is_for_the_graph(output: Any) -> bool:
    """Whether there is a message, a ``Command`` or a ``Send`` anywhere in what a tool returns."""
    with suppress(TypeError):
        orjson.dumps(output, option=orjson.OPT_PASSTHROUGH_DATACLASS)
        return False  # plain data, which may be much
    parts, known = [output], {}
    while parts:
        part = parts.pop()
        if isinstance(part, BaseMessage) or _is_langgraph_s(part, "Command", "Send"):
            return True
        if id(part) not in known:
            known[id(part)] = part  # kept, so that no other part gets its id
            parts += [each for each in _parts_of(part) if type(each) not in PLAIN]
    return False


def _is_langgraph_s(value: Any, *names: str) -> bool:
    """Whether `value` is of one of LangGraph's classes with these names."""
    return any(
        kind.__name__ in names and kind.__module__.partition(".")[0] == "langgraph"
        for kind in type(value).__mro__
    )


def _parts_of(value: Any) -> Iterable[Any]:
    """What a collection holds, or an object with fields."""
    if isinstance(value, (list, tuple, Set, deque)):
        return value
    if isinstance(value, Mapping):
        return value.values()
    if isinstance(value, BaseModel):
        return {**vars(value), **(value.__pydantic_extra__ or {})}.values()
    if is_dataclass(value):
        return [getattr(value, each.name, None) for each in fields(value)]
    return ()


def messages_in(value: Any) -> Iterator[BaseMessage]:
    """The messages in a graph's state, in what a node returns, or in an update of the state."""
    if isinstance(value, BaseMessage):
        yield value
    elif _is_langgraph_s(value, "Command"):
        yield from messages_in(value.update)
    else:
        for each in _parts_of(value):
            if type(each) not in PLAIN:
                yield from messages_in(each)


def handed_up(error: BaseException) -> Iterator[BaseMessage]:
    """The messages that a node hands to its parent graph, which LangGraph has it do by raising."""
    if _is_langgraph_s(error, "ParentCommand"):
        yield from messages_in(error.args)


def resumes(value: Any, *, in_node: bool = False) -> bool:
    """Whether a graph with this input goes on where it has stopped: with an answer, or with None.

    Args:
        value: The input of a chain, a graph perhaps.
        in_node: Whether that is run in a node, whose code may give other chains None.
    """
    if value is None:
        return not in_node
    return _is_langgraph_s(value, "Command")


def calls_in(value: Any) -> Iterator[Mapping[str, Any]]:
    """The calls that a node is to run tools for: LangChain's ``ToolCall``."""
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from calls_in(each)
    elif isinstance(value, Mapping):
        if value.get("type") == "tool_call" and {"id", "name", "args"} <= value.keys():
            yield value
        elif "tool_call" in value:
            yield from calls_in(value["tool_call"])


def is_no_failure(error: BaseException) -> bool:
    """Whether a tool has not failed but stopped: to ask a person, or because the run is over."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return isinstance(error, CancelledError) or "GraphBubbleUp" in kinds


def url_of(block: Mapping[str, Any]) -> str | None:
    if data := block.get("base64"):
        return f"data:{block.get('mime_type') or MEDIA[block['type']]};base64,{data}"
    return block.get("url")
