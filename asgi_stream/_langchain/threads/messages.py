"""The messages of a thread as a client may see them: what a run on the route would send of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from ...events import ModelFinished, SourceFound, Step, ToolCallStarted
from ...filters import EventFilter
from ..messages import (
    MEDIA,
    ToolMessageError,
    failure_of,
    is_decided,
    is_summary,
    refusal_of,
    text_of_chunk,
    url_of,
)
from ..source_names import public_source

MODEL = Step("", "", "chat_model")
"""Stands for the step of a message's model, which the thread does not know."""


def thread_messages(
    messages: Iterable[BaseMessage],
    filter: EventFilter | None,
    public_text: Callable[[BaseException], str],
) -> list[dict[str, Any]]:
    """Return messages as neutral ones, in the form of `asgi_stream.formats.RunSpec.messages`.

    System messages and summaries are left out, and calls of tools that `filter` hides. The content
    of the user's and the assistant's is a list of LangChain's standard content blocks, where each
    file has a ``url``, and ``source`` blocks with the ``title`` and the ``url`` of what a text of
    the assistant's cites; that of a tool is what it returned, and ``denied`` is True if a person
    has rejected the call instead. ``usage`` of an answer is LangChain's.

    Args:
        messages: The messages of the thread.
        filter: The filter of the route.
        public_text: Returns what the client may read of a tool's failure.
    """
    return [
        _with_public_failures(neutral, public_text)
        for message in messages
        if (neutral := _neutral(message, filter or EventFilter(), public_text)) is not None
    ]


def _neutral(
    message: BaseMessage, filter: EventFilter, public_text: Callable[[BaseException], str]
) -> dict[str, Any] | None:
    match message:
        case HumanMessage() if not is_summary(message):
            return {"role": "user", "id": message.id, "content": list(_blocks(message))}
        case AIMessage():
            calls = [
                {"id": call["id"], "name": call["name"], "args": call["args"]}
                for call in message.tool_calls
                if _is_shown(call["name"], filter)
            ]
            answer = {"content": list(_answer_blocks(message, filter)), "tool_calls": calls}
            usage = message.usage_metadata
            if usage and filter.admits(ModelFinished.event, MODEL):
                answer["usage"] = usage
            return {"role": "assistant", "id": message.id, **answer}
        case ToolMessage(content=content, status=status):
            failed = status == "error"
            denied = {"denied": True} if failed and is_decided(message) else {}
            return {
                "role": "tool",
                "id": message.id,
                "tool_call_id": message.tool_call_id,
                "content": public_text(failure_of(message)) if failed else content,
                "status": status,
                **denied,
            }
    return None


def _with_public_failures(
    neutral: dict[str, Any], public_text: Callable[[BaseException], str]
) -> dict[str, Any]:
    """Return an answer with what clients may read of tools that its provider has failed to run."""
    if neutral["role"] == "assistant":
        for n, block in enumerate(neutral["content"]):
            if block["type"] == "server_tool_result" and block.get("status") == "error":
                failure = ToolMessageError(str(block.get("output")))
                neutral["content"][n] = {**block, "output": public_text(failure)}
    return neutral


def _is_shown(name: str, filter: EventFilter) -> bool:
    return filter.admits(ToolCallStarted.event, Step("", name, "tool"))


def _answer_blocks(message: AIMessage, filter: EventFilter) -> Iterator[Mapping[str, Any]]:
    """Yield the content of an answer, each text followed by what it cites."""
    shows_sources = filter.admits(SourceFound.event, MODEL)
    for block in _blocks(message):
        if block["type"] != "server_tool_call" or _is_shown(block["name"], filter):
            yield block
        for note in block.get("annotations") or () if shows_sources else ():
            if note["type"] == "citation":
                title, url = public_source(note.get("title"), str(note.get("url") or ""))
                yield {"type": "source", "title": title, "url": url}


def _blocks(message: BaseMessage) -> Iterator[Mapping[str, Any]]:
    blocks: Sequence[Any] = message.content_blocks
    for block in blocks:
        match block["type"]:
            case "text" | "reasoning" as type_ if block.get(type_):
                yield block
            case "non_standard" if block["value"].get("type") == "thinking":
                yield {"type": "reasoning", "reasoning": str(block["value"].get("thinking") or "")}
            case "refusal" | "non_standard" if text := refusal_of(block):
                yield {"type": "text", "text": text}
            case type_ if type_ in MEDIA and (url := url_of(block)):
                media_type = block.get("mime_type") or MEDIA[type_]
                yield {**block, "url": url, "mime_type": media_type}
            case "server_tool_call" | "server_tool_result":
                yield block
    if not blocks and (text := text_of_chunk(message)):  # a refusal that LangChain does not know
        yield {"type": "text", "text": text}
