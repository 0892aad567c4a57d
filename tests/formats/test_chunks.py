from __future__ import annotations

import pytest

from asgi_stream.events import Event, OutputChunk, RunError, RunFinished, RunStarted, Step
from asgi_stream.formats.chunks import ChunksFormat

RUN = Step("r", "chain", "chain")
DONE = b"data: [DONE]\n\n"

CASES: list[tuple[Event, bytes, object]] = [
    (RunStarted("r"), b"", None),
    (OutputChunk(RUN, {"a": [1, "é"]}), b'data: {"a":[1,"\\u00e9"]}\n\n', None),
    (OutputChunk(RUN, None), b"data: null\n\n", None),
    (OutputChunk(RUN, 1, mode="values"), b'data: {"mode":"values","data":1}\n\n', None),
    (
        OutputChunk(RUN, 1, mode="updates", namespace=("a:1", "b:2")),
        b'data: {"mode":"updates","namespace":["a:1","b:2"],"data":1}\n\n',
        None,
    ),
    (OutputChunk(RUN, 1, namespace=()), b'data: {"namespace":[],"data":1}\n\n', None),
    (RunFinished(RUN, {"a": 1}), DONE, {"a": 1}),
    (
        RunError("incomplete", "No.", "e", fields={"a": "b"}, detail="X: y"),
        b'data: {"error":{"code":"incomplete","message":"No.","id":"e",'
        b'"fields":{"a":"b"},"detail":"X: y"}}\n\n' + DONE,
        None,
    ),
]


@pytest.mark.parametrize(("event", "wire", "answer"), CASES)
def test_an_event_becomes_these_bytes(event: Event, wire: bytes, answer: object) -> None:
    assert ChunksFormat().encode(event) == wire
    assert ChunksFormat().gather(event) == answer
