"""A route table from TOML: ``asgi_stream.toml``, or ``[tool.asgi-stream]`` in pyproject.toml.

https://toml.io/en/v1.0.0. Plain data is written as such; functions and classes are named as
``"module:attribute"``. A value from the environment is ``{ from_env = "NAME" }``; nothing else is
read from there. ``"none"`` means no limit.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from .._options import renamed
from .._routing.table import Table
from ..errors import TableError
from ..routes import OPTIONS, RENAMED, StreamRoute
from .schema import File, Route, RouteDefaults, Secret, set_in

__all__ = ["RouteFile", "load_routes", "read_table"]

NAMES = ("asgi_stream.toml", "pyproject.toml")
"""Files that may hold a table, in the order of precedence."""


@dataclass(frozen=True)
class RouteFile:
    """The content of a file with a route table.

    Attributes:
        path: The file.
        routes: The table, with the file's defaults.
        app: Options of `StreamApp`.
    """

    path: Path
    routes: Sequence[StreamRoute] = ()
    app: Mapping[str, Any] = field(default_factory=dict)


def load_routes(path: str | os.PathLike[str]) -> list[StreamRoute]:
    """Return the routes of a TOML file, with its defaults.

    Args:
        path: ``asgi_stream.toml``, or a ``pyproject.toml`` with ``[tool.asgi-stream]``.

    Raises:
        OSError: The file cannot be read.
        TableError: The table cannot work. Each of the error's `problems` names the file, the key,
            and what was expected there.

    Example:
        >>> routes = load_routes("asgi_stream.toml")  # doctest: +SKIP
    """
    return list(read_table(path).routes)


def read_table(
    path: str | os.PathLike[str], options: Mapping[str, Any] = MappingProxyType({})
) -> RouteFile:
    """Return the routes of a TOML file, and its options for the app.

    Args:
        path: The file.
        options: Options of the app that serves them, with which they are checked.

    Raises:
        OSError: The file cannot be read.
        TableError: As for `load_routes`.
    """
    reader = _Reader(Path(path))
    file = reader.read(options)
    if reader.problems:
        raise TableError(*(f"{path}: {problem}" for problem in reader.problems))
    return file


def find_file(folder: Path) -> Path:
    """Return the file in a folder that holds a table.

    Raises:
        FileNotFoundError: There is none.
    """
    for name in NAMES:
        file = folder / name
        if file.is_file() and (name != "pyproject.toml" or _has_table(file)):
            return file
    raise FileNotFoundError(f"there is no {NAMES[0]} in {folder}, and no table in a {NAMES[1]}")


class _Reader:
    """Reads one file.

    Attributes:
        problems: One sentence for each mistake in it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.problems: list[str] = []

    def read(self, options: Mapping[str, Any]) -> RouteFile:
        data = self._data()
        file = self._valid(File, {**data, "route": [], "defaults": {}}, "")
        tables = data.get("route", [])
        if not _is_tables(tables):
            self.problems.append("route: expected [[route]] tables")
            tables = []
        elif not tables and not self.problems:
            self.problems.append("route: expected at least one [[route]] table")
        defaults = self._valid(RouteDefaults, _renamed(data.get("defaults", {})), "defaults")
        routes = [
            route
            for number, table in enumerate(tables, 1)
            if (route := self._route(number, table, defaults)) is not None
        ]
        try:
            Table(routes, {name: options[name] for name in options if name in OPTIONS})
        except TableError as error:
            self.problems += error.problems
        return RouteFile(self._path, routes, file.get("app", {}))

    def _data(self) -> dict[str, Any]:
        try:
            data: Any = tomllib.loads(_text(self._path))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            self.problems.append(f"invalid TOML: {error}")
            return {}
        if self._path.name == "pyproject.toml":
            tool = data.get("tool")
            data = tool.get("asgi-stream") if isinstance(tool, dict) else None
            if not isinstance(data, dict):
                self.problems.append("expected a table [tool.asgi-stream]")
                return {}
        filled: dict[str, Any] = self._filled(data, "")
        return filled

    def _filled(self, value: Any, key: str) -> Any:
        """Return `value` with what it takes from the environment."""
        if isinstance(value, dict):
            if value.keys() == {"from_env"}:
                name = str(value["from_env"])
                if name not in os.environ:
                    self.problems.append(f"{key}: the environment variable {name!r} is not set")
                return Secret(os.environ.get(name, ""))
            return {part: self._filled(v, f"{key}.{part}".lstrip(".")) for part, v in value.items()}
        if isinstance(value, list):
            return [self._filled(each, f"{key}.{n}") for n, each in enumerate(value, 1)]
        return value

    def _route(
        self, number: int, table: Mapping[str, Any], defaults: Mapping[str, Any]
    ) -> StreamRoute | None:
        path = table.get("path")
        where = f"route {path!r}" if isinstance(path, str) else f"route {number}"
        before = len(self.problems)
        values = self._valid(Route, _renamed(table), where)
        if len(self.problems) > before:
            return None
        path, runnable = values.pop("path"), values.pop("runnable")
        return StreamRoute(path, runnable, options={**defaults, **values})

    def _valid(self, model: type[BaseModel], data: Any, where: str) -> dict[str, Any]:
        """Return the valid keys of `data` with their values."""
        try:
            return set_in(model.model_validate(data))
        except ValidationError as failure:
            errors = failure.errors(include_url=False)
            for error in errors:
                path = ".".join(str(part) for part in error["loc"] if not _is_tag(part))
                key = f"{where}: {path}" if where and path else where or path
                self.problems.append(f"{key}: {_message(error, model)}")
        wrong = {error["loc"][0] for error in errors if error["loc"]}
        try:
            return set_in(model.model_validate({k: data[k] for k in data if k not in wrong}))
        except (ValidationError, TypeError):
            return {}


def _renamed(table: Any) -> Any:
    return renamed(table, RENAMED) if isinstance(table, dict) else table


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


def _message(error: ErrorDetails, model: type[BaseModel]) -> str:
    """Return what was expected, and what the file has instead."""
    if error["type"] == "extra_forbidden":
        known = _keys_at(model, [part for part in error["loc"][:-1] if not _is_tag(part)])
        key = str(error["loc"][-1])
        if error["loc"][0] == "app" and key in OPTIONS:
            return f"unknown key; {key} belongs in [[route]], or in [defaults] for all routes"
        near = get_close_matches(key, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(known)}"
        return f"unknown key; {hint}"
    if error["type"] == "missing":
        return "this key is required"
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
