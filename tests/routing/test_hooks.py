"""The functions of a route: async or not, none of them blocks the event loop."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from functools import partial
from typing import Any

import pytest
from anyio.to_thread import current_default_thread_limiter
from langchain_core.runnables import RunnableConfig, RunnableLambda
from starlette.exceptions import HTTPException

from asgi_stream import Limits, StreamApp, StreamError, StreamRoute
from asgi_stream._routing.hooks import call_hook
from asgi_stream.requests import StreamRequest

from ..asgi import JSON, Exchange, get, post, tokens
from ..models import chain_of

pytestmark = pytest.mark.anyio

tenant: ContextVar[str] = ContextVar("tenant", default="none")


def thread_of(_: Any = None) -> int:
    return threading.get_ident()


async def loop_thread_of(_: Any = None) -> int:
    return threading.get_ident()


class Hooks:
    def sync(self, _: Any) -> int:
        return threading.get_ident()

    async def on_loop(self, _: Any) -> int:
        return threading.get_ident()


class Sync:
    def __call__(self, _: Any) -> int:
        return threading.get_ident()


class ActiveRuns:
    async def __call__(self, _: Any) -> int:
        return threading.get_ident()


@pytest.mark.parametrize(
    "function", [thread_of, Hooks().sync, Sync(), partial(thread_of), partial(partial(Sync()))]
)
async def test_a_function_that_is_not_async_runs_in_a_thread(function: Any) -> None:
    assert await call_hook(function, 1) != threading.get_ident()


@pytest.mark.parametrize(
    "function",
    [
        loop_thread_of,
        Hooks().on_loop,
        ActiveRuns(),
        partial(loop_thread_of),
        partial(partial(ActiveRuns())),
        lambda _: loop_thread_of(),
    ],
)
async def test_what_is_async_runs_on_the_event_loop(function: Any) -> None:
    assert await call_hook(function, 1) == threading.get_ident()


async def test_a_class_is_called_in_a_thread_as_any_function_is() -> None:
    class Made:
        def __init__(self, _: Any) -> None:
            self.thread = threading.get_ident()

    assert (await call_hook(Made, 1)).thread != threading.get_ident()


async def test_a_thread_sees_the_context_and_changes_a_copy_of_it() -> None:
    def seen() -> str:
        before = tenant.get()
        tenant.set("changed")
        return before

    tenant.set("ann")
    assert await call_hook(seen) == "ann"
    assert tenant.get() == "ann"


async def test_what_an_async_function_sets_is_seen_by_the_run() -> None:
    async def configure(request: Any) -> Any:
        tenant.set("bob")
        return {}

    async def who(_: str) -> str:
        return tenant.get()

    app = StreamApp([StreamRoute("/x", RunnableLambda(who), configure=configure)])
    assert tokens((await post(app, "/x", "hi")).body) == ["bob"]


async def test_a_stop_iteration_out_of_a_thread_is_an_error_as_any_other() -> None:
    def exhausted() -> Any:
        return next(iter(()))

    with pytest.raises(RuntimeError, match="StopIteration"):
        await call_hook(exhausted)


class Gates:
    """Functions for the options of a route that wait until `open` is set."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.entered = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def _wait(self) -> None:
        self._loop.call_soon_threadsafe(self.entered.set)
        assert self.open.wait(10)

    def authorize(self, request: Any) -> str:
        self._wait()
        return "ann"

    def configure(self, request: Any) -> Any:
        self._wait()
        return {}

    def runnable(self, request: Any) -> Any:
        self._wait()
        return chain_of("a", "b")

    def conversation(self, messages: Any) -> Any:
        self._wait()
        return {"question": "hi"}


CHAT = {"messages": [{"id": "1", "role": "user", "parts": [{"type": "text", "text": "Hi"}]}]}


def _route(path: str, gates: Gates, option: str, **options: Any) -> StreamRoute:
    chosen = {option: getattr(gates, option)} | options
    return StreamRoute(path, chosen.pop("runnable", chain_of("a", "b")), **chosen)


@pytest.mark.parametrize("option", ["authorize", "configure", "runnable", "conversation"])
async def test_no_function_that_blocks_holds_up_another_request(option: str) -> None:
    gates = Gates()
    kind = {"format": "vercel"} if option == "conversation" else {}
    blocked = _route("/slow", gates, option, **kind)
    app = StreamApp([blocked, StreamRoute("/quick", chain_of("a", "b"))])
    slow = CHAT if kind else {"question": "hi"}
    async with Exchange(app, "POST", "/slow", slow, headers=JSON) as waiting:
        async with asyncio.timeout(20):
            await gates.entered.wait()
        assert tokens((await post(app, "/quick", {"question": "hi"})).body) == ["a", "b"]
        assert not waiting.messages
        gates.open.set()
        assert (await waiting.finished()).status == 200


