"""How a cancelled run ends: clean-ups finish, and what is still running is logged."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.runnables import (
    Runnable,
    RunnableGenerator,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
)
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph

from asgi_stream import Limits, StreamApp, StreamRoute
from asgi_stream._langchain.tasks import RunTasks, start_run

from ..asgi import JSON, Exchange, call, post
from ..models import Scripted

pytestmark = pytest.mark.anyio

CLEAN_UP_SECONDS = 0.3
PROMPT_SECONDS = 0.05
ASK = {"messages": "?"}


@pytest.fixture(autouse=True)
def _(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asgi_stream._langchain.cleanup.PROMPT_SECONDS", PROMPT_SECONDS)


class Held:
    """Steps that hold something for ever, and take their time to release it."""

    def __init__(self) -> None:
        self.holding: Counter[str] = Counter()
        self.released: Counter[str] = Counter()
        self.cut_off: Counter[str] = Counter()

    async def hold(self, name: str = "a", seconds: float = CLEAN_UP_SECONDS) -> None:
        self.holding[name] += 1
        try:
            await asyncio.Event().wait()
        finally:
            try:
                await asyncio.sleep(seconds)
                self.released[name] += 1
            except asyncio.CancelledError:
                self.cut_off[name] += 1
                raise

    def step(self, name: str = "a", seconds: float = CLEAN_UP_SECONDS) -> Callable[[Any], Any]:
        async def step(_: Any) -> Any:
            await self.hold(name, seconds)

        return step

    async def until_held(self, *names: str) -> None:
        await until(lambda: self.holding.keys() >= set(names))

    async def until_released(self, *names: str) -> None:
        await until(lambda: (self.released + self.cut_off).keys() >= set(names))
        assert (self.released, self.cut_off) == (Counter(names), Counter())


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not happened():
            await asyncio.sleep(0.001)


def graph_of(*nodes: Any) -> Runnable[Any, Any]:
    """A graph whose nodes run side by side."""
    built = StateGraph(MessagesState)
    for n, node in enumerate(nodes):
        built.add_node(str(n), node)
        built.add_edge(START, str(n))
    return built.compile()


def in_a_row(*nodes: Any) -> Runnable[Any, Any]:
    return StateGraph(MessagesState).add_sequence([*nodes]).add_edge(START, "first").compile()


async def first(_: Any) -> Any:
    return {"messages": [("ai", "x")]}


def in_a_tool(held: Held) -> Any:
    @tool
    async def hold() -> None:
        """Holds."""
        await held.hold()

    async def node(_: Any) -> Any:
        return await hold.ainvoke({})

    return graph_of(node)


def in_a_gather(held: Held) -> Any:
    async def gathers(_: Any) -> Any:
        await asyncio.gather(*(RunnableLambda(held.step(name)).ainvoke(1) for name in "ab"))

    return RunnableLambda(gathers)


def in_a_task_group(held: Held) -> Any:
    async def groups(_: Any) -> Any:
        async with asyncio.TaskGroup() as group:
            for name in "ab":
                group.create_task(RunnableLambda(held.step(name)).ainvoke(1))

    return RunnableLambda(groups)


def under_a_deadline(held: Held) -> Any:
    async def waits(_: Any) -> Any:
        await asyncio.wait_for(RunnableLambda(held.step()).ainvoke(1), 60)

    return RunnableLambda(waits)


def without_anyone(held: Held) -> Any:
    async def waits(_: Any) -> Any:
        # It is cancelled, and does not cancel what it waits for.
        await asyncio.wait([asyncio.ensure_future(RunnableLambda(held.step()).ainvoke(1))])

    return RunnableLambda(waits)


def behind_a_first_chunk(held: Held) -> Any:
    """By then a parallel branch is in a task that no callback tells of."""

    async def speaks(values: AsyncIterator[Any]) -> AsyncIterator[str]:
        async for _ in values:
            yield "x"
            await held.hold()

    return RunnableParallel(a=RunnableGenerator(speaks))


def streamed_inside(held: Held) -> Any:
    async def streams(_: Any) -> Any:
        async for _ in RunnableLambda(held.step()).astream_events(1, version="v2"):
            pass

    return RunnableParallel(a=streams)


# What each holds, and so has to release.
STRUCTURES: dict[str, tuple[str, Callable[[Held], Any]]] = {
    "lambda": ("a", lambda held: RunnableLambda(held.step())),
    "chain": ("a", lambda held: RunnableLambda(lambda x: x) | RunnableLambda(held.step())),
    "retry": ("a", lambda held: RunnableLambda(held.step()).with_retry()),
    "fallbacks": (
        "a",
        lambda held: RunnableLambda(held.step()).with_fallbacks([Scripted(script=[])]),
    ),
    "parallel": ("ab", lambda held: RunnableParallel(a=held.step(), b=held.step("b"))),
    "parallel in parallel": (
        "abc",
        lambda held: RunnableParallel(
            a=RunnableParallel(a=held.step(), b=held.step("b")), c=held.step("c", 0.0)
        ),
    ),
    "assign": (
        "a",
        lambda held: RunnableLambda(lambda _: {}) | RunnablePassthrough.assign(a=held.step()),
    ),
    "graph": ("a", lambda held: graph_of(held.step())),
    "parallel nodes": ("ab", lambda held: graph_of(held.step(), held.step("b", 0.0))),
    "graph in graph": ("ab", lambda held: graph_of(graph_of(held.step(), held.step("b")))),
    "graph in parallel": (
        "abc",
        lambda held: RunnableParallel(a=graph_of(held.step(), held.step("b")), c=held.step("c")),
    ),
    "second node in parallel": ("a", lambda held: RunnableParallel(a=in_a_row(first, held.step()))),
    "parallel in graph": (
        "ab",
        lambda held: graph_of(RunnableParallel(messages=held.step()), held.step("b", 0.0)),
    ),
    "tool": ("a", in_a_tool),
    "gather": ("ab", in_a_gather),
    "task group": ("ab", in_a_task_group),
    "task group in parallel": ("ab", lambda held: RunnableParallel(c=in_a_task_group(held))),
    "deadline": ("a", under_a_deadline),
    "deadline in parallel": ("a", lambda held: RunnableParallel(c=under_a_deadline(held))),
    "task that nobody cancels": ("a", without_anyone),
    "second chunk in parallel": ("a", behind_a_first_chunk),
    "events in parallel": ("a", streamed_inside),
}


@pytest.mark.parametrize("format", ["tokens", "chunks", "events"])
@pytest.mark.parametrize("name", STRUCTURES)
async def test_a_clean_up_is_not_cancelled_again(
    name: str, format: str, caplog: pytest.LogCaptureFixture
) -> None:
    held = Held()
    names, make = STRUCTURES[name]
    app = StreamApp([StreamRoute("/", make(held), format=format)])
    async with Exchange(app, "POST", "/", ASK, headers=JSON):
        await held.until_held(*names)
    await held.until_released(*names)
    await app.aclose()
    assert "is still running" not in caplog.text


async def test_when_a_branch_fails_its_siblings_are_cancelled_once() -> None:
    held = Held()

    async def fails(_: Any) -> None:
        await held.until_held("a")
        raise ValueError

    app = StreamApp([StreamRoute("/", RunnableParallel(a=held.step(), b=fails))])
    assert (await post(app, "/", 1)).status == 500
    await held.until_released("a")


async def test_a_clean_up_finishes_after_a_deadline() -> None:
    held = Held()
    route = StreamRoute("/", RunnableLambda(held.step()), limits=Limits(run=0.5))
    answer = await post(StreamApp([route]), "/", 1)
    assert b'"timeout"' in answer.body
    await held.until_released("a")


async def test_a_clean_up_finishes_after_a_stored_run_is_stopped() -> None:
    held = Held()
    app = StreamApp([StreamRoute("/x", RunnableLambda(held.step()), resume=True)])
    async with Exchange(app, "POST", "/x", 1, headers=JSON) as exchange:
        await held.until_held("a")
        await until(lambda: bool(exchange.messages))
        await call(app, "DELETE", f"/x/runs/{exchange.headers['x-run-id']}")
        await exchange.finished()
    await held.until_released("a")


async def test_closing_waits_for_a_clean_up() -> None:
    held = Held()
    app = StreamApp([StreamRoute("/", RunnableLambda(held.step()))])
    async with Exchange(app, "POST", "/", 1, headers=JSON):
        await held.until_held("a")
        await app.aclose()
        assert held.released == {"a": 1}


async def test_a_request_lasts_as_long_as_a_clean_up_when_the_server_stops() -> None:
    """A server waits for its requests, and without a lifespan for nothing else."""
    held = Held()
    app = StreamApp([StreamRoute(f"/{name}", RunnableLambda(held.step(name))) for name in "ab"])
    async with (
        Exchange(app, "POST", "/a", 1, headers=JSON) as one,
        Exchange(app, "POST", "/b", 1, headers=JSON) as other,
    ):
        await held.until_held("a", "b")
        app._loops._close()
        for exchange in (one, other):
            await exchange.finished()
            assert b'"shutdown"' in exchange.body
            assert held.released == {"a": 1, "b": 1}


async def slowly(values: AsyncIterator[Any]) -> AsyncIterator[str]:
    async for _ in values:
        yield "x"
        await asyncio.sleep(CLEAN_UP_SECONDS)
        yield "y"


@pytest.mark.parametrize(
    "release", [Scripted(script=["x", "y"]), RunnableLambda(first), RunnableGenerator(slowly)]
)
async def test_a_clean_up_may_run_a_runnable(release: Runnable[Any, Any]) -> None:
    held, done = Held(), list[Any]()
    chain = RunnableLambda(lambda x: x) | RunnableParallel(a=release)

    async def step(_: Any) -> None:
        try:
            await held.hold(seconds=0.0)
        finally:
            done.append(await chain.ainvoke("x"))
            done.extend([each async for each in chain.astream("x")])

    app = StreamApp([StreamRoute("/", RunnableParallel(c=step))])
    async with Exchange(app, "POST", "/", 1, headers=JSON):
        await held.until_held("a")
    await app.aclose()
    assert len(done) >= 2


async def test_after_a_swallowed_cancellation_no_step_starts() -> None:
    held, started = Held(), list[Any]()

    async def swallows(_: Any) -> Any:
        try:
            await held.hold(seconds=0.0)
        except asyncio.CancelledError:
            return "failed"

    async def goes_on(value: Any) -> None:
        await RunnableLambda(started.append).ainvoke(value)

    chain = RunnableLambda(swallows) | RunnableLambda(goes_on)
    app = StreamApp([StreamRoute("/", chain)])
    async with Exchange(app, "POST", "/", 1, headers=JSON):
        await held.until_held("a")
    await app.aclose()
    assert not started


async def outlives(proceed: asyncio.Event) -> None:
    await proceed.wait()


async def shields(proceed: asyncio.Event) -> None:
    await asyncio.shield(outlives(proceed))


async def detaches(proceed: asyncio.Event) -> None:
    RUNNING.add(asyncio.ensure_future(outlives(proceed)))
    await asyncio.Event().wait()


async def swallows(proceed: asyncio.Event) -> None:
    while not proceed.is_set():
        with contextlib.suppress(asyncio.CancelledError):
            await proceed.wait()


RUNNING: set[asyncio.Future[None]] = set()


@pytest.mark.parametrize(
    ("work", "names"), [(shields, "outlives"), (detaches, "outlives"), (swallows, "saver")]
)
@pytest.mark.parametrize("kind", ["lambda", "tool", "node", "branch"])
async def test_what_goes_on_after_the_grace_is_reported_and_left_alone(
    work: Callable[[asyncio.Event], Any], names: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    proceed, begun = asyncio.Event(), asyncio.Event()

    @tool
    async def saver() -> None:
        """Saves."""
        begun.set()
        await work(proceed)

    async def node(_: Any) -> Any:
        return await saver.ainvoke({})

    runnable: Any = {
        "lambda": RunnableLambda(node),
        "tool": RunnableLambda(lambda _: {}) | saver,
        "node": graph_of(node),
        "branch": RunnableParallel(a=node),
    }[kind]
    app = StreamApp([StreamRoute("/", runnable, limits=Limits(grace=0.1))])
    async with Exchange(app, "POST", "/", ASK, headers=JSON):
        await begun.wait()
    await until(lambda: "is still running 0.1 s after it was cancelled" in caplog.text)
    assert names in caplog.text
    assert caplog.text.count("is still running") == 1
    left = [task for task in asyncio.all_tasks() if "outlives" in str(task)]
    assert not any(task.cancelling() for task in left)
    proceed.set()
    await until(lambda: "outlives" not in str(asyncio.all_tasks()))
    await app.aclose()


async def test_shielded_work_that_ends_in_time_is_not_reported(
    caplog: pytest.LogCaptureFixture,
) -> None:
    proceed, begun = asyncio.Event(), asyncio.Event()

    async def step(_: Any) -> None:
        begun.set()
        await shields(proceed)

    app = StreamApp([StreamRoute("/", RunnableLambda(step))])
    async with Exchange(app, "POST", "/", 1, headers=JSON):
        await begun.wait()
    proceed.set()
    async with asyncio.timeout(20):
        await app.aclose()
    assert "is still running" not in caplog.text


async def test_a_callback_that_langchain_shields_is_not_cancelled() -> None:
    """Here in a branch that has streamed, whose task no callback reports."""
    held, done = Held(), list[str]()

    class Saving(AsyncCallbackHandler):
        async def on_chain_error(self, error: BaseException, **_: Any) -> None:
            await asyncio.sleep(CLEAN_UP_SECONDS)
            done.append("saved")

    runnable = behind_a_first_chunk(held).with_config(callbacks=[Saving()])
    app = StreamApp([StreamRoute("/", runnable)])
    async with Exchange(app, "POST", "/", 1, headers=JSON):
        await held.until_held("a")
    await app.aclose()
    assert done
    assert not held.cut_off


async def test_one_pass_over_the_tasks_answers_all_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    passes, all_tasks = list[int](), asyncio.all_tasks

    def counted() -> Any:
        passes.append(1)
        return all_tasks()

    async def start(run: object) -> asyncio.Task[Any]:
        start_run(run)
        return asyncio.ensure_future(asyncio.sleep(60))

    runs = [object() for _ in range(20)]
    started = [await asyncio.create_task(start(run)) for run in runs]
    tasks = RunTasks()
    monkeypatch.setattr("asyncio.all_tasks", counted)
    tasks_of_runs = await asyncio.gather(*map(tasks.started_by, runs))
    assert tasks_of_runs == [{task} for task in started]
    assert len(passes) == 1
    for task in started:
        task.cancel()


async def test_what_a_background_task_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def fails() -> None:
        raise ValueError("odd")

    tasks = RunTasks()
    task = tasks.spawn(fails())
    await asyncio.wait({task})
    await asyncio.sleep(0)
    assert not tasks
    assert "a background task failed" in caplog.text
    assert "ValueError: odd" in caplog.text
