"""Values of ``configurable`` that only the Runnable itself can check, when a run builds it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from traceback import walk_tb

from langchain_core.runnables.configurable import RunnableConfigurableFields
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from .schemas.adapters import REPORTED_ERRORS, first_errors, invalid_input

BUILDS = getattr(getattr(RunnableConfigurableFields, "_prepare", None), "__code__", None)
"""LangChain's function that builds a Runnable with other values of its fields.

It is private: without it the error is one of the server.
"""


def refused_value(error: BaseException, keys: Collection[str]) -> BaseException:
    """Return the error for values that a Runnable has refused; any other unchanged.

    Args:
        error: What a run has raised.
        keys: The ``configurable`` keys that the client has set; others are not its fault.
    """
    if not keys or not isinstance(error, ValidationError):
        return error
    problems = [each for each in _problems(error) if each["loc"][0] in keys]
    if not problems:
        return error
    refused = invalid_input(problems)
    refused.__cause__ = error
    return refused


def _problems(error: ValidationError) -> Iterator[ErrorDetails]:
    """Yield what is wrong, with the keys of the fields instead of their names."""
    for frame, _ in walk_tb(error.__traceback__):
        if frame.f_code is not BUILDS:
            continue
        keys = {name: field.id for name, field in frame.f_locals["self"].fields.items()}
        for each in first_errors(error, REPORTED_ERRORS):
            if each["loc"]:
                name, *rest = each["loc"]
                each["loc"] = keys.get(str(name), ""), *rest
                yield each
            else:  # of the class's own validator
                for key in keys.values():
                    yield {**each, "loc": (key,), "msg": "the Runnable does not accept it"}
