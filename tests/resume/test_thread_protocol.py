"""Commands and events of threads in a format that has paths for them, and nothing more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from asgi_stream import StreamApp, StreamRoute
from asgi_stream.formats import Answer, FormatRequest, RunSpec
from asgi_stream.formats.chunks import ChunksFormat

from ..asgi import JSON, Exchange, post
from ..formats.langgraph_app import Echo, ask_graph, chat_graph

pytestmark = pytest.mark.anyio

THREAD = "/threads/{stored_thread}"
QUESTION = {"question": "Shall I?", "log": []}


class Followed(ChunksFormat):
    """A command has an input and the name of a graph, or an answer."""

    chooses = True
    multitask = "enqueue"
    thread_runs: ClassVar[Mapping[tuple[str, str], str]] = {
        ("POST", f"{THREAD}/commands"): "command",
        ("POST", f"{THREAD}/events"): "events",
    }

    def parse(self, request: FormatRequest) -> RunSpec:
        match request.body:
            case {"graph": graph, "input": value}:
                return RunSpec(input=value, model=graph, background=True)
            case {"answer": value}:
                answers, [first, *_] = [Answer(value=value)], request.models
                return RunSpec(answers=answers, model=first, background=True)
        raise AssertionError(request.body)


@pytest.fixture
def app() -> StreamApp:
    saver = InMemorySaver()
    graphs: Any = {"chat": chat_graph(Echo(), saver), "ask": ask_graph(saver)}
    name = f"{__name__}:Followed"
    return StreamApp([StreamRoute("/bots", graphs, format=name, threads=True, resume=True)])


async def test_a_client_gets_the_frames_of_all_runs_as_they_are(app: StreamApp) -> None:
    commands = ({"graph": "ask", "input": QUESTION}, {"answer": "yes"})
    async with Exchange(app, "POST", "/bots/threads/t1/events", {}, headers=JSON) as events:
        for body in commands:
            exchange = await post(app, "/bots/threads/t1/commands", body)
            run_id = exchange.json()["run_id"]
            assert exchange.headers["x-run-id"] == run_id
            await events.until(f"id: {run_id}:1\n".encode())
        await events.until(b"answered yes")


async def test_a_command_that_is_refused_is_answered_with_its_error(app: StreamApp) -> None:
    exchange = await post(app, "/bots/threads/t1/commands", {"answer": "yes"})
    assert (exchange.status, exchange.json()["error"]["code"]) == (200, "not_pending")
