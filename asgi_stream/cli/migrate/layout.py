"""The layout of the table in a rewritten app."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

WIDTH = 96


def commented(text: str) -> list[str]:
    """Return a text as lines of a comment."""
    return [f"# {line}" for line in wrap(text, WIDTH - 2)]


def ended(lines: Sequence[str], end: str) -> list[str]:
    """Return lines with something at the end of the last."""
    return [*lines[:-1], lines[-1] + end]


def called(function: str, argument: Sequence[str]) -> list[str]:
    """Return the lines of a call with one argument."""
    if len(argument) == 1:
        return [f"{function}({argument[0]})"]
    return [f"{function}(", *(f"    {line}" for line in ended(argument, ",")), ")"]


def table(start: str, entries: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a `StreamApp`.

    Args:
        start: What is before the parenthesis.
        entries: The lines of each item of the list of routes.
    """
    return [
        f"{start}(",
        "    routes=[",
        *(f"        {line}" for entry in entries for line in entry),
        "    ],",
        "    openapi=False,",
        "    health=False,",
        "    # playground=True,  # at /playground; for development",
        ")",
    ]
