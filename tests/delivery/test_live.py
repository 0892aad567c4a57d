"""Disconnects, slow readers, deadlines and ends of runs, in this process."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import RunnableGenerator, RunnableLambda, RunnableParallel
from starlette.types import Message

from asgi_stream import Limits, StreamApp, StreamRoute
from asgi_stream._delivery.live import LiveStream
from asgi_stream.events import RunFinished, Step
from asgi_stream.formats.tokens import TokensFormat

from ..asgi import JSON, Exchange, call, frames, post, tokens
from ..clients import until
from ..models import AtOnce, InThread, Scripted

pytestmark = pytest.mark.anyio


class Work:
    """Async steps that never return, and record how they ended."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: list[str] = []

    def step(self, name: str, *, ignores: bool = False) -> Callable[[Any], Any]:
        async def wait(_: Any) -> None:
            self.begun.append(name)
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if ignores:
                    await asyncio.Event().wait()
                raise
            finally:
                self.ended.append(name)

        return wait

    async def until(self, happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not happened():
                await asyncio.sleep(0)


class SilentModel(Scripted):
    work: Any
    name_: str = "model"

    async def _astream(self, *_: Any, **__: Any) -> AsyncIterator[ChatGenerationChunk]:
        async for chunk in super()._astream():
            yield chunk
        await self.work.step(self.name_)(None)


@pytest.mark.parametrize("format", ["tokens", "chunks", "events"])
@pytest.mark.parametrize("accept", ["text/event-stream", "application/json"])
async def test_leaving_ends_all_branches(format: str, accept: str) -> None:
    work = Work()
    silent: dict[str, Any] = {
        name: SilentModel(script=["a"], work=work, name_=name) for name in ("a", "b", "c")
    }
    both = RunnableParallel(**silent, d=work.step("d"))
    app = StreamApp(
        [StreamRoute("/", both, format=format), StreamRoute("/warm", Scripted(script=[]))]
    )
    await post(app, "/warm", "x")
    before = asyncio.all_tasks()
    async with Exchange(app, "POST", "/", "x", headers={**JSON, "accept": accept}):
        await work.until(lambda: sorted(work.begun) == ["a", "b", "c", "d"])
    await work.until(lambda: sorted(work.ended) == ["a", "b", "c", "d"])
    await work.until(lambda: asyncio.all_tasks() <= before)


async def test_when_a_branch_fails_its_siblings_stop() -> None:
    work = Work()

    async def fails(_: Any) -> None:
        await work.until(lambda: bool(work.begun))
        raise ValueError

    app = StreamApp([StreamRoute("/", RunnableParallel(a=work.step("a"), b=fails))])
    answer = await post(app, "/", 1)
    assert answer.status == 500
    await work.until(lambda: work.ended == ["a"])


async def test_a_run_that_ignores_its_end_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    work = Work()
    stubborn = RunnableLambda(work.step("a", ignores=True)).with_config(run_name="stubborn")
    app = StreamApp([StreamRoute("/", stubborn, limits=Limits(grace=0.05))])
    before = asyncio.all_tasks()
    async with Exchange(app, "POST", "/", 1, headers=JSON):
        await work.until(lambda: bool(work.begun))
    await work.until(lambda: "is still running 0.05 s after it was cancelled" in caplog.text)
    for task in asyncio.all_tasks() - before:
        task.cancel()
    await app.aclose()


async def test_a_model_in_a_thread_ends_at_its_next_token() -> None:
    work = Work()
    proceed = threading.Event()
    yielded: list[int] = []

    class Slow(InThread):
        def _stream(self, *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
            work.begun.append("thread")
            try:
                for chunk in super()._stream():
                    proceed.wait(5)
                    yielded.append(1)
                    yield chunk
            finally:
                work.ended.append("thread")

    async def asks(_: Any) -> Any:
        return await asyncio.to_thread(Slow(script=["a"] * 9).invoke, "x")

    app = StreamApp([StreamRoute("/", RunnableLambda(asks), limits=Limits(grace=1))])
    async with Exchange(app, "POST", "/", 1, headers=JSON):
        await work.until(lambda: bool(work.begun))
    proceed.set()
    await work.until(lambda: bool(work.ended))
    assert len(yielded) <= 1


async def test_a_thread_that_goes_on_is_reported_by_name(caplog: pytest.LogCaptureFixture) -> None:
    proceed = threading.Event()
    begun = threading.Event()

    def inner(_: Any) -> None:
        begun.set()
        proceed.wait(5)

    def outer(value: Any) -> Any:
        return RunnableLambda(inner).with_config(run_name="slow step").invoke(value)

    app = StreamApp([StreamRoute("/", RunnableLambda(outer), limits=Limits(grace=0.05))])
    async with Exchange(app, "POST", "/", 1, headers=JSON):
        await asyncio.to_thread(begun.wait, 5)
    await Work().until(lambda: "(slow step): it ignores" in caplog.text)
    proceed.set()


async def test_work_that_a_finished_run_left_behind_is_left_in_peace() -> None:
    proceed = asyncio.Event()
    done: list[str] = []
    tasks: list[Any] = []

    async def later(value: Any) -> None:
        await proceed.wait()
        done.append(await RunnableLambda(lambda x: x).ainvoke("saved"))

    async def detaches(value: Any) -> str:
        tasks.append(asyncio.ensure_future(RunnableLambda(later).ainvoke(value)))
        return "answer"

    app = StreamApp([StreamRoute("/", RunnableLambda(detaches))])
    assert tokens((await post(app, "/", 1)).body) == ["answer"]
    proceed.set()
    await tasks[0]
    assert done == ["saved"]


async def test_a_shared_worker_that_takes_a_step_is_not_cancelled() -> None:
    """A task from elsewhere that runs a step of this run may serve others too."""
    jobs: asyncio.Queue[Any] = asyncio.Queue()
    begun = asyncio.Event()

    async def wait(_: Any) -> None:
        begun.set()
        await asyncio.Event().wait()

    async def serve() -> None:
        config = await jobs.get()
        await RunnableLambda(wait).ainvoke(1, config)

    worker = asyncio.ensure_future(serve())

    async def hands_over(_: Any, config: Any) -> None:
        jobs.put_nowait(config)
        await asyncio.Event().wait()

    app = StreamApp([StreamRoute("/", RunnableLambda(hands_over), limits=Limits(grace=0.05))])
    async with Exchange(app, "POST", "/", 1, headers=JSON):
        await begun.wait()
    await app.aclose()
    assert not worker.done()
    worker.cancel()


def counting(total: int, made: list[int]) -> Any:
    async def words(values: AsyncIterator[Any]) -> AsyncIterator[str]:
        async for _ in values:
            for n in range(total):
                made.append(n)
                yield "x" * 100

    return RunnableGenerator(words)


def endless_model(made: list[int]) -> Any:
    from langchain_core.messages import AIMessageChunk

    class Model(Scripted):
        async def _astream(self, *_: Any, **__: Any) -> AsyncIterator[ChatGenerationChunk]:
            for n in range(5000):
                made.append(n)
                yield ChatGenerationChunk(message=AIMessageChunk(content="x" * 100))

    return Model(script=[])


def endless_thread(made: list[int]) -> Any:
    from langchain_core.messages import AIMessageChunk

    class Model(InThread):
        def _stream(self, *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
            for n in range(5000):
                made.append(n)
                yield ChatGenerationChunk(message=AIMessageChunk(content="x" * 100))

    async def asks(_: Any) -> Any:
        return await asyncio.to_thread(Model(script=[]).invoke, "x")

    return RunnableLambda(asks)


def asks_inside(made: list[int]) -> Any:
    async def asks(_: Any) -> Any:
        return await endless_model(made).ainvoke("x")

    return RunnableLambda(asks)


@pytest.mark.parametrize(
    ("source", "format"),
    [
        *[(s, f) for s in (counting, endless_model) for f in ("tokens", "chunks", "events")],
        # With chunks, nothing makes these models stream.
        *[(s, f) for s in (endless_thread, asks_inside) for f in ("tokens", "events")],
    ],
)
async def test_a_reader_that_stalls_pauses_the_run_and_loses_nothing(
    source: Any, format: str
) -> None:
    made: list[int] = []
    runnable = source(5000, made) if source is counting else source(made)
    app = StreamApp([StreamRoute("/", runnable, format=format, limits=Limits(buffer=40_000))])
    async with Exchange(app, "POST", "/", "x", headers=JSON, stalled=True) as exchange:
        await Work().until(lambda: bool(made))
        await asyncio.sleep(0.3)
        # A frame takes about 100 bytes in the tokens format, and more in events.
        assert len(made) < 2500
        exchange.resume()
        await exchange.finished()
    sent = frames(exchange.body)
    assert sent[-1] == "[DONE]"
    assert len(made) == 5000
    assert sum("x" * 100 in str(frame) and "_end" not in str(frame) for frame in sent) >= 5000


class Flooding(TokensFormat):
    """Encodes each event as many bytes."""

    def encode(self, event: Any) -> bytes:
        return super().encode(event) * 200


def flooding(step: Any) -> StreamApp:
    limits = Limits(buffer=20_000)
    format = "tests.delivery.test_live:Flooding"
    return StreamApp([StreamRoute("/", RunnableLambda(step), format=format, limits=limits)])


async def test_a_run_that_cannot_be_paused_is_ended_when_the_buffer_is_full() -> None:
    made: list[int] = []
    ended = asyncio.Event()

    async def many(_: Any) -> None:
        try:
            for n in range(30):
                await AtOnce(says="x" * 50).ainvoke("x")
                made.append(n)
        finally:
            ended.set()

    async with Exchange(flooding(many), "POST", "/", 1, headers=JSON, stalled=True) as exchange:
        async with asyncio.timeout(20):
            await ended.wait()
        exchange.resume()
        await exchange.finished()
    assert b'"slow_reader"' in exchange.body
    assert exchange.body.count(b"[DONE]") == 200
    assert len(made) < 6


async def test_a_reader_is_not_slow_if_it_had_no_time_to_take_a_burst() -> None:
    async def many(_: Any) -> None:
        models = [Scripted(script=["x" * 50] * 3) for _ in range(30)]
        await asyncio.gather(*(model.ainvoke("x") for model in models))

    answer = await post(flooding(many), "/", 1)
    assert answer.body.count(b"x" * 50) == 30 * 3 * 200
    assert b"slow_reader" not in answer.body


@pytest.mark.parametrize("stalled", [False, True])
async def test_a_frame_larger_than_the_buffer_is_sent(stalled: bool) -> None:
    async def many(_: Any) -> None:
        await AtOnce(says="x" * 500).ainvoke("x")
        for _ in range(3):
            await RunnableLambda(lambda x: x).ainvoke(1)
        await Scripted(script=["y"] * 3).ainvoke("x")

    async with Exchange(flooding(many), "POST", "/", 1, headers=JSON, stalled=stalled) as exchange:
        if stalled:
            await asyncio.sleep(0.1)
            exchange.resume()
        await exchange.finished()
    assert exchange.body.count(b"x" * 500) == 200
    assert exchange.body.count(b'"y"') == 3 * 200
    assert b"slow_reader" not in exchange.body


async def test_without_a_limit_on_the_buffer_nothing_waits() -> None:
    made: list[int] = []
    route = StreamRoute("/", counting(3000, made), limits=Limits(buffer=None))
    async with Exchange(StreamApp([route]), "POST", "/", 1, headers=JSON, stalled=True) as exchange:
        await Work().until(lambda: len(made) == 3000)
        exchange.resume()
        await exchange.finished()
    assert len(tokens(exchange.body)) == 3000


class Failing(TokensFormat):
    """Fails to encode text."""

    def encode(self, event: Any) -> bytes:
        if type(event).__name__ == "TextDelta":
            raise RuntimeError("secret")
        return super().encode(event)


class FailingAtTheEnd(TokensFormat):
    def encode(self, event: Any) -> bytes:
        if type(event).__name__ == "RunFinished":
            raise RuntimeError("secret")
        return super().encode(event)


@pytest.mark.parametrize("name", ["Failing", "FailingAtTheEnd"])
async def test_a_format_that_fails_is_an_error_frame(name: str) -> None:
    route = StreamRoute("/", Scripted(script=["a"]), format=f"tests.delivery.test_live:{name}")
    answer = await post(StreamApp([route]), "/", "x")
    assert b'"run_failed"' in answer.body
    assert b"secret" not in answer.body


async def test_a_reader_that_takes_nothing_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    work = Work()

    async def says_and_waits(values: AsyncIterator[Any]) -> AsyncIterator[str]:
        async for _ in values:
            yield "a"
            await work.step("run")(None)

    route = StreamRoute("/", RunnableGenerator(says_and_waits), limits=Limits(send=0.5))

    async def receive() -> Message:
        if not received:
            received.append(1)
            return {"type": "http.request", "body": b"1", "more_body": False}
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    received: list[int] = []
    scope = Exchange(StreamApp([route]), "POST", "/", headers=JSON).scope
    async with asyncio.timeout(20):
        await StreamApp([route])(scope, receive, send)
    await work.until(lambda: work.ended == ["run"])
    assert "dropped a client that read nothing for 0.5 s" in caplog.text


async def test_a_server_that_raises_when_the_client_has_gone_is_understood() -> None:
    work = Work()

    async def says_and_waits(values: AsyncIterator[Any]) -> AsyncIterator[str]:
        async for _ in values:
            yield "a"
            await work.step("run")(None)

    app = StreamApp([StreamRoute("/", RunnableGenerator(says_and_waits))])
    exchange = Exchange(app, "POST", "/", 1, headers=JSON)

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            raise OSError("gone")

    await app(exchange.scope, exchange.received.get, send)
    await work.until(lambda: work.ended == work.begun)


async def test_a_server_that_cancels_gets_a_farewell() -> None:
    """hypercorn cancels without a disconnect message."""
    work = Work()
    app = StreamApp([StreamRoute("/", RunnableLambda(work.step("a")), limits=Limits(hold=0))])
    exchange = Exchange(app, "POST", "/", 1, headers=JSON)
    task = asyncio.ensure_future(
        exchange.app(exchange.scope, exchange.received.get, exchange._send)
    )
    await work.until(lambda: bool(work.begun) and bool(exchange.messages))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    error, done = frames(exchange.body)
    assert (error["error"]["code"], done) == ("shutdown", "[DONE]")
    await work.until(lambda: work.ended == ["a"])


async def test_sse_starlette_s_own_notice_of_a_shutdown_is_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sse_starlette.sse import AppStatus

    work = Work()
    app = StreamApp([StreamRoute("/", RunnableLambda(work.step("a")), limits=Limits(hold=0))])
    async with Exchange(app, "POST", "/", 1, headers=JSON) as exchange:
        await work.until(lambda: bool(work.begun))
        monkeypatch.setattr(AppStatus, "should_exit", True)
        await exchange.finished()
    error, _ = frames(exchange.body)
    assert error["error"]["code"] == "shutdown"


async def test_a_finished_run_leaves_nothing_behind(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)  # pytest keeps what is logged
    app = StreamApp([StreamRoute("/", Scripted(script=["a", "b"]))])
    await post(app, "/", "x")
    before = asyncio.all_tasks()
    gc.collect()
    count = len(gc.get_objects())
    for _ in range(runs := 2000):
        await post(app, "/", "x")
    gc.collect()
    assert asyncio.all_tasks() == before
    # Less than one object a run: the loop keeps up to a hundred cancelled timers, and what they
    # refer to (about 1,500 objects), for a while.
    assert len(gc.get_objects()) - count < runs


async def test_a_run_gives_the_loop_back_while_it_works() -> None:
    """Nothing in this run ever waits, and others must still be served."""
    made: list[int] = []
    gaps: list[float] = []
    loop = asyncio.get_running_loop()

    async def ticks() -> None:
        last = loop.time()
        while True:
            await asyncio.sleep(0)
            gaps.append(loop.time() - last)
            last = loop.time()

    ticker = asyncio.ensure_future(ticks())
    app = StreamApp([StreamRoute("/", counting(20_000, made), limits=Limits(buffer=None))])
    async with Exchange(app, "POST", "/", 1, headers=JSON, stalled=True) as exchange:
        await Work().until(lambda: len(made) == 20_000)
        exchange.resume()
        await exchange.finished()
    ticker.cancel()
    assert len(gaps) > 10


async def test_a_head_request_starts_nothing() -> None:
    started: list[int] = []
    step: Any = RunnableLambda(lambda _: started.append(1))
    app = StreamApp([StreamRoute("/", step, methods=("GET",))])
    assert (await call(app, "HEAD", "/")).status == 200
    assert started == []


async def test_logs_say_which_run_failed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)

    def fails(_: Any) -> None:
        raise ValueError

    answer = await post(StreamApp([StreamRoute("/x", RunnableLambda(fails))]), "/x", 1)
    assert f"run {answer.headers['x-run-id']} of /x: The run failed. (run_failed" in caplog.text


async def test_a_stream_without_any_deadline_works() -> None:
    limits = Limits(run=None, ping=None, send=None, hold=0)
    route = StreamRoute("/", Scripted(script=["a"]), limits=limits)
    assert tokens((await post(StreamApp([route]), "/", "x")).body) == ["a"]


async def test_deadlines_and_pings_wait_for_a_reader_that_stalls() -> None:
    """A stalled reader has its own deadline, ``limits.send``; the run does not time out."""
    made: list[int] = []
    limits = Limits(idle=1, ping=0.02, buffer=10_000)
    route = StreamRoute("/", counting(200, made), limits=limits)
    async with Exchange(StreamApp([route]), "POST", "/", 1, headers=JSON, stalled=True) as exchange:
        await Work().until(lambda: bool(made))
        await asyncio.sleep(1.2)
        exchange.resume()
        await exchange.finished()
    assert len(tokens(exchange.body)) == 200


async def test_only_the_first_end_counts() -> None:
    app = StreamApp([StreamRoute("/", RunnableLambda(Work().step("a")), limits=Limits(hold=0))])
    async with Exchange(app, "POST", "/", 1, headers=JSON) as exchange:
        await until(lambda: exchange.messages)  # with hold=0 the headers come before any frame
        [stream] = app._loops.current.streams
        assert isinstance(stream, LiveStream)
        stream.shut_down()
        stream.fail(ValueError())
        stream._pump.put(RunFinished(Step("r", "r", "chain"), "late"))
        await exchange.finished()
    error, _ = frames(exchange.body)
    assert error["error"]["code"] == "shutdown"


async def test_a_server_that_cancels_gets_no_farewell_in_a_format_without_one() -> None:
    work = Work()
    step = RunnableLambda(work.step("a"))
    app = StreamApp([StreamRoute("/", step, format="text", limits=Limits(hold=0))])
    body = {"messages": [{"role": "user", "content": "x"}]}
    exchange = Exchange(app, "POST", "/", body, headers=JSON)
    task = asyncio.ensure_future(
        exchange.app(exchange.scope, exchange.received.get, exchange._send)
    )
    await work.until(lambda: bool(work.begun) and bool(exchange.messages))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [message["type"] for message in exchange.messages] == ["http.response.start"]
    await work.until(lambda: work.ended == ["a"])


async def test_a_run_that_yields_nothing_to_send_is_not_idle() -> None:
    async def works(values: AsyncIterator[Any]) -> AsyncIterator[str]:
        async for _ in values:
            yield "a"
            for _ in range(12):
                await asyncio.sleep(0.1)
                yield ""
            yield "b"

    route = StreamRoute("/", RunnableGenerator(works), limits=Limits(idle=1))
    answer = await post(StreamApp([route]), "/", "x")
    assert tokens(answer.body) == ["a", "b"]


async def test_a_run_that_cannot_begin_is_an_error_like_any_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*args: Any, **options: Any) -> None:
        raise RuntimeError("secret")

    app = StreamApp([StreamRoute("/", Scripted(script=["a"]))])
    monkeypatch.setattr("asgi_stream._delivery.pump.Run", fails)
    response = await post(app, "/", "hi")
    assert (response.status, b"secret" in response.body) == (500, False)
    assert "secret" in caplog.text
    monkeypatch.undo()
    assert tokens((await post(app, "/", "hi")).body) == ["a"]
