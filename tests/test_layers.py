"""Imports only go down, and LangChain is met in few rooms."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import asgi_stream

PACKAGE = Path(asgi_stream.__file__).parent

LEVELS = [
    {"_importer", "errors", "events", "limits", "serialize", "telemetry"},
    {"_json", "_logs", "filters", "stores"},
    {"formats", "resume"},
    {"_langchain", "requests"},
    {"_lifecycle", "client", "routes"},
    {"_routing"},
    {"_request", "_config", "openapi"},
    {"_delivery", "playground", "route_file"},
    {"_pages", "_resume"},
    {"app"},
]
"""The rooms, from the bottom: each imports only from the levels below its own."""
ENTRANCES = {"__init__", "__main__", "cli"}
"""What a user starts from. They import from all rooms, and nothing imports them."""

OPTIONAL = {
    "redis_errors.py": {"redis"},
    "redis_link.py": {"redis"},
    "telemetry.py": {"opentelemetry"},
    "_errors.py": {"httpx", "httpx_sse"},
    "call.py": {"click"},
    "commands.py": {"click"},
    "printer.py": {"click"},
    "serve.py": {"click", "uvicorn"},
    "table.py": {"click"},
}
"""Optional dependencies, by the only modules that import them."""
LANGCHAIN = {"_langchain", "client", "serialize"}
"""The rooms that import LangChain at run time."""
CORE = {
    *("anyio", "langchain_core", "orjson", "pydantic", "pydantic_core"),
    *("sse_starlette", "starlette", "typing_extensions"),
}
SOURCES = [PACKAGE, PACKAGE.parent / "benchmarks"]


def room(file: Path) -> str:
    return file.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(file: Path, *, types: bool) -> Iterator[str]:
    """The full names of what a file imports; with `types`, for type checkers only too."""
    tree = ast.parse(file.read_text())
    for_types = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_types and not types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = list(file.relative_to(PACKAGE.parent).parts[: -node.level or None])
            base = ".".join([*package, node.module or ""]).strip(".") if node.level else node.module
            for alias in node.names:
                yield f"{base}.{alias.name}"


def rooms_of(file: Path) -> set[str]:
    names = [name.split(".") for name in imports(file, types=True)]
    ours = {parts[1] for parts in names if parts[0] == "asgi_stream" and len(parts) > 1}
    return ours - {room(file)}


def test_every_module_has_a_room() -> None:
    known = set.union(*LEVELS, ENTRANCES)
    assert {room(file) for file in PACKAGE.rglob("*.py")} == known
    assert len(LEVELS) <= 10


def test_imports_only_go_down() -> None:
    level = {name: n for n, names in enumerate(LEVELS) for name in names}
    for file in PACKAGE.rglob("*.py"):
        if room(file) not in ENTRANCES:
            above = level[room(file)]
            up = {other for other in rooms_of(file) if level.get(other, 99) >= above}
            assert not up, f"{file.relative_to(PACKAGE)} imports {up}"


def test_no_module_imports_itself_by_way_of_others() -> None:
    for source in SOURCES:
        needs = {name_of(file): modules_of(file) for file in source.rglob("*.py")}
        while leaves := {name for name, others in needs.items() if not others & needs.keys()}:
            needs = {name: others for name, others in needs.items() if name not in leaves}
        assert not needs, f"a cycle among {sorted(needs)}"


def name_of(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules_of(file: Path) -> set[str]:
    found = {module_of(name) for name in imports(file, types=True)}
    return {name for name in found if name is not None} - {name_of(file)}


def module_of(name: str) -> str | None:
    """The module of this project that an imported name is, or is in."""
    for each in (name, name.rpartition(".")[0]):
        path = PACKAGE.parent.joinpath(*each.split("."))
        if each and (path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()):
            return each
    return None


def test_langchain_is_imported_at_run_time_in_few_rooms_only() -> None:
    found = {
        room(file)
        for file in PACKAGE.rglob("*.py")
        if any(name.split(".")[0] == "langchain_core" for name in imports(file, types=False))
    }
    assert found == LANGCHAIN


def test_optional_dependencies_are_imported_where_they_are_needed_only() -> None:
    for file in PACKAGE.rglob("*.py"):
        names = {name.split(".")[0] for name in imports(file, types=False)}
        foreign = names - CORE - {"asgi_stream"} - sys.stdlib_module_names
        assert foreign <= OPTIONAL.get(file.name, set()), file


def test_files_and_functions_stay_small() -> None:
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        assert len(text.splitlines()) <= 350, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert (node.end_lineno or 0) - node.lineno <= 60, node.name
