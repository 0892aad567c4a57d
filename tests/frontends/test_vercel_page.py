"""``useChat`` with approvals in a real Chromium."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..clients import new_key
from ..servers import Server, serving
from . import node

pytestmark = pytest.mark.anyio

BOTH = "refund 5, look 1, refund 7"


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("bank")
    node.install()
    program = node.MODULES / "@esbuild" / "linux-x64" / "bin" / "esbuild"
    options = ("--bundle", "--format=esm", "--jsx=automatic", "--log-level=error")
    file = folder / "page.js"
    command = [str(program), "approvals.jsx", *options, f"--outfile={file}"]
    subprocess.run(command, cwd=node.HERE, check=True, timeout=60)
    with serving("tests.frontends.bank:app", folder, env={"PAGE": str(file)}) as server:
        yield server


async def visit(bank: Server, playwright: Path, path: str, *steps: tuple[str, ...]) -> Any:
    url = f"{bank.url}/page#~{path}~{new_key()}"
    task = {"playwright": str(playwright), "url": url, "steps": [[*each, ""][:2] for each in steps]}
    done = await asyncio.to_thread(
        lambda: subprocess.run(
            [str(node.NODE), str(node.HERE / "approvals.mjs")],
            input=json.dumps(task).encode(),
            capture_output=True,
            timeout=90,
        )
    )
    assert done.returncode == 0, done.stderr.decode()
    outcome = json.loads(done.stdout)
    assert outcome["errors"] == []
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
    # What a message said before an approval is not in the stream of the run that goes on from it.
    before = "" if words == "slowly" else "Let me see. "
    assert before in later
    assert resumed == later.replace(before, "")
