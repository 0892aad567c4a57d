"""Calls of tools in an app: what runs, what limits it, and what ends it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator
from langchain_core.runnables import (
    Runnable,
    RunnableConfig,
    RunnableGenerator,
    RunnableLambda,
    RunnableParallel,
)
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from pydantic import BaseModel, RootModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from typing_extensions import TypedDict

from asgi_stream import Limits, StreamApp, StreamError, StreamRoute, TableError
from asgi_stream.errors import InvalidInput, NotFound
from asgi_stream.requests import StreamRequest

from ..asgi import Exchange, call, frames, get, post
from ..clients import until
from ..corpus import RUNS
from ..models import chain_of
from .mcp_requests import message, stateless, tool_call

pytestmark = pytest.mark.anyio

STREAM = {"accept": "application/json, text/event-stream"}
TYPED = {"content-type": "application/json", **STREAM}
ASK = {"question": "?"}


def app_of(runnable: Any, **options: Any) -> StreamApp:
    return StreamApp([StreamRoute("/mcp", runnable, format="mcp", **options)])


async def send(app: StreamApp, body: Any, headers: Any = None, **options: Any) -> Exchange:
    return await post(app, "/mcp", body, headers={**STREAM, **(headers or {})}, **options)


def result_in(response: Exchange) -> Any:
    """The result that a call of a tool has been answered with."""
    assert response.status == 200, response.body
    if response.headers["content-type"] == "application/json":
        return response.json()["result"]
    return frames(response.body)[-1]["result"]


async def called(app: StreamApp, name: str, arguments: Any = None, **options: Any) -> Any:
    return result_in(await send(app, tool_call(name, arguments), **options))


async def listed(app: StreamApp) -> dict[str, Any]:
    response = await send(app, message("tools/list"))
    return {tool["name"]: tool for tool in result_in(response)["tools"]}


def fails_with(result: Any) -> tuple[str, str]:
    assert result["isError"] is True
    assert "secret" not in json.dumps(result)
    [content] = result["content"]
    about = result["_meta"]["asgi-stream/error"]
    assert f"(error id {about['id']})" in content["text"]
    return about["code"], content["text"].partition(" (error id")[0]


async def test_the_answer_streams_as_progress() -> None:
    response = await send(app_of(chain_of("Hel", "lo")), tool_call("mcp", ASK, token="p"))
    first, second, last = frames(response.body)
    assert [first["params"], second["params"]] == [
        {"progressToken": "p", "progress": 1, "message": "Hel"},
        {"progressToken": "p", "progress": 2, "message": "lo"},
    ]
    assert last["result"]["content"] == [{"type": "text", "text": "Hello"}]
    assert last["result"]["structuredContent"] == {"output": "Hello"}
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["x-accel-buffering"] == "no"


async def test_a_client_that_accepts_json_only_gets_one_document() -> None:
    app = app_of({"a": chain_of("Hel", "lo"), "b": chain_of(ValueError("secret"))})
    only = {"accept": "application/json"}
    response = await send(app, tool_call("a", ASK, token="p"), only)
    assert response.json()["result"]["structuredContent"] == {"output": "Hello"}
    failed = await send(app, tool_call("b", ASK), only)
    assert fails_with(failed.json()["result"]) == ("run_failed", "The run failed.")


# What each tool takes and returns.


@pytest.mark.parametrize("name", RUNS)
async def test_each_output_fits_the_schema_of_its_tool(name: str) -> None:
    runnable, value = RUNS[name]
    app = app_of({"x": runnable})
    tool = (await listed(app))["x"]
    Draft202012Validator.check_schema(tool["inputSchema"])
    Draft202012Validator.check_schema(tool["outputSchema"])
    assert tool["inputSchema"]["type"] == tool["outputSchema"]["type"] == "object"
    arguments = value if isinstance(value, dict) else {"input": value}
    Draft202012Validator(tool["inputSchema"]).validate(arguments)
    result = await called(app, "x", arguments)
    if not result["isError"]:
        Draft202012Validator(tool["outputSchema"]).validate(result["structuredContent"])
    assert result["isError"] == (name in ("a failure", "a tool that fails"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("an image", [{"type": "image", "data": "AAAA", "mimeType": "image/png"}]),
        (
            "a file at a URL",
            [
                {"type": "text", "text": "See."},
                {
                    **{"type": "resource_link", "uri": "https://example.com/a", "name": "a"},
                    "mimeType": "application/octet-stream",
                },
            ],
        ),
        ("a tool alone", [{"type": "text", "text": "3"}]),
        ("no model and no text", [{"type": "text", "text": '{"x":"hello"}'}]),
        ("nothing", []),
    ],
)
async def test_the_content_has_the_text_and_the_files(name: str, content: Any) -> None:
    runnable, value = RUNS[name]
    arguments = value if isinstance(value, dict) else {"input": value}
    assert (await called(app_of({"x": runnable}), "x", arguments))["content"] == content


def shout(text: str) -> str:
    """Shouts.

    Loudly.
    """
    return text.upper()


async def whisper(text: str) -> str:
    """Whispers."""
    return text.lower()


class Trip(TypedDict):
    to: str


def planner(request: Request) -> Any:
    """Plans a trip."""
    return chain_of("By train.")


class Planners:
    """No description: that of a class."""

    def __call__(self, request: Request) -> Runnable[Any, Any]:
        return RunnableLambda(shout)


async def test_a_tool_is_described_by_the_docstring_of_its_function() -> None:
    tools = await listed(
        app_of(
            {
                "shout": RunnableLambda(shout),
                "bound": RunnableLambda(whisper).with_config(tags=["t"]),
                "plan": planner,
                "made": Planners(),
                "none": chain_of("x"),
                "lambda": RunnableLambda(lambda x: x),
            }
        )
    )
    descriptions = {name: tool.get("description") for name, tool in tools.items()}
    assert descriptions == {
        "shout": "Shouts.\n\nLoudly.",
        "bound": "Whispers.",
        "plan": "Plans a trip.",
        "made": "Shouts.\n\nLoudly.",
        "none": "Runs none.",
        "lambda": "Runs lambda.",
    }


async def test_the_list_leaves_the_event_loop_to_the_runs() -> None:
    class Described(RunnableLambda[str, str]):
        def get_output_jsonschema(self, config: Any = None, **kwargs: Any) -> dict[str, Any]:
            threads.append(threading.current_thread())
            return {"type": "string"}

    threads: list[threading.Thread] = []
    tools = await listed(app_of({"x": Described(str)}))
    assert tools["x"]["outputSchema"]["properties"]["output"] == {"type": "string"}
    assert threads
    assert threading.main_thread() not in threads


async def test_what_a_function_opens_for_the_list_is_closed() -> None:
    events: list[str] = []

    async def opened(request: Request) -> AsyncIterator[Runnable[Any, Any]]:
        events.append("open")
        yield chain_of("x")
        events.append("close")

    assert (await listed(app_of(opened))).keys() == {"mcp"}
    await until(lambda: events == ["open", "close"])


@pytest.mark.parametrize(
    ("arguments", "outcome"),
    [
        ({"input": "hi"}, "HI"),
        ({}, ("invalid_request", "input: required")),
        ({"input": "hi", "x": 1}, ("invalid_request", "x: unexpected; the only argument is")),
        ({"input": 1}, ("invalid_request", "input: ")),
    ],
)
async def test_a_tool_whose_input_is_no_mapping_has_one_argument(
    arguments: Any, outcome: Any
) -> None:
    app = app_of(RunnableLambda(shout), input=str)
    schema = (await listed(app))["mcp"]["inputSchema"]
    assert (schema["required"], [*schema["properties"]]) == (["input"], ["input"])
    result = await called(app, "mcp", arguments)
    if isinstance(outcome, str):
        assert result["structuredContent"]["output"] == outcome
    else:
        code, text = fails_with(result)
        assert (code, text[: len(outcome[1])]) == outcome


async def test_a_tool_whose_input_is_a_mapping_has_its_fields() -> None:
    app = app_of(RunnableLambda(lambda trip: f"to {trip['to']}"), input=Trip)
    schema = (await listed(app))["mcp"]["inputSchema"]
    assert (schema["required"], [*schema["properties"]]) == (["to"], ["to"])
    assert (await called(app, "mcp", {"to": "Rome"}))["structuredContent"]["output"] == "to Rome"
    code, text = fails_with(await called(app, "mcp", {}))
    assert (code, text) == ("invalid_request", "to: Field required")


class Names(RootModel[list[str]]):
    pass


class Place(BaseModel):
    """A place."""

    name: str
    near: list[Place] = []


async def test_the_schema_of_arguments_is_an_object_at_its_root() -> None:
    names = app_of(RunnableLambda(lambda names: ", ".join(names)), input=Names)
    assert [*(await listed(names))["mcp"]["inputSchema"]["properties"]] == ["input"]
    assert (await listed(names))["mcp"]["description"] == "Runs mcp."
    called_with = await called(names, "mcp", {"input": ["a", "b"]})
    assert called_with["structuredContent"]["output"] == "a, b"
    places = app_of(RunnableLambda(lambda place: place["near"][0].name), input=Place)
    schema = (await listed(places))["mcp"]["inputSchema"]
    assert (schema["type"], schema["description"]) == ("object", "A place.")
    assert schema["required"] == ["name"]
    assert (await listed(places))["mcp"]["description"] == "A place."
    rome: dict[str, Any] = {"name": "Rome", "near": [{"name": "Ostia"}]}
    Draft202012Validator(schema).validate(rome)
    assert not Draft202012Validator(schema).is_valid({**rome, "near": [{}]})
    assert (await called(places, "mcp", rome))["structuredContent"]["output"] == "Ostia"


async def test_parallel_steps_that_take_anything_have_one_argument() -> None:
    app = app_of(RunnableParallel(a=lambda x: x, b=lambda x: x * 2))
    schema = (await listed(app))["mcp"]["inputSchema"]
    assert schema == {"type": "object", "properties": {"input": {}}, "required": ["input"]}
    output = (await called(app, "mcp", {"input": "x"}))["structuredContent"]["output"]
    assert output == {"a": "x", "b": "xx"}


# The table.


@pytest.mark.parametrize(
    ("runnable", "path", "problem"),
    [
        ({"my tool": chain_of("x")}, "/mcp", "'my tool' is no name in the mcp format"),
        ({"": chain_of("x")}, "/mcp", "expected names with their Runnables"),
        (chain_of("x"), "/bots/{name}", "'{name}' is no name in the mcp format"),
    ],
)
def test_a_name_that_clients_refuse_is_an_error(runnable: Any, path: str, problem: str) -> None:
    with pytest.raises(TableError, match=problem.replace("{", r"\{")):
        StreamApp([StreamRoute(path, runnable, format="mcp")])


# Errors, limits and owners.


async def breaks(x: str) -> str:
    raise ValueError("secret")


async def rests(x: str) -> str:
    await asyncio.sleep(60)
    return x


class Busy(Exception):
    pass


async def is_busy(x: str) -> str:
    raise Busy("secret")


FAILURES: dict[str, tuple[Any, Any, tuple[str, str]]] = {
    "an exception": (RunnableLambda(breaks), {}, ("run_failed", "The run failed.")),
    "an error that is meant to be seen": (
        RunnableLambda(is_busy),
        {"errors": {Busy: StreamError("Come back.", code="busy", status=503)}},
        ("busy", "Come back."),
    ),
    "a limit": (
        RunnableLambda(rests),
        {"limits": Limits(run=0.05)},
        ("timeout", "The run took too long."),
    ),
}


@pytest.mark.parametrize("accept", [STREAM["accept"], "application/json"])
@pytest.mark.parametrize("token", [None, "p"])
@pytest.mark.parametrize("name", FAILURES)
async def test_a_failed_run_is_a_failed_tool(name: str, token: Any, accept: str) -> None:
    runnable, options, (code, text) = FAILURES[name]
    body = tool_call("mcp", {"input": "x"}, token=token)
    response = await send(app_of(runnable, **options), body, {"accept": accept})
    failed_code, failed_text = fails_with(result_in(response))
    assert failed_code == code
    assert failed_text == text


async def test_a_run_that_fails_after_progress_is_a_failed_tool() -> None:
    body = tool_call("mcp", ASK, token=1)
    response = await send(app_of(chain_of("Hel", ValueError("secret"))), body)
    first, last = frames(response.body)
    assert first["params"]["message"] == "Hel"
    assert fails_with(last["result"])[0] == "run_failed"


async def test_text_without_progress_counts_as_the_beginning_of_the_answer() -> None:
    async def words(values: Any) -> AsyncIterator[str]:
        async for _ in values:
            yield "a"
            await asyncio.sleep(1.2)
            yield "b"

    app = app_of(RunnableGenerator(words), limits=Limits(first=1))
    assert (await called(app, "mcp", {"input": "x"}))["structuredContent"] == {"output": "ab"}


@pytest.mark.parametrize("accept", [STREAM["accept"], "application/json"])
async def test_messages_have_no_half_of_an_emoji(accept: str) -> None:
    # Python's SDK refuses the whole message then, and its caller waits for ever.
    app = app_of(chain_of("a\ud83d", "\ude00", " \udcff"))
    response = await send(app, tool_call("mcp", ASK, token=1), {"accept": accept})
    for line in response.body.replace(b"data: ", b"").split(b"\n\n"):
        assert not line or orjson.loads(line)
    assert result_in(response)["structuredContent"] == {"output": "a\U0001f600 \ufffd"}


async def test_debug_shows_the_exception() -> None:
    result = await called(app_of(RunnableLambda(breaks), debug=True), "mcp", {"input": "x"})
    assert [each["text"] for each in result["content"]][1] == "ValueError: secret"


@pytest.mark.parametrize("error", [HTTPException(403, "Not you."), NotFound("Not here.")])
async def test_a_tool_whose_function_refuses_the_request_is_not_listed(error: Exception) -> None:
    def refuse(request: StreamRequest) -> Any:
        raise error

    assert [*await listed(app_of({"greet": chain_of("Hi"), "secret": refuse}))] == ["greet"]
    response = await send(app_of({"secret": refuse}), message("tools/list"))
    assert response.status == error.status_code if isinstance(error, HTTPException) else 404
    code, text = fails_with(await called(app_of({"secret": refuse}), "secret"))
    assert (code, text) in (("refused", "Not you."), ("not_found", "Not here."))


async def test_a_tool_whose_function_fails_is_an_error_of_the_list() -> None:
    def fail(request: StreamRequest) -> Any:
        raise StreamError(status=503)

    response = await send(app_of({"greet": chain_of("Hi"), "broken": fail}), message("tools/list"))
    assert response.status == 503


@pytest.mark.parametrize("method", ["initialize", "tools/list", "tools/call", "ping"])
async def test_authorize_is_called_with_each_request(method: str) -> None:
    def authorize(request: Request) -> str:
        raise HTTPException(401, "Log in.", headers={"WWW-Authenticate": "Bearer"})

    response = await send(app_of(chain_of("x"), authorize=authorize), message(method))
    assert (response.status, response.headers["www-authenticate"]) == (401, "Bearer")
    assert response.json()["error"]["message"] == "Log in."


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (StreamError("No.", code="no", status=401), 401),
        (StreamError("No.", code="no", status=403, headers={"WWW-Authenticate": "Bearer"}), 403),
        (StreamError("No.", code="no", status=403), 200),
        (StreamError("No.", code="no", status=404), 200),
        (StreamError("No.", code="no", status=429), 429),
        (StreamError("No.", code="no", status=503), 503),
        (StreamError("No.", code="no", status=402), 200),
        (InvalidInput.at("a", "wrong"), 200),
    ],
)
async def test_a_refusal_because_of_the_request_itself_is_a_failed_tool(
    error: StreamError, status: int
) -> None:
    def configure(request: Request) -> RunnableConfig:
        raise error

    app = app_of(chain_of("x"), configure=configure)
    response = await send(app, tool_call("mcp", ASK))
    assert response.status == status
    if status == 200:
        assert fails_with(result_in(response)) == (error.code, error.message)
    else:
        assert response.json()["error"]["data"]["code"] == error.code


async def test_too_many_runs_are_refused() -> None:
    app = app_of({"rests": RunnableLambda(rests)}, limits=Limits(concurrent=1))
    async with Exchange(app, "POST", "/mcp", tool_call("rests", {"input": "x"}), headers=TYPED):
        await until(lambda: app._loops.current.streams)
        response = await send(app, tool_call("rests", {"input": "x"}))
        assert (response.status, response.headers["retry-after"]) == (503, "5")
        assert response.json()["error"]["code"] == -32603


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_other_methods_are_not_allowed(method: str) -> None:
    response = await call(app_of(chain_of("x")), method, "/mcp", headers=STREAM)
    assert (response.status, response.headers["allow"]) == (405, "OPTIONS, POST")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [(b"{", 400, -32700), (b"[" * 2000, 422, -32600), (b'"' + b"x" * 2000 + b'"', 413, -32600)],
)
async def test_a_body_that_cannot_be_read_is_a_json_rpc_error(
    body: bytes, status: int, code: int
) -> None:
    app = app_of(chain_of("x"), limits=Limits(body=2000, depth=10))
    response = await send(app, body)
    assert response.status == status
    assert response.json()["error"]["code"] == code
    assert response.json()["id"] is None


async def test_a_notification_has_no_response() -> None:
    response = await send(app_of(chain_of("x")), message("notifications/initialized", {}, None))
    assert (response.status, response.body) == (202, b"")


# Pages.


@pytest.mark.parametrize(
    ("origin", "hosts", "status"),
    [
        (None, None, 200),
        ("http://localhost:6274", None, 200),
        ("http://127.0.0.1:1", None, 200),
        ("http://[::1]:1", None, 200),
        ("http://evil.example", None, 403),
        ("http://app.example:8000", None, 403),
        ("http://[::1].evil.example", None, 403),
        ("http://localhost:80@evil.example", None, 403),
        ("http://localhost:x", None, 403),
        ("null", None, 403),
        ("https://app.example", ["app.example"], 200),
        ("https://a.app.example:8443", ["*.app.example"], 200),
        ("http://localhost", ["app.example"], 403),
        ("https://any.example", ["*"], 200),
    ],
)
async def test_only_pages_of_allowed_hosts_are_served(
    origin: str | None, hosts: Any, status: int
) -> None:
    route = StreamRoute("/mcp", chain_of("x"), format="mcp")
    app = StreamApp([route, StreamRoute("/chat", chain_of("x"))], allowed_hosts=hosts)
    headers = {"host": "app.example:8000", **({"origin": origin} if origin else {})}
    response = await send(app, message("ping"), headers)
    assert response.status == status
    if status == 403:
        assert "allowed_hosts" in response.json()["error"]["message"]
    assert (await post(app, "/chat", ASK, headers=headers)).status == 200


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("localhost:8000", None, 200),
        ("evil.example:8000", None, 403),  # browsers send no Origin to the page's own
        ("evil.example:8000", "http://localhost:1", 200),
        ("[::1].evil.example", None, 403),
    ],
)
async def test_a_page_whose_name_is_rebound_reads_no_threads(
    host: str, origin: str | None, status: int
) -> None:
    app = app_of({"ask": asking()}, threads=True)
    headers = {"host": host, **({"origin": origin} if origin else {})}
    assert (await get(app, "/mcp/threads", headers=headers)).status == status


# Cancellation.


class Sleeper:
    """Sleeps, and has what became of that."""

    def __init__(self) -> None:
        self.events: list[str] = []

    async def sleep(self, x: str) -> str:
        self.events.append("start")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.events.append("cancelled")
            raise
        return x

    @property
    def runs(self) -> bool:
        return self.events == ["start"]


def cancels(id: Any) -> Any:
    return message("notifications/cancelled", {"requestId": id, "reason": "why"}, None)


def owner(request: Request) -> str | None:
    return request.headers.get("user")


async def test_a_notification_cancels_the_call_of_its_session() -> None:
    sleeper = Sleeper()
    app = app_of(RunnableLambda(sleeper.sleep), authorize=owner)
    ann = {**TYPED, "mcp-session-id": "s", "user": "ann"}
    body = tool_call("mcp", {"input": "x"}, id=7)
    async with Exchange(app, "POST", "/mcp", body, headers=ann) as exchange:
        await until(lambda: sleeper.runs)
        for other in ({"mcp-session-id": "t"}, {"user": "bob"}):
            assert (await send(app, cancels(7), {**ann, **other})).status == 202
        for id in (8, "7", None):
            assert (await send(app, cancels(id), ann)).status == 202
        assert (await send(app, cancels(7), {"user": "ann"})).status == 202
        assert sleeper.runs
        assert (await send(app, cancels(7), ann)).status == 202
        await exchange.finished()
        assert fails_with(result_in(exchange)) == ("cancelled", "The run was cancelled.")
    await until(lambda: sleeper.events == ["start", "cancelled"])


async def test_without_a_session_nobody_can_cancel_the_call_of_another() -> None:
    sleeper = Sleeper()
    app = app_of(RunnableLambda(sleeper.sleep))
    body, headers = stateless(tool_call("mcp", {"input": "x"}))
    headers |= {**TYPED, "mcp-session-id": "s"}
    async with Exchange(app, "POST", "/mcp", body, headers=headers):
        await until(lambda: sleeper.runs)
        assert (await send(app, cancels(1), {"mcp-session-id": "s"})).status == 202
        assert sleeper.runs


async def test_a_call_ends_when_its_client_leaves() -> None:
    sleeper = Sleeper()
    app = app_of(RunnableLambda(sleeper.sleep))
    body = tool_call("mcp", {"input": "x"})
    async with Exchange(app, "POST", "/mcp", body, headers=TYPED) as exchange:
        await until(lambda: sleeper.runs)
        exchange.disconnect()
        await until(lambda: sleeper.events == ["start", "cancelled"])


async def test_a_call_ends_when_the_server_stops() -> None:
    sleeper = Sleeper()
    app = app_of(RunnableLambda(sleeper.sleep))
    async with Exchange(app, "POST", "/mcp", tool_call("mcp", {"input": "x"}), headers=TYPED) as it:
        await until(lambda: sleeper.runs)
        async with app.lifespan():
            pass
        await it.finished()
        assert fails_with(result_in(it))[0] == "shutdown"


# Threads.


class State(TypedDict, total=False):
    words: list[str]


def asking() -> Any:
    async def ask(state: State) -> State:
        return {"words": [*state.get("words", []), interrupt("Your name?")]}

    graph = StateGraph(State).add_node("ask", ask).add_edge(START, "ask")
    return graph.compile(checkpointer=InMemorySaver())


async def test_a_graph_that_stops_is_answered_by_a_further_call() -> None:
    app = app_of({"ask": asking()}, threads=True)
    stopped = await called(app, "ask", {"words": ["Hi"]})
    thread = stopped["structuredContent"]["thread_id"]
    [question] = stopped["structuredContent"]["interrupted"]
    assert question["value"] == "Your name?"
    Draft202012Validator((await listed(app))["ask"]["outputSchema"]).validate(
        stopped["structuredContent"]
    )
    ended = await called(app, "ask", {"thread_id": thread, "resume": {question["id"]: "Ann"}})
    assert ended["structuredContent"] == {"output": {"words": ["Hi", "Ann"]}, "thread_id": thread}
    again = await called(app, "ask", {"thread_id": thread, "resume": "Bob"})
    assert fails_with(again)[0] == "not_pending"


@pytest.mark.parametrize("fields", [["resume"], ["thread_id"], ["thread_id", "resume"]])
def test_an_input_has_no_field_of_the_name_of_an_argument_about_threads(fields: Any) -> None:
    state: Any = TypedDict("state", dict.fromkeys(["question", *fields], str))  # type: ignore[misc]
    graph = StateGraph(state).add_node("a", lambda _: {}).add_edge(START, "a")
    compiled: Any = graph.compile(checkpointer=InMemorySaver())
    with pytest.raises(TableError, match=f"cannot send the input's {' and '.join(fields)},"):
        app_of({"a": compiled}, threads=True)
    app_of({"a": compiled}, config={"configurable": {"thread_id": "t"}})
    StreamApp([StreamRoute("/x", compiled, format="events", threads=True)])


async def test_the_query_names_the_thread_too() -> None:
    app = app_of({"ask": asking()}, threads=True)
    response = await post(app, "/mcp?thread_id=t1", tool_call("ask", {"words": ["Hi"]}))
    assert result_in(response)["structuredContent"]["thread_id"] == "t1"
    assert response.headers["x-thread-id"] == "t1"
    state = await get(app, "/mcp/threads/t1", headers={"host": "localhost"})
    assert state.json()["status"] == "interrupted"


@pytest.mark.parametrize(
    ("query", "arguments", "problem"),
    [
        ("", {"thread_id": 1}, "thread_id: expected text"),
        ("", {"thread_id": "x" * 1001}, "thread_id: expected 1 to 1000 characters"),
        ("", {"words": [], "resume": 1}, "resume: expected no other argument"),
        ("?thread_id=t1", {"thread_id": "t2"}, "thread_id: the request names two threads"),
    ],
)
async def test_arguments_that_name_no_thread_are_a_failed_tool(
    query: str, arguments: Any, problem: str
) -> None:
    app = app_of({"ask": asking()}, threads=True)
    response = await post(app, f"/mcp{query}", tool_call("ask", arguments, id=7))
    code, text = fails_with(result_in(response))
    assert response.json()["id"] == 7
    assert code == "invalid_request"
    assert text.startswith(problem)


async def test_a_client_that_can_ask_its_user_repeats_the_call() -> None:
    app = app_of({"ask": asking()}, threads=True)
    body, headers = stateless(tool_call("ask", {"words": ["Hi"]}))
    content = result_in(await send(app, body, headers))
    assert content["resultType"] == "input_required"
    [key] = content["inputRequests"]
    state = content["requestState"]
    unanswered, headers = stateless(tool_call("ask"), requestState=state)
    assert result_in(await send(app, unanswered, headers))["inputRequests"].keys() == {key}
    answers = {key: {"action": "accept", "content": {"answer": "Ann"}}}
    body, headers = stateless(tool_call("ask"), inputResponses=answers, requestState=state)
    ended = result_in(await send(app, body, headers))
    assert ended["structuredContent"]["output"] == {"words": ["Hi", "Ann"]}


async def test_a_thread_is_its_owner_s() -> None:
    app = app_of({"ask": asking()}, threads=True, authorize=owner)
    stopped = await called(app, "ask", {"words": ["Hi"], "thread_id": "t"}, headers={"user": "ann"})
    assert "interrupted" in stopped["structuredContent"]
    answer = {"thread_id": "t", "resume": "x"}
    foreign = await called(app, "ask", answer, headers={"user": "bob"})
    assert fails_with(foreign)[0] == "not_pending"
    ended = await called(app, "ask", answer, headers={"user": "ann"})
    assert ended["structuredContent"]["output"] == {"words": ["Hi", "x"]}
