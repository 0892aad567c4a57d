"""The subscriptions of a worker, on a connection of their own."""

from __future__ import annotations

import asyncio
from asyncio import Future, Task
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub
    from redis.backoff import AbstractBackoff

DISCONNECTED = "the store's pub/sub connection was lost; reconnecting"

CONFIRM_SECONDS = 1.0
"""How long `subscribe` waits for Redis to confirm."""


class Subscriptions:
    """The channels that one event loop is subscribed to. Connects at the first use.

    Args:
        client: A client of redis-py that returns bytes.
        on_message: Called with the channel and the data of each message.
        on_resubscribed: Called when messages may have been missed.
        warn: Called with each problem, in words and as an exception.
        backoff: Computes how long to wait before the next try.
    """

    def __init__(
        self,
        client: Redis,
        on_message: Callable[[bytes, bytes], None],
        on_resubscribed: Callable[[], None],
        warn: Callable[[str, BaseException], None],
        backoff: AbstractBackoff,
    ) -> None:
        self._client = client
        self._on_message = on_message
        self._on_resubscribed = on_resubscribed
        self._warn = warn
        self._backoff = backoff
        self._channels: dict[bytes, Future[None]] = {}
        """Done once Redis has confirmed the subscription."""
        self._connection: PubSub | None = None
        self._listener: Task[None] | None = None

    async def subscribe(self, channel: bytes) -> None:
        """Subscribe to a channel; return when no more messages are missed, or Redis is down."""
        if channel not in self._channels:
            self._channels[channel] = asyncio.get_running_loop().create_future()
            if self._listener is None:
                self._listener = asyncio.create_task(self._listen())
            elif self._connection is not None:
                await self._send(self._connection.subscribe(channel))
        confirmed = self._channels[channel]
        if not confirmed.done():  # for those that are, `wait` would take a turn of the event loop
            await asyncio.wait({confirmed}, timeout=CONFIRM_SECONDS)

    async def unsubscribe(self, channel: bytes) -> None:
        if self._channels.pop(channel, None) is not None and self._connection is not None:
            await self._send(self._connection.unsubscribe(channel))

    async def aclose(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.wait({self._listener})

    async def _listen(self) -> None:
        failures = 0
        while True:
            try:
                async with self._client.pubsub() as connection:
                    subscribed: set[bytes] = set()
                    while missing := self._channels.keys() - subscribed:
                        await connection.subscribe(*missing)
                        subscribed |= missing
                    self._connection = connection
                    if failures:
                        self._on_resubscribed()
                    failures = 0
                    async for message in connection.listen():
                        self._process(message)
            except Exception as error:
                failures += 1
                self._warn(DISCONNECTED, error)
            finally:
                self._connection = None
            await asyncio.sleep(self._backoff.compute(failures))

    def _process(self, message: dict[str, Any]) -> None:
        try:
            channel = message["channel"]
            if message["type"] == "message":
                self._on_message(channel, message["data"])
            elif message["type"] == "subscribe" and channel in self._channels:
                confirmed = self._channels[channel]
                if not confirmed.done():
                    confirmed.set_result(None)
        except Exception as error:
            self._warn("the store has published an invalid message", error)

    async def _send(self, sending: Awaitable[Any]) -> None:
        try:
            await sending
        except Exception as error:
            # The listener fails too, and subscribes to all channels again.
            self._warn(DISCONNECTED, error)
