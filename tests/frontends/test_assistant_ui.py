"""assistant-ui with its LangGraph runtime, in a real Chromium, on threads of ``langgraph``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..servers import Server, serving
from .browser_pages import bundle, drive
from .node import HERE

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("assistant")
    bundle(HERE / "assistant_ui" / "page.jsx", folder / "page.js")
    env = {"PAGE": str(folder / "page.js")}
    with serving("tests.frontends.assistant_app:app", folder, env=env) as server:
        yield server


SHOW = ("show", "#thread")
IDLE = ("wait", "#send")
RELOAD = ("reload", "")

Step = tuple[str, ...]


def send(text: str, answer: str) -> list[Step]:
    return [("fill", "#input", text), ("click", "#send"), ("text", answer), IDLE]


def opened(title: str, text: str) -> list[Step]:
    """Load the page again, and choose a thread in the list."""
    return [RELOAD, ("click", f"#threads >> text={title}"), ("text", text)]


async def visit(server: Server, playwright: Path, *steps: Step) -> Any:
    outcome = await drive("clicks", playwright, url=f"{server.url}/page", steps=steps)
    assert outcome["errors"] == []
    return outcome


def lines(shown: str) -> list[str]:
    return [each for each in shown.split("\n") if each]


def runs(outcome: Any) -> list[Any]:
    return [body for path, body in outcome["sent"] if path.endswith("/runs/stream")]


async def test_a_thread_that_is_loaded_again_asks_again(
    assistant: Server, playwright: Path
) -> None:
    outcome = await visit(
        *(assistant, playwright),
        *send("hello", "1: hello"),
        *send("refund 5, look 1", "May I refund?"),
        *(SHOW, *opened("hello", "May I refund?"), SHOW),
        *(("click", "#yes"), ("text", "6: refunded 5; looked at 1"), IDLE, SHOW),
        *(*opened("hello", "6: refunded 5; looked at 1"), SHOW),
        *(("click", "text=Delete"), ("gone", "text=Delete"), RELOAD, IDLE, ("show", "#threads")),
    )
    question, loaded, answered, later, deleted = map(lines, outcome["shown"])
    calls = "[refund 5: open][look 1: open]"
    assert question[:-1] == ["hello", "1: hello", "refund 5, look 1", "Let me see.", calls]
    assert question == loaded
    assert answered[4:] == [
        "[refund 5: refunded 5][look 1: looked at 1]",
        "6: refunded 5; looked at 1",
    ]
    assert (later, deleted) == (answered, [])


async def test_a_stop_and_the_next_message(assistant: Server, playwright: Path) -> None:
    outcome = await visit(
        *(assistant, playwright),
        *(("fill", "#input", "slowly"), ("click", "#send"), ("text", "slowlyslowly")),
        *(("click", "#cancel"), IDLE, *send("hello", "2: hello"), SHOW),
        *(*opened("slowly", "2: hello"), SHOW),
    )
    stopped, later = map(lines, outcome["shown"])
    assert re.fullmatch("1: (slowly){2,}[slowy]*", stopped[1])
    # What the model had said so far is not in the thread, but the user's message is.
    assert later == ["slowly", "hello", "2: hello"]


async def test_a_message_instead_of_an_answer(assistant: Server, playwright: Path) -> None:
    outcome = await visit(
        *(assistant, playwright),
        *send("refund 5, refund 7", "May I refund,refund?"),
        *(*send("hello", "5: hello"), SHOW),
    )
    [shown] = outcome["shown"]
    assert shown.count('{"cancelled":true}') == 2
    kinds = [each["type"] for each in runs(outcome)[-1]["input"]["messages"]]
    assert kinds == ["tool", "tool", "human"]


async def test_an_edited_message_and_another_answer(assistant: Server, playwright: Path) -> None:
    outcome = await visit(
        *(assistant, playwright),
        *(*send("one", "1: one"), *send("two", "3: two"), *send("three", "5: three")),
        *(("click", ".message >> nth=3 >> [aria-label=Again]"), ("gone", ".message >> nth=4")),
        *(("text", "3: two"), IDLE, SHOW),
        *(("click", ".message >> nth=2 >> [aria-label=Edit]"), ("fill", "#edited", "new")),
        *(("click", "#resend"), ("text", "3: new"), IDLE, SHOW, *opened("one", "3: new"), SHOW),
    )
    again, edited, later = map(lines, outcome["shown"])
    assert again == ["one", "1: one", "two", "3: two"]
    assert edited == later == ["one", "1: one", "new", "3: new"]
    assert ["checkpoint" in each for each in runs(outcome)] == [*[False] * 3, True, True]
