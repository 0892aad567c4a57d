"""``asgi-stream call -m``: what a route takes, and where it says so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result
from langchain_core.messages import BaseMessage
from langchain_core.runnables import Runnable, RunnableLambda
from typing_extensions import TypedDict

from asgi_stream import StreamApp, StreamRoute
from asgi_stream.cli import route_schema
from asgi_stream.cli.commands import main
from asgi_stream.cli.message_body import NoMessageInput, body_with, run_operation
from asgi_stream.openapi.document import document

from ..client.conftest import notes, served, server
from ..servers import Server

__all__ = ["notes", "served", "server"]  # fixtures


class Question(TypedDict):
    question: str


class Chat(TypedDict):
    history: list[BaseMessage]
    question: str


class Trip(TypedDict):
    start: str
    end: str


class Counted(TypedDict):
    question: str
    count: int


class Chosen(TypedDict):
    messages: list[BaseMessage]
    number: int


def takes(type_: Any) -> Runnable[Any, Any]:
    return RunnableLambda(lambda value: value).with_types(input_type=type_)


ROUTES = [
    StreamRoute("/text", takes(str)),
    StreamRoute("/question", takes(Question)),
    StreamRoute("/chat", takes(Chat)),
    StreamRoute("/messages", takes(list[BaseMessage])),
    StreamRoute("/either", takes(str | list[BaseMessage])),
    StreamRoute("/trip", takes(Trip)),
    StreamRoute("/counted", takes(Counted)),
    StreamRoute("/chosen", takes(Chosen)),
    StreamRoute("/number", takes(int)),
    StreamRoute("/anything", RunnableLambda(lambda value: value)),
    StreamRoute("/neither", takes(int | list[int])),
    StreamRoute("/vercel", takes(list[BaseMessage]), format="vercel"),
    StreamRoute("/openai", takes(list[BaseMessage]), format="openai"),
    StreamRoute("/agui/{bot}", takes(list[BaseMessage]), format="agui"),
    StreamRoute("/langserve", takes(Question), format="langserve"),
]
DOCUMENT = document(StreamApp(ROUTES).table)


def body(path: str, *texts: str, thread_id: str | None = None) -> Any:
    operation = run_operation(DOCUMENT, path)
    assert operation is not None
    return body_with(texts, operation[1], DOCUMENT["components"]["schemas"], thread_id)


def without_ids(value: Any) -> Any:
    text = json.dumps(value)
    return json.loads(text, object_hook=lambda each: {k: v for k, v in each.items() if k != "id"})


HUMAN = [["human", "a"], ["human", "b"]]
BODIES: list[tuple[str, Sequence[str], Any]] = [
    ("/text", "a", "a"),
    ("/question", "a", {"question": "a"}),
    ("/chat", "ab", {"history": [["human", "a"]], "question": "b"}),
    ("/messages", "ab", HUMAN),
    ("/either", "ab", HUMAN),
    ("/langserve", "a", {"input": {"question": "a"}}),
    ("/langserve/invoke", "a", {"input": {"question": "a"}}),
    (
        "/openai",
        "a",
        {"model": "openai", "stream": True, "messages": [{"role": "user", "content": "a"}]},
    ),
    ("/vercel/", "a", {"messages": [{"role": "user", "parts": [{"type": "text", "text": "a"}]}]}),
]


@pytest.mark.parametrize(("path", "texts", "expected"), BODIES)
def test_a_body_is_made_from_the_schema(path: str, texts: Sequence[str], expected: Any) -> None:
    assert without_ids(body(path, *texts)) == expected


def test_a_body_has_the_id_of_the_thread_where_clients_send_it() -> None:
    made = body("/agui/ann", "a", thread_id="t")
    assert made["threadId"] == "t"
    assert made["runId"] != "t"
    assert body("/agui/ann", "a")["threadId"]
    assert body("/vercel", "a", thread_id="t")["id"] == "t"


REFUSED = [
    ("/text", "ab", "it takes one text, so one message"),
    ("/trip", "a", "it is an object with start, end"),
    ("/counted", "a", "it requires count too"),
    ("/chosen", "a", "it requires number too"),
    ("/number", "a", "it is not a text, a conversation"),
    ("/anything", "a", "it is not a text, a conversation"),
    ("/neither", "a", "it is not a text, a conversation"),
]


@pytest.mark.parametrize(("path", "texts", "why"), REFUSED)
def test_what_else_a_route_requires_is_named(path: str, texts: str, why: str) -> None:
    with pytest.raises(NoMessageInput, match=why):
        body(path, *texts)


def test_values_that_are_not_the_user_s() -> None:
    schema = {
        "type": "object",
        "required": ["text", "lang", "unknown", "size"],
        "properties": {
            "text": {"type": "string"},
            "lang": {"enum": ["en"]},
            "size": {"type": "integer", "default": 3},
        },
    }
    with pytest.raises(NoMessageInput, match="it requires unknown too"):
        body_with(["a"], schema, {}, None)
    schema["required"] = ["text", "lang", "size"]
    assert body_with(["a"], schema, {}, None) == {"text": "a", "lang": "en", "size": 3}
    optional = {"type": "object", "properties": {"text": {"type": "string"}}}
    assert body_with(["a"], optional, {}, None) == {"text": "a"}
    with pytest.raises(NoMessageInput, match="it is an object with any fields"):
        body_with(["a"], {"type": "object", "properties": {}}, {}, None)


def test_no_operation() -> None:
    assert run_operation(DOCUMENT, "/nothing") is None
    assert run_operation({}, "/nothing") is None


def invoke(*args: str) -> Result:
    return CliRunner().invoke(main, ["call", *args])


@pytest.mark.parametrize(
    "path", ["tokens", "text", "langserve", "vercel", "openai", "agui", "langgraph", "model"]
)
def test_call_sends_a_message_to_any_route(server: Server, path: str) -> None:
    done = invoke(f"{server.url}/{path}", "-m", "Hi")
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == "Hello"


def test_call_says_why_it_cannot_send_a_message(server: Server) -> None:
    done = invoke(f"{server.url}/nowhere/chat", "-m", "Hi")
    assert done.exit_code == 2
    assert "no OpenAPI document describes a run there; tried " in done.stderr
    assert f"{server.url}/nowhere/openapi.json, {server.url}/openapi.json." in done.stderr
    done = invoke(f"{server.url}/plain", "-m", "Hi")
    assert "it is not a text, a conversation or an object that has one. Send it" in done.stderr
    done = invoke(f"{server.url}/tokens", "-m", "Hi", "--input", "{}")
    assert (done.exit_code, "exclude each other" in done.stderr) == (2, True)
    done = invoke("http://127.0.0.1:9/x", "-m", "Hi")
    assert (done.exit_code, "✗ http://127.0.0.1:9/x: " in done.stderr) == (1, True)


def test_a_document_may_be_at_the_mount_or_above_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def get(url: str, **_: Any) -> httpx.Response:
        documents = {
            "http://x/a/openapi.json": httpx.Response(404, json=DOCUMENT),
            "http://x/openapi.json": httpx.Response(200, json=[]),
            "http://y/a/openapi.json": httpx.Response(200, json=DOCUMENT),
            "http://z/a/openapi.json": httpx.Response(200, text="<html>"),
        }
        return documents.get(url, httpx.Response(404))

    monkeypatch.setattr(httpx, "get", get)
    about: Any = {"headers": {}, "thread_id": None, "timeout": 1}
    made = route_schema.addressed("http://y/a/question?x=1", ["a"], **about)
    assert made == ("http://y/a/question?x=1", {"question": "a"})
    for host in "xz":
        with pytest.raises(NoMessageInput):
            route_schema.addressed(f"http://{host}/a/question", ["a"], **about)
    with pytest.raises(NoMessageInput, match=r"tried http://w/openapi.json$"):
        route_schema.addressed("http://w", ["a"], **about)
