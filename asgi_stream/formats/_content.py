"""LangChain's standard content blocks, of what clients send with a message.

https://docs.langchain.com/oss/python/langchain/messages#standard-content-blocks (langchain-core
1.7). Nothing is fetched: a URL goes to the model's provider as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sized
from typing import Any

from ..errors import BodyTooLarge, InvalidInput

Block = dict[str, Any]

FILES = ("image", "image_url", "audio", "input_audio", "video", "file")
"""Types of content blocks that are files, LangChain's and OpenAI's."""


def refused(path: str, expected: str) -> InvalidInput:
    """The error for what a client has sent at `path`."""
    return InvalidInput(f"{path}: {expected}", fields={path: expected})


def check_count(path: str, values: Sized, name: str, limit: int | None) -> None:
    """Check that a list of a request has at most `limit` values, the limit of that name.

    Raises:
        InvalidInput: It has more.
    """
    if limit is not None and len(values) > limit:
        raise refused(path, f"expected at most {limit} (limits.{name}), not {len(values)}")


def text_of(path: str, value: Any) -> str:
    """`value`, which must be text.

    Raises:
        InvalidInput: It is not.
    """
    if not isinstance(value, str):
        raise refused(path, "expected text")
    return value


def text_block(path: str, text: Any) -> Block:
    return {"type": "text", "text": text_of(path, text)}


def media_block(path: str, media_type: str, url: Any, name: Any = None) -> Block:
    """A file at a web address or in a ``data:`` URL.

    Raises:
        InvalidInput: It is neither.
    """
    url = text_of(path, url)
    head, comma, data = url.partition(",")
    if comma and head.startswith("data:") and head.endswith(";base64"):
        type_ = head.removeprefix("data:").partition(";")[0]
        known = media_type if media_type[-2:] not in ("", "/*") else type_
        return inline_block(path, known, data, name)
    if not url.startswith(("https://", "http://")):
        raise refused(path, 'expected an "https:" URL or a "data:" URL in base64')
    return {**_labels(media_type, name), "url": url}


def inline_block(path: str, media_type: str, data: Any, name: Any = None) -> Block:
    """A file's bytes in base64."""
    return {**_labels(media_type, name), "base64": text_of(path, data)}


def check_files(path: str, contents: Iterable[Any], limit: int | None) -> None:
    """Check that the content of messages has at most `limit` blocks with a file.

    LangChain takes 0.1 ms to look at one.

    Raises:
        InvalidInput: It has more.
    """
    files = sum(
        isinstance(block, dict) and block.get("type") in FILES
        for content in contents
        if isinstance(content, list)
        for block in content
    )
    if limit is not None and files > limit:
        raise refused(path, f"expected at most {limit} files (limits.files), not {files}")


def check_inline(messages: Iterable[Mapping[str, Any]], limit: int | None) -> None:
    """Check that the messages' files have at most `limit` bytes in all.

    Raises:
        BodyTooLarge: They have more.
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


def simplest(blocks: list[Block]) -> str | list[Block]:
    """Text where there is nothing but text, which every model takes."""
    if all(block["type"] == "text" for block in blocks):
        return "".join(block["text"] for block in blocks)
    return blocks


def message_content(
    path: str, content: Any, block_of: Callable[[str, Any], Block]
) -> str | list[Block]:
    """A message's content as OpenAI and AG-UI send it: text, a list of parts, or nothing."""
    if isinstance(content, list):
        return simplest([block_of(f"{path}.{n}", part) for n, part in enumerate(content)])
    return text_of(path, "" if content is None else content)


def neutral_message(
    path: str, message: Mapping[str, Any], block_of: Callable[[str, Any], Block]
) -> dict[str, Any]:
    """What a message of OpenAI's and one of AG-UI's alike have: role, name and content."""
    role, name = message["role"], message.get("name")
    said: dict[str, Any] = {"role": "system" if role == "developer" else role}
    if isinstance(name, str) and name:
        said["name"] = name
    said["content"] = message_content(f"{path}.content", message.get("content"), block_of)
    return said


def _labels(media_type: str, name: Any) -> Block:
    kind = media_type.partition("/")[0]
    labels: Block = {"type": kind if kind in ("image", "audio", "video") else "file"}
    if media_type and not media_type.endswith("/*"):
        labels["mime_type"] = media_type
    if isinstance(name, str) and name:
        labels["filename"] = name
    return labels
