"""How a run's events become what one kind of client reads.

A format is one class in one file of this folder, which is the registry: the file's name is the
format's name, and the class in it is called ``Format``. ``"my.module:Class"`` names one from
elsewhere.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from pkgutil import iter_modules
from typing import ClassVar, Protocol, cast

from ..events import Event, LangChainEvent, OutputChunk, RunError, TextDelta
from ..importer import ImportFailed, import_from_string
from ..serialize import to_json
from ..wire import PING, error_object

__all__ = ["Format", "load", "names"]

Wanted = type[TextDelta] | type[OutputChunk] | type[LangChainEvent]


class Format(Protocol):
    """One client's wire. An instance serves one run; both methods are synchronous and do no I/O.

    Each event of a run is given to `encode` when the answer is streamed, or to `gather` when the
    client asked for one JSON document. The last is always a ``RunFinished`` or a ``RunError``.
    A class that names this one as its base has everything but `wants`, `encode` and `gather`.
    """

    media_type: ClassVar[str] = "text/event-stream"
    """The ``Content-Type`` of a stream."""

    ping: ClassVar[bytes] = PING
    """What goes out in a silence; ``b""`` where the wire has nothing that a client ignores."""

    breaks_on_error: ClassVar[bool] = False
    """Whether a run that fails after its first frame breaks the connection.

    For a wire that has no frame for an error, so that its client does not take a part of the answer
    for the whole.
    """

    wants: frozenset[Wanted]
    """The events, besides a run's start and end, that the format has a use for."""

    def encode(self, event: Event) -> bytes:
        """The event as frames, each with its blank line; ``b""`` if it is not for the client."""

    def gather(self, event: Event) -> object:
        """What stands for the run in a JSON answer, once it has finished; before, anything."""

    @classmethod
    def refusal(cls, error: RunError) -> tuple[bytes, str]:
        """The body and the media type of an answer that is an error from its start."""
        return to_json(error_object(error)), "application/json"


def names() -> list[str]:
    """The names of the formats that come with the package."""
    return sorted(module.name for module in iter_modules(__path__))


def load(name: str) -> type[Format]:
    """The format of that name.

    Raises:
        ImportFailed: There is none, or it is not a format. The message says what was expected.
    """
    if ":" in name:
        found = import_from_string(name)
    elif name in names():
        found = import_module(f"{__name__}.{name}").Format
    else:
        raise ImportFailed(f'expected one of {", ".join(names())} or "module:Class", not {name!r}')
    missing = [part for part in ("wants", "encode", "gather") if not hasattr(found, part)]
    if missing or not inspect.isclass(found):
        lacks = f" (it has no {', '.join(missing)})" if missing else ""
        raise ImportFailed(f"{name!r} is not a format class{lacks}")
    if Format not in found.__mro__:
        raise ImportFailed(f"{name!r} is not a format class: give it the base {__name__}.Format")
    return cast(type[Format], found)
