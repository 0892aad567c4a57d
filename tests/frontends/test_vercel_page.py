"""``useChat`` with approvals in a real Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ..clients import new_key
from ..servers import Server, serving
from .browser_pages import bundle, drive
from .node import HERE

pytestmark = pytest.mark.anyio

BOTH = "refund 5, look 1, refund 7"


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("bank")
    file = folder / "page.js"
    bundle(HERE / "approvals.jsx", file)
    with serving("tests.frontends.bank:app", folder, env={"PAGE": str(file)}) as server:
        yield server


READY = "window.chat?.status === 'ready'"
STEPS: dict[str, Callable[..., list[list[str]]]] = {
    "send": lambda text: [["is", READY], ["do", f"void chat.sendMessage({{ text: '{text}' }})"]],
    "ready": lambda: [["is", READY]],
    "stop": lambda: [["do", "chat.stop()"]],
    "wait": lambda text: [["text", text]],
    "click": lambda id_: [["click", f"#{id_}"]],
    "show": lambda: [["show", "#root"]],
    "reload": lambda: [["reload", ""]],
}
"""What a person does with the page, and the program."""


async def visit(bank: Server, playwright: Path, path: str, *steps: tuple[str, ...]) -> Any:
    url = f"{bank.url}/page#~{path}~{new_key()}"
    clicks = [click for what, *about in steps for click in STEPS[what](*about)]
    outcome = await drive("clicks", playwright, url=url, steps=clicks)
    # The page asks for its chat, which is new.
    assert [each for each in outcome["errors"] if not each.startswith("404 ")] == []
    return outcome


def states(message: Any) -> list[str]:
    return [each["state"] for each in message["parts"] if each["type"] == "dynamic-tool"]


def texts(message: Any) -> list[str]:
    return [each["text"] for each in message["parts"] if each["type"] == "text"]


@pytest.mark.parametrize("path", ["batched", "per_call", "nested", "kept"])
async def test_approve_and_reject(bank: Server, playwright: Path, path: str) -> None:
    outcome = await visit(
        *(bank, playwright, path),
        ("send", BOTH),
        ("wait", "[refund 7: approval-requested"),
        ("click", "yes-call_1_0"),
        ("click", "no-call_1_2"),
        ("wait", "too much"),
        ("ready",),
        ("send", "thanks"),
        ("wait", "7: thanks"),
    )
    assert [each["role"] for each in outcome["messages"]] == ["user", "assistant"] * 2
    answer = outcome["messages"][1]
    assert states(answer) == ["output-available", "output-available", "output-denied"]
    assert len(outcome["sent"]) == 3
    assert "too much" in texts(answer)[-1]
    assert "refunded 5" in texts(answer)[-1]


@pytest.mark.parametrize("path", ["batched", "per_call", "kept"])
async def test_a_page_that_is_loaded_again_shows_the_open_approvals(
    bank: Server, playwright: Path, path: str
) -> None:
    outcome = await visit(
        *(bank, playwright, path),
        ("send", "hello"),
        ("wait", "1: hello"),
        ("ready",),
        ("send", "refund 5, look 1"),
        ("wait", "approval-requested"),
        ("ready",),
        ("show",),
        ("reload",),
        ("wait", "approval-requested"),
        ("show",),
        ("click", "yes-call_2_0"),
        ("wait", "6: refunded 5"),
        ("ready",),
        ("show",),
        ("reload",),
        ("wait", "6: refunded 5"),
        ("show",),
    )
    before, after, done, later = outcome["shown"]
    assert before.count("Approve") == after.count("Approve") == 1
    assert done == later
    assert len(outcome["sent"]) == 3


async def test_a_stop_and_the_next_message(bank: Server, playwright: Path) -> None:
    outcome = await visit(
        *(bank, playwright, "batched"),
        ("send", "slowly"),
        ("wait", "slowlyslowly"),
        ("stop",),
        ("ready",),
        ("send", "hello"),
        ("wait", ": hello"),
        ("ready",),
        ("show",),
        ("reload",),
        ("wait", ": hello"),
        ("show",),
    )
    # What the model had said so far is not in the thread, but the user's message is.
    assert texts(outcome["messages"][-1]) == ["2: hello"]
    assert outcome["shown"][0].count("hello") == outcome["shown"][1].count("hello") == 2


@pytest.mark.parametrize("words", ["slowly", "refund 99"])
async def test_a_page_that_is_loaded_again_in_mid_answer_shows_all_of_it(
    bank: Server, playwright: Path, words: str
) -> None:
    approve = [("wait", "approval-requested"), ("click", "yes-call_1_0")]
    outcome = await visit(
        *(bank, playwright, "kept"),
        ("send", words),
        *(approve if words == "refund 99" else ()),
        ("wait", "slowlyslowlyslowly"),
        ("reload",),
        ("wait", "slowlyslowlyslowly"),
        ("wait", "slowly" * 60),
        ("ready",),
        ("show",),
        ("reload",),
        ("wait", "slowly" * 60),
        ("ready",),
        ("show",),
    )
    resumed, later = outcome["shown"]
    assert ("Let me see. " in later) == (words == "refund 99")
    assert resumed == later
