"""LangChain's objects from the JSON that a server has made of them, by a closed list of types."""

from __future__ import annotations

from typing import Any

from langchain_core.documents import Document
from langchain_core.prompt_values import PromptValue
from pydantic import ValidationError

from .._langchain.messages import MESSAGES


def revived(value: Any) -> Any:
    """`value` with its messages and documents as LangChain's; all else stays plain data."""
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
        pass  # it only looks like one
    return {key: revived(each) for key, each in value.items()}


def sendable(value: Any) -> Any:
    """`value` as a server takes it: a prompt is its messages."""
    return value.to_messages() if isinstance(value, PromptValue) else value
