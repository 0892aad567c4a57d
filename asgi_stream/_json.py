"""Parses a client's JSON, checked against a route's limits first.

The parser's cost, and that of everything after it, grows with the number of values rather than
bytes: a body of 1 MiB may be one string or 350,000 lists.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from itertools import accumulate
from typing import Any

import orjson

from .errors import InvalidInput, InvalidRequest
from .limits import Limits
from .serialize import to_json

MAX_KEY = 1_000
"""Characters of an object's key. pydantic repeats it in each error about a value below it."""

ARGUMENTS = ("arguments", "args")
"""Keys whose text LangChain parses as JSON: of a tool call and of a tool call chunk."""

NESTED_ESCAPE = rb"\\u"
"""An escape inside a string that is JSON itself."""

_strings = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
# Group 1 is what precedes a lone surrogate, escaped pairs included; group 2 is its escape.
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
    """Return `text` as dicts, lists and scalars.

    A byte order mark is skipped (https://www.rfc-editor.org/rfc/rfc8259#section-8.1). Lone
    surrogates, which JavaScript's ``JSON.stringify`` writes for half an emoji, become U+FFFD, also
    in the JSON of a tool call's arguments. Such arguments are emptied if they are nested deeper
    than ``limits.depth``.

    Raises:
        InvalidRequest: `text` is not JSON.
        InvalidInput: It is nested deeper than ``limits.depth``, has more than ``limits.items``
            items, or a key of more than `MAX_KEY` characters.
    """
    text = text.removeprefix(BOM_UTF8)
    remaining = _check_text(text, limits, limits.items)
    try:
        value = loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"Invalid JSON: {error}.") from None
    if len(text) > MAX_KEY or NESTED_ESCAPE in text:
        _check_objects(value, limits, remaining)
    return value


def loads(text: bytes | str) -> Any:
    """Return `text` parsed without limits. Lone surrogates become U+FFFD.

    Raises:
        orjson.JSONDecodeError: `text` is not JSON.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        if isinstance(text, str):
            text = joined(text).encode()
        return orjson.loads(_replace_lone_surrogates(text))


def joined(text: str) -> str:
    """Return `text` with surrogate pairs joined and U+FFFD for each lone surrogate."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def well_formed(value: dict[str, Any]) -> dict[str, Any]:
    """Return an object; as JSON, with U+FFFD for lone surrogates, if it has any.

    Parsers other than JavaScript's and Python's own refuse the whole text that has one.
    """
    text = to_json(value)
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        value = loads(text)
    return value


def _replace_lone_surrogates(text: bytes) -> bytes:
    return _lone_surrogates.sub(lambda match: match[1] + (b"\\ufffd" if match[2] else b""), text)


def _check_text(text: bytes, limits: Limits, items: int | None) -> int | None:
    """Check the depth of JSON `text` and that it has at most `items`; return how many remain."""
    # An item has at most two strings, a key and a value, and two brackets.
    most = 0 if items is None else 2 * items + 1
    bare, strings = _strings.subn(b"", text, count=most)
    opened = bare.count(b"[") + bare.count(b"{")
    if limits.depth is not None and opened > limits.depth < _depth_of(bare, most or None):
        raise _TooDeep(f"The JSON is nested more than {limits.depth} levels deep (limits.depth).")
    if items is None:
        return None
    remaining = items - opened - bare.count(b",")
    if remaining < 0 or strings == most:
        raise InvalidInput(f"The JSON has more than {limits.items} items (limits.items).")
    return remaining


def _depth_of(text: bytes, most: int | None) -> int:
    """Return the nesting depth of the first `most` brackets of `text`, which has no strings."""
    steps = memoryview(text.translate(_steps, _no_brackets)[:most]).cast("b")
    return max(accumulate(steps))


def _check_objects(value: Any, limits: Limits, remaining: int | None) -> None:
    """Check the keys of all objects; check and repair the JSON in arguments of tool calls."""
    waiting = [value]
    for each in waiting:
        if isinstance(each, dict):
            if max(map(len, each), default=0) > MAX_KEY:
                raise InvalidInput(f"The JSON has a key longer than {MAX_KEY} characters.")
            for name in ARGUMENTS:
                if isinstance(each.get(name), str):
                    remaining = _check_arguments(each, name, limits, remaining)
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)


def _check_arguments(
    call: dict[str, Any], name: str, limits: Limits, remaining: int | None
) -> int | None:
    text = call[name].encode()
    try:
        remaining = _check_text(text, limits, remaining)
    except _TooDeep:
        if "name" not in call:
            raise
        # A model that repeats itself makes such calls. The client received it from this server and
        # sends it back, so it is accepted without arguments.
        text = b""
    if text[:1] in (b"", b"{"):
        call[name] = _replace_lone_surrogates(text).decode()
    return remaining
