from __future__ import annotations

import pytest

from asgi_stream.events import Event, RunError, RunFinished, RunStarted, Step, TextDelta
from asgi_stream.formats.tokens import TokensFormat

RUN = Step("r", "chain", "chain")
MODEL = Step("m", "model", "chat_model")
END = RunFinished(RUN, {"a": 1})
ERROR = RunError("run_failed", "The run failed.", "e1", 500)
ERROR_FRAME = b'data: {"error":{"code":"run_failed","message":"The run failed.","id":"e1"}}\n\n'

CASES: list[tuple[list[Event], bytes, object]] = [
    (
        [RunStarted("r"), TextDelta(MODEL, "Hel"), TextDelta(MODEL, "lo"), END],
        b'data: {"token": "Hel"}\n\ndata: {"token": "lo"}\n\ndata: [DONE]\n\n',
        "Hello",
    ),
    ([RunFinished(RUN, "all")], b"data: [DONE]\n\n", ""),
    (
        [TextDelta(MODEL, "\u2028\r\n\x00é😀"), END],
        b'data: {"token": "\\u2028\\r\\n\\u0000\\u00e9\\ud83d\\ude00"}\n\ndata: [DONE]\n\n',
        "\u2028\r\n\x00é😀",
    ),
    (
        [TextDelta(MODEL, "a"), ERROR],
        b'data: {"token": "a"}\n\n' + ERROR_FRAME + b"data: [DONE]\n\n",
        None,
    ),
]


@pytest.mark.parametrize(("events", "wire", "answer"), CASES)
def test_events_become_these_bytes(events: list[Event], wire: bytes, answer: object) -> None:
    encoder, gatherer = TokensFormat(), TokensFormat()
    assert b"".join(map(encoder.encode, events)) == wire
    assert [gatherer.gather(event) for event in events][-1] == answer