@pytest.mark.parametrize("option", ["authorize", "configure"])
async def test_threads_that_are_all_busy_hold_up_only_who_needs_one(
    option: str, few_threads: None
) -> None:
    gates = Gates()

    async def on_loop(request: Any) -> Any:
        return {}

    routes = [
        _route("/slow", gates, option),
        StreamRoute("/quick", chain_of("a", "b"), configure=on_loop),
    ]
    app = StreamApp(routes)
    body = {"question": "hi"}
    async with (
        Exchange(app, "POST", "/slow", body, headers=JSON) as first,
        Exchange(app, "POST", "/slow", body, headers=JSON) as second,
    ):
        async with asyncio.timeout(20):
            await gates.entered.wait()
        assert tokens((await post(app, "/quick", {"question": "hi"})).body) == ["a", "b"]
        gates.open.set()
        assert [(await each.finished()).status for each in (first, second)] == [200, 200]


async def test_a_function_in_a_thread_is_not_waited_for_beyond_the_run_s_time() -> None:
    gates = Gates()
    app = StreamApp([_route("/x", gates, "configure", limits=Limits(run=0.05))])
    try:
        response = await post(app, "/x", {"question": "hi"})
    finally:
        gates.open.set()
    assert (response.status, response.json()["error"]["code"]) == (504, "timeout")


@pytest.mark.parametrize("option", ["authorize", "configure", "runnable"])
async def test_a_request_that_is_cancelled_waits_for_no_thread_and_begins_no_run(
    option: str,
) -> None:
    """As hypercorn cancels a request when its client leaves."""
    gates, ran = Gates(), threading.Event()
    options: dict[str, Any] = {"runnable": RunnableLambda(lambda _: ran.set())}
    app = StreamApp([_route("/x", gates, option, **options | {option: getattr(gates, option)})])
    exchange = Exchange(app, "POST", "/x", {"question": "hi"}, headers=JSON)
    task = asyncio.ensure_future(app(exchange.scope, exchange.received.get, exchange._send))
    async with asyncio.timeout(20):
        await gates.entered.wait()
        task.cancel()
        await asyncio.wait({task})
    assert task.cancelled()
    assert not exchange.messages
    gates.open.set()
    await app.aclose()
    assert not ran.is_set()


def _raising(error: Exception, *, on_loop: bool) -> Callable[[Any], Any]:
    def hook(_: Any) -> Any:
        raise error

    async def hook_on_loop(_: Any) -> Any:
        raise error

    return hook_on_loop if on_loop else hook


@pytest.mark.parametrize("on_loop", [False, True])
@pytest.mark.parametrize("option", ["authorize", "configure", "runnable"])
@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (StreamError("No.", code="quota", status=429), 429, "quota"),
        (HTTPException(401, "Who?"), 401, "refused"),
        (ZeroDivisionError("secret"), 500, "run_failed"),
        (KeyError("mapped"), 418, "mapped"),
    ],
)
async def test_what_a_function_raises_is_the_answer_wherever_it_runs(
    option: str, on_loop: bool, error: Exception, status: int, code: str
) -> None:
    options = {option: _raising(error, on_loop=on_loop)}
    runnable = options.pop("runnable", chain_of("a"))
    mapped = {KeyError: StreamError("Mapped.", code="mapped", status=418)}
    app = StreamApp([StreamRoute("/x", runnable, errors=mapped, **options)])  # type: ignore[arg-type]
    response = await post(app, "/x", {"question": "hi"})
    assert (response.status, response.json()["error"]["code"]) == (status, code)
    assert b"secret" not in response.body


async def test_a_conversation_may_be_made_by_an_async_function() -> None:
    async def converse(messages: list[Any]) -> str:
        return str(messages[-1].text)

    shout = RunnableLambda(str.upper)
    app = StreamApp([StreamRoute("/x", shout, format="vercel", conversation=converse)])
    assert b'"delta":"HI"' in (await post(app, "/x", CHAT)).body


async def _by_json(request: StreamRequest) -> Any:
    return await request.json()


async def _by_body(request: StreamRequest) -> Any:
    return json.loads(await request.body())


async def _by_stream(request: StreamRequest) -> Any:
    return json.loads(b"".join([part async for part in request.stream()]))


def _by_data(request: StreamRequest) -> Any:
    return request.data


async def _by_data_on_loop(request: StreamRequest) -> Any:
    return request.data


READERS: list[Any] = [_by_json, _by_body, _by_stream]


