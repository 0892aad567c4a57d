"""Reads LangChain's messages: their text, their classes, how a model's call ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

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
    ToolCall,
    ToolMessage,
    ToolMessageChunk,
    message_chunk_to_message,
)

from ..errors import StreamError
from ..events import ModelFinished, Step

MODELS = ("chat_model", "llm")
"""The types of steps that are models."""

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
"""`ModelFinished.reason` by the providers' finish reasons in lower case."""

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
"""Message classes by their ``type``. No others are built from JSON."""

NOT_STREAMED = frozenset({"nostream", "langsmith:nostream"})
"""Tags that keep a model's text out of LangGraph's own message stream."""

MEDIA = {
    "image": "image/png",
    "audio": "audio/wav",
    "video": "video/mp4",
    "file": "application/octet-stream",
}
"""Types of content blocks that are files, with the media type to assume if a block has none."""


DECIDED = "hitl_interrupt_decision"
"""The source of a tool's message that a person's decision has made."""

BY_CLIENT = "client_tool_result"
"""The source of a tool's message that the client has sent, because the tool is its own."""

INTERRUPTED = "The user interrupted this tool call."
"""The result of a call that has none, because it was stopped, or a question was not answered."""

UNFINISHED = "The run ended before this tool call had a result."
"""The result of a call that has none, because the run has failed."""

SUMMARY = "summarization"
"""The source of the message that ``SummarizationMiddleware`` puts in place of older ones."""


class ToolMessageError(Exception):
    """A tool's own error message, which is meant for the model."""


def is_decided(message: ToolMessage) -> bool:
    """Return whether a person's decision has made a tool's message, not the tool.

    LangChain marks such messages (`langchain_core.messages.add_notification_metadata`).
    """
    return _source_of(message) == DECIDED


def rejection(call: ToolCall) -> ToolMessage:
    """Return the result of a call that a person has rejected, as LangChain's middleware has it."""
    content = f"User rejected the tool call for `{call['name']}`. The tool was not executed."
    return ToolMessage(
        content,
        id=str(uuid4()),
        name=call["name"],
        tool_call_id=call["id"],
        status="error",
        additional_kwargs={"lc_source": DECIDED},
    )


def is_summary(message: BaseMessage) -> bool:
    """Return whether a middleware has written a message in place of older ones, not a person."""
    return _source_of(message) == SUMMARY


def _source_of(message: BaseMessage) -> object:
    """Return what has written a message, if it is not what its type says."""
    return message.additional_kwargs.get("lc_source")


def failure_of(message: ToolMessage) -> Exception:
    """Return what a tool's message with the status ``error`` reports.

    A call that a person has rejected or interrupted, or answered themselves, has not failed:
    everyone may read of that. What the client says of its own tool, it knows.
    """
    text = str(message.content)
    by_client = _source_of(message) == BY_CLIENT
    is_public = is_decided(message) or by_client or text in (INTERRUPTED, UNFINISHED)
    return StreamError(text) if is_public else ToolMessageError(text)


def text_of_content(content: Any) -> str:
    """Return the text in a message's content, without reasoning, tool calls and images.

    With it a model answers or refuses to answer.
    """
    if isinstance(content, str):
        return content
    return "".join(
        block if isinstance(block, str) else _text_of_block(block) for block in content or ()
    )


def _text_of_block(block: Mapping[str, Any]) -> str:
    return str(block.get("text", "")) if block.get("type") == "text" else refusal_of(block)


def refusal_of(block: Mapping[str, Any]) -> str:
    """Return what a model says instead of an answer, if a content block is that."""
    value = block["value"] if block.get("type") == "non_standard" else block
    return str(value.get("refusal") or "") if value.get("type") == "refusal" else ""


def text_of_chunk(value: Any) -> str:
    """Return the text of a chunk that a run yields, ``""`` if it is neither text nor an answer."""
    if isinstance(value, AIMessage):
        refusal = value.additional_kwargs.get("refusal")  # as OpenAI's Chat Completions has it
        return text_of_content(value.content) or str(refusal or "")
    return value if isinstance(value, str) else ""


def text_of(value: Any) -> str | None:
    """Return the text of a run's output, None if the output is neither text nor a message."""
    value = stands_for(value)
    return text_of_chunk(value) if isinstance(value, (str, BaseMessage)) else None


def stands_for(output: Any) -> Any:
    """Return what a run's output is as an answer: of a state, or a list, the last message."""
    if isinstance(output, Mapping):
        output = output.get("messages")
    if isinstance(output, list) and output and isinstance(output[-1], BaseMessage):
        return output[-1]
    return output


def added(total: Any, chunk: Any) -> Any:
    """Return the sum of the chunks so far and one more; like LangChain, the last if none exists."""
    if total is None:
        return chunk
    try:
        return total + chunk
    except TypeError:
        return chunk


def whole(output: Any) -> Any:
    """Return a run's output, with a message in place of an accumulated message chunk."""
    return message_chunk_to_message(output) if isinstance(output, BaseMessageChunk) else output


def url_of(block: Mapping[str, Any]) -> str | None:
    """Return the URL of a content block that is a file; a ``data:`` URL if it is inline."""
    if data := block.get("base64"):
        return f"data:{block.get('mime_type') or MEDIA[block['type']]};base64,{data}"
    return block.get("url")


def model_finished(step: Step, output: Any) -> ModelFinished:
    """Return the event for the successful end of a model.

    Args:
        step: The model.
        output: The message, or the text, that it produced.
    """
    metadata = getattr(output, "response_metadata", {})
    finish_reason = metadata.get("finish_reason") or metadata.get("stop_reason") or ""
    reason = REASONS.get(str(finish_reason).lower(), "other")
    if not finish_reason:
        reason = "tool_calls" if getattr(output, "tool_calls", None) else "stop"
    return ModelFinished(
        step,
        reason,
        getattr(output, "usage_metadata", None) or {},
        metadata.get("model_name") or metadata.get("model"),
        metadata.get("model_provider"),
    )
