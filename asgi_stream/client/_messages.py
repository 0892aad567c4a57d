"""LangChain's objects from a server's JSON, by a closed list of types."""

from __future__ import annotations

import sys
from typing import Any

from langchain_core.documents import Document
from langchain_core.prompt_values import PromptValue

from .._langchain.messages import MESSAGES
from ._errors import httpx


def revived(value: Any) -> Any:
    """Return `value` with messages and documents as LangChain's classes; the rest stays data.

    Raises:
        httpx.DecodingError: It is nested too deeply.
    """
    try:
        return _revived(value)
    except RecursionError:
        raise httpx.DecodingError("The server's JSON is nested too deeply.") from None


def _revived(value: Any) -> Any:
    if isinstance(value, list):
        return [_revived(each) for each in value]
    if not isinstance(value, dict):
        return value
    kind = MESSAGES.get(value["type"]) if isinstance(value.get("type"), str) else None
    try:
        if kind is not None and "content" in value:
            return kind.model_validate(value)
        if value.get("type") == "Document" and "page_content" in value:
            return Document.model_validate(value)
    except Exception:  # not a message or a document after all
        pass
    return {key: _revived(each) for key, each in value.items()}


def sendable(value: Any) -> Any:
    """Return `value` as a server accepts it.

    A prompt becomes its messages, LangGraph's ``Command(resume=...)`` an answer to an interrupt.

    Raises:
        ValueError: A command has more than an answer.
    """
    if isinstance(value, PromptValue):
        return value.to_messages()
    command: Any = getattr(sys.modules.get("langgraph.types"), "Command", ())
    if isinstance(value, command):
        if value.update is not None or value.goto or value.graph is not None:
            raise ValueError("a server takes no Command with more than resume")
        return {"resume": value.resume}
    return value
