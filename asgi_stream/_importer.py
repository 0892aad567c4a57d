"""Resolves ``"module:attribute"``, with which a table names objects defined elsewhere."""

from __future__ import annotations

import importlib
from typing import Any


class ImportFailed(Exception):
    """A string that cannot be imported. The message says which part of it is wrong."""


def import_from_string(name: str) -> Any:
    """Return the object named `name`, in the form ``"package.module:attribute.of.it"``.

    Raises:
        ImportFailed: `name` has another form, or the module or the attribute does not exist. An
            exception raised by the module during import is chained.
    """
    module_name, colon, attributes = name.partition(":")
    if not (module_name and colon and attributes):
        raise ImportFailed(f'expected "module:attribute", not {name!r}')
    try:
        value: Any = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # a script may exit when it is imported
        kind = type(error).__name__
        raise ImportFailed(f"cannot import the module {module_name!r} ({kind}: {error})") from error
    for attribute in attributes.split("."):
        try:
            value = getattr(value, attribute)
        except AttributeError:
            raise ImportFailed(
                f"the module {module_name!r} has no attribute {attributes!r}"
            ) from None
    return value


def kind_of(value: object) -> str:
    """Return what `value` is, for an "expected ..., not ..." message: ``an int``, ``None``."""
    if value is None:
        return "None"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    name = type(value).__name__
    return f"{'an' if name[0] in 'AEIOaeio' else 'a'} {name}"  # most names in U sound like "you"
