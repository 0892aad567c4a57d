"""The position of a table in an app's source, after the other routes."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence, Set

from .edits import lines_of
from .source import FUNCTIONS, LangServeSource, Scope

ADDS = ("include_router", "mount")
"""The methods that only add what they get to the routes."""


def table_line(
    source: LangServeSource, scope: Scope, app: str, blocks: Sequence[ast.stmt]
) -> int | None:
    """Return the number of the line, from 0, before which the table of an app is written.

    The table answers every path. So it has to come after all other routes, and before the app runs.
    The line is None if no place is certain to be both.

    Args:
        source: The file.
        scope: Where the app and the calls are.
        app: The app's name.
        blocks: The statements of the scope that the calls are in.
    """
    call = source.created.get((scope, app))
    created = [each for each in scope.body if call and getattr(each, "value", None) is call]
    rest = scope.body[min(map(scope.body.index, blocks)) :]
    end = next((n for n, each in enumerate(rest) if _ends(source, each)), len(rest))
    before, after = rest[:end], rest[end:]
    functions = [each for each in scope.body if isinstance(each, FUNCTIONS)]
    users = {each.name for each in functions if _is_used(source, each.body, {app})}
    if (
        not created
        or any(each in after for each in (*blocks, *created))
        or _is_used(source, before, {app, *users})
        or any(_answers_all(source, each, app) for each in before)
        or any(_is_changed(source, each, app) for each in after)
    ):
        return None
    return lines_of(after[0])[0] if after else lines_of(rest[-1])[1] + 1


def _ends(source: LangServeSource, statement: ast.stmt) -> bool:
    """Return whether a statement ends the scope, or runs an app."""
    if isinstance(statement, ast.If) and "__name__" in ast.unparse(statement.test):
        return True
    return any(
        isinstance(node, ast.Return | ast.Yield)
        or (isinstance(node, ast.Call) and _last_name(node.func) in ("run", "serve"))
        for node in _nodes(source, statement)
    )


def _is_used(source: LangServeSource, body: Sequence[ast.stmt], names: Set[str]) -> bool:
    """Return whether statements hand an app on, to what may run it or add routes to it."""
    return any(
        isinstance(node, ast.Name) and node.id in names and isinstance(node.ctx, ast.Load)
        for statement in body
        for node in _nodes(source, statement)
    )


def _is_changed(source: LangServeSource, statement: ast.stmt, app: str) -> bool:
    """Return whether a statement does something to the app: ``@app.get`` for example."""
    return any(_of_app(node, app) for node in _nodes(source, statement))


def _answers_all(source: LangServeSource, statement: ast.stmt, app: str) -> bool:
    """Return whether a statement adds a route that answers what the table should."""
    return any(
        isinstance(value, ast.Constant)
        and (
            str(value.value).startswith("/{")
            or (node.func.attr == "mount" and value.value in ("", "/"))
        )
        for node in _nodes(source, statement)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and _of_app(node.func, app)
        for value in (*node.args, *(each.value for each in node.keywords))
    )


def _of_app(node: ast.AST, app: str) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == app
    )


def _last_name(node: ast.expr) -> str:
    return ast.unparse(node).rpartition(".")[2]


def _nodes(source: LangServeSource, statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield the nodes of a statement.

    Left out are the bodies of functions, the names that only have an attribute read, and what a
    call only adds to the routes of an app.
    """
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        yield node
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                pending += node.decorator_list
            case ast.Attribute(value=ast.Name()):
                pass
            case ast.Call(func=func) if (
                source.name_of(func) == "add_routes" or _last_name(func) in ADDS
            ):
                pending.append(func)
            case _:
                pending += ast.iter_child_nodes(node)
