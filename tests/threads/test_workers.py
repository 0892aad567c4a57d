"""One thread, two workers: real servers on one Redis and one SQLite file."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from ..redis_server import RedisServer
from ..servers import Server, serving
from .chat import user

pytestmark = pytest.mark.anyio

Workers = tuple[Server, Server]


@pytest.fixture
def workers(redis: RedisServer, tmp_path: Path) -> Iterator[Workers]:
    url = f"{redis.url}?prefix={tmp_path.name}"
    env = {"REDIS": url, "DATABASE": str(tmp_path / "db")}
    app = "tests.threads.workers_app:app"
    with (
        serving(app, tmp_path, env=env) as first,
        serving(app, tmp_path, env=env) as second,
    ):
        yield first, second


async def say(
    server: Server,
    id_: str,
    text: str,
    multitask: str = "reject",
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> httpx.Response:
    body = {"id": "t", "messages": [user(id_, text)], **more}
    async with httpx.AsyncClient(timeout=20, headers=headers) as client:
        return await client.post(f"{server.url}/{multitask}/chat", json=body)


async def until_busy(server: Server, multitask: str) -> None:
    """Wait until a run on the thread is in progress, and its message is stored."""
    async with httpx.AsyncClient() as client:
        url = f"{server.url}/{multitask}/chat/threads/t"
        while (await client.get(url)).json().get("status") != "busy":
            await asyncio.sleep(0.05)
        while not (await client.get(f"{url}/messages")).json().get("messages"):
            await asyncio.sleep(0.05)


def text_of(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    lines = [each.removeprefix("data: ") for each in response.text.split("\n")]
    frames = [json.loads(each) for each in lines if each.startswith("{")]
    return "".join(each.get("token", "") for each in frames)


async def test_a_thread_goes_on_with_any_worker(workers: Workers) -> None:
    first, second = workers
    await say(first, "u1", "refund A")
    decisions = {"u1-0": {"type": "approve"}}
    answers = await asyncio.gather(
        *(say(each, "u2", "-", decisions=decisions) for each in (first, second) for _ in range(3))
    )
    assert sorted(each.status_code for each in answers) == [200, *[409] * 5]
    answer = text_of(await say(first, "u3", "3"))
    assert answer.count("refunded A") == 2  # the call's result, and the answer that repeats it
    async with httpx.AsyncClient(headers={"x-user": "bob"}) as bob:
        for method, path in (("GET", ""), ("GET", "/state"), ("DELETE", "")):
            url = f"{second.url}/reject/chat/threads/t{path}"
            assert (await bob.request(method, url)).status_code == 404


async def test_requests_to_two_workers_take_turns(workers: Workers) -> None:
    answers = await asyncio.gather(
        *(say(workers[n % 2], f"u{n}", f"{n}", "enqueue") for n in range(8))
    )
    # Each answer repeats all that has been said before.
    assert sorted(text_of(each).count("user: ") for each in answers) == [
        2 ** (n + 1) - 1 for n in range(8)
    ]


@pytest.mark.parametrize("multitask", ["interrupt", "rollback"])
async def test_what_is_sent_twice_to_two_workers_counts_once(
    multitask: str, workers: Workers
) -> None:
    pairs = [worker for worker in workers for _ in range(3)]
    key = {"idempotency-key": "k"}
    answers = await asyncio.gather(
        *(say(each, "u1", "refund A", multitask, headers=key) for each in pairs)
    )
    assert {each.status_code for each in answers} == {200}
    assert len({each.headers["x-run-id"] for each in answers}) == 1
    assert all("cancelled" not in each.text for each in answers)
    decisions = {"u1-0": {"type": "approve"}}
    answers = await asyncio.gather(
        *(say(each, "u2", "-", multitask, decisions=decisions) for each in pairs)
    )
    assert all("cancelled" not in each.text for each in answers)
    assert sum("refunded A" in each.text for each in answers) == 1
    assert sum("not_pending" in each.text for each in answers) == 5


@pytest.mark.parametrize(("multitask", "kept"), [("interrupt", True), ("rollback", False)])
async def test_a_run_of_another_worker_is_taken_over(
    multitask: str, kept: bool, workers: Workers
) -> None:
    first, second = workers
    slow = asyncio.create_task(say(first, "u1", "slow", multitask))
    async with asyncio.timeout(15):
        await until_busy(second, multitask)
        answer = text_of(await say(second, "u3", "3", multitask))
    assert ("user: slow" in answer) == kept
    assert "cancelled" in (await slow).text


async def test_a_thread_goes_on_after_the_death_of_a_worker(workers: Workers) -> None:
    first, second = workers
    await say(first, "u1", "1")
    slow = asyncio.create_task(say(first, "u2", "slow"))
    async with asyncio.timeout(15):
        while (await say(second, "u3", "3", "reject")).status_code != 409:
            await asyncio.sleep(0.05)
        first.process.send_signal(signal.SIGKILL)
        with pytest.raises(httpx.HTTPError):
            await slow
        while (response := await say(second, "u4", "4")).status_code == 409:
            await asyncio.sleep(0.05)
    answer = text_of(response)
    assert "user: slow" in answer
    assert answer.endswith("user: 4")
