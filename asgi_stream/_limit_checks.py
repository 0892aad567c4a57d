"""Checks of what a request has against the route's limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sized
from typing import Any

from .errors import BodyTooLarge, InvalidInput

FILES = ("image", "image_url", "audio", "input_audio", "video", "file")
"""Types of content blocks that are files, LangChain's and OpenAI's."""


def check_count(path: str, values: Sized, name: str, limit: int | None) -> None:
    """Check that a list in a request has at most `limit` values.

    Args:
        path: Where in the request the list is.
        values: The list.
        name: The name of the limit in `Limits`.
        limit: The limit; None: there is none.

    Raises:
        InvalidInput: The list is longer.
    """
    if limit is not None and len(values) > limit:
        raise InvalidInput.at(path, f"expected at most {limit} (limits.{name}), not {len(values)}")


def check_files(path: str, contents: Iterable[Any], limit: int | None) -> None:
    """Check that the content of messages has at most `limit` files.

    LangChain takes 0.1 ms to process each.

    Raises:
        InvalidInput: There are more.
    """
    files = sum(
        isinstance(block, dict) and block.get("type") in FILES
        for content in contents
        if isinstance(content, list)
        for block in content
    )
    if limit is not None and files > limit:
        raise InvalidInput.at(path, f"expected at most {limit} files (limits.files), not {files}")


def check_inline(messages: Iterable[Mapping[str, Any]], limit: int | None) -> None:
    """Check that the files in messages have at most `limit` bytes in total.

    Raises:
        BodyTooLarge: They are larger.
    """
    contents = (message.get("content") for message in messages)
    size = sum(
        len(block.get("base64", "")) * 3 // 4
        for content in contents
        if isinstance(content, list)
        for block in content
    )
    if limit is not None and size > limit:
        raise BodyTooLarge(f"The files in the messages have more than {limit} bytes.")
