"""A route table from TOML: ``asgi_stream.toml``, or ``[tool.asgi-stream]`` in pyproject.toml.

https://toml.io/en/v1.0.0. What data can express is data; the rest, functions and classes, is named
as ``"module:attribute"``. A value from the environment is ``{ from_env = "NAME" }``, and no other
is ever read from there. ``"none"`` is no limit.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from .._routing.table import Table
from ..errors import TableError
from ..routes import StreamRoute
from .schema import File, Options, Route, Secret, given_in

__all__ = ["RouteFile", "load_routes", "read_table"]

NAMES = ("asgi_stream.toml", "pyproject.toml")
"""Where a table is looked for."""


Built = TypeVar("Built")


@dataclass(frozen=True)
class RouteFile:
    """What a file says.

    Attributes:
        path: The file.
        routes: The table, with the file's defaults.
        app: Options of `StreamApp`.
    """

    path: Path
    routes: Sequence[StreamRoute] = ()
    app: Mapping[str, Any] = field(default_factory=dict)


def load_routes(path: str | os.PathLike[str]) -> list[StreamRoute]:
    """The routes of a TOML file, with its defaults.

    Args:
        path: ``asgi_stream.toml``, or a ``pyproject.toml`` with ``[tool.asgi-stream]``.

    Raises:
        OSError: The file cannot be read.
        TableError: It is not a table that can work. Each of the error's `problems` names the file,
            the key, and what was expected there.
    """
    return list(read_table(path).routes)


def read_table(path: str | os.PathLike[str]) -> RouteFile:
    """As `load_routes`, with what the file says of the app too."""
    reader = _Reader(Path(path))
    found = reader.read()
    if reader.problems:
        raise TableError(*(f"{path}: {problem}" for problem in reader.problems))
    return found


def find_file(folder: Path) -> Path:
    """The table in a folder.

    Raises:
        FileNotFoundError: There is none.
    """
    for name in NAMES:
        found = folder / name
        if found.is_file() and (name != "pyproject.toml" or _has_table(found)):
            return found
    raise FileNotFoundError(f"there is no {NAMES[0]} in {folder}, and no table in a {NAMES[1]}")


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self.problems: list[str] = []

    def read(self) -> RouteFile:
        data = self._data()
        given = self._valid(File, {**data, "route": [], "defaults": {}}, "")
        if "route" in data and not _is_tables(data["route"]):
            self.problems.append("route: expected [[route]] tables")
        elif not data.get("route") and not self.problems:
            self.problems.append("route: expected at least one [[route]]")
        defaults = self._valid(Options, data.get("defaults", {}), "defaults")
        routes = data.get("route", []) if _is_tables(data.get("route")) else []
        found = [self._route(n, each, defaults) for n, each in enumerate(routes, 1)]
        table = RouteFile(self._path, [each for each in found if each], given.get("app", {}))
        if not self.problems:
            self._attempt(lambda: Table(table.routes, {}))
        return table

    def _data(self) -> dict[str, Any]:
        try:
            data: Any = tomllib.loads(_text(self._path))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            self.problems.append(f"this is not TOML: {error}")
            return {}
        if self._path.name == "pyproject.toml":
            tool = data.get("tool")
            data = tool.get("asgi-stream") if isinstance(tool, dict) else None
            if not isinstance(data, dict):
                self.problems.append("expected a table [tool.asgi-stream]")
                return {}
        filled: dict[str, Any] = self._filled(data, "")
        return filled

    def _filled(self, value: Any, place: str) -> Any:
        """`value` with what it takes from the environment."""
        if isinstance(value, dict):
            if value.keys() == {"from_env"}:
                name = str(value["from_env"])
                if name not in os.environ:
                    self.problems.append(f"{place}: the environment has no variable {name!r}")
                return Secret(os.environ.get(name, ""))
            return {key: self._filled(v, f"{place}.{key}".lstrip(".")) for key, v in value.items()}
        if isinstance(value, list):
            return [self._filled(each, f"{place}.{n}") for n, each in enumerate(value, 1)]
        return value

    def _route(self, n: int, given: Any, defaults: Mapping[str, Any]) -> StreamRoute | None:
        path = given.get("path") if isinstance(given, dict) else None
        place = f"route {path!r}" if isinstance(path, str) else f"route {n}"
        before = len(self.problems)
        options = self._valid(Route, given, place)
        if len(self.problems) > before:
            return None
        at, runnable = options.pop("path"), options.pop("runnable")
        return self._attempt(lambda: StreamRoute(at, runnable, **{**defaults, **options}))

    def _attempt(self, build: Callable[[], Built]) -> Built | None:
        try:
            return build()
        except TableError as error:
            self.problems += error.problems
            return None

    def _valid(self, model: type[BaseModel], given: Any, place: str) -> dict[str, Any]:
        """What is given there, by its keys; with mistakes, what there is besides."""
        try:
            return given_in(model.model_validate(given))
        except ValidationError as failure:
            errors = failure.errors(include_url=False)
            for error in errors:
                path = ".".join(str(part) for part in error["loc"] if not _is_tag(part))
                where = f"{place}: {path}" if place and path else place or path
                self.problems.append(f"{where}: {_said(error, model)}")
        wrong = {error["loc"][0] for error in errors if error["loc"]}
        try:
            return given_in(model.model_validate({k: given[k] for k in given if k not in wrong}))
        except (ValidationError, TypeError):
            return {}


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8-sig")


def _has_table(pyproject: Path) -> bool:
    try:
        return "asgi-stream" in tomllib.loads(_text(pyproject))["tool"]
    except (ValueError, KeyError, TypeError):
        return False


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def _is_tag(part: object) -> bool:
    return isinstance(part, str) and part.startswith("<")


def _said(error: ErrorDetails, model: type[BaseModel]) -> str:
    """What was expected, and what is there instead."""
    if error["type"] == "extra_forbidden":
        known = _keys_at(model, [part for part in error["loc"][:-1] if not _is_tag(part)])
        near = get_close_matches(str(error["loc"][-1]), known, 1)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(known)}"
        return f"there is no such key; {hint}"
    if error["type"] == "missing":
        return "this key is missing"
    if error["type"] == "import":
        return error["msg"]
    return f"{error['msg'].replace('Input should be', 'expected')}, not {error['input']!r}"


def _keys_at(model: type[BaseModel], path: Sequence[Any]) -> list[str]:
    for part in path:
        for each in (
            _models_in(model.model_fields[str(part)].annotation)
            if part in (model.model_fields)
            else ()
        ):
            model = each
    return sorted(model.model_fields)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)
