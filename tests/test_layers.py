"""The structure of the package: ARCHITECTURE.md describes it."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import asgi_stream

PACKAGE = Path(asgi_stream.__file__).parent

LEVELS = [
    {"_headers", "_importer", "_options", "errors", "events", "limits", "serialize", "telemetry"},
    {"_json", "_limit_checks", "_logs", "filters", "stores"},
    {"formats", "resume", "threads"},
    {"_langchain", "requests"},
    {"_lifecycle", "client", "routes"},
    {"_routing"},
    {"_config", "_delivery", "_request", "openapi"},
    {"_resume", "_threads", "playground", "route_file"},
    {"_http", "_pages", "testing"},
    {"app"},
]
"""Packages and modules, from the bottom: each imports only from the levels below its own."""
ENTRANCES = {"__init__", "__main__", "cli"}
"""Entry points: they may import every module, and no module imports them."""

OPTIONAL = {
    "_langchain/threads/commands.py": {"langgraph"},
    "_langchain/threads/input.py": {"langgraph"},
    "stores/_redis/__init__.py": {"redis"},
    "stores/_redis/connection.py": {"redis"},
    "stores/_redis/errors.py": {"redis"},
    "stores/_redis/link.py": {"redis"},
    "telemetry.py": {"opentelemetry"},
    "cli/call.py": {"click"},
    "cli/commands.py": {"click"},
    "cli/migrate/command.py": {"click"},
    "cli/new.py": {"click"},
    "cli/parameters.py": {"click"},
    "cli/printer.py": {"click"},
    "cli/serve.py": {"click", "uvicorn"},
    "cli/table.py": {"click"},
    "cli/versions.py": {"click"},
    "client/_errors.py": {"httpx", "httpx_sse"},
}
"""Optional dependencies, by the modules that may import them."""
LANGCHAIN = {"_langchain", "client", "serialize"}
"""The packages and modules that import LangChain at run time."""
CORE = {
    *("anyio", "langchain_core", "orjson", "pydantic", "pydantic_core"),
    *("sse_starlette", "starlette", "typing_extensions"),
}
FILE_LINES = 250
FUNCTION_LINES = 40
"""Most lines of a file, and of a function that is not one `match`."""
VAGUE = {"told", "said", "found", "given", "asked"}
"""Names that do not say what a local variable is."""
SOURCES = [[*PACKAGE.rglob("*.py")], [*(PACKAGE.parent / "benchmarks").glob("*.py")]]


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


def test_the_private_modules_of_a_room_are_its_own() -> None:
    for file in PACKAGE.rglob("*.py"):
        if room(file) not in ENTRANCES:
            names = [name.split(".")[1:] for name in modules_of(file) if name.count(".") > 1]
            private = {".".join(parts) for parts in names if any(p[0] == "_" for p in parts[1:])}
            foreign = {name for name in private if name.split(".")[0] != room(file)}
            assert not foreign, f"{file.relative_to(PACKAGE)} imports {foreign}"


def test_no_module_imports_itself_by_way_of_others() -> None:
    for files in SOURCES:
        needs = {name_of(file): modules_of(file) for file in files}
        while leaves := {name for name, others in needs.items() if not others & needs.keys()}:
            needs = {name: others for name, others in needs.items() if name not in leaves}
        assert not needs, f"a cycle among {sorted(needs)}"


def test_the_folders_of_a_room_know_the_room_but_not_one_another() -> None:
    room = PACKAGE / "_langchain"
    for folder in (path.parent for path in room.glob("*/__init__.py")):
        for file in folder.glob("*.py"):
            inside = {name.split(".")[2] for name in modules_of(file) if "._langchain." in name}
            others = {name for name in inside - {folder.name} if (room / name).is_dir()}
            assert not others, f"{file.relative_to(PACKAGE)} imports {others}"


def name_of(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules_of(file: Path) -> set[str]:
    modules = {module_of(name) for name in imports(file, types=True)}
    return {name for name in modules if name is not None} - {name_of(file)}


def module_of(name: str) -> str | None:
    """The module of this project that an imported name is, or is in."""
    for each in (name, name.rpartition(".")[0]):
        path = PACKAGE.parent.joinpath(*each.split("."))
        if each and (path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()):
            return each
    return None


def test_langchain_is_imported_at_run_time_in_few_rooms_only() -> None:
    rooms = {
        room(file)
        for file in PACKAGE.rglob("*.py")
        if any(name.split(".")[0] == "langchain_core" for name in imports(file, types=False))
    }
    assert rooms == LANGCHAIN


def test_optional_dependencies_are_imported_where_they_are_needed_only() -> None:
    for file in PACKAGE.rglob("*.py"):
        names = {name.split(".")[0] for name in imports(file, types=False)}
        foreign = names - CORE - {"asgi_stream"} - sys.stdlib_module_names
        assert foreign <= OPTIONAL.get(file.relative_to(PACKAGE).as_posix(), set()), file


def test_files_and_functions_stay_small() -> None:
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        assert len(text.splitlines()) <= FILE_LINES, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not _is_a_match(node):
                assert lines_of(node) <= FUNCTION_LINES, f"{path}: {node.name}"


def _is_a_match(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    longest = max(
        (lines_of(node) for node in function.body if isinstance(node, ast.Match)), default=0
    )
    return longest > lines_of(function) / 2


def lines_of(node: ast.stmt) -> int:
    return (node.end_lineno or 0) - node.lineno + 1


def test_locals_are_named_after_what_they_are() -> None:
    root = PACKAGE.parent
    folders = [PACKAGE, root / "benchmarks", root / "examples", root / "tests"]
    for path in (path for folder in folders for path in folder.rglob("*.py")):
        if {"node_modules", "site-packages"} & {*path.parts}:
            continue
        vague = VAGUE & {
            name for node in ast.walk(ast.parse(path.read_text())) for name in names_in(node)
        }
        assert not vague, f"{path} has locals named {vague}"


def names_in(node: ast.AST) -> Iterator[str]:
    """The variables, parameters and loop targets that a node binds."""
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
            yield name
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name
        case ast.MatchMapping(rest=str(name)) | ast.ExceptHandler(name=str(name)):
            yield name


def test_architecture_names_what_is_there() -> None:
    root = PACKAGE.parent
    words = re.findall(r"`([\w/.]+)`", (root / "ARCHITECTURE.md").read_text())
    for path in {word for word in words if re.search(r"\w/|\.py$", word)}:
        assert (PACKAGE / path).exists() or (root / path).exists(), path
    source = "".join(file.read_text() for file in PACKAGE.rglob("*.py"))
    names = {word for word in words if re.match(r"[A-Z]\w*[a-z]", word)}
    for name in names:
        for pattern, part in zip((r"\bclass {}\b", r"\b{}\b"), name.split("."), strict=False):
            assert re.search(pattern.format(part), source), name


def test_files_and_classes_are_named_after_what_they_hold() -> None:
    for path in PACKAGE.rglob("*.py"):
        assert path.stem.strip("_") not in {"utils", "helpers", "common", "core", "base"}, path
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                assert not re.search("(Manager|Service|Factory)$", node.name), node.name


def test_stores_are_not_told_apart_by_their_classes() -> None:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance":
                assert not re.search(r"\b\w+Store\b", ast.unparse(node.args[1])), path


def test_public_modules_are_documented() -> None:
    root = PACKAGE.parent
    text = "".join((root / name).read_text() for name in ("README.md", "ARCHITECTURE.md"))
    for name in sorted({room(file) for file in PACKAGE.rglob("*.py")} - ENTRANCES):
        if not name.startswith("_"):
            module = importlib.import_module(f"asgi_stream.{name}")
            assert module.__all__, name
            assert inspect.getdoc(module), name
            assert re.search(rf"\b{name}(\.py\b|/|`)|\basgi_stream\.{name}\b", text), name
