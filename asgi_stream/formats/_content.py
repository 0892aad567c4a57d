"""LangChain's standard content blocks, made of the content of clients' messages.

https://docs.langchain.com/oss/python/langchain/messages#standard-content-blocks (langchain-core
1.7). URLs are not fetched: the model's provider gets them as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..errors import InvalidInput

INSTRUCTIONS = "asgi-stream-instructions"
"""The id of a system message that is for one run: the next run on the thread takes it out."""

Block = dict[str, Any]


refused = InvalidInput.at
"""Returns the error for an invalid value at the path of a request."""


def text_of(path: str, value: Any) -> str:
    """Return `value`, which must be text.

    Raises:
        InvalidInput: It is something else.
    """
    if not isinstance(value, str):
        raise refused(path, "expected text")
    return value


def text_block(path: str, text: Any) -> Block:
    return {"type": "text", "text": text_of(path, text)}


def media_block(path: str, media_type: str, url: Any, name: Any = None) -> Block:
    """Return a block for a file at an HTTP URL or in a ``data:`` URL.

    Raises:
        InvalidInput: The URL is neither.
    """
    url = text_of(path, url)
    head, comma, data = url.partition(",")
    if comma and head.startswith("data:") and head.endswith(";base64"):
        if media_type[-2:] in ("", "/*"):
            media_type = head.removeprefix("data:").partition(";")[0]
        return inline_block(path, media_type, data, name)
    if not url.startswith(("https://", "http://")):
        raise refused(path, 'expected an "https:" URL or a "data:" URL in base64')
    return {**_labels(media_type, name), "url": url}


def inline_block(path: str, media_type: str, data: Any, name: Any = None) -> Block:
    """Return a block for a file whose bytes are `data`, in base64."""
    return {**_labels(media_type, name), "base64": text_of(path, data)}


def simplest(blocks: list[Block]) -> str | list[Block]:
    """Return blocks as plain text if all are text, since every model accepts that."""
    if all(block["type"] == "text" for block in blocks):
        return "".join(block["text"] for block in blocks)
    return blocks


def message_content(
    path: str, content: Any, block_of: Callable[[str, Any], Block]
) -> str | list[Block]:
    """Return the content of a message of OpenAI's or AG-UI's: text, a list of parts, or nothing."""
    if isinstance(content, list):
        return simplest([block_of(f"{path}.{n}", part) for n, part in enumerate(content)])
    return text_of(path, "" if content is None else content)


def neutral_message(
    path: str, message: Mapping[str, Any], block_of: Callable[[str, Any], Block]
) -> dict[str, Any]:
    """Return the role, name and content of a message of OpenAI's or AG-UI's."""
    role, name = message["role"], message.get("name")
    neutral: dict[str, Any] = {"role": "system" if role == "developer" else role}
    if isinstance(name, str) and name:
        neutral["name"] = name
    neutral["content"] = message_content(f"{path}.content", message.get("content"), block_of)
    return neutral


def _labels(media_type: str, name: Any) -> Block:
    kind = media_type.partition("/")[0]
    labels: Block = {"type": kind if kind in ("image", "audio", "video") else "file"}
    if media_type and not media_type.endswith("/*"):
        labels["mime_type"] = media_type
    if isinstance(name, str) and name:
        labels["filename"] = name
    return labels
