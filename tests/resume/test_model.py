"""Emit, join, drop, reconnect, cancel and kill in any order, checked against a list."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Coroutine
from typing import Any, cast
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from asgi_stream import Resume, StreamApp
from asgi_stream.stores import EventStore, OwnershipLost
from asgi_stream.stores.memory import MemoryStore
from asgi_stream.stores.redis import RedisStore

from ..asgi import JSON, Exchange, call, get
from ..redis_server import RedisServer
from ..stores.test_redis import suspend
from .test_stored_runs import Speaker, app_of, until

KEPT = 6
ENDS_WITHIN_SECONDS = 10
"""The end of a killed worker's run takes 5: until its lease has expired, and until that is sure."""


class Reader:
    """A reader with one connection after another, and what it has received."""

    def __init__(self, worker: int) -> None:
        self.worker = worker
        self.exchange: Exchange | None = None
        self.taken: list[bytes] = []

    @property
    def body(self) -> bytes:
        return b"".join(self.taken) + (self.exchange.body if self.exchange else b"")

    @property
    def blocks(self) -> list[tuple[int | None, Any]]:
        blocks = []
        for block in self.body.split(b"\n\n")[:-1]:
            number = re.search(rb"^id: .*:(\d+)$", block, re.MULTILINE)
            [data] = re.findall(rb"^data: (.*)$", block, re.MULTILINE)
            value = data.decode() if data == b"[DONE]" else json.loads(data)
            blocks.append((int(number[1]) if number else None, value))
        return blocks

    @property
    def last(self) -> int:
        return max((number for number, _ in self.blocks if number), default=0)

    @property
    def done(self) -> bool:
        return bool(self.blocks) and self.blocks[-1][1] == "[DONE]"


