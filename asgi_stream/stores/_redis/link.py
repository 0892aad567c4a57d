"""The queue of commands to Redis: batching, timeouts and retries.

A request that fails is tried again, or is resolved with the error, which is logged.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Callable, Coroutine, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from anyio import move_on_after
from redis.backoff import ExponentialBackoff

from ...errors import StoreUnavailable
from .commands import Command
from .connection import MIN_TRIES, Connection, OnReply, Request, WrongReply
from .errors import (
    CONNECTION_LOST,
    UNSENDABLE,
    NotSupported,
    ProblemLog,
    RedisError,
    is_missing_script,
    is_transient,
)
from .pubsub import Subscriptions
from .queue import CLOSE_SECONDS, RequestQueue
from .tasks import Tasks

if TYPE_CHECKING:
    from redis.asyncio import Redis

REQUEST_SECONDS = 1.0
"""How long a request of a client waits for a Redis that does not respond."""

PARALLEL = 8
"""Batches with one urgent request each, on connections of their own besides that of the queue."""


class Link:
    """The connections of one event loop to one Redis, opened at the first use.

    Args:
        client: A client from `open_client`.
        on_message: Called with the channel and the data of each published message.
        on_resubscribed: Called when messages may have been missed.
        on_change: Called when a different Redis process responds, whose data may be older.
    """

    def __init__(
        self,
        client: Redis,
        on_message: Callable[[bytes, bytes], None],
        on_resubscribed: Callable[[], None],
        on_change: Callable[[], None],
    ) -> None:
        self._connection = Connection(client, on_change)
        self._loop = asyncio.get_running_loop()
        self._backoff = ExponentialBackoff(cap=0.5, base=0.01)
        self._tasks = Tasks()
        self._unresolved: set[Request] = set()
        self._queue = RequestQueue(self._send_batch, self._pause, self._tasks)
        self._outage_began = 0.0
        self._parallel = self._failures = 0
        self._problems = ProblemLog()
        self.failed_at = -1e9
        """When a connection was last lost, by the loop's clock."""
        self.subscriptions = Subscriptions(
            client, on_message, on_resubscribed, self._problems.warn, self._backoff
        )

    @property
    def server(self) -> str:
        """Which Redis process responds, and which history of data it has; "" if unknown."""
        return self._connection.server

    def submit(
        self,
        commands: Sequence[Command],
        on_reply: OnReply,
        *,
        patience: float,
        at_once: bool = False,
    ) -> None:
        """Run commands in order; run all of them again if replies are lost or are refusals.

        Args:
            commands: Redis commands with their arguments.
            on_reply: Called with the replies, none of which is an error; or with
                `StoreUnavailable`, if Redis could not be reached or refused.
            patience: Seconds to keep trying, from the beginning of an outage.
            at_once: Do not batch with other requests, nor wait for earlier ones.
        """
        now = self._loop.time()
        deadline = self._outage_began + patience if self._failures else now + patience
        request = Request(commands, deadline, on_reply, self._unresolved)
        if at_once and not self._failures and self._parallel < PARALLEL:
            self._parallel += 1
            self.spawn(self._send_parallel(request))
        else:
            self._queue.append(request)

    async def execute(
        self, *commands: Command, patience: float, at_once: bool = False
    ) -> list[Any]:
        """Like `submit`, but return the replies. Cancelling the caller does not undo the commands.

        Raises:
            StoreUnavailable: Redis could not be reached, or refused.
        """
        replies: Future[list[Any]] = self._loop.create_future()

        def on_reply(result: list[Any] | Exception) -> None:
            if replies.done():
                return
            if isinstance(result, Exception):
                replies.set_exception(result)
            else:
                replies.set_result(result)

        self.submit(commands, on_reply, patience=patience, at_once=at_once)
        return await replies

    async def attempt(self, *commands: Command) -> list[Any]:
        """Like `execute`, for commands that the next beat repeats: no replies if Redis is down."""
        try:
            return await self.execute(*commands, patience=0.0)
        except StoreUnavailable:
            return []

    async def connect(self, patience: float) -> None:
        """Make sure that the server is identified.

        Raises:
            StoreUnavailable: Redis does not respond.
        """
        if not self._connection.is_prepared:
            await self.execute(("PING",), patience=patience, at_once=True)

    async def identify(self) -> None:
        """Check that the server is still the same, unless it does not tell."""
        if not self.server:
            return
        commands: tuple[Command, ...] = (("INFO", "server"), ("INFO", "replication"))
        try:
            self._connection.identify(*await self.execute(*commands, patience=0.0))
        except StoreUnavailable:
            self._connection.server = ""

    async def aclose(self) -> None:
        """Run what has been submitted, as far as Redis responds, and close the connections."""
        await self._queue.drain()
        self._give_up()
        with move_on_after(CLOSE_SECONDS):  # TLS waits for the other side
            await self.subscriptions.aclose()
            await self._connection.aclose()

    def _give_up(self) -> None:
        self._tasks.cancel()
        for request in tuple(self._unresolved):
            request.fail(TimeoutError("the store is closed"))

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine in the background. `aclose` waits for it."""
        self._tasks.spawn(coroutine)

    def _pause(self) -> float | None:
        return self._backoff.compute(self._failures) if self._failures else None

    async def _send_parallel(self, request: Request) -> None:
        await self._send_batch([request])
        self._parallel -= 1

    async def _send_batch(self, batch: list[Request]) -> None:
        """Run a batch, and resolve its requests or schedule another try. Never raises."""
        try:
            replies = await self._connection.run(batch)
        except CONNECTION_LOST as error:
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
            # Before any command ran: the database does not exist, or scripts are not allowed.
            for request in batch:
                self._refused(request, error)
        except Exception as error:
            # An unreadable reply, on which redis-py can fail in many ways.
            self._connection_lost(batch, error)
        else:
            self._failures = 0
            remaining = iter(replies)
            for request in batch:
                self._resolve(request, list(islice(remaining, len(request.commands))))

    def _resolve(self, request: Request, replies: list[Any]) -> None:
        error = next((reply for reply in replies if isinstance(reply, Exception)), None)
        if error is None:
            if request.tries:
                self._problems.over()
            if not request.resolve(replies):
                self._connection_lost([request], WrongReply("a reply to a different command"))
                self.spawn(self._connection.disconnect())
        elif is_missing_script(error) and request.tries < MIN_TRIES:
            self._connection.is_prepared = False
            request.tries += 1
            self._queue.retry([request], at=0.0)
        elif is_transient(error):
            self._refused(request, error)
        else:
            self._fail([request], error)

    def _fail(self, batch: list[Request], error: BaseException) -> None:
        self._problems.warn("the store cannot be used", error)
        for request in batch:
            request.fail(error)

    def _connection_lost(self, batch: list[Request], error: BaseException) -> None:
        """Retry a batch if it is unknown which of its commands have run."""
        self._connection.is_prepared = False
        self._failures += 1
        now = self.failed_at = self._loop.time()
        if self._failures == 1:
            self._outage_began = now
        else:
            # The first failure may only mean that Redis has closed an idle connection.
            self._problems.warn("the store does not respond; retrying", error)
        waiting = [request for request in batch if not request.gives_up(self._loop.time(), error)]
        self._queue.retry(waiting, at=now + self._backoff.compute(self._failures))

    def _refused(self, request: Request, error: BaseException) -> None:
        """Retry a request later, without holding up the others."""
        self._problems.warn("the store rejects commands; retrying", error)
        if not request.gives_up(self._loop.time(), error):
            self.spawn(self._submit_later(request, self._backoff.compute(request.tries)))

    async def _submit_later(self, request: Request, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._queue.append(request)
        self._queue.flush()
