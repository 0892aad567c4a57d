"""One process's way to Redis: commands in batches on one connection, messages on another."""

from __future__ import annotations

import asyncio
import logging
from asyncio import Future, Task, TimerHandle
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, cast

try:
    from redis import exceptions
    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub
    from redis.backoff import ExponentialBackoff, NoBackoff
    from redis.exceptions import ResponseError
    from redis.retry import Retry
except ImportError as error:  # pragma: no cover - installed wherever tests run
    raise ImportError(
        'a store on Redis needs the redis package: pip install "asgi_stream[redis]"'
    ) from error

from ..errors import StoreUnavailable

__all__ = ["Command", "Link", "NoBackoff", "Redis", "ResponseError", "Retry"]

logger = logging.getLogger("asgi_stream")

Command = tuple[Any, ...]
Answered = Callable[[list[Any] | Exception], None]

INTERVAL_SECONDS = 0.004
"""Between two batches. The first after a pause goes at once; under load they grow instead."""

ANSWER_SECONDS = 2.0
"""For which the answers to a batch are waited for."""

CROWD = 100
"""Who waits for the next batch; so many do not wait for its time."""

BATCH = 1000
"""Commands in one batch, about."""

GONE = (exceptions.ConnectionError, exceptions.TimeoutError, OSError)
"""The connection is lost, so nobody knows what was done of a batch."""

TRIES = 2
"""At least: the first finds out what Redis has closed meanwhile."""

NOT_NOW = (
    exceptions.BusyLoadingError,
    exceptions.ClusterDownError,
    exceptions.MasterDownError,
    exceptions.OutOfMemoryError,
    exceptions.ReadOnlyError,
    exceptions.TryAgainError,
)
"""Redis has refused a command that it may take later."""


class _Asked:
    """Commands that go together, and who waits for their answers."""

    def __init__(self, commands: Sequence[Command], until: float, answered: Answered) -> None:
        self.commands = commands
        self.until = until
        self.tries = 0
        self.answered = answered


Failed = tuple[_Asked, BaseException]