class Machine(RuleBasedStateMachine):
    """One run of the first app, read through both apps."""

    redis: str | None = None

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.words: list[str] = []
        self.ended: str | None = None
        self.readers: list[Reader] = []

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(coroutine, 20))

    @initialize()
    def begin(self) -> None:
        self.run(self._begin())

    async def _begin(self) -> None:
        self.stores: list[EventStore]
        if self.redis is None:
            self.stores = [MemoryStore()] * 2
        else:
            prefix = uuid4().hex
            self.stores = [RedisStore(self.redis, prefix=prefix, lease=2) for _ in range(2)]
        self.speaker = Speaker()
        self.apps: list[StreamApp] = [
            app_of(store, self.speaker, resume=Resume(store=store, frames=KEPT))
            for store in self.stores
        ]
        reader = Reader(0)
        self.readers.append(reader)
        about = {"headers": JSON, "timeout": ENDS_WITHIN_SECONDS}
        reader.exchange = Exchange(self.apps[0], "POST", "/chat", "hi", **about)
        await reader.exchange.__aenter__()
        await until(lambda: self.speaker.begun)
        await self._say("w0")
        await reader.exchange.until(b"w0")
        self.run_id = reader.exchange.headers["x-run-id"]
        self.path = f"/chat/runs/{self.run_id}"

    async def _say(self, word: str) -> None:
        self.words.append(word)
        self.speaker.say(word)

    @precondition(lambda self: self.ended is None)
    @rule(count=st.integers(1, 9))
    def say(self, count: int) -> None:
        async def act() -> None:
            for _ in range(count):
                await self._say(f"w{len(self.words)}")
            await self._written()

        self.run(act())

    async def _written(self) -> None:
        """Wait until all words are stored: a position beyond them would be refused."""
        headers = {"accept": "application/json"}
        while True:
            state = json.loads((await get(self.apps[0], self.path, headers=headers)).body)
            if state["frames"] >= len(self.words):
                return
            await asyncio.sleep(0.002)

    @rule(worker=st.integers(0, 1))
    def join(self, worker: int) -> None:
        self.run(self._connect(Reader(worker), None))

    async def _connect(self, reader: Reader, position: int | None) -> None:
        headers = {} if position is None else {"last-event-id": f"{self.run_id}:{position}"}
        about = {"headers": headers, "timeout": ENDS_WITHIN_SECONDS}
        reader.exchange = Exchange(self.apps[reader.worker], "GET", self.path, **about)
        await reader.exchange.__aenter__()
        if reader not in self.readers:
            self.readers.append(reader)
        await until(lambda: reader.exchange and reader.exchange.messages)

    @precondition(lambda self: any(reader.exchange for reader in self.readers))
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        reader = data.draw(st.sampled_from([each for each in self.readers if each.exchange]))
        self.run(self._disconnect(reader))

    async def _disconnect(self, reader: Reader) -> None:
        assert reader.exchange is not None
        await reader.exchange.__aexit__()
        if reader.exchange.status == 200:
            reader.taken.append(reader.exchange.body)
        reader.exchange = None

    @precondition(lambda self: any(not reader.exchange for reader in self.readers))
    @rule(data=st.data(), worker=st.integers(0, 1))
    def come_back(self, data: st.DataObject, worker: int) -> None:
        reader = data.draw(st.sampled_from([each for each in self.readers if not each.exchange]))
        reader.worker = worker
        self.run(self._connect(reader, reader.last))

    @precondition(lambda self: self.ended is None)
    @rule()
    def finish(self) -> None:
        self.ended = "done"
        self.speaker.say(None)

    @precondition(lambda self: self.ended is None)
    @rule(worker=st.integers(0, 1))
    def cancel(self, worker: int) -> None:
        self.ended = "cancelled"
        answer = self.run(call(self.apps[worker], "DELETE", self.path))
        assert answer.status == 202

    @precondition(lambda self: self.ended is None and self.redis is not None)
    @rule()
    def kill(self) -> None:
        self.ended = "worker_lost"
        # The readers of a worker die with it.
        for reader in self.readers:
            if reader.exchange and reader.worker == 0:
                self.run(self._disconnect(reader))
        store = self.stores[0]

        async def act() -> None:
            assert isinstance(store, RedisStore)
            suspend(store)

        self.run(act())
        self.apps[0] = self.apps[1]

    @invariant()
    def what_everyone_has_is_a_part_of_the_list_without_a_hole(self) -> None:
        for reader in self.readers:
            self._check(reader)

    def _check(self, reader: Reader) -> None:
        expected = 1
        for number, value in reader.blocks:
            assert number is not None, value
            if isinstance(value, dict) and "gap" in value:
                assert value["gap"] == {"first": expected, "last": number}
                expected = number + 1
                continue
            assert number == expected
            expected += 1
            if number <= len(self.words):
                assert value == {"token": self.words[number - 1]}
            elif value != "[DONE]":
                assert value["error"]["code"] == self.ended

    def teardown(self) -> None:
        try:
            if hasattr(self, "path"):
                self.run(self._end())
        finally:
            # A task that is cancelled may start another, to unsubscribe.
            while left := asyncio.all_tasks(self.loop):
                for task in left:
                    task.cancel()
                self.loop.run_until_complete(asyncio.wait(left))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()

    async def _end(self) -> None:
        if self.ended is None:
            self.ended = "done"
            self.speaker.say(None)
        for reader in self.readers:
            if reader.exchange is None and not reader.done:
                await self._connect(reader, reader.last)
            if reader.exchange is not None:
                await asyncio.wait_for(reader.exchange.finished(), ENDS_WITHIN_SECONDS)
                if reader.exchange.status == 204:
                    reader.exchange = None
        late = Reader(1)
        await self._connect(late, None)
        assert late.exchange is not None
        await late.exchange.finished()
        for reader in (*self.readers, late):
            assert reader.done
            self._check(reader)
        for app in {id(app): app for app in self.apps}.values():
            for run in cast(Any, tuple(app._loops.current.runs)):
                run.written(OwnershipLost())
        for store in self.stores:
            if isinstance(store, RedisStore):
                if self.ended == "worker_lost" and store is self.stores[0]:
                    link = store._worker().link
                    await link.subscriptions.aclose()  # or it connects again
                    await link._connection.aclose()
                else:
                    await store.aclose()


CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@pytest.mark.parametrize("store", ["memory", "redis"])
def test_any_order_of_events(store: str, redis: RedisServer) -> None:
    class OnIt(Machine):
        pass

    OnIt.redis = redis.url if store == "redis" else None
    examples, steps = (60, 30) if store == "memory" else (25, 20)
    run_state_machine_as_test(
        OnIt,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            phases=[Phase.generate],  # failures are short enough, and each kill takes seconds
            suppress_health_check=CHECKS,
        ),
    )
