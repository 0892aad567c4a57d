"""What a function of the request opens stays open for its run, and is closed once, after it."""

from __future__ import annotations

import asyncio
import threading
from asyncio import Event, Task
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.to_thread import current_default_thread_limiter
from langchain_core.runnables import RunnableGenerator, RunnableLambda
from starlette.exceptions import HTTPException

from asgi_stream import Limits, StreamApp, StreamError, StreamRoute
from asgi_stream._langchain.tasks import RunTasks
from asgi_stream._routing.opened import Opened

from ..asgi import JSON, Exchange, call, get, post, tokens
from ..clients import Connection, Notes, new_key, until
from ..models import chain_of
from ..servers import serving

pytestmark = pytest.mark.anyio

session: ContextVar[str] = ContextVar("session", default="none")


class Held:
    """Functions of a request that write down what happens, in order.

    Args:
        runnable: What they yield.
        closing: Raised in their clean-up.
    """

    def __init__(self, runnable: Any = None, closing: BaseException | None = None) -> None:
        self.log: list[str] = []
        self.tasks: list[Task[Any] | None] = []
        self.closed = Event()
        self._loop = asyncio.get_running_loop()
        self._closing = closing
        self._runnable = runnable or RunnableGenerator(self._run)

    async def _run(self, values: AsyncIterator[Any]) -> AsyncIterator[str]:
        async for value in values:
            assert "closed" not in self.log
            try:
                yield "a"
                if value == "fail":
                    raise ValueError("failed")
                if value == "stay":
                    await Event().wait()
                yield "b"
            finally:
                await asyncio.sleep(0)
                self.log.append("run ended")

    def _open(self) -> None:
        self.log.append("opened")

    def _close(self) -> None:
        self.log.append("closed")
        self._loop.call_soon_threadsafe(self.closed.set)
        if self._closing is not None:
            raise self._closing

    async def agen(self, request: Any) -> AsyncIterator[Any]:
        self._open()
        self.tasks.append(asyncio.current_task())
        try:
            # Fails unless it is closed in the task that has opened it.
            async with anyio.create_task_group():
                yield self._runnable
        finally:
            self.tasks.append(asyncio.current_task())
            self._close()

    def gen(self, request: Any) -> Iterator[Any]:
        assert threading.current_thread() is not threading.main_thread()
        self._open()
        before = session.set("open")
        try:
            yield self._runnable
        finally:
            assert threading.current_thread() is not threading.main_thread()
            session.reset(before)
            self._close()

    def manager(self, request: Any) -> AbstractAsyncContextManager[Any]:
        return asynccontextmanager(self.agen)(request)

    def plain_manager(self, request: Any) -> AbstractContextManager[Any]:
        return contextmanager(self.gen)(request)

    async def awaited(self, request: Any) -> AbstractAsyncContextManager[Any]:
        return self.manager(request)

    async def __call__(self, request: Any) -> AsyncIterator[Any]:
        async for each in self.agen(request):
            yield each

    async def until_closed(self) -> list[str]:
        async with asyncio.timeout(20):
            await self.closed.wait()
        return self.log


FORMS: dict[str, Callable[[Held], Any]] = {
    "async generator": lambda held: held.agen,
    "generator": lambda held: held.gen,
    "async context manager": lambda held: held.manager,
    "context manager": lambda held: held.plain_manager,
    "coroutine of a manager": lambda held: held.awaited,
    "partial": lambda held: partial(held.agen),
    "lambda": lambda held: lambda request: held.agen(request),
    "callable object": lambda held: held,
}
TWO = ["async generator", "generator"]


def app_of(held: Held, form: str = "async generator", **options: Any) -> StreamApp:
    return StreamApp([StreamRoute("/x", FORMS[form](held), **options)])


@pytest.mark.parametrize("form", FORMS)
async def test_what_is_opened_is_open_while_the_run_goes_on_and_closed_once_after_it(
    form: str,
) -> None:
    held = Held()
    app = app_of(held, form)
    assert tokens((await post(app, "/x", "hi")).body) == ["a", "b"]
    assert await held.until_closed() == ["opened", "run ended", "closed"]
    await app.aclose()
    assert held.log.count("closed") == 1


@pytest.mark.parametrize("format", ["tokens", "events", "chunks", "text"])
async def test_it_is_open_in_every_format_and_for_a_document(format: str) -> None:
    for headers in ({}, {"accept": "application/json"}):
        held = Held()
        assert (await post(app_of(held, format=format), "/x", "hi", headers=headers)).status == 200
        assert await held.until_closed() == ["opened", "run ended", "closed"]


async def test_the_task_that_closes_is_the_one_that_has_opened() -> None:
    held = Held()
    await post(app_of(held), "/x", "hi")
    await held.until_closed()
    assert held.tasks[0] is held.tasks[1] is not None