class Link:
    """The connections of one event loop to one Redis. They are made at the first use.

    Args:
        client: A client of redis-py that returns bytes.
        hear: Called with the channel and the data of each message.
        back: Called when messages may have been missed.
    """

    def __init__(
        self, client: Redis, hear: Callable[[str, bytes], None], back: Callable[[], None]
    ) -> None:
        self._client = client
        self._hear = hear
        self._back = back
        self._loop = asyncio.get_running_loop()
        self._backoff = ExponentialBackoff(cap=0.5, base=0.01)
        self._queue: list[_Asked] = []
        self._sender: Task[None] | None = None
        self._timer: TimerHandle | None = None
        self._due = 0.0
        self._sent = 0.0
        self._outage = 0.0
        self._failures = 0
        self.failed = -1e9
        """When a batch has failed the last time, by the loop's clock."""
        self._tasks: set[Task[None]] = set()
        self._channels: dict[str, Future[None]] = {}
        self._messages: PubSub | None = None
        self._listener: Task[None] | None = None

    def ask(
        self,
        commands: Sequence[Command],
        answered: Answered,
        *,
        patience: float,
        at_once: bool = False,
    ) -> None:
        """Have `commands` run one after the other. After a lost connection they are run again.

        Args:
            commands: Of Redis, each with its arguments.
            answered: Called with a list of their answers, errors as values; or with
                `StoreUnavailable`, if Redis could not be reached or would not.
            patience: Seconds for which they are tried again, from the beginning of an outage.
            at_once: Wait for no others, neither to go with them nor to come back before.
        """
        now = self._loop.time()
        until = self._outage + patience if self._failures else now + patience
        asked = _Asked(commands, until, answered)
        if at_once and not self._failures:
            self.spawn(self._send_batch([asked]))
        else:
            self._queue.append(asked)
            self._schedule(self._sent + INTERVAL_SECONDS)

    async def do(self, *commands: Command, patience: float, at_once: bool = False) -> list[Any]:
        """As `ask`, for who can wait. A caller that is cancelled meanwhile changes nothing.

        Raises:
            StoreUnavailable: As told there.
        """
        waiting: Future[list[Any]] = self._loop.create_future()

        def answered(answers: list[Any] | Exception) -> None:
            if waiting.done():
                return
            if isinstance(answers, Exception):
                waiting.set_exception(answers)
            else:
                waiting.set_result(answers)

        self.ask(commands, answered, patience=patience, at_once=at_once)
        return await waiting

    async def subscribe(self, channel: str) -> None:
        """Hear `channel`. Returns when nothing that is said there is missed, or Redis is away."""
        if channel not in self._channels:
            self._channels[channel] = self._loop.create_future()
            if self._listener is None:
                self._listener = self._loop.create_task(self._listen())
            elif self._messages is not None:
                await self._tell(self._messages.subscribe(channel))
        await asyncio.wait({self._channels[channel]}, timeout=1.0)

    async def unsubscribe(self, channel: str) -> None:
        if self._channels.pop(channel, None) is not None and self._messages is not None:
            await self._tell(self._messages.unsubscribe(channel))

    async def aclose(self) -> None:
        """Run what is asked for already, and close the connections."""
        while self._queue or self._sender is not None or self._tasks:
            self._schedule(0.0)
            await asyncio.wait({cast("Task[None]", self._sender), *self._tasks})
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.wait({self._listener})
        await self._client.aclose()

    def _schedule(self, at: float) -> None:
        """Send what is asked for, at this time or before; when the present batch is through."""
        if self._sender is not None:
            return
        if self._timer is not None:
            if self._due <= at:
                return
            self._timer.cancel()
            self._timer = None
        if at <= self._loop.time():
            self._start()
        else:
            self._due = at
            self._timer = self._loop.call_at(at, self._start)

    def _start(self) -> None:
        self._timer = None
        self._sender = self._loop.create_task(self._send())

    async def _send(self) -> None:
        while self._queue:
            await self._send_batch(self._batch())
            self._sent = self._loop.time()
            if self._failures:
                await asyncio.sleep(self._backoff.compute(self._failures))
            elif len(self._queue) < CROWD:
                break
        self._sender = None
        if self._queue:
            self._schedule(self._sent + INTERVAL_SECONDS)

    async def _send_batch(self, batch: list[_Asked]) -> None:
        again: list[Failed] = []
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answers = await self._run(batch)
        except GONE as error:
            again = [(asked, error) for asked in batch]
        except exceptions.RedisError as error:
            # Whoever waits must not wait for ever. (A database that there is not, for example.)
            logger.error("the store refuses to serve: %s", error)
            for asked in batch:
                asked.answered(_lost(error))
        else:
            again = self._answered(batch, answers)
        if again:
            self._try_again(again)
        else:
            self._failures = 0

    def _batch(self) -> list[_Asked]:
        size = count = 0
        while count < len(self._queue) and size < BATCH:
            size += len(self._queue[count].commands)
            count += 1
        batch, self._queue = self._queue[:count], self._queue[count:]
        return batch

    async def _run(self, batch: list[_Asked]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for asked in batch:
            for command in asked.commands:
                pipeline.execute_command(*command)
        answers: list[Any] = await pipeline.execute(raise_on_error=False)
        return answers

    def _answered(self, batch: list[_Asked], answers: list[Any]) -> list[Failed]:
        """Give the answers to who waits for them; what has to be tried again is returned."""
        again: list[Failed] = []
        begin = 0
        for asked in batch:
            own = answers[begin : begin + len(asked.commands)]
            begin += len(own)
            refused = next((each for each in own if isinstance(each, NOT_NOW)), None)
            if refused is None:
                asked.answered(own)
            else:
                again.append((asked, refused))
        return again

    def _try_again(self, failed: list[Failed]) -> None:
        self._failures += 1
        now = self.failed = self._loop.time()
        if self._failures == 1:
            self._outage = now
            logger.warning("the store does not answer, and is tried again: %s", failed[0][1])
        waiting = []
        for asked, error in failed:
            asked.tries += 1
            if asked.until <= now and asked.tries >= TRIES:
                logger.error("the store has not answered for too long: %s", error)
                asked.answered(_lost(error))
            else:
                waiting.append(asked)
        self._queue = waiting + self._queue
        if waiting:
            self._schedule(now + self._backoff.compute(self._failures))

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run something beside, which `aclose` waits for."""
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _listen(self) -> None:
        failures = 0
        while True:
            try:
                async with self._client.pubsub() as messages:
                    known: set[str] = set()
                    while missing := self._channels.keys() - known:
                        await messages.subscribe(*missing)
                        known |= missing
                    self._messages = messages
                    if failures:
                        self._back()
                    failures = 0
                    async for message in messages.listen():
                        self._heard(message)
            except (*GONE, exceptions.RedisError) as error:
                failures += 1
                self.failed = self._loop.time()
                if failures == 1:
                    logger.warning("the store's messages are cut off: %s", error)
            finally:
                self._messages = None
            await asyncio.sleep(self._backoff.compute(failures))

    def _heard(self, message: dict[str, Any]) -> None:
        channel = message["channel"].decode()
        if message["type"] == "message":
            self._hear(channel, message["data"])
        elif message["type"] == "subscribe" and channel in self._channels:
            confirmed = self._channels[channel]
            if not confirmed.done():
                confirmed.set_result(None)

    async def _tell(self, telling: Any) -> None:
        with suppress(*GONE):  # the listener finds that out too, and begins again with all channels
            await telling


def _lost(error: BaseException) -> StoreUnavailable:
    lost = StoreUnavailable()
    lost.__cause__ = error
    return lost
