from __future__ import annotations

import pytest

from asgi_stream.events import Event, RunError, RunFinished, RunStarted, Step, TextDelta
from asgi_stream.formats import FormatRequest
from asgi_stream.formats.text import TextFormat

RUN = Step("r", "chain", "chain")
MODEL = Step("m", "model", "chat_model")
OTHER = Step("o", "other", "chat_model")

CASES: list[tuple[list[Event], bytes, object]] = [
    ([RunStarted("r"), TextDelta(MODEL, "Hel"), TextDelta(MODEL, "lo")], b"Hello", None),
    ([TextDelta(MODEL, "é\n"), RunFinished(RUN, "é\n")], b"\xc3\xa9\n", "é\n"),
    ([TextDelta(MODEL, "a\ud83d"), TextDelta(MODEL, "\ude00b")], "a\U0001f600b".encode(), None),
    (
        [TextDelta(MODEL, "\ud83d"), TextDelta(OTHER, "x"), TextDelta(MODEL, "\ude00")],
        "x\U0001f600".encode(),
        None,
    ),
    ([TextDelta(MODEL, ""), TextDelta(MODEL, "a")], b"a", None),
    ([TextDelta(MODEL, "\ud83d\ude00")], "\U0001f600".encode(), None),
    ([TextDelta(MODEL, "\ud83d"), TextDelta(MODEL, "a")], "\ufffda".encode(), None),
    ([TextDelta(MODEL, "\ude00a")], "\ufffda".encode(), None),
    ([TextDelta(MODEL, "a\ud83d"), RunFinished(RUN, "")], "a\ufffd".encode(), "a\ud83d"),
    ([TextDelta(MODEL, "a\ud83d"), RunError("run_failed", "No.", "e")], b"a", None),
    ([TextDelta(MODEL, "a"), RunError("run_failed", "No.", "e")], b"a", None),
]


@pytest.mark.parametrize(("events", "wire", "answer"), CASES)
def test_events_become_these_bytes(events: list[Event], wire: bytes, answer: object) -> None:
    encoder, gatherer = TextFormat(), TextFormat()
    assert b"".join(map(encoder.encode, events)) == wire
    assert [gatherer.gather(event) for event in events][-1] == answer


def test_a_chat_of_the_ai_sdk_is_a_conversation_and_all_else_an_input() -> None:
    message = {"id": "1", "role": "user", "parts": [{"type": "text", "text": "Hi"}]}
    chat = {"id": "c", "messages": [message], "trigger": "submit-message"}
    assert TextFormat().parse(FormatRequest(body=chat)).messages == [
        {"role": "user", "content": "Hi"}
    ]
    assert TextFormat().parse(FormatRequest(body={"question": "Hi"})).input == {"question": "Hi"}


def test_an_error_from_the_start_is_text() -> None:
    assert TextFormat.refusal(RunError("x", "No.", "e")) == (b"No. (error id e)", "text/plain")
