"""Wire formats: how the events of a run become what one kind of client reads, and back.

A format is one class in one module of this package. The package is the registry: the module's name
is the format's name. ``"my.module:Class"`` names a format from elsewhere.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, cast

from .._importer import ImportFailed, import_from_string
from ._content import INSTRUCTIONS
from ._decoded import plain_events
from ._format import Format
from ._frame import Frame
from ._resumable_format import RUNS, STORED_CONVERSATION
from ._spec import Answer, Document, FormatRequest, GraphQuery, Recall, RunSpec, Tool
from ._stored_run import RunResource, StoredRun
from ._thread_protocol import ThreadProtocol, ThreadReader
from ._threads import STORED_THREAD, THREADS, ThreadQuery, ThreadView

__all__ = [
    "INSTRUCTIONS",
    "RUNS",
    "STORED_CONVERSATION",
    "STORED_THREAD",
    "THREADS",
    "Answer",
    "Document",
    "Format",
    "FormatRequest",
    "Frame",
    "GraphQuery",
    "Recall",
    "RunResource",
    "RunSpec",
    "StoredRun",
    "ThreadProtocol",
    "ThreadQuery",
    "ThreadReader",
    "ThreadView",
    "Tool",
    "load",
    "names",
    "plain_events",
    "recognize",
]


def names() -> list[str]:
    """Return the names of the formats in this package."""
    return sorted(each.name for each in iter_modules(__path__) if not each.name.startswith("_"))


def load(name: str) -> type[Format]:
    """Return the format with that name.

    Args:
        name: One of `names`, or ``"my.module:Class"``.

    Raises:
        ImportFailed: There is no such format, or it is not a format class.
    """
    value: Any
    if ":" in str(name):
        value = import_from_string(name)
    elif name in names():
        value = _class_in(import_module(f"{__name__}.{name}"))
    else:
        raise ImportFailed(f'expected one of {", ".join(names())} or "module:Class", not {name!r}')
    missing = [part for part in ("wants", "encode") if not hasattr(value, part)]
    if missing or not inspect.isclass(value):
        lacks = f" (it has no {', '.join(missing)})" if missing else ""
        raise ImportFailed(f"{name!r} is not a format class{lacks}")
    if Format not in value.__mro__:
        raise ImportFailed(f"{name!r} is not a format class: give it the base {__name__}.Format")
    return cast(type[Format], value)


def recognize(frame: Frame) -> str | None:
    """Return the name of the format that a frame belongs to; None if it is unclear."""
    return next((name for name in names() if load(name).recognizes(frame)), None)


def _class_in(module: ModuleType) -> type[Format]:
    classes = (value for value in vars(module).values() if inspect.isclass(value))
    own = (each for each in classes if each.__module__ == module.__name__)
    return cast(type[Format], next(each for each in own if Format in each.__mro__))
