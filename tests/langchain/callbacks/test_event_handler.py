"""The events of each run in the corpus, a line for each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessageChunk
from langchain_core.retrievers import BaseRetriever

from asgi_stream._langchain.callbacks.event_handler import EventHandler
from asgi_stream.events import (
    ALL_EVENTS,
    BlockFinished,
    BlockStarted,
    Custom,
    Event,
    FileMade,
    ModelFinished,
    ModelStarted,
    NodeFinished,
    NodeStarted,
    OutputChunk,
    ReasoningDelta,
    RunError,
    RunFinished,
    SourceFound,
    Step,
    TextDelta,
    TextDiscarded,
    ToolCallDelta,
    ToolCalled,
    ToolCallStarted,
    ToolFailed,
    ToolFinished,
)

from ...corpus import RUNS, Recording, narrated, record
from ...models import Scripted
from ..handlers import callbacks_for

pytestmark = pytest.mark.anyio


def brief(event: Event, root: str) -> str:
    """Return the event in a line, without ids that differ from run to run."""
    match event:
        case NodeStarted(step=step) | NodeFinished(step=step):
            return f"{type(event).__name__} {step.name}"
        case ModelStarted():
            return "ModelStarted"
        case ModelFinished():
            about = [event.model, event.provider, event.usage.get("total_tokens")]
            return " ".join(["ModelFinished", event.reason, *(str(a) for a in about if a)])
        case BlockStarted(step=step) | BlockFinished(step=step):
            block = event.block.replace(step.run_id, "root" if step.run_id == root else "model")
            return f"{type(event).__name__} {event.kind} {block}"
        case TextDelta(text=text) | ReasoningDelta(text=text):
            return f"  {text}"
        case TextDiscarded():
            return "TextDiscarded"
        case ToolCallStarted(call_id=id_, name=name, message=message, hosted=hosted):
            by = ("model" if message else "code") + (", hosted" if hosted else "")
            return f"ToolCallStarted {_id(id_)} {name} ({by})"
        case ToolCallDelta(call_id=id_, text=text):
            return f"  {_id(id_)} {text}"
        case ToolCalled(call_id=id_, arguments=arguments, valid=valid):
            return f"ToolCalled {_id(id_)} {arguments}" + ("" if valid else " (no JSON)")
        case ToolFinished(call_id=id_, output=output):
            return f"ToolFinished {_id(id_)} {event.name} {output}"
        case ToolFailed(call_id=id_, message=message):
            return f"ToolFailed {_id(id_)} {event.name} {message}"
        case SourceFound(source_id=id_, title=title, url=url):
            return f"SourceFound {id_} {title} {url}"
        case FileMade(media_type=media_type, url=url):
            return f"FileMade {media_type} {url}"
        case Custom(name=name, data=data):
            return f"Custom {name} {data}"
        case RunFinished(interrupts=interrupts):
            return " ".join(["RunFinished", *(str(each.value) for each in interrupts)])
        case RunError(code=code):
            return f"RunError {code}"
    raise AssertionError(event)


def _id(call_id: str) -> str:
    return re.sub(r"[0-9a-f-]{36}", "uuid", call_id)


def _expected() -> dict[str, list[str]]:
    """Return the lines of events.txt by the name of the run."""
    runs: dict[str, list[str]] = {}
    for line in (Path(__file__).with_name("events.txt")).read_text().splitlines():
        if line.startswith("== "):
            lines = runs[line[3:]] = []
        else:
            lines.append(line)
    return runs


EXPECTED = _expected()
AT_ONCE = (
    *("two models at once", "two nodes at once", "custom events", "a question"),
    "a model that is left running",
)
"""Runs with concurrent branches, of which either may be first."""


@pytest.mark.parametrize("name", RUNS)
async def test_a_run_emits_its_events_in_order(name: str) -> None:
    started, *events = await narrated(name)
    root = started.run_id  # type: ignore[union-attr]  # the first is a RunStarted
    lines = [brief(event, root) for event in events if not isinstance(event, OutputChunk)]
    expected = EXPECTED[name]
    if name in AT_ONCE:
        lines, expected = sorted(lines), sorted(expected)
    assert lines == expected


def test_the_expected_events_are_those_of_the_corpus() -> None:
    assert EXPECTED.keys() == RUNS.keys()


@pytest.mark.parametrize("name", RUNS)
async def test_what_starts_ends_once_and_each_delta_is_in_between(name: str) -> None:
    opened: set[str] = set()
    calls: set[str] = set()
    for event in await narrated(name):
        match event:
            case BlockStarted(block=block):
                assert block not in opened
                opened.add(block)
            case TextDelta(block=block) | ReasoningDelta(block=block):
                assert block in opened
            case BlockFinished(block=block):
                opened.remove(block)
            case ToolCallStarted(call_id=id_):
                assert id_ not in calls
                calls.add(id_)
            case ToolCallDelta(call_id=id_):
                assert id_ in calls
            case ToolCalled(call_id=id_):
                calls.remove(id_)
            case RunFinished():
                assert not opened
                assert not calls


async def test_a_node_that_is_left_running_is_ended_with_the_run() -> None:
    sink = Recording(ALL_EVENTS)
    callbacks, tracker = callbacks_for(sink, EventHandler)
    about = {"name": "late", "tags": ["graph:step:1"], "metadata": {"langgraph_node": "late"}}
    callbacks.on_chain_start({}, {}, run_id=uuid4(), **about)
    callbacks._handler.concluded(Step(str(tracker.root_id), "root", "chain"), "")
    assert [type(event) for event in sink.events] == [NodeStarted, NodeFinished]


async def test_a_token_after_the_end_of_its_model_is_ignored() -> None:
    sink = Recording(ALL_EVENTS)
    callbacks, _ = callbacks_for(sink, EventHandler)
    callbacks._token("late", run_id=uuid4())
    assert sink.events == []


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("/etc/secret/f.pdf", "f.pdf"),
        ("f.pdf", "f.pdf"),
        (r"C:\srv\secret\report.pdf", "report.pdf"),
        (r"\\fileserver\hr\pay.xlsx", "pay.xlsx"),
        (r"mixed\of/both\a.txt", "a.txt"),
        ("file:///etc/secret/g.pdf", "g.pdf"),
        ("s3://bucket/secret/h.pdf?X-Amz-Signature=abc/def", "h.pdf"),
        ("/srv/folder/", "folder"),
        ("/srv/why?.txt", "why?.txt"),
        ("C:report.pdf", "report.pdf"),
        ("C:", "Source"),
        (r"file:C:\secret\a.pdf", "a.pdf"),
        ("file:///C%3A%5Csecret%5Cenc.pdf", "enc.pdf"),
        ("FILE:///secret/%2Fetc%2Fb%20c.pdf", "b c.pdf"),
    ],
)
async def test_of_a_file_the_client_sees_the_name_only(location: str, shown: str) -> None:
    for about in ({"source": location}, {"url": location}, {"title": location, "source": location}):
        assert await source_of(documents(about)) == (shown, None)
    assert await source_of(citing({"url": location})) == (shown, None)
    assert await source_of(citing({"url": location, "title": location})) == (shown, None)


@pytest.mark.parametrize(
    ("about", "source"),
    [
        ({"title": r"C:\srv\secret\r.pdf"}, ("r.pdf", None)),
        ({"title": "~/secret/r.pdf", "url": "https://x.org/r"}, ("r.pdf", "https://x.org/r")),
        ({"title": "s3://b/secret/r.pdf?key"}, ("r.pdf", None)),
        ({"title": "TCP/IP: an overview"}, ("TCP/IP: an overview", None)),
        ({"title": "HTTP://x.org/a"}, ("HTTP://x.org/a", None)),
        ({"title": "A", "url": "HTTPS://x.org/a.pdf"}, ("A", "HTTPS://x.org/a.pdf")),
        ({}, ("Source", None)),
    ],
)
async def test_a_title_is_what_it_says_but_for_a_path(
    about: dict[str, str], source: tuple[str, str | None]
) -> None:
    assert await source_of(documents(about)) == source
    assert await source_of(citing(about)) == source


async def test_what_is_on_the_web_has_a_title_too() -> None:
    location = "HTTPS://x.org/a.pdf"
    assert await source_of(documents({"source": location})) == ("a.pdf", location)
    assert await source_of(citing({"url": location})) == (location, location)


def documents(about: dict[str, str]) -> Any:
    class Finds(BaseRetriever):
        def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
            return [Document("x", metadata=about)]

    return Finds()


def citing(about: dict[str, str]) -> Any:
    text = {"type": "text", "text": "x", "annotations": [{"type": "citation", **about}]}
    return Scripted(script=[AIMessageChunk(content=[text])])


async def source_of(runnable: Any) -> tuple[str, str | None]:
    [source] = [
        event for event in await record(runnable, "x", ALL_EVENTS) if isinstance(event, SourceFound)
    ]
    return source.title, source.url
