"""The imports and functions that a rewritten LangServe app needs."""

from __future__ import annotations

import ast
from collections.abc import Set
from itertools import takewhile

from .edits import lines_of
from .source import PUBLIC, LangServeSource

FUNCTIONS = {
    "configurable_keys": '''\
def configurable_keys(runnable):
    """All keys that the Runnable has, as with LangServe. Better: a list of what clients may set."""
    return [each.id for each in runnable.config_specs]
''',
    "configured_by": '''\
def configured_by(modifier):
    """Call a per_req_config_modifier as LangServe did, and refuse the keys that it takes away."""

    async def configure(request):
        sent = request.call.configurable
        config = modifier({"configurable": dict(sent)}, request)
        if hasattr(config, "__await__"):
            config = await config
        if removed := sent.keys() - (config.get("configurable") or {}).keys():
            raise HTTPException(422, f"Clients cannot set {', '.join(sorted(removed))}.")
        return config

    return configure
''',
    "only_endpoints": '''\
def only_endpoints(enabled=None, disabled=(), authorize=None):
    """Refuse the endpoints that LangServe did not serve here, before another function decides."""

    def check(request):
        name = request.url.path.rstrip("/").rpartition("/")[2]
        if name in (disabled or ()) or (enabled and name not in enabled):
            raise HTTPException(404)
        return authorize(request) if authorize else None

    return check
''',
    "not_migrated": '''\
def not_migrated(request):
    """Refuse every request. TODO: write what FastAPI's dependencies did here."""
    raise HTTPException(403, "The dependencies of this route have not been migrated.")
''',
}
"""The functions that options of a route may use, by their names."""


def needed(source: LangServeSource, helpers: Set[str]) -> list[str]:
    """Return the lines with the imports and functions that a rewritten file needs.

    Raises:
        ValueError: The file has one of their names for something else.
    """
    names = sorted({"StreamApp", "StreamRoute", *(helpers & {"EventFilter"})})
    lines = [f"from asgi_stream import {', '.join(names)}"]
    for alias, name in source.aliases.items():
        if name == "CustomUserType":
            lines.insert(0, f"from pydantic import BaseModel as {alias}")
    raises = {"configured_by", "only_endpoints", "not_migrated"} & helpers
    if raises and not _is_imported(source.tree, "HTTPException"):  # FastAPI's is one of Starlette's
        lines.append("from starlette.exceptions import HTTPException")
    added = {*names, *helpers, *(["HTTPException"] if raises else [])}
    own = {name for _, name in source.assigned if not _is_imported(source.tree, name)}
    if taken := sorted(added & own):
        raise ValueError(f"{', '.join(taken)} is needed for something else: rename it first")
    for name, function in FUNCTIONS.items():
        if name in helpers:
            lines += ["", "", *function.splitlines()]
    return lines


def kept_import(source: LangServeSource, statement: ast.Import | ast.ImportFrom) -> str:
    """Return what is left of an import of LangServe: its client, and other modules."""
    if isinstance(statement, ast.ImportFrom):
        names = [each for each in statement.names if each.name not in PUBLIC]
        return ast.unparse(ast.ImportFrom(statement.module, names, 0)) if names else ""
    used = {
        each.value.id
        for each in ast.walk(source.tree)
        if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name)
        if source.name_of(each) not in ("add_routes", "APIHandler")
    }
    names = [
        each
        for each in statement.names
        if each.name.partition(".")[0] != "langserve" or (each.asname or "langserve") in used
    ]
    return ast.unparse(ast.Import(names)) if names else ""


def after_imports(tree: ast.Module) -> int:
    """Return the number of the line after a file's first imports, or of its first code, from 0."""
    leading = [*takewhile(_is_import_or_text, tree.body)]
    return lines_of(leading[-1])[1] + 1 if leading else lines_of(tree.body[0])[0]


def _is_imported(tree: ast.Module, name: str) -> bool:
    """Return whether a file has imported a name of that spelling, from wherever."""
    statements = (each for each in tree.body if isinstance(each, ast.Import | ast.ImportFrom))
    return any(name == (each.asname or each.name) for one in statements for each in one.names)


def _is_import_or_text(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Import | ast.ImportFrom)