@pytest.mark.parametrize("form", TWO)
@pytest.mark.parametrize("how", ["fail", "stay"])
async def test_it_is_closed_after_the_clean_up_of_a_run_that_fails_or_whose_client_leaves(
    form: str, how: str
) -> None:
    held = Held()
    async with Exchange(app_of(held, form), "POST", "/x", how, headers=JSON) as exchange:
        await exchange.until(b'"a"')
    assert await held.until_closed() == ["opened", "run ended", "closed"]


@pytest.mark.parametrize("form", TWO)
async def test_it_is_closed_after_a_run_that_takes_too_long(form: str) -> None:
    held = Held()
    answer = await post(app_of(held, form, limits=Limits(run=0.5)), "/x", "stay")
    assert b'"timeout"' in answer.body
    assert await held.until_closed() == ["opened", "run ended", "closed"]


async def test_a_run_that_outlives_its_reader_keeps_it_open() -> None:
    held = Held()
    app = app_of(held, resume=True)
    async with Exchange(app, "POST", "/x", "stay", headers=JSON) as exchange:
        await exchange.until(b'"a"')
        where = f"/x/runs/{exchange.headers['x-run-id']}"
    assert held.log == ["opened"]
    assert (await get(app, where, headers={"accept": "application/json"})).status == 200
    await call(app, "DELETE", where)
    assert await held.until_closed() == ["opened", "run ended", "closed"]


async def test_nothing_is_opened_for_a_request_that_joins_a_run() -> None:
    held = [Held(), Held()]
    resources = iter(held)

    def chosen(request: Any) -> Any:
        return next(resources).agen(request)

    app = StreamApp([StreamRoute("/x", chosen, resume=True)])
    headers = {**JSON, "idempotency-key": "k"}
    async with Exchange(app, "POST", "/x", "stay", headers=headers) as first:
        await first.until(b'"a"')
        async with Exchange(app, "POST", "/x", "stay", headers=headers) as second:
            await second.until(b'"a"')
            assert [each.log for each in held] == [["opened"], []]
        await call(app, "DELETE", f"/x/runs/{first.headers['x-run-id']}")
        await first.finished()
    assert await held[0].until_closed() == ["opened", "run ended", "closed"]


def _no(request: Any) -> Any:
    raise StreamError("No.", code="no", status=403)


REFUSALS: list[tuple[dict[str, Any], Any, int]] = [
    ({"input": int}, "text", 422),
    ({"configure": _no}, "hi", 403),
    ({"configure": lambda request: {"context": 1}}, "hi", 500),
]


@pytest.mark.parametrize("form", TWO)
@pytest.mark.parametrize(("options", "body", "status"), REFUSALS)
async def test_it_is_closed_if_the_request_is_refused_afterwards(
    form: str, options: dict[str, Any], body: Any, status: int
) -> None:
    held = Held()
    assert (await post(app_of(held, form, **options), "/x", body)).status == status
    assert await held.until_closed() == ["opened", "closed"]


@pytest.mark.parametrize("options", [{}, {"resume": True}])
async def test_nothing_is_opened_if_too_many_runs_go_on(options: Any) -> None:
    held = [Held(), Held()]
    resources = iter(held)

    def chosen(request: Any) -> Any:
        return next(resources).agen(request)

    app = StreamApp([StreamRoute("/x", chosen, limits=Limits(concurrent=1), **options)])
    async with Exchange(app, "POST", "/x", "stay", headers=JSON) as first:
        await first.until(b'"a"')
        assert (await post(app, "/x", "hi")).status == 503
        await app.aclose()
    assert await held[0].until_closed() == ["opened", "run ended", "closed"]
    assert held[1].log == []


@pytest.mark.parametrize("options", [{}, {"resume": True}])
async def test_so_many_are_open_at_once_and_no_more(options: Any) -> None:
    is_open, most, others_refused = 0, 0, Event()

    async def opens_slowly(request: Any) -> Any:
        nonlocal is_open, most
        is_open += 1
        most = max(most, is_open)
        await others_refused.wait()
        yield RunnableLambda(str)
        is_open -= 1

    app = StreamApp([StreamRoute("/x", opens_slowly, limits=Limits(concurrent=2), **options)])
    posts = [asyncio.ensure_future(post(app, "/x", "hi")) for _ in range(20)]
    await until(lambda: sum(each.done() for each in posts) == 18)
    others_refused.set()
    answers = await asyncio.gather(*posts)
    assert sorted(answer.status for answer in answers) == [200] * 2 + [503] * 18
    assert most == 2
    assert (await post(app, "/x", "hi")).status == 200
    await app.aclose()


