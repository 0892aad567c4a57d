"""Finds what LangServe serves in a file: calls of ``add_routes``, and ``APIHandler``."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field

from .source import LangServeSource, Place, ServedCall, arguments_of

METHODS = {
    **{name: name for name in ("invoke", "batch", "stream", "stream_log")},
    **{name: name for name in ("input_schema", "output_schema", "config_schema")},
    "astream_events": "stream_events",
}
"""The methods of a handler, with the names of their endpoints."""

DOCUMENTATION = {"description", "include_in_schema", "name", "responses", "summary", "tags"}
"""The arguments of an endpoint's decorator that only describe it."""


@dataclass(slots=True)
class Calls:
    """What a file serves.

    Attributes:
        served: What can be read.
        unread: What cannot be read: its line, and why.
    """

    served: list[ServedCall] = field(default_factory=list)
    unread: list[tuple[int, str]] = field(default_factory=list)


def find_calls(source: LangServeSource) -> Calls:
    """Return all calls of ``add_routes`` and all handlers, in the order of the file."""
    calls = Calls()
    names: set[ast.AST] = set()
    options: dict[str, ast.expr] | _Handler | str
    for statement, place in source.places.items():
        match statement:
            case ast.Expr(value=ast.Call() as call) if source.name_of(call.func) == "add_routes":
                options = arguments_of(call, "app", "runnable")
            case ast.Assign(targets=[ast.Name(id=handler)], value=ast.Call() as call) if (
                source.name_of(call.func) == "APIHandler"
            ):
                options = _handler(source, place, handler, call)
            case _:
                continue
        names.add(call.func)
        if isinstance(options, str):
            calls.unread.append((statement.lineno, options))
        elif isinstance(options, _Handler):
            calls.served.append(options.call(statement, place))
        else:
            app, runnable = options.pop("app"), options.pop("runnable")
            calls.served.append(ServedCall(statement, place, app, runnable, options))
    for node in ast.walk(source.tree):
        if (
            isinstance(node, ast.expr)
            and source.name_of(node) in ("add_routes", "APIHandler")
            and node not in names
        ):
            calls.unread.append((node.lineno, "it is not a statement of its own"))
    return calls


@dataclass(frozen=True, slots=True)
class _Handler:
    options: dict[str, ast.expr]
    functions: Sequence[_Endpoint]

    def call(self, statement: ast.stmt, place: Place) -> ServedCall:
        runnable = self.options.pop("runnable")
        first = self.functions[0]
        self.options.pop("prefix", None)
        self.options["path"] = ast.Constant(first.path)
        names: list[ast.expr] = [ast.Constant(each.name) for each in self.functions]
        self.options["enabled_endpoints"] = ast.List(names, ast.Load())
        functions = [each.function for each in self.functions]
        return ServedCall(statement, place, first.app, runnable, self.options, functions)


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """A function that only passes its request on to a method of a handler."""

    function: ast.stmt
    handler: ast.Name
    app: ast.expr
    name: str
    path: str


def _handler(source: LangServeSource, place: Place, name: str, call: ast.Call) -> _Handler | str:
    options = arguments_of(call, "runnable")
    if isinstance(options, str):
        return options
    endpoints = [
        endpoint
        for statement, where in source.places.items()
        if where.scope is place.scope and (endpoint := _endpoint(statement)) is not None
        if endpoint.handler.id == name
    ]
    uses = {
        node
        for node in ast.walk(place.scope)
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
    }
    if not endpoints or uses - {each.handler for each in endpoints}:
        return (
            "not all that calls it is an endpoint of the form"
            f" `async def endpoint(request): return await {name}.invoke(request)`"
        )
    if len({(ast.unparse(each.app), each.path) for each in endpoints}) > 1:
        return "its endpoints do not have one path, followed by /invoke, /stream and so on"
    return _Handler(options, endpoints)


def _endpoint(statement: ast.stmt) -> _Endpoint | None:
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            body = statement.body[ast.get_docstring(statement) is not None :]
            arguments = [each.arg for each in ast.walk(statement.args) if isinstance(each, ast.arg)]
        case _:
            return None
    match statement.decorator_list, body:
        case (
            [
                ast.Call(
                    func=ast.Attribute(value=app, attr="get" | "post"),
                    args=[ast.Constant(value=str(path))],
                    keywords=keywords,
                )
            ],
            [ast.Return(value=ast.Await(value=ast.Call() as call) | (ast.Call() as call))],
        ) if all(each.arg in DOCUMENTATION for each in keywords):
            pass
        case _:
            return None
    match call:
        case ast.Call(
            func=ast.Attribute(value=ast.Name() as handler, attr=method),
            args=[ast.Name(id=request)],
            keywords=[],
        ) if [request] == arguments and path.endswith(f"/{METHODS.get(method)}"):
            name = METHODS[method]
            return _Endpoint(statement, handler, app, name, path.removesuffix(f"/{name}"))
    return None
