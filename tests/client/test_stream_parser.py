"""How the reader in JavaScript splits a body into frames, wherever the network splits it.

The expected events are those of
https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation.
"""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path

import pytest

from .javascript import FILE, run

pytestmark = pytest.mark.anyio

END = "data: [DONE]\n\n"
BODIES: list[tuple[str, list[list[object]]]] = [
    ("data: a\n\ndata: b\n\n", [["", "a", ""], ["", "b", ""]]),
    ("data: a\r\n\r\ndata: b\r\n\r\n", [["", "a", ""], ["", "b", ""]]),
    ("data: a\r\rdata: b\r\r", [["", "a", ""], ["", "b", ""]]),
    ("data: a\r\n\rdata: b\n\r\n", [["", "a", ""], ["", "b", ""]]),
    ("data: YHOO\ndata: +2\ndata: 10\n\n", [["", "YHOO\n+2\n10", ""]]),
    (
        ": test stream\n\ndata: first event\nid: 1\n\n"
        "data:second event\nid\n\ndata:  third event\n\n",
        [["", "first event", "1"], ["", "second event", ""], ["", " third event", ""]],
    ),
    ("data\n\ndata\ndata\n\ndata:\n\n", [["", "", ""], ["", "\n", ""], ["", "", ""]]),
    ("data:test\n\ndata: test\n\n", [["", "test", ""], ["", "test", ""]]),
    ("id: 7\ndata: a\n\ndata: b\n\n", [["", "a", "7"], ["", "b", "7"]]),
    ("id: 7\ndata: a\n\nid: 8\0\ndata: b\n\n", [["", "a", "7"], ["", "b", "7"]]),
    ("id: 7\n\ndata: a\n\n", [["", "a", "7"]]),
    (": ping\n: ping\ndata: a\n: ping\n\n: ping\n", [["", "a", ""]]),
    ("\n\n\r\n: ping\n\nretry: 10\n\nretry: x\ndata: a\n\n", [["", "a", ""]]),
    ("event: add\ndata: 1\n\ndata: 2\n\n", [["add", 1, ""], ["", 2, ""]]),
    ("event: add\nevent: remove\ndata: a:b\nother: c\ndata :x\n\n", [["remove", "a:b", ""]]),
    ("event: metadata\n\ndata: a\n\n", [["metadata", None, ""], ["", "a", ""]]),
    (
        'data: {"token": "\u20ac \U0001f600 \u00e9"}\n\n',
        [["", {"token": "\u20ac \U0001f600 \u00e9"}, ""]],
    ),
    ("data: \u2028\u2029\x0b\x0c\x85\n\n", [["", "\u2028\u2029\x0b\x0c\x85", ""]]),
    ("\ufeffdata: a\n\n", [["", "a", ""]]),
    ("\ufeff\ufeffdata: a\n\ndata: b\n\n", [["", "b", ""]]),
    ("data: a\n\ndata: \ufeffb\n\n", [["", "a", ""], ["", "\ufeffb", ""]]),
    ("data: a\ufffd\n\n", [["", "a\ufffd", ""]]),
]


async def test_a_body_is_read_alike_wherever_it_is_split(tmp_path: Path) -> None:
    bodies = [base64.b64encode((body + END).encode()).decode() for body, _ in BODIES]
    results = await run("split", tmp_path, bodies=bodies)
    for (body, events), ways in zip(BODIES, results, strict=True):
        expected = [[name, "" if data is None else data, id_] for name, data, id_ in events]
        assert ways == [json.loads(json.dumps(expected))], repr(body)


async def test_what_is_not_json_or_not_utf_8_is_text(tmp_path: Path) -> None:
    body = b"data: {\n\ndata: \xff\xe2\x82\n\n" + END.encode()
    [ways] = await run("split", tmp_path, bodies=[base64.b64encode(body).decode()])
    assert ways == [[["", "{", ""], ["", "\ufffd\ufffd", ""]]]


def test_the_reader_is_small() -> None:
    assert len(gzip.compress(FILE.read_bytes(), 9)) < 3_000