async def test_a_configure_that_takes_too_long_closes_it() -> None:
    async def never(request: Any) -> Any:
        await Event().wait()

    held = Held()
    answer = await post(app_of(held, configure=never, limits=Limits(run=0.5)), "/x", "hi")
    assert answer.status == 504
    assert await held.until_closed() == ["opened", "closed"]


async def test_a_schema_closes_it_at_once() -> None:
    held = Held(chain_of("a"))
    assert (await get(app_of(held, format="langserve"), "/x/input_schema")).status == 200
    assert await held.until_closed() == ["opened", "closed"]


async def test_opening_that_takes_too_long_is_cancelled_and_cleans_up() -> None:
    log: list[str] = []
    ended = Event()

    async def slow(request: Any) -> AsyncIterator[Any]:
        try:
            await Event().wait()
            yield chain_of("a")
        except asyncio.CancelledError:
            log.append("cancelled")
            raise
        finally:
            await asyncio.sleep(0)
            log.append("cleaned up")
            ended.set()

    app = StreamApp([StreamRoute("/x", slow, limits=Limits(run=0.5))])
    assert (await post(app, "/x", {"question": "hi"})).status == 504
    async with asyncio.timeout(20):
        await ended.wait()
    assert log == ["cancelled", "cleaned up"]


async def test_what_a_thread_opens_too_late_is_closed() -> None:
    go_on = threading.Event()
    held = Held()

    def slow(request: Any) -> Iterator[Any]:
        assert go_on.wait(10)
        yield from held.gen(request)

    app = StreamApp([StreamRoute("/x", slow, limits=Limits(run=0.5))])
    assert (await post(app, "/x", "hi")).status == 504
    assert not held.log
    go_on.set()
    assert await held.until_closed() == ["opened", "closed"]


async def test_an_end_that_comes_while_it_is_closed_does_not_cut_the_clean_up() -> None:
    """The client may leave in the moment in which a cancelled opening has come to its end."""
    log: list[str] = []
    opening, closing, go_on = Event(), Event(), Event()

    @asynccontextmanager
    async def stubborn() -> AsyncIterator[str]:
        opening.set()
        try:
            await Event().wait()
        except asyncio.CancelledError:
            log.append("cancelled")
        yield "open all the same"
        closing.set()
        await go_on.wait()
        log.append("closed")

    tasks = RunTasks()
    opened = Opened(stubborn(), "/x", tasks)
    waiting = asyncio.ensure_future(opened.value())
    async with asyncio.timeout(20):
        await opening.wait()
        waiting.cancel()
        await asyncio.wait({waiting})
        await closing.wait()
        go_on.set()
        await asyncio.wait(tasks)
    assert log == ["cancelled", "closed"]


@pytest.mark.parametrize("form", TWO)
@pytest.mark.parametrize("body", ["hi", "fail"])
async def test_what_fails_in_its_clean_up_is_logged_and_changes_no_answer(
    form: str, body: str, caplog: pytest.LogCaptureFixture
) -> None:
    well, badly = Held(), Held(closing=OSError("connection lost"))
    answers = [await post(app_of(held, form), "/x", body) for held in (well, badly)]
    await badly.until_closed()
    await until(lambda: "the function of /x failed in its clean-up" in caplog.text)
    assert "connection lost" in caplog.text
    assert answers[0].status == answers[1].status
    assert tokens(answers[0].body) == tokens(answers[1].body) if body == "hi" else True
    assert b"connection" not in answers[1].body


async def test_what_is_refused_stays_refused_if_its_clean_up_fails() -> None:
    held = Held(closing=OSError("connection lost"))
    assert (await post(app_of(held, input=int), "/x", "text")).status == 422
    await held.until_closed()


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        (StreamError("No.", code="no", status=403), 403),
        (HTTPException(401), 401),
        (ValueError("secret"), 500),
        (BaseExceptionGroup("several", [asyncio.CancelledError()]), 500),
        (asyncio.CancelledError(), 500),
    ],
)
async def test_what_is_raised_while_it_opens_is_the_answer(
    raised: BaseException, status: int
) -> None:
    async def refuses(request: Any) -> AsyncIterator[Any]:
        raise raised
        yield

    answer = await post(StreamApp([StreamRoute("/x", refuses)]), "/x", "hi")
    assert answer.status == status
    assert b"secret" not in answer.body


async def test_what_yields_nothing_is_a_mistake_of_the_server() -> None:
    async def nothing(request: Any) -> AsyncIterator[Any]:
        return
        yield

    assert (await post(StreamApp([StreamRoute("/x", nothing)]), "/x", "hi")).status == 500


@pytest.mark.parametrize("form", TWO)
async def test_what_yields_no_runnable_is_closed_and_a_mistake_of_the_server(
    form: str, caplog: pytest.LogCaptureFixture
) -> None:
    held = Held("no Runnable")
    assert (await post(app_of(held, form), "/x", "hi")).status == 500
    assert "the function of route '/x' yielded a str, not a Runnable" in caplog.text
    assert await held.until_closed() == ["opened", "closed"]


