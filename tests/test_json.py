"""The JSON that clients send: its depth, its size and its surrogates."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_stream import Limits
from asgi_stream._json import loads, parse_json
from asgi_stream.errors import InvalidInput, InvalidRequest


@pytest.mark.parametrize(
    ("text", "depth", "fits"),
    [
        (b"[[1]]", 2, True),
        (b"[[1]]", 1, False),
        (b'{"a": {"b": [1, [2]]}}', 4, True),
        (b'{"a": {"b": [1, [2]]}}', 3, False),
        (b'["[[[[[[", "\\"[[[[", "{{{"]', 1, True),
        (b"[" + b"[]," * 999 + b"[]]", 2, True),
        (b"[" * 100_000 + b"]" * 100_000, 64, False),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 64, False),
        (b"[" * 100_000, 64, False),
        (b"[" * 1000 + b"]" * 1000, None, True),
    ],
)
def test_the_depth_is_limited(text: bytes, depth: int | None, fits: bool) -> None:
    if fits:
        parse_json(text, Limits(depth=depth))
    else:
        with pytest.raises(InvalidInput, match=f"nested more than {depth} levels deep"):
            parse_json(text, Limits(depth=depth))


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


@given(
    st.recursive(
        st.text() | st.integers(-(2**53), 2**53) | st.none(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.integers(1, 5),
    st.booleans(),
)
def test_the_depth_is_counted_as_nested_containers(
    value: Any, limit: int, ascii_only: bool
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    try:
        assert parse_json(text, Limits(depth=limit)) == value
    except InvalidInput:
        assert depth_of(value) > limit
    except InvalidRequest:
        assert not ascii_only  # a lone surrogate
    else:
        assert depth_of(value) <= limit


@pytest.mark.parametrize(
    ("text", "items", "fits"),
    [
        (b"[1,2,3]", 3, True),
        (b"[1,2,3,4]", 3, False),
        (b'{"a":1,"b":[2]}', 3, True),
        (b'{"a":1,"b":[2,3]}', 3, False),
        (b'["a,b,c,[,[,[","\\",,,,"]', 2, True),
        (b"[" + b"[]," * 300_000 + b"[]]", 20_000, False),
        (b'["a",' * 30_000 + b"1" + b"]" * 30_000, 20_000, False),
        (b"[" + b'"",' * 300_000 + b'""]', 20_000, False),
        (b"[" + b"1," * 300_000 + b"1]", None, True),
    ],
)
def test_the_number_of_items_is_limited(text: bytes, items: int | None, fits: bool) -> None:
    limits = Limits(items=items, depth=None)
    if fits:
        parse_json(text, limits)
    else:
        with pytest.raises(InvalidInput, match=f"more than {items} items"):
            parse_json(text, limits)


def test_the_length_of_a_key_is_limited() -> None:
    parse_json(json.dumps({"k" * 1_000: "v" * 5_000}).encode(), Limits())
    for value in ({"k" * 1_001: 1}, [{"a": {"k" * 1_001: 1}}]):
        with pytest.raises(InvalidInput, match="a key longer than 1000 characters"):
            parse_json(json.dumps(value).encode(), Limits())


def test_arguments_of_tool_calls_are_limited_too() -> None:
    def called(arguments: str) -> bytes:
        call = {"function": {"name": "add", "arguments": arguments}}
        return json.dumps({"messages": [{"tool_calls": [call]}], "pad": "x" * 1_000}).encode()

    parse_json(called('{"a": 1}'), Limits())
    parse_json(called("no JSON"), Limits())
    with pytest.raises(InvalidInput, match="more than 20000 items"):
        parse_json(called("[" + "1," * 20_000 + "1]"), Limits())
    piece = {"tool_call_chunks": [{"args": "[" * 100}], "pad": "x" * 1_000}
    with pytest.raises(InvalidInput, match="nested more than 64 levels deep"):
        parse_json(json.dumps(piece).encode(), Limits())


@pytest.mark.parametrize("arguments", ["[" * 100 + "]" * 100, '{"a": ' * 70])
def test_arguments_that_are_too_deep_are_emptied(arguments: str) -> None:
    for call in ({"name": "add", "arguments": arguments}, {"name": None, "args": arguments}):
        [parsed] = parse_json(json.dumps([call], indent=1_000).encode(), Limits())
        assert parsed == {**call, list(call)[-1]: ""}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (rb'["cut \ud83d"]', ["cut \ufffd"]),
        (rb'["\uDE00 cut"]', ["\ufffd cut"]),
        (rb'["\ud83d\ud83d\ude00\ude00"]', ["\ufffd\U0001f600\ufffd"]),
        (rb'["\ud83d\\ude00"]', ["\ufffd\\ude00"]),
        (rb'["\\ud83d \n\u00e9 \ud83d"]', ["\\ud83d \n\xe9 \ufffd"]),
        (rb'{"key \ud83d": "\ud83d"}', {"key \ufffd": "\ufffd"}),
        (rb'["\ud83d\ude00"]', ["\U0001f600"]),
    ],
)
def test_a_byte_order_mark_is_skipped_and_a_lone_surrogate_replaced(
    text: bytes, value: Any
) -> None:
    assert parse_json(text, Limits()) == value


@pytest.mark.parametrize("text", [rb'["\ud83d', rb'["\ud8"]', rb'["\ud83d"] \\', b"\xef\xbb\xbf"])
def test_replacing_a_lone_surrogate_makes_no_json_of_what_is_none(text: bytes) -> None:
    with pytest.raises(InvalidRequest, match="Invalid JSON"):
        parse_json(text, Limits())


@pytest.mark.parametrize("name", ["arguments", "args"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r'{"a": "\ud83d"}', r'{"a": "\ufffd"}'),
        (r'{"a": "\ud83d', r'{"a": "\ufffd'),  # LangChain reads what is cut off
        (r'{"a": "\ud83d\ude00 \\ud83d"}', r'{"a": "\ud83d\ude00 \\ud83d"}'),
        (r"no object \ud83d", r"no object \ud83d"),
    ],
)
def test_a_lone_surrogate_in_arguments_of_a_tool_call_is_replaced(
    name: str, text: str, expected: str
) -> None:
    for pad in ("", "x" * 1_000):
        body = json.dumps({"calls": [{name: text}], "other": text, "pad": pad}).encode()
        parsed = parse_json(body, Limits())
        assert parsed["calls"] == [{name: expected}]
        assert parsed["other"] == text


@pytest.mark.parametrize("text", ['"\ud83d\ud83d\ude00"', r'"\ud83d\ud83d\ude00"'])
def test_text_is_parsed_like_bytes(text: str) -> None:
    assert loads(text) == "\ufffd\U0001f600"
