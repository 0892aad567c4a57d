"""The source of a LangServe app: its calls of ``add_routes`` and its handlers.

The facts are those of PyPI ``langserve`` 0.3.3. The source is parsed, never imported or run.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

Scope = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
PUBLIC = {"add_routes", "APIHandler", "CustomUserType"}
"""What is replaced of LangServe; its client is left alone."""

LOGIN = ("dependencies", "route_class")
"""The options of FastAPI's apps and routers that may refuse a request."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a statement is.

    Attributes:
        scope: The module or function that it runs in.
        block: The statement of the scope's body that it is in, or is.
    """

    scope: Scope
    block: ast.stmt


@dataclass(frozen=True, slots=True)
class ServedCall:
    """A Runnable that LangServe serves.

    Attributes:
        statement: The call of ``add_routes``, or the assignment of a handler.
        place: Where it is.
        app: The app or router, as in the source.
        runnable: The Runnable.
        options: All other arguments, by their names.
        endpoints: The functions that pass requests on to a handler.
    """

    statement: ast.stmt
    place: Place
    app: ast.expr
    runnable: ast.expr
    options: Mapping[str, ast.expr]
    endpoints: Sequence[ast.stmt] = ()

    @property
    def line(self) -> int:
        """The first line of the call, from 1."""
        return self.statement.lineno


@dataclass(slots=True)
class LangServeSource:
    """A parsed file.

    Attributes:
        tree: Its syntax tree.
        aliases: What its names of LangServe stand for: ``{"ar": "add_routes"}``.
        fastapi: What its names of FastAPI stand for: ``{"fastapi.FastAPI": "FastAPI"}``.
        imports: The statements that import LangServe.
        places: Where each statement is.
        created: The calls that create the apps and routers, by scope and name.
        assigned: How often each name is assigned in a scope, or is a parameter of it.
        words: All words of the text, which no new name may be.
    """

    tree: ast.Module
    aliases: dict[str, str] = field(default_factory=dict)
    fastapi: dict[str, str] = field(
        default_factory=lambda: {f"fastapi.{name}": name for name in ("FastAPI", "APIRouter")}
    )
    imports: list[ast.Import | ast.ImportFrom] = field(default_factory=list)
    places: dict[ast.stmt, Place] = field(default_factory=dict)
    created: dict[tuple[Scope, str], ast.Call] = field(default_factory=dict)
    assigned: dict[tuple[Scope, str], int] = field(default_factory=dict)
    words: set[str] = field(default_factory=set)

    def name_of(self, node: ast.AST) -> str | None:
        """Return the name that LangServe has for an expression, ``"add_routes"`` for example."""
        match node:
            case ast.Name(id=name):
                return self.aliases.get(name)
            case ast.Attribute(value=value, attr=attribute) if attribute in PUBLIC:
                root = ast.unparse(value).partition(".")[0]
                return attribute if self.aliases.get(root) == "langserve" else None
        return None

    def free(self, name: str) -> str:
        """Return a name like this that is an identifier, and new in the file."""
        name = name if name.isidentifier() else f"_{name}"
        while name in self.words:
            name += "_"
        self.words.add(name)
        return name

    def creation(self, scope: Scope, name: str) -> ast.Call | None:
        """Return the call that creates an app or router, if it is certain, with all its options."""
        scopes = [where for where, each in self.assigned if each == name]
        where = scope if scope in scopes else self.tree
        if (where is not scope and scopes != [where]) or self.assigned.get((where, name)) != 1:
            return None  # it may be another
        if any(
            isinstance(each, ast.Attribute) and each.attr in LOGIN for each in ast.walk(self.tree)
        ):
            return None  # app.router.dependencies.append(...)
        call = self.created.get((where, name))
        return None if call is None or _is_open(call) else call

    def include(self, scope: Scope, router: str) -> ast.Call | None:
        """Return the call that includes a router, if it is certain, with all its options."""
        calls = [
            call
            for call in ast.walk(self.tree)
            if isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr == "include_router"
            and router in [ast.unparse(each) for each in _values(call)]
        ]
        own = [each.value for each in scope.body if isinstance(each, ast.Expr)]
        return calls[0] if len(calls) == 1 and calls[0] in own and not _is_open(calls[0]) else None


def read_source(text: str) -> LangServeSource:
    """Return what a file says.

    Raises:
        SyntaxError: It is not Python.
    """
    source = LangServeSource(ast.parse(text), words={*re.findall(r"\w+", text)})
    for place, statement in _statements(source.tree, source.tree.body):
        source.places[statement] = place
        _read_import(source, statement)
        bound = [(place.scope, name) for name in _names_bound(statement)]
        if isinstance(statement, FUNCTIONS):
            arguments = [each for each in ast.walk(statement.args) if isinstance(each, ast.arg)]
            bound += [(statement, each.arg) for each in arguments]
        elif isinstance(statement, ast.Global):
            bound += [(source.tree, name) for name in statement.names]
        for key in bound:
            source.assigned[key] = source.assigned.get(key, 0) + 1
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.Call() as call)
            ):
                source.created[place.scope, name] = call
    return source


def _statements(
    scope: Scope, body: Sequence[ast.stmt], block: ast.stmt | None = None
) -> Iterator[tuple[Place, ast.stmt]]:
    """Yield all statements in order, with where they are."""
    for statement in body:
        outer = block or statement
        yield Place(scope, outer), statement
        if isinstance(statement, FUNCTIONS):
            yield from _statements(statement, statement.body)
            continue
        for name in ("body", "orelse", "handlers", "cases", "finalbody"):
            for each in getattr(statement, name, ()):
                inner = [each] if isinstance(each, ast.stmt) else each.body
                yield from _statements(scope, inner, outer)


def _read_import(source: LangServeSource, statement: ast.stmt) -> None:
    match statement:
        case ast.ImportFrom(module=str(module), names=names, level=0) if _is_langserve(module):
            source.imports.append(statement)
            source.aliases |= {each.asname or each.name: each.name for each in names}
        case ast.ImportFrom(module="fastapi", names=names, level=0):
            source.fastapi |= {each.asname or each.name: each.name for each in names}
        case ast.Import(names=names) if any(_is_langserve(each.name) for each in names):
            source.imports.append(statement)
            for each in names:
                if _is_langserve(each.name):
                    source.aliases[each.asname or "langserve"] = "langserve"


def _is_langserve(module: str) -> bool:
    return module.partition(".")[0] == "langserve"


def _names_bound(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement binds itself, not those of the statements in it."""
    if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
        yield statement.name
        return
    if isinstance(statement, ast.Import | ast.ImportFrom):
        yield from ((each.asname or each.name).partition(".")[0] for each in statement.names)
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Name | ast.Attribute) and not isinstance(node.ctx, ast.Load):
            yield ast.unparse(node)
        children = ast.iter_child_nodes(node)
        pending += (each for each in children if not isinstance(each, ast.stmt))


def _values(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(each.value for each in call.keywords)]


def _is_open(call: ast.Call) -> bool:
    """Return whether some arguments of a call are elsewhere (``**options``)."""
    return any(each.arg is None for each in call.keywords) or any(
        isinstance(each, ast.Starred) for each in call.args
    )


def arguments_of(call: ast.Call, *names: str) -> dict[str, ast.expr] | str:
    """Return the arguments of a call by their names, or why they cannot be read.

    Args:
        call: The call.
        *names: The names of its positional parameters.
    """
    if any(isinstance(each, ast.Starred) for each in call.args) or len(call.args) > len(names):
        return "its positional arguments cannot be read"
    if any(each.arg is None for each in call.keywords):
        return "what ** stands for cannot be read"
    options = dict(zip(names, call.args, strict=False))
    options |= {str(each.arg): each.value for each in call.keywords}
    missing = [name for name in names if name not in options]
    return f"it has no {missing[0]!r}" if missing else options
