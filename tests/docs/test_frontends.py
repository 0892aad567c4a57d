"""The hooks and clients in examples/frontends and examples/web, which the pages show in parts."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..frontends import node
from ..servers import Server, serving
from .blocks import ROOT, pages, source

DOT = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
    "rkJggg=="
)
CITY = "The train to Paris is booked."


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving("tests.docs.frontends_app:app", tmp_path_factory.mktemp("examples")) as server:
        yield server


def visit(url: str, folder: Path, playwright: Path, *steps: tuple[str, ...]) -> Any:
    """What the page shows after the steps of drive.mjs, and the requests that it has sent."""
    node.install()
    task = {"playwright": str(playwright), "page": url, "folder": str(folder), "steps": steps}
    command = [str(node.NODE), str(ROOT / "tests/docs/drive.mjs")]
    done = subprocess.run(command, input=json.dumps(task).encode(), capture_output=True, timeout=90)
    assert done.returncode == 0, done.stderr.decode()
    outcome = json.loads(done.stdout)
    # Chromium reports the response about a new chat, which is a 404, and one to a late answer, too.
    expected = ("404", "409")
    assert [each for each in outcome["errors"] if not any(n in each for n in expected)] == []
    return outcome


def test_the_hooks_of_the_ai_sdk(examples: Server, tmp_path: Path, playwright: Path) -> None:
    picture = tmp_path / "dot.png"
    picture.write_bytes(b64decode(DOT))
    answers = [("wait", "#chat .state", "streaming"), ("wait", "#chat", "That was turn 1.")]
    ready = ("wait", "#chat .state", "ready")
    outcome = visit(
        *(f"{examples.url}/vercel/", tmp_path, playwright),
        *(ready, ("click", "text=Ask"), *answers, ready, ("reload",), ready),
        *(("wait", "#chat", "That was turn 1."), ("click", "text=Again"), *answers, ready),
        *(("click", "text=Edit"), ("wait", "#chat", "And tomorrow?"), *answers, ready),
        *(("upload", "[name=files]", str(picture)), ("click", "text=Ask")),
        *(("wait", "#chat .state", "streaming"), ("click", "#chat >> text=Stop"), ready),
        *(("reload",), ready, ("wait", "#chat:has(img)", "weather"), ("click", "text=Complete")),
        *(("wait", "#completion", "It is: a sentence to finish"), ("click", "text=Which city?")),
        ("wait", "#tools", "You have chosen Rome."),
    )
    requests = [re.sub(r"[\da-f-]{36}", "ID", each) for each in outcome["requests"]]
    assert requests.count("POST /vercel/chat") == 4
    assert requests.count("DELETE /vercel/chat/ID/stream") == 1
    assert outcome["text"].count("What is the weather?") == 1


def test_the_hooks_of_langgraph(examples: Server, tmp_path: Path, playwright: Path) -> None:
    def ask(name: str, answer: str) -> Iterator[tuple[str, ...]]:
        yield from (("click", f"#{name} >> text=Ask"), ("wait", f"#{name}", answer))
        yield "wait", f"#{name} .state", "ready"

    question = 'book_train({"city":"Paris"})?'
    visit(
        *(f"{examples.url}/langgraph/", tmp_path, playwright),
        *(*ask("sdk", question), ("reload",), ("wait", "#sdk", question)),
        *(("click", "#sdk >> text=Approve"), ("wait", "#sdk", f"{CITY} That was wish number 1.")),
        *(("wait", "#sdk .state", "ready Booking Paris"), *ask("sdk", question)),
        *(("click", "#sdk >> text=Reject"), ("wait", "#sdk", "rejected")),
        *(("click", "#sdk >> text=Stop"), ("wait", "#sdk .state", "ready")),
        *(*ask("branches", "1: Hello"), ("click", "#branches >> text=Edit")),
        *(("wait", "#branches", "1: Good morning"), ("wait", "#branches", "Branch 2")),
        *(("click", "#branches >> text=Branch 1"), ("wait", "#branches", "1: Hello")),
        *(*ask("react", question), ("click", "#react >> text=Approve")),
        *(("wait", "#react", "That was wish number 1."), *ask("stateless", "and a book.")),
    )


def test_the_agent_of_ag_ui(examples: Server, tmp_path: Path, playwright: Path) -> None:
    ask = (("click", "#agent >> text=Ask"), ("wait", "#agent", "Tool execution requires approval"))
    outcome = visit(
        *(f"{examples.url}/agui/", tmp_path, playwright),
        *(*ask, ("reload",), ask[1], ("click", "text=Approve")),
        *(("wait", "#agent", f"{CITY} That was wish number 1."), ("wait", ".state", "ready")),
        # The model's answer begins when the step before it, with the tool's result, is complete.
        *(
            *ask,
            ("click", "button:text('Reject')"),
            ("wait", ".user ~ .user ~ .tool + .assistant", "User"),
        ),
        *(("click", "text=Stop"), ("wait", ".state", "ready"), ("reload",)),
        *(("wait", "#agent", "wish number 1."), ("wait", ".state", "ready"), *ask),
        *(("click", "button:text('Reject')"), ("wait", "#agent", "wish number 3.")),
        # Two tabs answer, the first one too late.
        *(("wait", ".state", "ready"), *ask, ("tab", "1"), ask[1], ("click", "text=Approve")),
        *(("wait", "#agent", "wish number 4."), ("wait", ".state", "ready")),
        *(("tab", "0"), ("click", "text=Approve")),
        *(("wait", "#agent", "wish number 4."), ("wait", "[role=alert]", "not_pending")),
        *(("wait", ".state", "ready"), *ask, ("click", "text=Approve")),
        *(("wait", "#agent", "wish number 5."), ("wait", ".state", "ready")),
        *(("click", "text=Which city?"), ("wait", "#tools", "The page says: Rome")),
    )
    assert outcome["requests"].count("POST /agui/page-tools") == 2


CLIENTS = {
    "openai_clients": ("openai/v1", ["call_1 tool_calls", "rate_limited", "Take an umbrella"]),
    "langgraph_clients": ("langgraph/api", ["wish number 1.", "success", "I have a ticket."]),
    "openai_clients.mjs": ("openai/v1", ["a small script", "404 model_not_found", "an umbrella"]),
    "langgraph_client.mjs": ("langgraph/api", ["1: Hello", "404 HTTP 404: "]),
}


@pytest.mark.parametrize("name", CLIENTS)
def test_the_clients(examples: Server, name: str) -> None:
    path, words = CLIENTS[name]
    command = [sys.executable, "-m", f"examples.frontends.{name}"]
    if name.endswith(".mjs"):
        node.install()
        command = [str(node.NODE), str(ROOT / "examples/web" / name)]
    env = {**os.environ, "URL": f"{examples.url}/{path}"}
    done = subprocess.run(command, capture_output=True, timeout=60, env=env, cwd=ROOT)
    assert done.returncode == 0, done.stderr.decode()
    for each in words:
        assert each in done.stdout.decode(), done.stdout.decode()


def test_what_a_page_copies_is_an_example() -> None:
    for page in pages():
        for path in re.findall(r"^<!-- from ([^: ]+)", source(page), re.M):
            assert path.startswith(("examples/", "tests/frontends/")), page
