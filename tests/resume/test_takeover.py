"""Runs that go on with another worker: two apps in this process are the workers."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Callable
from threading import Event
from typing import Any, TypedDict
from uuid import uuid4

import pytest
from langgraph.graph import StateGraph

from asgi_stream import Limits, Resume, StreamApp, StreamRoute, Threads
from asgi_stream._request import stored_request
from asgi_stream.errors import StreamError
from asgi_stream.events import RunError
from asgi_stream.formats.chunks import ChunksFormat
from asgi_stream.requests import StreamRequest

from ..asgi import JSON, Exchange, get
from ..clients import until
from .shared_store import SharedSaver, SharedStore, SharedThreadStore

pytestmark = pytest.mark.anyio


class State(TypedDict, total=False):
    text: str


class Work:
    """A graph of two nodes, of which the second hangs, and the workers that serve it.

    Attributes:
        store: Where runs are stored.
        threads: Where threads are.
        begun: The nodes that have begun.
        hangs: How often the second node hangs.
        calls: The requests that the route's function has been called with.
        prepare: Awaited by the route's function.
    """

    def __init__(self, **resume: Any) -> None:
        self.store, self.threads = SharedStore(), SharedThreadStore()
        self.begun: list[str] = []
        self.hangs = 1
        self.calls: list[StreamRequest] = []
        self.prepare: Callable[[], Any] | None = None
        self.resume = Resume(store=self.store, on_worker_lost="continue", **resume)
        graph = StateGraph(State)
        graph.add_node("first", self._first)
        graph.add_node("second", self._second)
        graph.set_entry_point("first")
        graph.add_edge("first", "second")
        self.graph = graph.compile(checkpointer=SharedSaver())

    async def _first(self, state: State) -> State:
        self.begun.append("first")
        return {"text": f"{state['text']} first"}

    async def _second(self, state: State) -> State:
        self.begun.append("second")
        if self.begun.count("second") <= self.hangs:
            await asyncio.Event().wait()
        return {"text": f"{state['text']} second"}

    async def source(self, request: StreamRequest) -> Any:
        self.calls.append(request)
        if self.prepare is not None and len(self.calls) > 1:
            await self.prepare()
        return self.graph

    def worker(self, format: str = "chunks", **options: Any) -> StreamApp:
        about = {"stream_mode": "updates"} | options.pop("astream_kwargs", {})
        return StreamApp(
            [StreamRoute("/work", self.source, format=format, astream_kwargs=about, **options)],
            resume=self.resume,
            threads=Threads(store=self.threads),
            authorize=lambda request: request.headers.get("x-user", "ann"),
            limits=options.pop("limits", Limits(hold=0.1)),
        )

    async def hung(self, times: int = 1) -> None:
        await until(lambda: self.begun.count("second") == times)


class Lost:
    """A run that a worker has begun, and a reader of it on another one."""

    def __init__(self, work: Work, url: str = "/work?thread_id=t", **options: Any) -> None:
        self.work = work
        self.first, self.second = work.worker(**options), work.worker(**options)
        self._url = url

    async def __aenter__(self) -> Lost:
        self.client = Exchange(self.first, "POST", self._url, {"text": "go"}, headers=JSON)
        await self.client.__aenter__()
        await self.work.hung()
        await self.client.started()
        self.run_id = self.client.headers["x-run-id"]
        self.reader = Exchange(self.second, "GET", f"/work/runs/{self.run_id}")
        await self.reader.__aenter__()
        await self.reader.started()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.__aexit__()
        await self.reader.__aexit__()

    async def ended(self) -> list[Any]:
        """Lose the worker, and return what the reader gets."""
        self.work.store.lose(self.run_id)
        await self.reader.finished()
        return data_of(self.reader.body)


def data_of(body: bytes) -> list[Any]:
    """The data of all frames, whose ids are checked."""
    ids = [int(each) for each in re.findall(rb"^id: .*?:(\d+)$", body, re.M)]
    assert ids == list(range(1, len(ids) + 1))
    data = [each[6:] for each in body.decode().split("\n") if each.startswith("data: ")]
    return [each if each == "[DONE]" else json.loads(each) for each in data]


LOST = "worker_lost"


def code_of(data: list[Any]) -> str:
    *_, error, done = data
    assert done == "[DONE]"
    return str(error["error"]["code"])


async def test_a_run_goes_on_at_its_last_checkpoint(caplog: pytest.LogCaptureFixture) -> None:
    work = Work()
    async with Lost(work) as lost:
        data = await lost.ended()
        assert data == [
            {"first": {"text": "go first"}},
            {"second": {"text": "go first second"}},
            "[DONE]",
        ]
        await lost.client.finished()
        assert lost.client.body == lost.reader.body
    assert work.begun == ["first", "second", "second"]
    record = await work.store.find(lost.run_id)
    assert record is not None
    assert (record.state, record.attempts, record.frames) == ("done", 2, 4)
    begun, again = work.calls
    assert (begun.call.continued, again.call.continued) == (False, True)  # type: ignore[union-attr]
    assert (again.method, again.data, await again.json()) == ("GET", {"text": "go"}, {"text": "go"})
    assert await again.body() == b'{"text":"go"}'
    assert not await again.is_disconnected()
    assert (again.owner, again.call.owner) == ("ann", "ann")  # type: ignore[union-attr]
    assert f"run {lost.run_id} of /work goes on here, as attempt 2 of 3" in caplog.text
    state = (await get(work.worker(), "/work/threads/t/state")).json()
    assert state["values"] == {"text": "go first second"}
    assert (await get(work.worker(), "/work/threads/t")).json()["status"] == "idle"


async def test_a_run_that_has_lost_its_worker_is_in_progress_for_clients() -> None:
    work = Work()
    async with Lost(work) as lost:
        await lost.reader.__aexit__()
        await lost.client.__aexit__()
        work.store.lose(lost.run_id)
        accept = {"accept": "application/json"}
        about = (await get(lost.second, f"/work/runs/{lost.run_id}", headers=accept)).json()
        assert (about["state"], "code" in about) == ("running", False)
        again = await get(lost.second, f"/work/runs/{lost.run_id}")
        assert data_of(again.body)[-1] == "[DONE]"


async def test_a_run_that_loses_worker_after_worker_ends() -> None:
    work = Work()
    work.hangs = 9
    async with Lost(work) as lost:
        for attempt in (2, 3):
            work.store.lose(lost.run_id)
            await work.hung(attempt)
        assert code_of(await lost.ended()) == LOST
    assert work.begun == ["first", *["second"] * 3]
    assert work.store.taken == 3


async def test_a_run_without_a_checkpoint_ends() -> None:
    work = Work()
    async with Lost(work, astream_kwargs={"durability": "exit"}) as lost:
        assert code_of(await lost.ended()) == LOST
    assert work.begun == ["first", "second"]


async def test_a_run_whose_first_frames_are_gone_ends() -> None:
    work = Work(frames=1)
    modes = {"stream_mode": ["updates", "values"]}
    async with Lost(work, astream_kwargs=modes) as lost:
        work.store.lose(lost.run_id)
        await lost.reader.finished()
        assert b"worker_lost" in lost.reader.body
    assert work.begun == ["first", "second"]


async def test_a_run_with_a_large_request_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_request, "MAX_BYTES", 10)
    work = Work()
    async with Lost(work) as lost:
        assert work.store.origins == {lost.run_id: None}
        assert code_of(await lost.ended()) == LOST


async def test_a_run_whose_thread_another_run_has_ends() -> None:
    work = Work()
    async with Lost(work) as lost:
        [(scope, thread_id)] = work.threads._claims
        work.threads.release(scope, thread_id, lost.run_id)

        class Other:
            run_id = str(uuid4())

            def evicted(self) -> None: ...

        await work.threads.claim(scope, thread_id, Other())
        assert code_of(await lost.ended()) == LOST


@pytest.mark.parametrize(
    ("error", "traceback"), [(StreamError("no", code="no"), False), (ZeroDivisionError(), True)]
)
async def test_a_run_whose_request_is_refused_ends(
    error: Exception, traceback: bool, caplog: pytest.LogCaptureFixture
) -> None:
    work = Work()

    async def refuse() -> None:
        raise error

    work.prepare = refuse
    async with Lost(work) as lost:
        assert code_of(await lost.ended()) == LOST
    [record] = [each for each in caplog.records if "cannot go on" in each.getMessage()]
    assert (record.exc_info is not None) == traceback
    assert record.levelno == logging.WARNING


async def test_a_run_that_is_stopped_while_it_is_prepared_is_cancelled() -> None:
    work = Work()

    async def stop() -> None:
        await work.store.stop(lost.run_id)

    work.prepare = stop
    async with Lost(work) as lost:
        assert code_of(await lost.ended()) == "cancelled"
    assert work.begun == ["first", "second"]


async def test_a_run_that_has_gone_on_can_be_stopped() -> None:
    work = Work()
    work.hangs = 2
    async with Lost(work) as lost:
        work.store.lose(lost.run_id)
        await work.hung(2)
        await work.store.stop(lost.run_id)
        await lost.reader.finished()
        assert code_of(data_of(lost.reader.body)) == "cancelled"


async def test_a_run_is_cancelled_that_nobody_reads_any_more() -> None:
    work = Work(unread_timeout=0.5)
    work.hangs = 2
    async with Lost(work) as lost:
        work.store.lose(lost.run_id)
        await work.hung(2)
        lost.client.disconnect()
        lost.reader.disconnect()
        await until(lambda: work.store._runs[lost.run_id].producer is None)
    record = await work.store.find(lost.run_id)
    assert record is not None
    assert record.state == "cancelled"


@pytest.mark.parametrize("fails", [False, True])
async def test_a_worker_that_loses_the_run_while_it_is_prepared_does_nothing(fails: bool) -> None:
    work = Work()
    prepared = asyncio.Event()

    async def lose() -> None:
        work.prepare = None
        work.store.lose(lost.run_id)
        await until(lambda: work.store.taken == 2)
        work.store._old[lost.run_id].written()
        work.store._old[lost.run_id].written(RuntimeError())
        prepared.set()
        if fails:
            raise ZeroDivisionError

    work.prepare = lose
    async with Lost(work) as lost:
        data = await lost.ended()
        await prepared.wait()
    assert data[1:] == [{"second": {"text": "go first second"}}, "[DONE]"]
    assert work.begun == ["first", "second", "second"]


class Closing(ChunksFormat):
    """Closes something in each stream that goes on."""

    def restore(self, *_: Any) -> bytes:
        return b"data: {}\n\n"


async def test_what_the_stream_has_left_open_is_closed_first() -> None:
    work = Work()
    async with Lost(work, format="tests.resume.test_takeover:Closing") as lost:
        _, closing, second, done = await lost.ended()
    assert (closing, second, done) == ({}, {"second": {"text": "go first second"}}, "[DONE]")


class Mute(ChunksFormat):
    """Has no frames of errors."""

    def encode(self, event: Any) -> bytes:
        if isinstance(event, RunError):
            raise ValueError("odd")
        return super().encode(event)


async def test_a_run_that_is_given_up_ends_whatever_its_format_raises(
    caplog: pytest.LogCaptureFixture,
) -> None:
    work = Work()

    async def refuse() -> None:
        raise ZeroDivisionError

    work.prepare = refuse
    async with Lost(work, format="tests.resume.test_takeover:Mute") as lost:
        first, *more = await lost.ended()
    assert (first, more) == ({"first": {"text": "go first"}}, [])
    record = await work.store.find(lost.run_id)
    assert record is not None
    assert (record.state, record.code) == ("failed", LOST)
    assert "ValueError: odd" in caplog.text


class Losing(ChunksFormat):
    """Takes so long to be restored that the run is lost."""

    restored = Event()
    gone = Event()

    def restore(self, *_: Any) -> bytes:
        self.restored.set()
        assert self.gone.wait(5)
        return b""


async def test_a_worker_that_loses_the_run_while_its_stream_is_restored_does_nothing() -> None:
    for event in (Losing.restored, Losing.gone):
        event.clear()
    work = Work()
    async with Lost(work, format="tests.resume.test_takeover:Losing") as lost:
        work.store.lose(lost.run_id)
        await until(Losing.restored.is_set)
        producer: Any = work.store._runs[lost.run_id].producer
        producer.written(RuntimeError())
        Losing.gone.set()
        await until(lambda: work.begun == ["first", "second"] and not work.threads._claims)


async def test_a_worker_without_room_leaves_the_run_to_others() -> None:
    work = Work()
    async with Lost(work) as lost:
        await lost.reader.__aexit__()
        full = work.worker(limits=Limits(hold=0.1, concurrent=1))
        async with Exchange(full, "POST", "/work?thread_id=other", {"text": "x"}, headers=JSON):
            await until(lambda: work.begun.count("first") == 2)
            async with Exchange(full, "GET", f"/work/runs/{lost.run_id}") as reader:
                await reader.started()
                work.store.lose(lost.run_id)
                async with Exchange(lost.second, "GET", f"/work/runs/{lost.run_id}") as other:
                    await other.finished()
                    assert work.store.taken == 1
                    assert data_of(other.body)[-1] == "[DONE]"


async def test_the_filter_and_the_keys_of_the_query_remain() -> None:
    work = Work()
    url = "/work?thread_id=t&include=on_chain_end&names=first,second&key=7"
    options = {"format": "events", "configurable": ["key"]}
    async with Lost(work, url, **options) as lost:
        data = await lost.ended()
    assert [each["name"] for each in data[:-1]] == ["first", "second"]
    assert [each.call.body for each in work.calls] == [{"text": "go"}] * 2  # type: ignore[union-attr]
