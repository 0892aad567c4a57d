"""The option ``store`` of `asgi_stream.Resume` and `asgi_stream.Threads`: a URL, or a store."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import fields
from typing import Any, Generic, Protocol, TypeVar

from .._importer import kind_of
from ..errors.text import mask_passwords

S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)


class OpenStore(Protocol[S_co]):
    """Opens the store of a URL, as `asgi_stream.stores.open_store` does."""

    def __call__(self, url: str, *, prefix: str = "asgi_stream") -> S_co: ...


class StoreOption(Generic[S]):
    """The option ``store`` of one kind of options.

    Args:
        name: The name of those options, for messages.
        kind: What its values are called, for messages.
        open_url: Opens the store of a URL.
        protocol: The protocol of its stores.
    """

    def __init__(self, name: str, kind: str, open_url: OpenStore[S], protocol: type) -> None:
        self._name = name
        self._kind = kind
        self._open = open_url
        self._methods: Collection[str] = [each for each in vars(protocol) if each[0] != "_"]

    def open(self, value: Any) -> Any:
        """Return the store that `value` is or names; None if it names none."""
        if not isinstance(value, str):
            return value
        try:
            return self._open(value)
        except (ImportError, ValueError):
            return None  # which `problems` reports

    def shared(self, value: Any, prefix: str, opened: dict[str, S]) -> S | None:
        """Return the store that an app's routes share, if `value` is the URL of a Redis.

        Args:
            value: The option's value.
            prefix: The prefix of its keys, unless the URL of the store has one.
            opened: The stores of the app by their URLs; a new one is added.
        """
        if not isinstance(value, str) or value == "memory":
            return None
        if value not in opened:
            opened[value] = self._open(value, prefix=prefix)
        return opened[value]

    def problems(self, value: Any) -> Iterator[str]:
        """Yield a sentence if the value cannot work."""
        if isinstance(value, str):
            try:
                self._open(value)
            except (ImportError, ValueError) as error:
                yield f"{self._name}.store: {error}"
            return
        missing = [name for name in self._methods if not hasattr(value, name)]
        if missing:
            problem = f"is not a {self._kind} (it has no {missing[0]})"
            yield f"{self._name}.store: {kind_of(value)} {problem}"


def without_passwords(options: Any) -> str:
    """Return the ``repr`` of a dataclass of options, with the passwords in URLs masked."""
    values = (
        f"{each.name}={getattr(options, each.name)!r}" for each in fields(options) if each.init
    )
    return mask_passwords(f"{type(options).__name__}({', '.join(values)})")
