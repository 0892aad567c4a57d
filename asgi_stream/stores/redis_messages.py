"""What workers that share a Redis say to each other, on a connection of its own."""

from __future__ import annotations

import asyncio
from asyncio import Future, Task
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub
    from redis.backoff import AbstractBackoff

CUT_OFF = "the store's messages are cut off"


class Messages:
    """The channels that one event loop listens to. It connects at the first use.

    Args:
        client: A client of redis-py that returns bytes.
        hear: Called with the channel and the data of each message.
        back: Called when messages may have been missed.
        lost: Called with what is wrong while none are heard, in words and as an exception.
        backoff: How long to wait before the next try.
    """

    def __init__(
        self,
        client: Redis,
        hear: Callable[[bytes, bytes], None],
        back: Callable[[], None],
        lost: Callable[[str, BaseException], None],
        backoff: AbstractBackoff,
    ) -> None:
        self._client = client
        self._hear = hear
        self._back = back
        self._lost = lost
        self._backoff = backoff
        self._channels: dict[bytes, Future[None]] = {}
        self._connection: PubSub | None = None
        self._listener: Task[None] | None = None

    async def subscribe(self, channel: bytes) -> None:
        """Hear `channel`. Returns when no message there is missed, or Redis is away."""
        if channel not in self._channels:
            self._channels[channel] = asyncio.get_running_loop().create_future()
            if self._listener is None:
                self._listener = asyncio.create_task(self._listen())
            elif self._connection is not None:
                await self._tell(self._connection.subscribe(channel))
        await asyncio.wait({self._channels[channel]}, timeout=1.0)

    async def unsubscribe(self, channel: bytes) -> None:
        if self._channels.pop(channel, None) is not None and self._connection is not None:
            await self._tell(self._connection.unsubscribe(channel))

    async def aclose(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.wait({self._listener})

    async def _listen(self) -> None:
        failures = 0
        while True:
            try:
                async with self._client.pubsub() as messages:
                    known: set[bytes] = set()
                    while missing := self._channels.keys() - known:
                        await messages.subscribe(*missing)
                        known |= missing
                    self._connection = messages
                    if failures:
                        self._back()
                    failures = 0
                    async for message in messages.listen():
                        self._heard(message)
            except Exception as error:
                failures += 1
                self._lost(CUT_OFF, error)
            finally:
                self._connection = None
            await asyncio.sleep(self._backoff.compute(failures))

    def _heard(self, message: dict[str, Any]) -> None:
        try:
            channel = message["channel"]
            if message["type"] == "message":
                self._hear(channel, message["data"])
            elif message["type"] == "subscribe" and channel in self._channels:
                confirmed = self._channels[channel]
                if not confirmed.done():
                    confirmed.set_result(None)
        except Exception as error:
            self._lost("the store has sent a message that cannot be read", error)

    async def _tell(self, telling: Any) -> None:
        try:
            await telling
        except Exception as error:
            # The listener finds that out too, and begins again with all channels.
            self._lost(CUT_OFF, error)
