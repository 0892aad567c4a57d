"""What every format of the folder has to hold."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_stream import formats
from asgi_stream.events import (
    Event,
    LangChainEvent,
    OutputChunk,
    RunError,
    RunFinished,
    RunStarted,
    Step,
    TextDelta,
)
from asgi_stream.importer import ImportFailed

from ..asgi import frames

STEP = Step("r", "n\r\n\x00", "chat_model", ["t\n"])
ODD: Any = {"text": "\u2028\x85\r\n", "object": object(), (1, 2): float("nan")}
EVENTS: list[Event] = [
    RunStarted("r"),
    TextDelta(STEP, "a\r\n\x00\u2028"),
    OutputChunk(STEP, ODD),
    LangChainEvent(STEP, "on_x", ODD),
]
ENDS: list[Event] = [
    RunFinished(STEP, ODD),
    RunFinished(STEP, "x"),
    RunError("run_failed", "The run failed.\r\n", "id"),
]


class Baseless:
    wants = encode = gather = None


FRAMED = [name for name in formats.names() if formats.load(name).media_type == "text/event-stream"]


@pytest.mark.parametrize("name", FRAMED)
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("count", range(len(EVENTS) + 1))
def test_whatever_happens_frames_are_well_formed_and_the_last_is_terminal(
    name: str, end: Event, count: int
) -> None:
    encoder = formats.load(name)()
    body = b"".join(encoder.encode(event) for event in [*EVENTS[:count], end])
    *_, last = frames(body)
    assert last == "[DONE]"
    assert (b'"error"' in body) == isinstance(end, RunError)


def test_the_folder_is_the_registry() -> None:
    assert formats.names() == ["chunks", "events", "text", "tokens"]


def test_a_format_from_elsewhere_is_named_by_module_and_class() -> None:
    assert formats.load("asgi_stream.formats.tokens:Format") is formats.load("tokens")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nope", "expected one of chunks, events, text, tokens or \"module:Class\", not 'nope'"),
        ("json:nope", "the module 'json' has no attribute 'nope'"),
        ("json:dumps", "'json:dumps' is not a format class (it has no wants, encode, gather)"),
        ("json:JSONEncoder", "is not a format class (it has no wants, gather)"),
        (
            "tests.formats.test_formats:Baseless",
            "is not a format class: give it the base asgi_stream.formats.Format",
        ),
    ],
)
def test_what_is_no_format_is_told(name: str, said: str) -> None:
    with pytest.raises(ImportFailed) as told:
        formats.load(name)
    assert said in str(told.value)
