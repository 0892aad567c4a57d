"""Imports only go down, and LangChain is met in few rooms."""

from __future__ import annotations

import ast
from pathlib import Path

import asgi_stream

PACKAGE = Path(asgi_stream.__file__).parent

LAYERS = [
    {
        "accept",
        "errors",
        "gate",
        "hooks",
        "limits",
        "lzstring",
        "request_body",
        "serialize",
        "server_sockets",
        "importer",
        "shutdown",
        "sound_schema",
        "steps",
        "tasks",
        "telemetry",
    },
    {"ends", "hosts", "leaving", "logs"},
    {"opened", "stores"},
    {"events"},
    {"bounded_json", "content", "filters", "gathered", "graphs", "messages", "sink", "type_hints"},
    {"graph_parts", "openai_messages", "sent_messages", "system_messages"},
    {"wire"},
    {"coercion", "formats", "resume", "pacing", "parsers", "requests"},
    {"callbacks", "conversations", "inputs", "tool_calls", "usage"},
    {"cleanup", "listener"},
    {"narrator", "runnables"},
    {"runs"},
    {"checks"},
    {"routes"},
    {"client_tools", "observed", "reports", "schemas", "table"},
    {"prepare"},
    {"answers", "file_shape", "openapi", "playground"},
    {"route_file"},
    {"pages"},
    {"outbox"},
    {"stream"},
    {"detached"},
    {"loops", "replay"},
    {"rejoin", "respond"},
    {"app"},
    {"client"},
    {"terminal", "__init__"},
    {"cli"},
    {"__main__"},
]
OPTIONAL = {
    "redis_errors.py": {"redis"},
    "redis_link.py": {"redis"},
    "telemetry.py": {"opentelemetry"},
    "wire.py": {"anyio"},
    "refused.py": {"httpx", "httpx_sse"},
    "opened.py": {"anyio"},  # which Starlette needs
    "__init__.py": {"anyio"},  # of the client
    "cli.py": {"click", "uvicorn"},
    "terminal.py": {"click"},
}
LANGCHAIN = {
    *(
        "callbacks",
        "client",
        "client_tools",
        "coercion",
        "conversations",
        "inputs",
        "listener",
        "messages",
        "sent_messages",
        "system_messages",
        "type_hints",
        "narrator",
        "parsers",
    ),
    *("runnables", "runs", "serialize", "tool_calls", "usage"),
}


def modules() -> dict[str, Path]:
    files = [path for path in PACKAGE.rglob("*.py") if path.parent == PACKAGE]
    return {path.stem: path for path in files} | {
        folder: PACKAGE / folder for folder in ("client", "formats", "playground", "stores")
    }


def imported(source: Path) -> tuple[set[str], set[str]]:
    """The modules of this package and the others that the file or folder imports at run time."""
    ours: set[str] = set()
    others: set[str] = set()
    for file in source.rglob("*.py") if source.is_dir() else [source]:
        tree = ast.parse(file.read_text())
        only_for_types = {
            child
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            for child in ast.walk(node)
        }
        for node in ast.walk(tree):
            if node in only_for_types:
                continue
            if isinstance(node, ast.ImportFrom) and node.level:
                names = [node.module] if node.module else [alias.name for alias in node.names]
                inside = source.is_dir() and node.level == 1
                ours |= set() if inside else {name.partition(".")[0] for name in names}
            elif isinstance(node, ast.ImportFrom):
                others.add(str(node.module).partition(".")[0])
            elif isinstance(node, ast.Import):
                others |= {alias.name.partition(".")[0] for alias in node.names}
    return ours, others


def test_every_module_has_a_layer() -> None:
    assert set(modules()) == set.union(*LAYERS)


def test_imports_only_go_down() -> None:
    rank = {name: n for n, layer in enumerate(LAYERS) for name in layer}
    for name, source in modules().items():
        ours, _ = imported(source)
        up = {other for other in ours if rank[other] >= rank[name]}
        assert not up, f"{name} imports {up}"


def test_langchain_is_imported_at_run_time_in_few_modules_only() -> None:
    assert {name for name, path in modules().items() if "langchain_core" in imported(path)[1]} == (
        LANGCHAIN
    )


def test_nothing_but_the_core_dependencies_is_imported() -> None:
    known = {"starlette", "sse_starlette", "langchain_core", "orjson", "pydantic"}
    known |= {"pydantic_core", "typing_extensions"}
    for path in PACKAGE.rglob("*.py"):
        foreign = {
            other for other in imported(path)[1] if other not in known and not _standard(other)
        }
        assert foreign <= OPTIONAL.get(path.name, set()), path


def _standard(name: str) -> bool:
    import sys

    return name in sys.stdlib_module_names


def test_files_and_functions_stay_small() -> None:
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        assert len(text.splitlines()) <= 350, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert (node.end_lineno or 0) - node.lineno <= 60, node.name
