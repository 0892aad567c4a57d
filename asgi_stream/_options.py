"""Options as attributes with defaults, and suggestions for misspelt ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from inspect import Parameter
from typing import Any, Generic, Protocol, Self, TypeVar, overload
from warnings import warn

T = TypeVar("T")


class HasOptions(Protocol):
    """Something with options: those that are set, by their names."""

    @property
    def options(self) -> Mapping[str, Any]: ...


class Option(Generic[T]):
    """One option as an attribute of a route: the value that was set, or else the default.

    Args:
        default: Used where neither the route nor its app sets the option.
        toml: How the option is written in a file (`asgi_stream._config.schema.TYPES`).
        of_format: Whether it says how a format answers, so that a route of another format for the
            same Runnable has no use for it.
    """

    name: str

    def __init__(self, default: T, toml: str, *, of_format: bool = False) -> None:
        self.default, self.toml, self.of_format = default, toml, of_format

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, route: None, owner: type) -> Self: ...
    @overload
    def __get__(self, route: HasOptions, owner: type) -> T: ...
    def __get__(self, route: HasOptions | None, owner: type) -> Any:
        return self if route is None else route.options.get(self.name, self.default)

    def parameter(self, annotation: str) -> Parameter:
        """Return the option as a keyword parameter of a signature."""
        kind = Parameter.KEYWORD_ONLY
        return Parameter(self.name, kind, default=self.default, annotation=annotation)


def renamed(options: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return `options` with the new names of those that had another, with a warning for each.

    Args:
        options: The options as they are set.
        names: New names by the old ones.
    """
    for name in names.keys() & options.keys():
        message = f"the option {name!r} has been renamed to {names[name]!r}"
        warn(message, DeprecationWarning, stacklevel=4)
    return {names.get(name, name): value for name, value in options.items()}


def unknown(names: Iterable[str], known: Collection[str]) -> list[str]:
    """Return a sentence for each of `names` that is not one of the `known` options."""
    problems = []
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(known)}"
            problems.append(f"unknown option {name!r}; {hint}")
    return problems
