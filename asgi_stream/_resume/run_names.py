"""Names that clients give to runs: keys of requests, and conversations."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from hashlib import sha256

from starlette.requests import Request

from ..errors import InvalidInput, InvalidRequest
from ..requests import StreamRequest
from ..serialize import to_json
from ..stores.claimed import claimed
from ..threads import Threads
from .urls import is_segment

MAX_KEY = 255
"""Characters of an ``Idempotency-Key``, the limit of most public APIs."""


KEYS = "key"
"""Among the scopes of threads, where keys are held; owners' are hashes."""


def hashed(*parts: str | None) -> str:
    """Return a name for the store that cannot be guessed from another."""
    return sha256(to_json(parts)).hexdigest()


def idempotency_key(request: Request) -> str | None:
    """Return the request's ``Idempotency-Key``, None without one.

    Raises:
        InvalidRequest: It is too long.
    """
    key = request.headers.get("idempotency-key", "").strip()
    if len(key) > MAX_KEY:
        raise InvalidRequest(f"The Idempotency-Key is longer than {MAX_KEY} characters.")
    return key or None


@asynccontextmanager
async def key_held(threads: Threads | None, name: str | None) -> AsyncGenerator[None, None]:
    """Let requests with the same key come one after the other, over all workers.

    A store starts one run for them, but on a thread each would end, or be refused for, another one
    before that.

    Args:
        threads: How threads are kept; None if they are not: then the store is enough.
        name: The store's name for the key; None without one.
    """
    if threads is None or name is None:
        yield
        return
    async with claimed(threads.opened, KEYS, name, wait=True):
        yield


def check_conversation_id(conversation_id: str | None) -> None:
    """Raise `InvalidInput` if a conversation's id does not fit in a URL."""
    if conversation_id is not None and not is_segment(conversation_id):
        problem = (
            "is part of the run's URL, so it must not be '.' or '..', or contain a slash, a"
            " backslash, '?', '#', a control character, or '%' before two hexadecimal digits"
        )
        raise InvalidInput(f"id: {problem}", fields={"id": problem})


def fingerprint_of(request: StreamRequest) -> str:
    """Return a hash by which a repeated request is known, once it has been parsed."""
    return sha256(to_json([request.url.path, request.url.query, request.data])).hexdigest()
