"""Calls the functions that a route names: async ones on the event loop, all others in a thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import isasyncgenfunction, isawaitable, iscoroutinefunction, isroutine
from typing import Any

from starlette.concurrency import run_in_threadpool


async def call_hook(function: Callable[..., Any], *args: Any) -> Any:
    """Call `function` without blocking the event loop; what it returns is awaited if it can be.

    A function that is not async runs in a worker thread of anyio's default pool, as a ``def``
    endpoint does in Starlette and FastAPI. The thread sees a copy of the current context: context
    variables that the function sets are not visible outside of it.

    Args:
        function: Any callable.
        *args: Passed on.

    Returns:
        The result, after the await.
    """
    result = function(*args) if _is_async(function) else await run_in_threadpool(function, *args)
    return await result if isawaitable(result) else result


def _is_async(function: Any) -> bool:
    """Return whether a call of `function` does no work itself, but returns at once."""
    while isinstance(function, partial):
        function = function.func
    if not isroutine(function):
        function = type(function).__call__
    return iscoroutinefunction(function) or isasyncgenfunction(function)
