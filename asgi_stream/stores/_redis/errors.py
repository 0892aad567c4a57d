"""The meaning of redis-py's exceptions: connection lost, refused for now, refused for good."""

from __future__ import annotations

import logging
import re

from redis import exceptions
from redis.exceptions import RedisError

from ...errors import StoreUnavailable
from ...errors.guarded_logger import GuardedLogger

__all__ = [
    "CONNECTION_LOST",
    "UNSENDABLE",
    "NotSupported",
    "ProblemLog",
    "RedisError",
    "is_missing_script",
    "is_transient",
    "logger",
    "unavailable",
]

# That of `asgi_stream._logs`, which is not below this package.
logger = GuardedLogger(logging.getLogger("asgi_stream"))

CONNECTION_LOST = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.InvalidResponse,
    OSError,
)
"""The connection is lost, so it is unknown which commands of a batch have run."""

UNSENDABLE = (exceptions.DataError, UnicodeEncodeError)
"""A command has an argument that redis-py cannot encode, so nothing of the batch was sent."""

TRANSIENT = (
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

TRANSIENT_TEXTS = re.compile(
    r"\b(BUSY|CLUSTERDOWN|LOADING|MASTERDOWN|MISCONF|NOAUTH|NOMASTERLINK|NOPERM|NOREPLICAS|OOM"
    r"|READONLY|TRYAGAIN|UNKILLABLE)\b|can't run this command"
)
"""Transient errors without a class in redis-py, or raised from within a script."""

CLUSTER = (exceptions.AskError, exceptions.ClusterCrossSlotError, exceptions.MovedError)

UNSUPPORTED = {
    "cluster": "a node of a Redis Cluster, which RedisStore does not support",
    "sentinel": "a Sentinel: use the URL of the Redis server itself",
}


class NotSupported(RedisError):
    """The URL is not that of a single Redis server.

    Args:
        mode: The ``redis_mode`` that the server reports.
    """

    def __init__(self, mode: str) -> None:
        super().__init__(f"the URL is that of {UNSUPPORTED.get(mode, mode)}")


def is_transient(error: BaseException) -> bool:
    """Whether Redis may accept the same command later."""
    return isinstance(error, TRANSIENT) or TRANSIENT_TEXTS.search(str(error)) is not None


def is_missing_script(error: BaseException) -> bool:
    """Whether Redis no longer has the scripts, as after a restart."""
    return isinstance(error, exceptions.NoScriptError)


def unavailable(error: BaseException) -> StoreUnavailable:
    """Return a `StoreUnavailable` caused by `error`."""
    result = StoreUnavailable()
    result.__cause__ = error
    return result


class ProblemLog:
    """Logs each kind of problem once, until all are over."""

    def __init__(self) -> None:
        self._logged: set[str] = set()

    def warn(self, problem: str, error: BaseException) -> None:
        if isinstance(error, CLUSTER):
            error = NotSupported("cluster")
        kind = f"{problem} {type(error).__name__} {str(error)[:20]}"
        if kind not in self._logged:
            self._logged.add(kind)
            logger.warning("%s: %s: %s", problem, type(error).__name__, error)

    def over(self) -> None:
        if self._logged:
            self._logged.clear()
            logger.info("the store responds again")
