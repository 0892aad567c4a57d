"""``"module:attribute"``: how a table names what is defined elsewhere."""

from __future__ import annotations

import importlib
from typing import Any


class ImportFailed(Exception):
    """A string that names nothing. The message says which part of it is wrong."""


def import_from_string(name: str) -> Any:
    """The attribute that `name` stands for, ``"package.module:attribute.of.it"``.

    Raises:
        ImportFailed: `name` has another form, or there is no such module or attribute. An error
            that the module itself raises while it is imported is chained to it.
    """
    module_name, colon, attributes = name.partition(":")
    if not (module_name and colon and attributes):
        raise ImportFailed(f'expected "module:attribute", not {name!r}')
    try:
        found: Any = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # a script may end itself where it is imported
        kind = type(error).__name__
        raise ImportFailed(f"cannot import the module {module_name!r} ({kind}: {error})") from error
    for attribute in attributes.split("."):
        try:
            found = getattr(found, attribute)
        except AttributeError:
            raise ImportFailed(
                f"the module {module_name!r} has no attribute {attributes!r}"
            ) from None
    return found


def kind_of(value: object) -> str:
    """What `value` is, for an error that expected something else."""
    return f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"
