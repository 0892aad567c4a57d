"""One process's way to Redis: commands in batches on one connection, messages on another.

No task here ends by an exception. What fails is tried again, or fails the request that it belongs
to, and is logged.
"""

from __future__ import annotations

import asyncio
from asyncio import Future, Task, TimerHandle
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

try:
    from redis.asyncio import Redis
    from redis.backoff import ExponentialBackoff, NoBackoff
    from redis.retry import Retry
except ImportError as error:  # pragma: no cover - installed wherever tests run
    raise ImportError(
        'a store on Redis needs the redis package: pip install "asgi_stream[redis]"'
    ) from error

from .._logs import logger
from .redis_errors import (
    GONE,
    UNSENDABLE,
    NotSupported,
    RedisError,
    Trouble,
    is_missing_script,
    passes,
    unavailable,
)
from .redis_messages import Messages
from .redis_request import TRIES, Answered, Command, Request, WrongReply
from .redis_scripts import SCRIPTS
from .redis_tasks import Tasks

__all__ = ["Command", "Link", "NoBackoff", "Redis", "Retry"]

INTERVAL_SECONDS = 0.004
"""Between two batches. The first after a pause goes at once; under load they grow instead."""

ANSWER_SECONDS = 2.0
"""For which the answers to a batch are waited for."""

CROWD = 100
"""Who waits for the next batch; so many do not wait for its time."""

BATCH = 1000
"""Commands in one batch, about."""

PARALLEL = 8
"""Batches at once besides the one that all others wait for, each on a connection of its own."""


