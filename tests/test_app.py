"""What a client of the app sees, in this process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import HTTPException as FastAPIError
from langchain_core.runnables import ConfigurableField, RunnableConfig, RunnableLambda
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from asgi_stream import EventFilter, Limits, StreamApp, StreamError, StreamMiddleware, StreamRoute

from .asgi import JSON, Exchange, call, frames, get, post, tokens
from .models import PROMPT, Recorder, Scripted, chain_of

pytestmark = pytest.mark.anyio

CHAIN = chain_of("Hel", "lo")
ASK = {"question": "?"}


def waiting(event: asyncio.Event, *before: str) -> Any:
    """A Runnable that yields `before` and then waits for `event`."""

    async def words(values: AsyncIterator[Any]) -> AsyncIterator[str]:
        async for _ in values:
            for word in before:
                yield word
            await event.wait()
            yield "end"

    from langchain_core.runnables import RunnableGenerator

    return RunnableGenerator(words)


async def test_an_answer_is_a_stream_of_tokens() -> None:
    answer = await post(StreamApp([StreamRoute("/chat", CHAIN)]), "/chat", ASK)
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store, no-transform"
    assert answer.headers["x-accel-buffering"] == "no"
    assert len(answer.headers["x-run-id"]) == 36
    assert tokens(answer.body) == ["Hel", "lo"]


async def test_the_same_run_as_one_document() -> None:
    app = StreamApp([StreamRoute("/chat", CHAIN)])
    answer = await post(app, "/chat", ASK, headers={"accept": "application/json"})
    assert answer.headers["content-type"] == "application/json"
    run_id = answer.headers["x-run-id"]
    assert json.loads(answer.body) == {"run_id": run_id, "output": "Hello"}


async def test_a_get_has_an_id_for_the_browser_to_come_back_with_and_is_not_run_again() -> None:
    app = StreamApp([StreamRoute("/chat", CHAIN, methods=("GET",))])
    first = await get(app, "/chat?question=hi")
    run_id = first.headers["x-run-id"]
    assert first.body.startswith(f'id: {run_id}\ndata: {{"token": "Hel"}}\n\n'.encode())
    assert first.body.count(b"id: ") == 1
    again = await get(app, "/chat?question=hi", headers={"last-event-id": run_id})
    assert (again.status, again.body) == (204, b"")


async def test_a_post_has_an_id_too_and_is_not_run_again() -> None:
    for format in ("tokens", "chunks", "events"):
        app = StreamApp([StreamRoute("/chat", CHAIN, format=format)])
        first = await post(app, "/chat", ASK)
        run_id = first.headers["x-run-id"]
        assert first.body.startswith(f"id: {run_id}\ndata: ".encode())
        assert first.body.count(b"id: ") == 1
        again = await post(app, "/chat", ASK, headers={"last-event-id": run_id})
        assert again.status == 404
    text = StreamApp([StreamRoute("/chat", CHAIN, format="text", methods=("GET", "POST"))])
    assert (await post(text, "/chat", ASK)).body == b"Hello"
    assert (await get(text, "/chat?question=hi")).body == b"Hello"


async def test_a_get_for_json_is_plain_json() -> None:
    app = StreamApp([StreamRoute("/chat", CHAIN, methods=("GET",))])
    answer = await get(app, "/chat?question=hi", headers={"accept": "application/json"})
    assert json.loads(answer.body)["output"] == "Hello"


def refuse(request: Any) -> None:
    raise StreamError(code="unauthorized", status=401)


async def test_head_and_options() -> None:
    routes = [
        StreamRoute("/a", CHAIN, methods=("GET", "POST")),
        StreamRoute("/b", CHAIN),
        StreamRoute("/own", CHAIN, methods=("GET",), authorize=refuse),
    ]
    app = StreamApp(routes)
    assert (await call(app, "HEAD", "/own?question=x")).status == 401
    head = await call(app, "HEAD", "/a?question=x")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-type"].startswith("text/event-stream")
    options = await call(app, "OPTIONS", "/a")
    assert (options.status, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")
    refused = await call(app, "HEAD", "/b")
    assert (refused.status, refused.headers["allow"]) == (405, "OPTIONS, POST")


@pytest.mark.parametrize(
    ("method", "path", "body", "type_", "status", "code"),
    [
        ("POST", "/nope", b"{}", "application/json", 404, "not_found"),
        ("PUT", "/chat", b"{}", "application/json", 405, "method_not_allowed"),
        ("POST", "/chat", b"{}", "text/plain", 415, "unsupported_media_type"),
        ("POST", "/chat", b"{", "application/json", 400, "invalid_request"),
        ("POST", "/chat", b"x" * 200, "application/json", 413, "body_too_large"),
        ("POST", "/chat", b"[[[[[]]]]]", "application/json", 422, "invalid_request"),
        ("POST", "/chat", b"{}", "application/json", 422, "invalid_request"),
        ("POST", "/chat?x=1", b'{"question":1}', "application/json", 422, "invalid_request"),
    ],
)
async def test_an_error_before_the_stream_has_its_status_and_says_what_was_wrong(
    method: str, path: str, body: bytes, type_: str, status: int, code: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level(logging.INFO)
    app = StreamApp([StreamRoute("/chat", CHAIN)], limits=Limits(body=100, depth=4))
    answer = await call(app, method, path, body, headers={"content-type": type_})
    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"
    error = json.loads(answer.body)["error"]
    assert error["code"] == code
    assert error["message"]
    if status not in (404, 405):
        assert error["id"] in caplog.text


class Limited(Exception):
    pass


def fails(error: BaseException) -> Any:
    async def step(_: Any) -> Any:
        raise error

    return RunnableLambda(step)


TABLE = {Limited: StreamError("Slow down.", code="rate_limited", status=429)}


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json"])
@pytest.mark.parametrize("format", ["tokens", "chunks", "events"])
async def test_a_failure_before_the_first_frame_has_its_own_status(
    format: str, accept: str
) -> None:
    app = StreamApp([StreamRoute("/", fails(Limited("secret")), format=format, errors=TABLE)])
    answer = await post(app, "/", 1, headers={"accept": accept})
    assert answer.status == 429
    assert answer.headers["content-type"] == "application/json"
    error = json.loads(answer.body)["error"]
    assert (error["code"], error["message"]) == ("rate_limited", "Slow down.")
    assert len(answer.headers["x-run-id"]) == 36


@pytest.mark.parametrize("debug", [False, True])
async def test_a_failure_in_the_middle_is_a_frame_and_its_text_is_for_the_log(
    debug: bool, caplog: pytest.LogCaptureFixture
) -> None:
    app = StreamApp([StreamRoute("/", chain_of("a", ValueError("secret")), debug=debug)])
    answer = await post(app, "/", ASK)
    assert answer.status == 200
    token, error, done = frames(answer.body)
    assert (token, done) == ({"token": "a"}, "[DONE]")
    assert error["error"]["code"] == "run_failed"
    assert error["error"]["message"] == "The run failed."
    assert error["error"]["id"] in caplog.text
    assert "ValueError: secret" in caplog.text
    assert error["error"].get("detail") == ("ValueError: secret" if debug else None)
    assert (b"secret" in answer.body) is debug


async def test_a_failure_in_the_middle_of_a_json_answer_has_its_status() -> None:
    app = StreamApp([StreamRoute("/", chain_of("a", Limited()), errors=TABLE)])
    answer = await post(app, "/", ASK, headers={"accept": "application/json"})
    assert answer.status == 429


async def test_an_exception_that_cannot_say_itself_is_told_all_the_same() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    logging.raiseExceptions, before = False, logging.raiseExceptions
    try:
        app = StreamApp([StreamRoute("/", chain_of("a", Mute()), debug=True)])
        *_, error, _ = frames((await post(app, "/", ASK)).body)
    finally:
        logging.raiseExceptions = before
    assert error["error"]["detail"] == "Mute: (no message: its __str__ failed)"


async def test_a_runnable_may_say_its_error_in_its_own_words() -> None:
    replacement = StreamError("No such bot.", code="no_bot", status=404, fields={"name": "unknown"})
    answer = await post(StreamApp([StreamRoute("/", fails(replacement))]), "/", 1)
    assert answer.status == 404
    error = json.loads(answer.body)["error"]
    assert (error["code"], error["fields"]) == ("no_bot", {"name": "unknown"})


async def test_a_runnable_can_be_made_for_the_request() -> None:
    async def make(request: Request) -> Any:
        await asyncio.sleep(0)
        name = request.path_params["name"]
        return RunnableLambda(lambda _: f"{name} for {request.app.state.owner}")

    app = Starlette(routes=[Mount("/ai", StreamApp([StreamRoute("/{name}", make)]))])
    app.state.owner = "ada"
    assert tokens((await post(app, "/ai/bot", 1)).body) == ["bot for ada"]


async def test_a_function_that_returns_no_runnable_is_a_server_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = StreamApp([StreamRoute("/x", lambda _: "nope")])  # type: ignore[arg-type]
    answer = await post(app, "/x", 1)
    assert (answer.status, b"nope" in answer.body) == (500, False)
    assert "the function of route '/x' returned a str, not a Runnable" in caplog.text


async def test_configs_are_merged_and_the_server_s_is_last() -> None:
    recorder = Recorder()

    async def seen(value: Any, config: RunnableConfig) -> str:
        return json.dumps(config.get("configurable"), sort_keys=True)

    async def configure(request: Request) -> RunnableConfig:
        user = request.headers["x-user"]
        return {"tags": ["request"], "metadata": {"user": user}, "configurable": {"user": user}}

    route = StreamRoute(
        "/",
        RunnableLambda(seen),
        config={"callbacks": [recorder], "tags": ["route"], "configurable": {"model": "small"}},
        configure=configure,
        configurable=("thread_id", "model"),
    )
    answer = await post(
        StreamApp([route]), "/?thread_id=7&model=huge", 1, headers={"x-user": "ada"}
    )
    [token] = tokens(answer.body)
    configurable = json.loads(token)
    assert configurable == {"model": "small", "thread_id": "7", "user": "ada"}
    assert recorder.tags == ["request", "route"]
    assert recorder.metadata["user"] == "ada"
    assert str(recorder.run_id) == answer.headers["x-run-id"]


async def test_a_configurable_value_is_checked() -> None:
    class Warm(Scripted):
        temperature: float = 0

    warm = Warm(script=["x"]).configurable_fields(temperature=ConfigurableField(id="temperature"))
    app = StreamApp([StreamRoute("/", PROMPT | warm, configurable=("temperature",))])
    assert tokens((await post(app, "/?temperature=0.5", ASK)).body) == ["x"]
    refused = await post(app, "/?temperature=hot", ASK)
    assert refused.status == 422
    assert "temperature" in json.loads(refused.body)["error"]["fields"]


async def test_configure_may_refuse_the_request() -> None:
    def configure(request: Request) -> RunnableConfig:
        raise HTTPException(401, "Who are you?", {"WWW-Authenticate": "Bearer"})

    answer = await post(StreamApp([StreamRoute("/", CHAIN, configure=configure)]), "/", ASK)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    error = json.loads(answer.body)["error"]
    assert (error["code"], error["message"]) == ("refused", "Who are you?")


@pytest.mark.parametrize("format", ["text", "vercel"])
async def test_an_error_that_is_text_has_the_id_that_the_log_has(
    format: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = StreamApp([StreamRoute("/", chain_of(ValueError("secret")), format=format)])
    answer = await post(app, "/", {"prompt": "Hi", "question": "Hi"})
    [error_id] = {each.error_id for each in caplog.records if hasattr(each, "error_id")}
    assert answer.status == 500
    assert answer.body.decode() == f"The run failed. (error id {error_id})"


@pytest.mark.parametrize("format", ["tokens", "vercel"])
async def test_a_refusal_in_fastapi_s_way_is_text(format: str) -> None:
    def configure(request: Request) -> RunnableConfig:
        raise FastAPIError(403, detail={"why": "not yours"})

    app = StreamApp([StreamRoute("/", CHAIN, configure=configure, format=format)])
    answer = await post(app, "/", {"prompt": "Hi"} if format == "vercel" else ASK)
    assert answer.status == 403
    text = answer.body.decode()
    message = text if format == "vercel" else json.loads(text)["error"]["message"]
    assert message.startswith('{"why":"not yours"}')


@pytest.mark.parametrize("resume", [True, False])
async def test_a_run_that_cannot_begin_has_failed(resume: bool) -> None:
    class Named(RunnableLambda[Any, Any]):
        breaks = False

        def get_name(self, suffix: str | None = None, *, name: str | None = None) -> str:
            if self.breaks:
                raise ValueError("secret")
            return "named"

    named = Named(lambda value: value)
    app = StreamApp([StreamRoute("/", named, resume=resume, limits=Limits(concurrent=1))])
    named.breaks = True
    for _ in range(2):
        answer = await post(app, "/", "a")
        assert (answer.status, json.loads(answer.body)["error"]["code"]) == (500, "run_failed")
        await asyncio.sleep(0)
    named.breaks = False
    assert (await post(app, "/", "a")).status == 200


async def test_a_number_in_a_path_that_python_does_not_read() -> None:
    app = StreamApp([StreamRoute("/{n:int}", CHAIN)])
    assert (await post(app, f"/{'1' * 5000}", ASK)).status == 404
    assert (await post(app, "/1", ASK)).status == 200


async def test_closing_waits_for_no_run_that_ignores_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("asgi_stream._lifecycle.loops.MARGIN_SECONDS", 0.1)
    done = asyncio.Event()

    async def ignores(value: str) -> str:
        while not done.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await done.wait()
        return value

    route = StreamRoute("/", RunnableLambda(ignores), limits=Limits(grace=0.05, hold=0))
    app = StreamApp([route])
    async with Exchange(app, "POST", "/", "a", headers=JSON) as exchange:
        await exchange.started()
        async with asyncio.timeout(10):
            await app.aclose()
        await exchange.finished()
        assert b'"code":"shutdown"' in exchange.body
        assert app._loops.current.tasks
        done.set()
        await asyncio.wait(app._loops.current.tasks, timeout=2)
    assert not app._loops.current.tasks


async def test_a_client_narrows_the_route_s_filter_and_never_widens_it() -> None:
    route = StreamRoute(
        "/", CHAIN, format="events", filter=EventFilter(include=("on_chat_model_*", "on_chain_*"))
    )
    app = StreamApp([route])

    async def names(query: str) -> set[str]:
        *events, _ = frames((await post(app, f"/{query}", ASK)).body)
        return {event["event"] for event in events}

    model = {"on_chat_model_start", "on_chat_model_stream", "on_chat_model_end"}
    chain = {"on_chain_start", "on_chain_stream", "on_chain_end"}
    assert await names("") == model | chain
    assert await names("?include=on_chat_*,on_prompt_*") == model
    assert await names("?include=on_prompt_*") == set()
    assert await names("?exclude=*_stream&types=chat_model") == model - {"on_chat_model_stream"}


async def test_a_filter_is_pushed_down_and_success_is_still_seen() -> None:
    route = StreamRoute("/", CHAIN, format="events", filter=EventFilter(types=("chat_model",)))
    *events, done = frames((await post(StreamApp([route]), "/", ASK)).body)
    assert {event["event"] for event in events} == {
        *("on_chat_model_start", "on_chat_model_stream", "on_chat_model_end"),
    }
    assert all("input" not in event["data"] for event in events)
    assert done == "[DONE]"


async def test_inner_inputs_are_sent_when_the_route_says_so() -> None:
    route = StreamRoute(
        "/", CHAIN, format="events", filter=EventFilter(types=("chat_model",), inputs=True)
    )
    *events, _ = frames((await post(StreamApp([route]), "/", ASK)).body)
    assert events[0]["data"]["input"]["messages"][0][0]["content"] == "?"


async def test_a_filter_chooses_among_tokens_too() -> None:
    loud, quiet = (Scripted(script=[name]).with_config(tags=[name]) for name in ("loud", "quiet"))
    both = loud | RunnableLambda(lambda _: "x") | quiet
    route = StreamRoute("/", both, filter=EventFilter(exclude_tags=("quiet",)))
    assert tokens((await post(StreamApp([route]), "/", "?")).body) == ["loud"]


async def test_so_many_runs_at_once_and_no_more() -> None:
    event = asyncio.Event()
    app = StreamApp([StreamRoute("/", waiting(event, "a"), limits=Limits(concurrent=1))])
    async with Exchange(app, "POST", "/", 1, headers=JSON) as first:
        await first.until(b'"a"')
        second = await post(app, "/", 1)
        assert second.status == 503
        assert int(second.headers["retry-after"]) > 0
        assert json.loads(second.body)["error"]["code"] == "too_many_runs"
        event.set()
        await first.finished()
    assert tokens((await post(app, "/", 1)).body) == ["a", "end"]


@pytest.mark.parametrize(
    ("limits", "before", "status", "message"),
    [
        (Limits(run=0.05), (), 504, "The run took too long."),
        (Limits(first=0.05), (), 504, "The run did not begin to answer in time."),
        (Limits(run=1), ("a",), 200, "The run took too long."),
        (Limits(idle=1), ("a",), 200, "The run was idle for too long."),
        (Limits(first=0.5, hold=0.01), (), 200, "The run did not begin to answer in time."),
    ],
)
async def test_deadlines_end_a_run(
    limits: Limits, before: tuple[str, ...], status: int, message: str
) -> None:
    app = StreamApp([StreamRoute("/", waiting(asyncio.Event(), *before), limits=limits)])
    answer = await post(app, "/", 1)
    assert answer.status == status
    if status == 200:
        *token_frames, error, done = frames(answer.body)
        assert [frame["token"] for frame in token_frames] == list(before)
        assert done == "[DONE]"
    else:
        error = json.loads(answer.body)
    assert (error["error"]["code"], error["error"]["message"]) == ("timeout", message)


@pytest.mark.parametrize("limits", [Limits(run=0.05), Limits(first=0.05), Limits(idle=0.05)])
async def test_a_json_answer_has_the_same_deadlines(limits: Limits) -> None:
    before = () if limits.first else ("a",)
    app = StreamApp([StreamRoute("/", waiting(asyncio.Event(), *before), limits=limits)])
    answer = await post(app, "/", 1, headers={"accept": "application/json"})
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (504, "timeout")


async def test_a_function_that_never_returns_its_runnable_has_the_run_s_deadline() -> None:
    async def never(request: Request) -> Any:
        await asyncio.Event().wait()

    answer = await post(StreamApp([StreamRoute("/", never, limits=Limits(run=0.05))]), "/", 1)
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (504, "timeout")


async def test_headers_go_out_before_the_first_token_and_pings_follow() -> None:
    event = asyncio.Event()
    limits = Limits(hold=0.01, ping=0.02)
    app = StreamApp([StreamRoute("/", waiting(event), limits=limits)])
    async with Exchange(app, "POST", "/", 1, headers=JSON) as exchange:
        body = await exchange.until(b": ping\n: ping\n")
        assert exchange.status == 200
        assert body.replace(b": ping\n", b"") == b""
        event.set()
        await exchange.finished()
    assert tokens(exchange.body) == ["end"]


@pytest.mark.parametrize("ping", [0, None])
async def test_pings_can_be_off(ping: float | None) -> None:
    event = asyncio.Event()
    app = StreamApp([StreamRoute("/", waiting(event), limits=Limits(hold=0, ping=ping))])
    async with Exchange(app, "POST", "/", 1, headers=JSON) as exchange:
        asyncio.get_running_loop().call_later(0.1, event.set)
        await exchange.finished()
    assert b"ping" not in exchange.body


async def test_other_paths_methods_and_scopes_pass_through_the_middleware() -> None:
    async def page(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"{request.method} {request.url.path}")

    behind = Starlette(routes=[Route("/{path:path}", page, methods=["GET", "POST"])])
    app = StreamMiddleware(behind, routes=[StreamRoute("/ai/chat", CHAIN)], debug=True)
    assert tokens((await post(app, "/ai/chat", ASK)).body) == ["Hel", "lo"]
    assert (await get(app, "/ai/chat")).body == b"GET /ai/chat"
    assert (await post(app, "/other", ASK)).body == b"POST /other"

    seen = []

    async def record(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    outer: Any = StreamMiddleware(record, routes=[StreamRoute("/ai/chat", CHAIN)])
    for kind in ("lifespan", "websocket"):
        await outer({"type": kind, "path": "/ai/chat"}, None, None)
    assert seen == ["lifespan", "websocket"]


async def test_a_websocket_is_closed() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    app: Any = StreamApp([StreamRoute("/", CHAIN)])
    await app({"type": "websocket", "path": "/"}, None, send)
    assert [message["type"] for message in sent] == ["websocket.close"]


async def pass_on(request: Any, call_next: Any) -> Any:
    return await call_next(request)


@pytest.mark.parametrize("behind", [False, True])
async def test_a_client_that_leaves_while_it_sends_is_no_error(behind: bool) -> None:
    """Behind a middleware too, which counts on a response."""
    app: Any = StreamApp([StreamRoute("/", CHAIN)])
    app = BaseHTTPMiddleware(app, pass_on) if behind else app
    exchange = Exchange(app, "POST", "/", headers=JSON)
    exchange.received.get_nowait()
    exchange.disconnect()
    async with exchange:
        await exchange.finished()
    assert exchange.status == 499


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_a_client_that_leaves_before_the_response_is_no_error(accept: str) -> None:
    begun = asyncio.Event()

    async def silent(_: Any) -> None:
        begun.set()
        await asyncio.Future()

    app = BaseHTTPMiddleware(StreamApp([StreamRoute("/", RunnableLambda(silent))]), pass_on)
    headers = {**JSON, "accept": accept}
    async with Exchange(app, "POST", "/", "a", headers=headers) as exchange:
        await begun.wait()
        exchange.disconnect()
        await exchange.finished()
    assert exchange.status == 499


async def test_lifespan_ends_the_streams_and_new_ones_are_refused() -> None:
    app = StreamApp([StreamRoute("/", waiting(asyncio.Event(), "a"))])
    inbox: asyncio.Queue[Any] = asyncio.Queue()
    sent: list[str] = []

    async def send(message: Any) -> None:
        sent.append(message["type"])

    lifespan = asyncio.ensure_future(app({"type": "lifespan"}, inbox.get, send))
    inbox.put_nowait({"type": "lifespan.startup"})
    async with Exchange(app, "POST", "/", 1, headers=JSON) as exchange:
        await exchange.until(b'"a"')
        inbox.put_nowait({"type": "lifespan.shutdown"})
        await exchange.finished()
    await lifespan
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    _, error, done = frames(exchange.body)
    assert (error["error"]["code"], done) == ("shutdown", "[DONE]")
    refused = await post(app, "/", 1)
    assert (refused.status, refused.headers["retry-after"]) == (503, "5")


async def test_a_signal_ends_the_streams_before_the_server_s_own_handler_runs() -> None:
    seen: list[int] = []

    def servers_own(number: int, frame: Any) -> None:
        seen.append(number)

    before = signal.signal(signal.SIGTERM, servers_own)
    try:
        app = StreamApp([StreamRoute("/", waiting(asyncio.Event(), "a"))])
        async with Exchange(app, "POST", "/", 1, headers=JSON) as exchange:
            await exchange.until(b'"a"')
            signal.raise_signal(signal.SIGTERM)
            await exchange.finished()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == [signal.SIGTERM]
    assert b'"shutdown"' in exchange.body


def test_a_loop_that_is_gone_and_a_thread_s_loop_are_no_trouble_to_a_signal() -> None:
    app = StreamApp([StreamRoute("/", CHAIN)])
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    loop = asyncio.new_event_loop()
    try:
        thread = threading.Thread(
            target=lambda: loop.run_until_complete(post(app, "/", ASK)), daemon=True
        )
        thread.start()
        thread.join(5)
        assert getattr(signal.getsignal(signal.SIGTERM), "__self__", None) is None
        asyncio.run(post(app, "/", ASK))
        loop.close()
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


async def test_an_unknown_scope_is_ignored() -> None:
    app: Any = StreamApp([StreamRoute("/", CHAIN)])
    await app({"type": "carrier.pigeon"}, None, None)


async def test_signals_are_left_alone_when_asked() -> None:
    before = signal.getsignal(signal.SIGTERM)
    await post(StreamApp([StreamRoute("/", CHAIN)], signals=False), "/", ASK)
    assert signal.getsignal(signal.SIGTERM) is before


async def test_two_runs_at_once_do_not_mix() -> None:
    async def words(value: str) -> str:
        await asyncio.sleep(0)
        return value

    app = StreamApp([StreamRoute("/", RunnableLambda(words))])
    answers = await asyncio.gather(*(post(app, "/", f"word {n}") for n in range(50)))
    assert [tokens(answer.body) for answer in answers] == [[f"word {n}"] for n in range(50)]
    assert len({answer.headers["x-run-id"] for answer in answers}) == 50


async def test_a_failure_in_plain_text_leaves_the_body_open_for_the_server_to_break() -> None:
    app = StreamApp(routes=[StreamRoute("/a", chain_of("a", ValueError("secret")), format="text")])
    answer = await post(app, "/a", {"question": "q"})
    assert (answer.status, answer.body) == (200, b"a")
    assert answer.messages[-1]["more_body"] is True
