"""Stored frames as a reader gets them: those that cannot be translated are left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from .._logs import logger
from .._routing.bound import BoundRoute

P = ParamSpec("P")
T = TypeVar("T")


def translated(
    route: BoundRoute,
    run_id: str,
    translate: Callable[P, T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T | None:
    """Return what a function makes of a frame; None, and a line in the log, if it raises.

    The reader goes on with the next frame, and the run and its other readers notice nothing.

    Args:
        route: The route of the run.
        run_id: The run.
        translate: The function.
        args: What it is called with, the frame for example.
        kwargs: The same, by name.
    """
    try:
        return translate(*args, **kwargs)
    except Exception:
        message = "run %s of %s: a reader does not get a frame that cannot be translated"
        logger.exception(message, run_id, route.path)
        return None
