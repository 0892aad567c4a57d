"""What the errors of Redis mean: the connection is lost, not now, or never."""

from __future__ import annotations

import re

from redis import exceptions
from redis.exceptions import RedisError

from .._logs import logger
from ..errors import StoreUnavailable

__all__ = [
    "GONE",
    "UNSENDABLE",
    "NotSupported",
    "RedisError",
    "Trouble",
    "is_missing_script",
    "passes",
    "unavailable",
]

GONE = (exceptions.ConnectionError, exceptions.TimeoutError, exceptions.InvalidResponse, OSError)
"""The connection is lost, so nobody knows what was done of a batch."""

UNSENDABLE = (exceptions.DataError, UnicodeEncodeError)
"""A command has an argument that redis-py cannot encode, so nothing of the batch was sent."""

PASSING = (
    exceptions.AuthenticationError,
    exceptions.BusyLoadingError,
    exceptions.ClusterDownError,
    exceptions.MasterDownError,
    exceptions.NoPermissionError,
    exceptions.NoScriptError,
    exceptions.OutOfMemoryError,
    exceptions.ReadOnlyError,
    exceptions.TryAgainError,
)

PASSING_TEXTS = re.compile(
    r"\b(BUSY|CLUSTERDOWN|LOADING|MASTERDOWN|MISCONF|NOAUTH|NOMASTERLINK|NOPERM|NOREPLICAS|OOM"
    r"|READONLY|TRYAGAIN|UNKILLABLE)\b|can't run this command"
)
"""Where redis-py has no class for them, or a script has been in between."""

ELSEWHERE = (exceptions.AskError, exceptions.ClusterCrossSlotError, exceptions.MovedError)

UNSUPPORTED = {
    "cluster": "a node of a Redis Cluster, which RedisStore does not support",
    "sentinel": "a Sentinel: give RedisStore the address of the Redis server itself",
}


class NotSupported(RedisError):
    """The address is not one of a single Redis server.

    Args:
        mode: Its ``redis_mode``.
    """

    def __init__(self, mode: str) -> None:
        super().__init__(f"the address is that of {UNSUPPORTED.get(mode, mode)}")


def passes(error: BaseException) -> bool:
    """Whether Redis has refused something that it may accept later."""
    return isinstance(error, PASSING) or PASSING_TEXTS.search(str(error)) is not None


def is_missing_script(error: BaseException) -> bool:
    """Whether Redis has forgotten the scripts, as it does when it restarts."""
    return isinstance(error, exceptions.NoScriptError)


def unavailable(error: BaseException) -> StoreUnavailable:
    """The error for who waits for Redis, in vain because of another."""
    found = StoreUnavailable()
    found.__cause__ = error
    return found


class Trouble:
    """Warns of each kind of trouble once, until it is over."""

    def __init__(self) -> None:
        self._logged: set[str] = set()

    def log(self, what: str, error: BaseException) -> None:
        if isinstance(error, ELSEWHERE):
            error = NotSupported("cluster")
        kind = f"{what} {type(error).__name__} {str(error)[:20]}"
        if kind not in self._logged:
            self._logged.add(kind)
            logger.warning("%s: %s: %s", what, type(error).__name__, error)

    def over(self) -> None:
        if self._logged:
            self._logged.clear()
            logger.info("the store answers again")
