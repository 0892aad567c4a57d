"""A batch: how many inputs it may have, how many run at once, and that it holds nobody up."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import pytest
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from pydantic import AfterValidator

from asgi_stream import Limits, StreamApp, StreamRoute
from asgi_stream._langchain.runnables import BATCH_SLICE

from ..asgi import post

pytestmark = pytest.mark.anyio


class AtOnce:
    """Counts how many of its calls go on together."""

    def __init__(self) -> None:
        self.running = self.most = 0

    async def __call__(self, value: Any) -> Any:
        self.running += 1
        self.most = max(self.most, self.running)
        for _ in range(5):
            await asyncio.sleep(0)
        self.running -= 1
        return value


async def most_at_once(client: Any = None, *, limits: Limits | None = None, **config: int) -> int:
    """How many of 40 inputs run at once."""
    counted = AtOnce()
    options: dict[str, Any] = {"limits": limits or Limits(), "config": config}
    route = StreamRoute("/x", RunnableLambda(counted), format="langserve", **options)
    body = {"inputs": [*range(40)], "config": client}
    response = await post(StreamApp([route]), "/x/batch", body)
    assert response.status == 200, response.body
    return counted.most


async def test_a_batch_has_at_most_so_many_inputs() -> None:
    echo: Runnable[Any, Any] = RunnableLambda(lambda value: value)
    routes = [
        StreamRoute("/default", echo, format="langserve"),
        StreamRoute("/two", echo, format="langserve", limits=Limits(batch=2)),
        StreamRoute("/any", echo, format="langserve", limits=Limits(batch=None)),
    ]
    app = StreamApp(routes)
    for path, count, status in [
        ("/default", 100, 200),
        ("/default", 101, 422),
        ("/two", 2, 200),
        ("/two", 3, 422),
        ("/any", 101, 200),
    ]:
        response = await post(app, f"{path}/batch", {"inputs": [1] * count})
        assert response.status == status
    [refused] = (await post(app, "/two/batch", {"inputs": [1] * 3})).json()["detail"]
    assert refused["loc"] == ["body", "inputs"]
    assert refused["msg"] == "expected at most 2 (limits.batch), not 3"


async def test_ten_inputs_of_a_batch_run_at_once() -> None:
    assert await most_at_once() == 10
    assert await most_at_once(limits=Limits(batch_concurrency=3)) == 3
    assert await most_at_once(limits=Limits(batch_concurrency=None)) == 40


async def test_the_lowest_concurrency_applies() -> None:
    assert await most_at_once(max_concurrency=4) == 4
    assert await most_at_once(max_concurrency=20) == 10
    assert await most_at_once({"max_concurrency": 2}, max_concurrency=4) == 2
    assert await most_at_once({"max_concurrency": 30}, max_concurrency=4) == 4
    assert await most_at_once([{}, {"max_concurrency": 5}, {"max_concurrency": None}]) == 5


@pytest.mark.parametrize("wrong", [0, -1, "2", 1.5, True])
async def test_a_client_s_concurrency_is_a_positive_number(wrong: Any) -> None:
    route = StreamRoute("/x", RunnableLambda(lambda value: value), format="langserve")
    body = {"inputs": [1], "config": {"max_concurrency": wrong}}
    response = await post(StreamApp([route]), "/x/batch", body)
    assert response.status == 422
    assert response.json()["detail"][0]["loc"] == ["body", "config", "max_concurrency"]


async def test_a_large_batch_is_handed_to_the_runnable_in_slices() -> None:
    class Counting(RunnableLambda[Any, Any]):
        async def abatch(self, inputs: Any, config: Any = None, **kwargs: Any) -> Any:
            slices.append(len(inputs))
            return await super().abatch(inputs, config, **kwargs)

    async def echo(value: Any, config: RunnableConfig) -> Any:
        return value

    slices: list[int] = []
    options: dict[str, Any] = {"format": "langserve", "limits": Limits(batch=None)}
    app = StreamApp([StreamRoute("/x", Counting(echo), **options)])
    inputs = [*range(2 * BATCH_SLICE + 1)]
    response = await post(app, "/x/batch", {"inputs": inputs})
    assert response.json()["output"] == inputs
    assert slices == [BATCH_SLICE, BATCH_SLICE, 1]


async def test_the_loop_turns_while_the_inputs_of_a_batch_are_checked() -> None:
    turns: list[int] = []
    turn = 0

    def checked(value: int) -> int:
        turns.append(turn)
        return value

    async def count() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    options: dict[str, Any] = {
        "format": "langserve",
        "input": Annotated[int, AfterValidator(checked)],
    }
    app = StreamApp([StreamRoute("/x", RunnableLambda(lambda value: value), **options)])
    counting = asyncio.create_task(count())
    await post(app, "/x/batch", {"inputs": [*range(20)]})
    counting.cancel()
    assert len(set(turns)) == 20
