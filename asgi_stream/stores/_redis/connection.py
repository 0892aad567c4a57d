"""Run batches of commands on a Redis server whose identity is known and which has the scripts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from ...errors.text import mask_passwords
from .commands import Command
from .errors import NotSupported, logger, unavailable
from .name_scripts import NAME_SCRIPTS
from .scripts import RUN_SCRIPTS
from .thread_scripts import THREAD_SCRIPTS

OnReply = Callable[[list[Any] | Exception], None]

REPLY_SECONDS = 2.0
"""The timeout of one batch."""

MIN_TRIES = 2
"""The first try may only find out that Redis has closed the connection meanwhile."""


class WrongReply(Exception):
    """A reply does not fit the command that was sent: it must belong to another one."""


class Request:
    """Commands that are sent together.

    Args:
        commands: Redis commands with their arguments.
        deadline: When to give up, by the loop's clock.
        on_reply: Called with the replies, or with the reason why there are none.
        unresolved: Has the request until it is resolved.
    """

    __slots__ = ("_on_reply", "_unresolved", "commands", "deadline", "tries")

    def __init__(
        self,
        commands: Sequence[Command],
        deadline: float,
        on_reply: OnReply,
        unresolved: set[Request],
    ) -> None:
        self.commands = commands
        self.deadline = deadline
        self.tries = 0
        self._on_reply = on_reply
        self._unresolved = unresolved
        unresolved.add(self)

    def resolve(self, result: list[Any] | Exception) -> bool:
        """Pass the replies on. An exception in the callback is logged and affects no other request.

        Returns:
            False if the replies do not fit these commands.
        """
        try:
            self._on_reply(result)
        except WrongReply:
            return False
        except Exception:
            logger.exception("failed to process a reply from the store")
        self._unresolved.discard(self)
        return True

    def fail(self, error: BaseException) -> None:
        """Resolve the request with a `StoreUnavailable`."""
        self.resolve(unavailable(error))

    def gives_up(self, now: float, error: BaseException) -> bool:
        """Count a failed try. After the last one resolve the request and return True."""
        self.tries += 1
        if now < self.deadline or self.tries < MIN_TRIES:
            return False
        self.fail(error)
        return True


def open_client(url: str, options: Mapping[str, Any]) -> Redis:
    """Return a client of redis-py that returns bytes. It connects at the first use.

    Raises:
        ValueError: The URL is invalid.
    """
    # redis-py must not retry by itself: another Redis may answer, which `Connection` must know.
    retry = Retry(NoBackoff(), 0)
    try:
        client: Redis = Redis.from_url(url, **{"retry": retry, "socket_timeout": None, **options})
    except ValueError:
        # redis-py's message repeats parts of the URL, and of a password that is not encoded.
        raise ValueError(
            "expected a URL like redis://host:6379/0, with a percent-encoded password"
            f" if there is one, not {mask_passwords(repr(url))}"
        ) from None
    # A URL that is shared with other users of Redis may ask for texts, and outranks options.
    client.connection_pool.connection_kwargs["decode_responses"] = False
    return client


class Connection:
    """A client of redis-py that knows which server responds.

    Args:
        client: Returns bytes, and does not retry by itself.
        on_change: Called when a different Redis process responds, whose data may be older.
    """

    def __init__(self, client: Redis, on_change: Callable[[], None]) -> None:
        client.connection_pool.connection_kwargs["redis_connect_func"] = self._on_connect
        self._client = client
        self._on_change = on_change
        self.is_prepared = False
        """Whether the server is identified and has the scripts."""
        self.server = ""
        """Which process responds, and which history of data it has; "" if it does not say."""

    async def run(self, batch: Sequence[Request]) -> list[Any]:
        """Run all commands of a batch, and return one reply or exception for each.

        Raises:
            TimeoutError: The replies did not come within `REPLY_SECONDS`.
        """
        async with asyncio.timeout(REPLY_SECONDS):
            return await self._run(batch)

    async def _run(self, batch: Sequence[Request]) -> list[Any]:
        if not self.is_prepared:
            await self._prepare()
        pipeline = self._client.pipeline(transaction=False)
        for request in batch:
            for command in request.commands:
                pipeline.execute_command(*command)
        replies: list[Any] = await pipeline.execute(raise_on_error=False)
        if not self.is_prepared:
            await self._prepare()  # the replies may be from another Redis
        return replies

    def identify(self, server: Any, replication: Any) -> None:
        """Process the replies to ``INFO server`` and ``INFO replication``.

        Raises:
            NotSupported: The server is a node of a cluster, or a Sentinel.
        """
        mode = server.get("redis_mode", "standalone")
        if mode != "standalone":
            raise NotSupported(mode)
        # If a process was a replica meanwhile, only the replication id tells.
        identity = f"{server.get('run_id', '')}:{replication.get('master_replid', '')}"
        previous, self.server = self.server, identity
        if previous and previous != identity:
            logger.warning("a different Redis server responds; rewriting what it lacks")
            self._on_change()

    async def disconnect(self) -> None:
        """Close the connections in the pool, so that the next batch opens new ones."""
        await self._client.connection_pool.disconnect()

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _on_connect(self, connection: Any) -> None:
        # redis-py may have replaced a connection that was closed by the server.
        self.is_prepared = False
        await connection.on_connect()

    async def _prepare(self) -> None:
        """Identify the server, and load the scripts."""
        pipeline = self._client.pipeline(transaction=False)
        pipeline.execute_command("INFO", "server")
        pipeline.execute_command("INFO", "replication")
        for script in (*RUN_SCRIPTS, *NAME_SCRIPTS, *THREAD_SCRIPTS):
            pipeline.execute_command("SCRIPT LOAD", script.source)
        server, replication, *loaded = await pipeline.execute(raise_on_error=False)
        if isinstance(server, Exception) or isinstance(replication, Exception):
            self.server = ""  # the user lacks the permission
        else:
            self.identify(server, replication)
        for reply in loaded:
            if isinstance(reply, Exception):
                raise reply
        self.is_prepared = True
