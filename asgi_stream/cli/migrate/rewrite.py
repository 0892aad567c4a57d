"""Rewrites the source of a LangServe app: each call of ``add_routes`` becomes a `StreamRoute`."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field

from .calls import find_calls
from .edits import Edits, lines_of
from .imports import after_imports, kept_import, needed
from .layout import called, commented, ended, table
from .options import Migrated, migrate
from .order import table_line
from .source import LangServeSource, Scope, ServedCall, read_source
from .targets import Target, target_of

LAST = "keep it after all other routes of the app: it answers every path"


@dataclass(slots=True)
class Rewritten:
    """A file that no longer needs LangServe.

    Attributes:
        text: Its source.
        count: How many calls were replaced.
        notes: What is not the same as before, with the lines in the file that was read.
        todo: What has to be done before the file does what it did, with the lines.
    """

    text: str
    count: int = 0
    notes: list[tuple[int, str]] = field(default_factory=list)
    todo: list[tuple[int, str]] = field(default_factory=list)


@dataclass(slots=True)
class _Table:
    """The routes of one app that is created where they are.

    Attributes:
        scope: Where it is.
        target: The app.
        calls: The calls that become its routes.
        routes: The routes, without those of `appended`.
        appended: The name of a list of other routes.
        line: Where it is written and mounted, if there is such a place.
    """

    scope: Scope
    target: Target
    calls: list[ServedCall] = field(default_factory=list)
    routes: list[Migrated] = field(default_factory=list)
    appended: str = ""
    line: int | None = None


def rewrite(text: str) -> Rewritten:
    """Return the source of a LangServe app for this package.

    Raises:
        SyntaxError: The text is not Python.
        ValueError: It has a name that is needed for something else.
    """
    return _Rewriter(text).result()


class _Rewriter:
    def __init__(self, text: str) -> None:
        self._source: LangServeSource = read_source(text)
        self._calls = find_calls(self._source)
        self._edits = Edits(text)
        self._tables: dict[tuple[Scope, str], _Table] = {}
        self._helpers: set[str] = set()
        self._rewritten = Rewritten(text)

    def result(self) -> Rewritten:
        rewritten = self._rewritten
        calls = [(call, target_of(self._source, call)) for call in self._calls.served]
        for call, target in calls:
            if target.created:
                own = _Table(call.place.scope, target)
                self._tables.setdefault((own.scope, target.app), own).calls.append(call)
        for each in self._tables.values():
            blocks = [call.place.block for call in each.calls]
            each.line = table_line(self._source, each.scope, each.target.app, blocks)
        for call, target in calls:
            self._replace(call, target)
        for line, why in self._calls.unread:
            text = f"this use of LangServe is left as it is: {why}."
            rewritten.todo.append((line, text))
            statement = _statement_at(self._source, line)
            first = lines_of(statement)[0]
            self._edits.insert(first, commented(f"TODO: {text}"), statement)
        for each in self._tables.values():
            if each.routes or each.appended:
                self._insert_table(each)
        self._replace_imports()
        rewritten.text = self._edits.text()
        rewritten.notes.sort()
        rewritten.todo.sort()
        return rewritten

    def _replace(self, call: ServedCall, target: Target) -> None:
        statements = (call.statement, *call.endpoints)
        if not all(self._edits.is_alone(each) for each in statements):
            self._calls.unread.append((call.line, "other code is on the same line"))
            return
        self._rewritten.count += 1
        own = self._tables.get((call.place.scope, target.app))
        if own and own.line is None and self._can_mount(call, target):
            own = None
        route = migrate(call, target, self._source.free)
        if not own:
            route.todo.append(_order(route, target))
        self._helpers |= route.helpers
        self._rewritten.notes += [(call.line, note) for note in route.notes]
        self._rewritten.todo += [(call.line, note) for note in route.todo]
        self._edits.remove(call.statement)
        for endpoint in call.endpoints:
            self._remove(endpoint)
        line = call.line - 1
        if not own:
            self._edits.insert(line, _mounted(route, target), call.statement)
            return
        if call.place.block is call.statement and not self._changes(call):
            own.routes.append(route)
            if route.before:
                self._edits.insert(line, route.before, call.statement)
            return
        if not own.appended:
            own.appended = self._source.free("stream_routes")
            first = lines_of(call.place.block)[0]
            declared = [f"{own.appended}: list[StreamRoute] = []"]
            self._edits.insert(first, declared, call.place.block)
        lines = [*_comments(route), *route.before, *called(f"{own.appended}.append", route.route())]
        self._edits.insert(line, lines, call.statement)

    def _can_mount(self, call: ServedCall, target: Target) -> bool:
        """Return whether the app of a call is there at its place."""
        created = self._source.created.get((call.place.scope, target.app))
        is_own = target.is_known and target.app == ast.unparse(call.app)
        return is_own and created is not None and created.lineno < call.line

    def _changes(self, call: ServedCall) -> bool:
        """Return whether a name in the call is assigned again, so that the order matters."""
        names = {
            ast.unparse(node)
            for argument in (call.runnable, *call.options.values())
            for node in ast.walk(argument)
            if isinstance(node, ast.Name | ast.Attribute)
        }
        counts = {name: self._source.assigned.get((call.place.scope, name), 0) for name in names}
        return any(count > (0 if "." in name else 1) for name, count in counts.items())

    def _insert_table(self, own: _Table) -> None:
        name, app, scope = self._source.free("streams"), own.target.app, own.scope
        lines: list[str] = []
        if own.target.is_router or own.line is None:
            note = (
                f"{app} is an APIRouter: mount {name} where the router is included, below the"
                ' prefix that it gets there: app.mount(prefix or "/", ...).'
                if own.target.is_router
                else f'{name} is not mounted: write {app}.mount("/", {name}) after all other routes'
                " of the app, also those that answer every path, and before it runs."
            )
            self._rewritten.todo.append((own.calls[0].line, note))
            lines += commented(f"TODO: {note}")
        entries = [[*_comments(route), *ended(route.route(), ",")] for route in own.routes]
        if own.appended:
            entries.insert(0, [f"*{own.appended},"])
        lines += ["", *table(f"{name} = StreamApp", entries)]
        if own.line is not None and not own.target.is_router:
            lines.append(f'{app}.mount("/", {name})  # {LAST}')
        line = lines_of(own.calls[-1].place.block)[1] + 1 if own.line is None else own.line
        if line <= lines_of(self._source.tree.body[-1])[1] and isinstance(scope, ast.Module):
            lines += ["", ""]
        self._edits.insert(line, lines, scope.body[0])

    def _replace_imports(self) -> None:
        if not self._rewritten.count:
            return
        source = self._source
        if not self._calls.unread:
            for statement in filter(self._edits.is_alone, source.imports):
                kept = kept_import(source, statement)
                self._remove(statement, kept)
                if "langserve" in kept:
                    note = f"import: LangServe has to stay installed for this: {kept}"
                    self._rewritten.notes.append((statement.lineno, note))
        line = after_imports(source.tree)
        lines = needed(source, self._helpers)
        if lines[-1].startswith(" "):  # a function, after which there are two empty lines
            lines += [""] * (2 - self._edits.empty_lines(line))
        self._edits.insert(line, lines)

    def _remove(self, statement: ast.stmt, kept: str = "") -> None:
        """Remove a statement, or what is not kept of it; a block that it is in stays valid."""
        self._edits.remove(statement)
        if statement not in self._source.tree.body:
            kept = kept or "pass"
        if kept:
            self._edits.insert(statement.lineno - 1, [kept], statement)


def _mounted(route: Migrated, target: Target) -> Sequence[str]:
    """Return the lines that mount one route at its own path."""
    app = table("StreamApp", [ended(route.route('"/"'), ",")])
    return [
        *_comments(route),
        *route.before,
        f"{target.app}.mount(",
        f"    {route.path},",
        *(f"    {line}" for line in ended(app, ",")),
        ")",
    ]


def _order(route: Migrated, target: Target) -> str:
    """Return what has to be done about the place where one route is mounted."""
    note = (
        f"order: this mount answers every path at and below {route.path}; it has to come after all"
        " other routes there."
    )
    router = f" Is {target.app} an APIRouter? Then mount it where that is included instead."
    return note if target.is_known else note + router


def _comments(route: Migrated) -> list[str]:
    notes = [*(f"TODO: {note}" for note in route.todo), *route.notes]
    return [line for note in [f"Line {route.line}.", *notes] for line in commented(note)]


def _statement_at(source: LangServeSource, line: int) -> ast.stmt:
    """Return the innermost statement on a line."""
    around = [each for each in source.places if lines_of(each)[0] < line <= lines_of(each)[1] + 1]
    return around[-1]
