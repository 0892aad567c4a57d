"""What every format of the folder has to hold, for every run of the corpus."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from asgi_stream import StreamApp, StreamRoute, formats
from asgi_stream._importer import ImportFailed
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

from ..asgi import post
from ..corpus import RUNS, as_langchain_tells, narrated
from ..models import chain_of

pytestmark = pytest.mark.anyio

NAMES = [
    *("agui", "chunks", "events", "langgraph", "langserve", "mcp", "openai", "text", "tokens"),
    "vercel",
]
FRAMED = [name for name in NAMES if name != "text"]
FAILURE = RunError("run_failed", "The run failed.\r\n", "id")
STEP = Step("r", "n\r\n\x00", "chat_model", ["t\n"])
ODD: Any = {"text": "\u2028\x85\r\n", "object": object(), (1, 2): float("nan")}


def frames(body: bytes) -> list[tuple[str | None, Any]]:
    """The name and the data of each frame; checks the grammar, as its strictest readers do."""
    text = body.decode("ascii")
    assert "\r" not in text
    *blocks, rest = text.split("\n\n")
    assert rest == ""
    result = []
    for block in blocks:
        match = re.fullmatch(r"(?:event: ([\w/|:.-]+))?\n?(?:data: ([^\n]*))?", block)
        assert match, block
        assert block
        name, data = match.groups()
        result.append((name, data if data in (None, "[DONE]") else json.loads(data)))
    return result


def _is_done(frame: tuple[str | None, Any]) -> bool:
    return bool(frame[1] == "[DONE]")


# How a stream of each format says that the run is over, well and not.
FINISHED: dict[str, Callable[[Any], Any]] = {
    "agui": lambda result: result[-1][1]["type"] == "RUN_FINISHED",
    "langgraph": lambda result: result[-1] == ("end", None),
    "langserve": lambda result: result[-1] == ("end", None),
    "mcp": lambda result: not result[-1][1]["result"]["isError"],
}
FAILED: dict[str, Callable[[Any], Any]] = {
    "agui": lambda result: result[-1][1]["type"] == "RUN_ERROR",
    "langgraph": lambda result: result[-1][0] == "error",
    "langserve": lambda result: result[-1][0] == "error",
    "mcp": lambda result: result[-1][1]["result"]["isError"],
    "openai": lambda result: "error" in result[-1][1],
    "vercel": lambda result: result[-2][1]["type"] == "error" and _is_done(result[-1]),
}


def finished(name: str, result: list[Any]) -> bool:
    return bool(FINISHED[name](result)) if name in FINISHED else _is_done(result[-1])


def failed(name: str, result: list[Any]) -> bool:
    if name in FAILED:
        return bool(FAILED[name](result))
    return "error" in result[-2][1] and _is_done(result[-1])


async def run_of(format: type[formats.Format], name: str) -> list[Event]:
    wants = format().wants
    events = await (as_langchain_tells if LangChainEvent in wants else narrated)(name)
    return [
        event
        for event in events
        if type(event) in wants or isinstance(event, (RunStarted, RunFinished))
    ]


@pytest.mark.parametrize("name", FRAMED)
@pytest.mark.parametrize("run", RUNS)
async def test_a_run_may_fail_anywhere_and_its_stream_says_so(name: str, run: str) -> None:
    format = formats.load(name)
    events = await run_of(format, run)
    for count in range(1, len(events) + 1):
        encoder = format()
        body = b"".join(encoder.encode(event) for event in events[:count])
        if isinstance(events[count - 1], RunFinished):
            assert finished(name, frames(body))
        else:
            assert failed(name, frames(body + encoder.encode(FAILURE)))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("agui", "vercel")])
@pytest.mark.parametrize("run", RUNS)
async def test_a_run_has_one_document_too(name: str, run: str) -> None:
    gatherer = formats.load(name)()
    for event in await run_of(type(gatherer), run):
        document = gatherer.gather(event)
        if isinstance(event, RunFinished):
            assert gatherer.document("r", document, event) is not None or event.output is None


@pytest.mark.parametrize("name", FRAMED)
def test_nothing_that_is_said_breaks_a_frame(name: str) -> None:
    encoder = formats.load(name)()
    events: list[Event] = [
        RunStarted("r"),
        TextDelta(STEP, "a\r\n\x00\u2028", "b"),
        OutputChunk(STEP, ODD, "values", ("a:b",)),
        LangChainEvent(STEP, "on_x", ODD),
        RunFinished(STEP, ODD),
    ]
    assert finished(name, frames(b"".join(map(encoder.encode, events))))


class Baseless:
    wants = encode = None


def test_the_folder_is_the_registry() -> None:
    assert formats.names() == NAMES


def test_a_format_from_elsewhere_is_named_by_module_and_class() -> None:
    assert formats.load("asgi_stream.formats.tokens:TokensFormat") is formats.load("tokens")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nope", f"expected one of {', '.join(NAMES)} or \"module:Class\", not 'nope'"),
        ("json:nope", "the module 'json' has no attribute 'nope'"),
        ("json:dumps", "'json:dumps' is not a format class (it has no wants, encode)"),
        ("json:JSONEncoder", "is not a format class (it has no wants)"),
        (
            "tests.formats.test_formats:Baseless",
            "is not a format class: give it the base asgi_stream.formats.Format",
        ),
    ],
)
def test_an_invalid_format_is_an_error(name: str, message: str) -> None:
    with pytest.raises(ImportFailed) as raised:
        formats.load(name)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("name", "most"), [("agui", 80), ("mcp", 130), ("openai", 199), ("vercel", 55)]
)
async def test_what_a_frame_of_text_repeats_is_short(name: str, most: int) -> None:
    app = StreamApp([StreamRoute("/x", chain_of(*["token"] * 50), format=name)])
    about = {"threadId": "t", "runId": "r", "model": "x", "stream": True}
    path = "/x/chat/completions" if name == "openai" else "/x"
    message = {
        "id": "1",
        "role": "user",
        "content": "Hi",
        "parts": [{"type": "text", "text": "Hi"}],
    }
    body = {**about, "messages": [message]}
    if name == "mcp":
        meta = {"progressToken": "p"}
        params = {"name": "x", "arguments": {"question": "Hi"}, "_meta": meta}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    answer = await post(app, path, body)
    sizes = [len(frame) + 2 for frame in answer.body.split(b"\n\n") if b'"token"' in frame]
    assert len(sizes) == 50
    assert max(sizes) <= most


def test_a_format_without_a_filter_of_its_own_sends_all_frames() -> None:
    assert formats.load("tokens")().joined_frames({"stream_mode": "values"}) is None


def test_a_format_sends_the_first_frame_as_it_is_unless_it_says_otherwise() -> None:
    assert formats.load("tokens")().first_frame(b"data: 1\n\n") == b"data: 1\n\n"
