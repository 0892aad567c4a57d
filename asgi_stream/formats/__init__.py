"""How a run's events become what one kind of client reads.

A format is one class in one file of this folder, which is the registry: the file's name is the
format's name. ``"my.module:Class"`` names one from elsewhere.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, cast

from .._importer import ImportFailed, import_from_string
from ._format import RUNS, Document, Format, FormatRequest, RunSpec

__all__ = ["RUNS", "Document", "Format", "FormatRequest", "RunSpec", "load", "names"]


def names() -> list[str]:
    """The names of the formats that come with the package."""
    return sorted(each.name for each in iter_modules(__path__) if not each.name.startswith("_"))


def load(name: str) -> type[Format]:
    """The format of that name.

    Raises:
        ImportFailed: There is none, or it is not a format. The message says what was expected.
    """
    found: Any
    if ":" in str(name):
        found = import_from_string(name)
    elif name in names():
        found = _class_in(import_module(f"{__name__}.{name}"))
    else:
        raise ImportFailed(f'expected one of {", ".join(names())} or "module:Class", not {name!r}')
    missing = [part for part in ("wants", "encode") if not hasattr(found, part)]
    if missing or not inspect.isclass(found):
        lacks = f" (it has no {', '.join(missing)})" if missing else ""
        raise ImportFailed(f"{name!r} is not a format class{lacks}")
    if Format not in found.__mro__:
        raise ImportFailed(f"{name!r} is not a format class: give it the base {__name__}.Format")
    return cast(type[Format], found)


def _class_in(module: ModuleType) -> type[Format]:
    """The format class that a module defines."""
    classes = (value for value in vars(module).values() if inspect.isclass(value))
    own = (each for each in classes if each.__module__ == module.__name__)
    return cast(type[Format], next(each for each in own if Format in each.__mro__))
