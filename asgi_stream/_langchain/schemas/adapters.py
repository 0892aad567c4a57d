"""pydantic validators for types of any kind, and pydantic's errors as the package's own."""

from __future__ import annotations

import sys
import typing
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from json import JSONDecoder
from threading import RLock
from types import GenericAlias, UnionType
from typing import Any, NotRequired, Required

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from typing_extensions import TypedDict, is_typeddict

from ...errors import InvalidInput

REPORTED_ERRORS = 5

_warnings_lock = RLock()
"""Warning filters belong to the process; two threads that change them may leave them changed."""


@contextmanager
def without_warnings() -> Iterator[None]:
    with _warnings_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def adapter_of(type_: Any) -> TypeAdapter[Any]:
    """Return the validator of a type.

    Raises:
        Exception: pydantic has no schema for the type.
    """
    adapter = TypeAdapter(pydantic_type(type_))
    if not adapter.pydantic_complete:
        adapter.rebuild(raise_errors=True)
    return adapter


def adapter_or_none(type_: Any) -> TypeAdapter[Any] | None:
    """Return the validator of a type; None for ``Any`` and where pydantic has no schema."""
    if type_ is Any:
        return None
    try:
        return adapter_of(type_)
    except Exception:  # the Runnable works without validation, and so does the route
        return None


def pydantic_type(type_: Any) -> Any:
    """Return `type_` as a type that pydantic validates eagerly, on every version of Python.

    pydantic validates an ``Iterable`` lazily, and before Python 3.12 it accepts only the typed
    dicts of ``typing_extensions``.
    """
    origin, arguments = typing.get_origin(type_), typing.get_args(type_)
    if origin is Iterable:
        return GenericAlias(list, arguments)
    if origin in (typing.Union, UnionType):
        return typing.Union[tuple(map(pydantic_type, arguments))]  # noqa: UP007  # a variable number
    if origin is typing.Annotated:
        return typing.Annotated[pydantic_type(arguments[0]), *arguments[1:]]
    if not is_typeddict(type_) or sys.version_info >= (3, 12):
        return type_
    return TypedDict(  # type: ignore[operator]  # called, it makes a class
        type_.__name__,
        {
            name: Required[hint] if name in type_.__required_keys__ else NotRequired[hint]
            for name, hint in typing.get_type_hints(type_, include_extras=True).items()
        },
    )


def first_errors(error: ValidationError, most: int) -> Iterator[ErrorDetails]:
    """Yield the first `most` errors, without their input.

    ``error.errors()`` makes Python objects of all of them: a second for 250,000.
    """
    text = error.json(include_url=False, include_context=False, include_input=False)
    decode, position = JSONDecoder().raw_decode, 1
    for _ in range(min(most, error.error_count())):
        details, position = decode(text, position)
        position += 1  # the comma
        yield details


def invalid_input(errors: Sequence[ErrorDetails]) -> InvalidInput:
    """Return pydantic's first errors as one that names the fields, but not their values."""
    fields: dict[str, str] = {}
    for error in errors[:REPORTED_ERRORS]:
        path = ".".join(str(part) for part in error["loc"] if part != "root") or "input"
        fields.setdefault(path, error["msg"])
    message = "; ".join(f"{path}: {problem}" for path, problem in fields.items())
    return InvalidInput(message, fields=fields)
