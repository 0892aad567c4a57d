from __future__ import annotations

from typing import Any

import pytest

from asgi_stream._limit_checks import check_inline
from asgi_stream.errors import BodyTooLarge, InvalidInput
from asgi_stream.formats._content import (
    inline_block,
    media_block,
    simplest,
    text_block,
)


@pytest.mark.parametrize(
    ("media_type", "url", "name", "block"),
    [
        (
            *("image/png", "data:image/png;base64,AAAA", "a.png"),
            {"type": "image", "mime_type": "image/png", "filename": "a.png", "base64": "AAAA"},
        ),
        # What the data says of itself is more than nothing.
        (
            *("image/*", "data:image/gif;base64,AAAA", None),
            {"type": "image", "mime_type": "image/gif", "base64": "AAAA"},
        ),
        (
            *("", "data:application/pdf;name=a;base64,AA", 1),
            {"type": "file", "mime_type": "application/pdf", "base64": "AA"},
        ),
        (
            *("video/mp4", "https://example.com/a", ""),
            {"type": "video", "mime_type": "video/mp4", "url": "https://example.com/a"},
        ),
        ("image/*", "http://example.com/a", None, {"type": "image", "url": "http://example.com/a"}),
    ],
)
def test_a_file_is_a_standard_block(media_type: str, url: str, name: Any, block: Any) -> None:
    assert media_block("x", media_type, url, name) == block


@pytest.mark.parametrize("url", ["file:///etc/passwd", "blob:x", "data:text/plain,x", "", None, 1])
def test_what_is_neither_on_the_web_nor_here_is_refused(url: Any) -> None:
    with pytest.raises(InvalidInput) as raised:
        media_block("messages.0.url", "a/b", url)
    assert list(raised.value.fields) == ["messages.0.url"]


def test_files_may_be_limited() -> None:
    messages: Any = [
        {"content": "text"},
        {"content": [text_block("x", "a"), inline_block("x", "image/png", "A" * 400)]},
    ]
    check_inline(messages, None)
    check_inline(messages, 300)
    with pytest.raises(BodyTooLarge, match="more than 299 bytes"):
        check_inline(messages, 299)


def test_blocks_of_text_only_are_text() -> None:
    text = text_block("x", "a")
    assert simplest([text, text]) == "aa"
    image = media_block("x", "image/png", "https://example.com/a")
    assert simplest([text, image]) == [text, image]
