"""LangChain's objects from a server's JSON, by a closed list of types."""

from __future__ import annotations

import sys
from typing import Any

from langchain_core.documents import Document
from langchain_core.prompt_values import PromptValue
from pydantic import ValidationError

from .._langchain.messages import MESSAGES


def revived(value: Any) -> Any:
    """Return `value` with messages and documents as LangChain's classes; the rest stays data."""
    if isinstance(value, list):
        return [revived(each) for each in value]
    if not isinstance(value, dict):
        return value
    kind = MESSAGES.get(value["type"]) if isinstance(value.get("type"), str) else None
    try:
        if kind is not None and "content" in value:
            return kind.model_validate(value)
        if value.get("type") == "Document" and "page_content" in value:
            return Document.model_validate(value)
    except ValidationError:
        pass  # not a message or a document after all
    return {key: revived(each) for key, each in value.items()}


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