class Link:
    """The connections of one event loop to one Redis. They are made at the first use.

    Args:
        client: A client of redis-py that returns bytes and does not retry by itself.
        hear: Called with the channel and the data of each message.
        back: Called when messages may have been missed.
        changed: Called when another Redis process answers than before, whose data may be older.
    """

    def __init__(
        self,
        client: Redis,
        hear: Callable[[bytes, bytes], None],
        back: Callable[[], None],
        changed: Callable[[], None],
    ) -> None:
        client.connection_pool.connection_kwargs["redis_connect_func"] = self._connected
        self._client = client
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._backoff = ExponentialBackoff(cap=0.5, base=0.01)
        self._queue: list[Request] = []
        self._sender: Task[None] | None = None
        self._timer: TimerHandle | None = None
        self._due = 0.0
        self._sent = 0.0
        self._outage = 0.0
        self._parallel = 0
        self._failures = 0
        self.server = ""
        """Which Redis answers, and which history of data it has; "" if it does not say."""
        self._prepared = False
        self._trouble = Trouble()
        self.failed = -1e9
        """When a connection was lost the last time, by the loop's clock."""
        self._tasks = Tasks()
        self.messages = Messages(client, hear, back, self._trouble.log, self._backoff)

    def ask(
        self,
        commands: Sequence[Command],
        answered: Answered,
        *,
        patience: float,
        at_once: bool = False,
    ) -> None:
        """Have `commands` run one after the other, again if their replies are lost or refusals.

        Args:
            commands: Of Redis, each with its arguments.
            answered: Called with a list of their replies, none of which is an error; or with
                `StoreUnavailable`, if Redis could not be reached or would not.
            patience: Seconds for which they are tried again, from the beginning of an outage.
            at_once: Wait for no others, neither to go with them nor to come back before.
        """
        now = self._loop.time()
        until = self._outage + patience if self._failures else now + patience
        request = Request(commands, until, answered)
        if at_once and not self._failures and self._parallel < PARALLEL:
            self._parallel += 1
            self.spawn(self._send_beside(request))
        else:
            self._queue.append(request)
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

    async def meet(self, patience: float) -> None:
        """See to it that it is known which Redis answers.

        Raises:
            StoreUnavailable: None does.
        """
        if not self._prepared:
            await self.do(("PING",), patience=patience, at_once=True)

    def answers_from(self, server: Any, replication: Any) -> None:
        """Take note of the replies to ``INFO server`` and ``INFO replication``.

        Raises:
            NotSupported: It is a node of a cluster or a Sentinel.
        """
        mode = server.get("redis_mode", "standalone")
        if mode != "standalone":
            raise NotSupported(mode)
        # Of a process that was a replica meanwhile only the second tells.
        history = f"{server.get('run_id', '')}:{replication.get('master_replid', '')}"
        before, self.server = self.server, history
        if before and before != history:
            logger.warning("another Redis answers; what it lacks is written to it again")
            self._changed()

    async def aclose(self) -> None:
        """Run what is asked for already, and close the connections."""
        while self._queue or self._sender is not None or self._tasks.running:
            self._schedule(0.0)
            await asyncio.wait(self._tasks.running)
        await self.messages.aclose()
        await self._client.aclose()

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run something beside, which `aclose` waits for."""
        self._tasks.spawn(coroutine)

    # Sending.

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
        self._sender = self._tasks.spawn(self._send())

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

    async def _send_beside(self, request: Request) -> None:
        await self._send_batch([request])
        self._parallel -= 1

    def _batch(self) -> list[Request]:
        size = count = 0
        while count < len(self._queue) and size < BATCH:
            size += len(self._queue[count].commands)
            count += 1
        batch, self._queue = self._queue[:count], self._queue[count:]
        return batch

    async def _send_batch(self, batch: list[Request]) -> None:
        """Run a batch and answer it, or see to it that it is tried again. Never raises."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                replies = await self._run(batch)
        except GONE as error:
            self._connection_lost(batch, error)
        except UNSENDABLE as error:
            if len(batch) == 1:
                self._fail(batch, error)
            else:
                for request in batch:
                    await self._send_batch([request])
        except NotSupported as error:
            self._fail(batch, error)
        except RedisError as error:
            # Before any of it was run: a database that there is not, scripts that are not allowed.
            for request in batch:
                self._refused(request, error)
        except Exception as error:
            # A reply that cannot be read, in whichever way redis-py stumbles over it.
            self._connection_lost(batch, error)
        else:
            self._failures = 0
            begin = 0
            for request in batch:
                end = begin + len(request.commands)
                self._take(request, replies[begin:end])
                begin = end

    async def _run(self, batch: list[Request]) -> list[Any]:
        if not self._prepared:
            await self._prepare()
        pipeline = self._client.pipeline(transaction=False)
        for request in batch:
            for command in request.commands:
                pipeline.execute_command(*command)
        replies: list[Any] = await pipeline.execute(raise_on_error=False)
        if not self._prepared:
            await self._prepare()  # the replies may be another Redis'
        return replies

    async def _connected(self, connection: Any) -> None:
        """A connection is new, which redis-py may have made in the place of one that was closed."""
        self._prepared = False
        await connection.on_connect()

    async def _prepare(self) -> None:
        """Learn which Redis it is, and give it the scripts."""
        pipeline = self._client.pipeline(transaction=False)
        pipeline.execute_command("INFO", "server")
        pipeline.execute_command("INFO", "replication")
        for script in SCRIPTS:
            pipeline.execute_command("SCRIPT LOAD", script.source)
        server, replication, *loaded = await pipeline.execute(raise_on_error=False)
        if isinstance(server, Exception) or isinstance(replication, Exception):
            self.server = ""  # the user may not ask
        else:
            self.answers_from(server, replication)
        for reply in loaded:
            if isinstance(reply, Exception):
                raise reply
        self._prepared = True

    def _take(self, request: Request, replies: list[Any]) -> None:
        """Pass on the replies to a request, unless one of them is an error."""
        error = next((each for each in replies if isinstance(each, Exception)), None)
        if error is None:
            if request.tries:
                self._trouble.over()
            if not request.answer(replies):
                self._connection_lost([request], WrongReply("a reply to other commands"))
                self.spawn(self._client.connection_pool.disconnect())
        elif is_missing_script(error) and request.tries < TRIES:
            self._prepared = False
            request.tries += 1
            self._queue.insert(0, request)
            self._schedule(0.0)
        elif passes(error):
            self._refused(request, error)
        else:
            self._fail([request], error)

    def _fail(self, batch: list[Request], error: BaseException) -> None:
        self._trouble.log("the store refuses to serve", error)
        for request in batch:
            request.answer(unavailable(error))

    def _connection_lost(self, batch: list[Request], error: BaseException) -> None:
        """Nobody knows what was done of the batch."""
        self._prepared = False
        self._failures += 1
        now = self.failed = self._loop.time()
        if self._failures == 1:
            self._outage = now
        else:
            # The first only finds out what Redis has closed meanwhile.
            self._trouble.log("the store does not answer, and is tried again", error)
        waiting = [request for request in batch if not request.gives_up(self._loop.time(), error)]
        self._queue = waiting + self._queue
        if waiting:
            self._schedule(now + self._backoff.compute(self._failures))

    def _refused(self, request: Request, error: BaseException) -> None:
        """Redis has refused what it may take later: nobody else has to wait for that."""
        self._trouble.log("the store refuses, and is tried again", error)
        if not request.gives_up(self._loop.time(), error):
            self.spawn(self._ask_again(request, self._backoff.compute(request.tries)))

    async def _ask_again(self, request: Request, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._queue.append(request)
        self._schedule(0.0)
