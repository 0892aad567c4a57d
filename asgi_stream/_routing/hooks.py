"""Calls the functions of a route: async ones on the event loop, all others in a thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import isasyncgenfunction, isawaitable, iscoroutinefunction, isroutine
from typing import Any

from starlette.concurrency import run_in_threadpool


async def call_hook(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function without blocking the event loop, and await its result if it is awaitable.

    A sync function runs in a worker thread of anyio's default pool, as a ``def`` endpoint does in
    Starlette and FastAPI. The thread gets a copy of the current context, so context variables that
    the function sets are not visible outside of it.

    Args:
        function: Any callable.
        *args: Its arguments.

    Returns:
        The awaited result.
    """
    result = function(*args) if _is_async(function) else await run_in_threadpool(function, *args)
    return await result if isawaitable(result) else result


def _is_async(function: Any) -> bool:
    """Return whether a call of `function` returns at once, with an awaitable or a generator."""
    while isinstance(function, partial):
        function = function.func
    if not isroutine(function):
        function = type(function).__call__
    return iscoroutinefunction(function) or isasyncgenfunction(function)
