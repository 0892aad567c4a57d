"""How and where the table of a rewritten app is written."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from textwrap import wrap

from .edits import lines_of
from .source import FUNCTIONS, Scope

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


def insertion_line(scope: Scope, last: ast.stmt) -> int:
    """Return the number of the line, from 0, before which the table of a scope is written.

    It is after the statement `last` and before the scope returns, yields or runs the app.
    """
    rest = scope.body[scope.body.index(last) + 1 :]
    for statement in rest:
        if _ends(statement):
            return lines_of(statement)[0]
    return lines_of(scope.body[-1])[1] + 1


def _ends(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.If) and "__name__" in ast.unparse(statement.test):
        return True
    return any(
        isinstance(node, ast.Return | ast.Yield)
        or (isinstance(node, ast.Call) and ast.unparse(node.func) == "uvicorn.run")
        for node in _own_nodes(statement)
    )


def _own_nodes(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield the nodes of a statement without the bodies of functions in it."""
    if isinstance(statement, FUNCTIONS):
        return
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        yield node
        children = ast.iter_child_nodes(node)
        pending += (each for each in children if not isinstance(each, FUNCTIONS))