@pytest.mark.parametrize("reader", [*READERS, _by_data, _by_data_on_loop])
@pytest.mark.parametrize("option", ["configure", "runnable"])
async def test_the_body_can_be_read_by_what_makes_the_config_and_the_runnable(
    option: str, reader: Any
) -> None:
    seen: list[Any] = []

    async def on_loop(request: StreamRequest) -> Any:
        seen.append(await call_hook(reader, request))
        return {} if option == "configure" else chain_of("a")

    options: dict[str, Any] = {option: on_loop}
    app = StreamApp([StreamRoute("/x", options.pop("runnable", chain_of("a")), **options)])
    assert tokens((await post(app, "/x", {"question": "hi"})).body) == ["a"]
    assert seen == [{"question": "hi"}]


@pytest.mark.parametrize("reader", READERS)
async def test_what_authorizes_may_read_the_body_within_the_limits(reader: Any) -> None:
    async def authorize(request: StreamRequest) -> str:
        assert (request.data, request.call) == (None, None)
        return str((await reader(request))["question"])

    app = StreamApp([StreamRoute("/x", chain_of("a"), authorize=authorize, limits=Limits(body=30))])
    assert tokens((await post(app, "/x", {"question": "hi"})).body) == ["a"]
    response = await post(app, "/x", {"question": "x" * 50})
    assert (response.status, response.json()["error"]["code"]) == (413, "body_too_large")


async def test_a_body_that_nobody_needs_is_not_read() -> None:
    def authorize(request: StreamRequest) -> str:
        raise StreamError("No.", code="no", status=403)

    app = StreamApp([StreamRoute("/x", chain_of("a"), authorize=authorize)])
    exchange = Exchange(app, "POST", "/x", {"question": "hi"}, headers=JSON)
    async with exchange:
        assert (await exchange.finished()).status == 403
        assert exchange.received.qsize() == 1


async def test_a_body_that_is_not_json_is_the_client_s_error_in_a_function_too() -> None:
    app = StreamApp([StreamRoute("/x", chain_of("a"), authorize=_by_json)])
    response = await post(app, "/x", b"{")
    assert (response.status, response.json()["error"]["code"]) == (400, "invalid_request")


async def test_what_the_format_has_understood_is_there_for_the_functions() -> None:
    calls: list[Any] = []

    def configure(request: StreamRequest) -> Any:
        calls.append(request.call)
        return {}

    route = StreamRoute("/x", chain_of("a"), format="vercel", configure=configure)
    await post(StreamApp([route]), "/x", {**CHAT, "id": "chat-1"})
    assert [(call.thread, call.messages[0]["role"]) for call in calls] == [("chat-1", "user")]


async def test_the_input_of_a_get_is_there_for_the_functions() -> None:
    seen: list[Any] = []

    def configure(request: StreamRequest) -> Any:
        seen.append(request.data)
        return {}

    route = StreamRoute("/x", chain_of("a"), methods=("GET",), configure=configure)
    assert (await get(StreamApp([route]), "/x?question=hi")).status == 200
    assert seen == [{"question": "hi"}]


AGUI = {
    "threadId": "T1",
    "runId": "R1",
    "state": {},
    "messages": [{"id": "1", "role": "user", "content": "Hi"}],
    "tools": [],
    "context": [],
    "forwardedProps": {},
}


@pytest.mark.parametrize(
    ("format", "path", "body", "thread"),
    [
        ("agui", "/x", AGUI, "T1"),
        ("agui", "/x", {**AGUI, "forwardedProps": {"thread_id": "T2"}}, "T2"),
        ("agui", "/x?thread_id=T3", AGUI, "T3"),
        ("vercel", "/x", {**CHAT, "id": "C1"}, "C1"),
        ("vercel", "/x?thread_id=T3", {**CHAT, "id": "C1"}, "T3"),
        ("vercel", "/x", CHAT, None),
        ("vercel", "/x", {**CHAT, "id": 7}, None),
    ],
)
async def test_a_front_end_s_thread_is_the_thread_id_where_the_route_takes_that(
    format: str, path: str, body: Any, thread: str | None
) -> None:
    seen: list[Any] = []

    def answer(messages: Any, config: RunnableConfig) -> str:
        seen.append(config.get("configurable", {}).get("thread_id"))
        return "ok"

    route = {"format": format, "conversation": lambda messages: messages}
    app = StreamApp(
        [StreamRoute("/x", RunnableLambda(answer), configurable=("thread_id",), **route)]  # type: ignore[arg-type]
    )
    assert (await post(app, path, body)).status == 200
    app = StreamApp([StreamRoute("/x", RunnableLambda(answer), **route)])  # type: ignore[arg-type]
    assert (await post(app, "/x", body)).status == 200
    assert seen == [thread, None]


@pytest.fixture
async def few_threads() -> AsyncIterator[None]:
    """One thread in the pool, instead of 40."""
    limiter = current_default_thread_limiter()
    before, limiter.total_tokens = limiter.total_tokens, 1
    yield
    limiter.total_tokens = before