async def test_what_ends_by_itself_while_its_run_goes_on_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = Event()

    async def breaks() -> None:
        await broken.wait()
        raise OSError("connection lost")

    async def agen(request: Any) -> AsyncIterator[Any]:
        async with anyio.create_task_group() as group:
            group.start_soon(breaks)
            yield RunnableLambda(goes_on)

    async def goes_on(value: Any) -> str:
        broken.set()
        await until(lambda: "the function of /x failed while its run went on" in caplog.text)
        return "went on"

    app = StreamApp([StreamRoute("/x", agen)])
    assert tokens((await post(app, "/x", "hi")).body) == ["went on"]
    assert "connection lost" in caplog.text


async def test_context_variables_of_an_async_function_are_seen_by_the_run() -> None:
    async def agen(request: Any) -> AsyncIterator[Any]:
        before = session.set("open")
        yield RunnableLambda(seen)
        session.reset(before)

    async def seen(value: Any) -> str:
        return session.get()

    app = StreamApp([StreamRoute("/x", agen)])
    assert tokens((await post(app, "/x", "hi")).body) == ["open"]
    await app.aclose()


async def test_closing_waits_for_no_thread_of_the_pool() -> None:
    held, limiter = Held(), current_default_thread_limiter()
    app = app_of(held, "generator")
    async with Exchange(app, "POST", "/x", "stay", headers=JSON) as exchange:
        await exchange.until(b'"a"')
        before, limiter.total_tokens = limiter.total_tokens, 1
        try:
            async with limiter:
                exchange.disconnect()
                await held.until_closed()
        finally:
            limiter.total_tokens = before


async def test_the_app_s_end_waits_until_it_is_closed() -> None:
    held = Held()
    app = app_of(held)
    async with Exchange(app, "POST", "/x", "stay", headers=JSON) as exchange:
        await exchange.until(b'"a"')
        await app.aclose()
        assert held.log == ["opened", "run ended", "closed"]


async def test_a_named_runnable_may_be_such_a_function() -> None:
    held = Held(chain_of("a"))
    route = StreamRoute("/x", {"m": held.agen, "n": chain_of("b")}, format="openai")
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    assert (await post(StreamApp([route]), "/x/chat/completions", body)).status == 200
    assert await held.until_closed() == ["opened", "closed"]


def _order(notes: Notes, key: str) -> list[tuple[str, str]]:
    """What was opened and run, in order, and whether a cancellation reached it."""
    return [(each["who"], each["what"]) for each in notes.of(key)]


def _closed(notes: Notes, key: str) -> bool:
    return ("opened", "end") in _order(notes, key)


WHOLE = [("opened", "start"), ("run", "start"), ("run", "end"), ("opened", "end")]
LEFT = [*WHOLE[:2], ("run", "cancel"), *WHOLE[2:]]


@pytest.mark.parametrize("server", ["uvicorn", "hypercorn", "granian"])
async def test_it_is_closed_once_on_a_real_server(server: str, tmp_path: Path) -> None:
    notes = Notes(tmp_path / "notes")
    env = {"PROBE_LOG": str(tmp_path / "notes")}
    with serving("tests.routing.opened_app:app", tmp_path, server, env) as running:
        for path in ("/agen", "/gen"):
            key = new_key("whole")
            async with await Connection.post(
                running.port, path, {"key": key, "count": 3}
            ) as client:
                assert b"[DONE]" in await client.read_until(b"[DONE]")
                await until(partial(_closed, notes, key))
            assert _order(notes, key) == WHOLE
            for how in ("fin", "rst"):
                key = new_key(how)
                async with await Connection.post(running.port, path, {"key": key}) as client:
                    await client.read_until(b"t3")
                    client.leave(how)
                    await until(partial(_closed, notes, key))
                assert _order(notes, key) == LEFT
        key = new_key("kept")
        async with await Connection.post(
            running.port, "/kept", {"key": key, "count": 50}
        ) as client:
            await client.read_until(b"t3")
            client.leave()
            await until(partial(_closed, notes, key))
        assert _order(notes, key) == WHOLE


async def test_it_is_closed_when_a_server_is_asked_to_stop(tmp_path: Path) -> None:
    notes, key = Notes(tmp_path / "notes"), new_key()
    env = {"PROBE_LOG": str(tmp_path / "notes")}
    with serving("tests.routing.opened_app:app", tmp_path, "uvicorn", env) as running:
        async with await Connection.post(running.port, "/agen", {"key": key}) as client:
            await client.read_until(b"t3")
            running.process.terminate()
            assert b'"shutdown"' in await client.read_to_end()
            await until(partial(_closed, notes, key))
    assert _order(notes, key) == LEFT
