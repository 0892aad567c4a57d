"""JSON that a client has sent, as plain data, checked against a route's limits before it is parsed.

What the parser makes, and all that comes after it, costs time by the value and not by the byte: a
body of 1 MiB may be one text or 350,000 lists.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from itertools import accumulate
from typing import Any

import orjson

from .errors import InvalidInput, InvalidRequest
from .limits import Limits

LONGEST_KEY = 1_000
"""Characters of an object's key. pydantic repeats it in each error about a value below it."""

ARGUMENTS = ("arguments", "args")
"""Keys whose text LangChain parses as JSON: of a tool call, and of a piece of one."""

ESCAPED = rb"\\u"
"""A text that is JSON itself, and has an escape in it."""

_strings = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
# What stands before a lone surrogate, and its escape; a pair stands before it.
_lone_surrogates = re.compile(
    rb"((?:[^\\]++|\\[^u]|\\u(?!d[89a-f])|\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2})*+)"
    rb"(\\ud[89a-f][0-9a-f]{2})?",
    re.IGNORECASE,
)
_steps = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_no_brackets = bytes(set(range(256)) - set(b"[]{}"))


class _TooDeep(InvalidInput):
    pass


def parse_json(text: bytes, limits: Limits) -> Any:
    """`text` as plain data: dicts, lists and scalars.

    A byte order mark is skipped (https://www.rfc-editor.org/rfc/rfc8259#section-8.1). A lone
    surrogate, which JavaScript's ``JSON.stringify`` writes for half an emoji, becomes U+FFFD; so
    does one in the JSON that a tool call has as its arguments, and of arguments that are nested
    deeper than ``limits.depth`` nothing is left.

    Raises:
        InvalidRequest: It is not JSON.
        InvalidInput: It is nested deeper than ``limits.depth``, has more than ``limits.items``, or
            a key that is too long.
    """
    text = text.removeprefix(BOM_UTF8)
    left = _checked(text, limits, limits.items)
    try:
        value = loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"This is not JSON: {error}.") from None
    if len(text) > LONGEST_KEY or ESCAPED in text:
        _check_objects(value, limits, left)
    return value


def loads(text: bytes | str) -> Any:
    """`text` as plain data, without a limit. A lone surrogate in it becomes U+FFFD.

    Raises:
        orjson.JSONDecodeError: It is not JSON.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        if isinstance(text, str):
            text = joined(text).encode()
        return orjson.loads(_paired(text))


def joined(text: str) -> str:
    """`text` with its surrogate pairs joined, and U+FFFD for each lone surrogate."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _paired(text: bytes) -> bytes:
    """JSON `text` with U+FFFD for each lone surrogate that it escapes."""
    return _lone_surrogates.sub(_replaced, text)


def _replaced(match: re.Match[bytes]) -> bytes:
    return match[1] + (b"\\ufffd" if match[2] else b"")


def _checked(text: bytes, limits: Limits, left: int | None) -> int | None:
    """Check the shape of a JSON `text` of at most `left` items. How many are left after it."""
    # An item has two strings at most, a key and a value, and two brackets.
    most = 0 if left is None else 2 * left + 1
    bare, strings = _strings.subn(b"", text, count=most)
    opened = bare.count(b"[") + bare.count(b"{")
    if limits.depth is not None and opened > limits.depth < _depth_of(bare, most or None):
        raise _TooDeep(f"The JSON is nested deeper than {limits.depth}.")
    if left is None:
        return None
    items = opened + bare.count(b",")
    if items > left or strings == most:
        raise InvalidInput(f"The JSON has more than {limits.items} items (limits.items).")
    return left - items


def _depth_of(text: bytes, most: int | None) -> int:
    """How deep the first `most` brackets of `text`, which has no strings, are nested."""
    steps = memoryview(text.translate(_steps, _no_brackets)[:most]).cast("b")
    return max(accumulate(steps))


def _check_objects(value: Any, limits: Limits, left: int | None) -> None:
    """Check the keys of all objects, and the JSON in the arguments of tool calls; mend that."""
    waiting = [value]
    for each in waiting:
        if isinstance(each, dict):
            if max(map(len, each), default=0) > LONGEST_KEY:
                raise InvalidInput(f"The JSON has a key of more than {LONGEST_KEY} characters.")
            for name in ARGUMENTS:
                if isinstance(arguments := each.get(name), str):
                    text = arguments.encode()
                    try:
                        left = _checked(text, limits, left)
                    except _TooDeep:
                        if "name" not in each:
                            raise
                        # A model that repeats itself makes such calls. They have been sent as they
                        # were made, so they are taken back, without arguments.
                        text = b""
                    if text[:1] in (b"", b"{"):
                        each[name] = _paired(text).decode()
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
