"""A Runnable as a tool: what it is for, and the JSON Schemas of its arguments and its output."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import cleandoc, isroutine
from typing import Any

from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.runnables.base import RunnableBindingBase

from ..formats import Tool
from .schemas.keywords import inlined
from .schemas.messages import RECEIVED, WRITTEN, Schema, with_plain_messages
from .schemas.output import output_schema_of
from .schemas.type_hints import ROOT
from .served_runnable import ARGUMENT, ServedRunnable


def tool_of(name: str, source: Any, served: ServedRunnable) -> Tool:
    """Return a Runnable as a tool.

    Args:
        name: Its name on its route.
        source: What the route has for it: the Runnable, or a function that returns it.
        served: What is known about the Runnable.
    """
    output = with_plain_messages(output_schema_of(served.runnable), RECEIVED)
    arguments = arguments_of(served)
    description = _description_of(source) or _description_of(served.runnable)
    # Some clients require one.
    return Tool(
        name, description or arguments.get("description") or f"Runs {name}.", arguments, output
    )


def _description_of(source: Any) -> str:
    """Return the docstring of a function, or what a Runnable says of itself; ``""`` for none."""
    if isinstance(source, RunnableBindingBase):
        return _description_of(source.bound)
    if isinstance(source, RunnableLambda):
        source = getattr(source, "func", None) or getattr(source, "afunc", None)
    # The docstring of any other Runnable is that of its class.
    text = getattr(source, "description" if isinstance(source, Runnable) else "__doc__", None)
    own = isinstance(source, Runnable) or isroutine(source)
    return cleandoc(text) if own and isinstance(text, str) else ""


def arguments_of(served: ServedRunnable) -> Schema:
    """Return the schema of the arguments: an object, as `RunSpec.arguments` has it."""
    schema = with_plain_messages(served.schema.json_schema(), WRITTEN)
    if served.takes_mapping:
        schema = inlined(schema)
    definitions: Mapping[str, Schema] = schema.get("$defs", {})
    body = {key: value for key, value in schema.items() if key != "$defs"}
    if not served.takes_mapping:
        if body.get("properties", {}).keys() == {ROOT}:
            body = {}
        body = {"properties": {ARGUMENT: body}, "required": [ARGUMENT]}
    return {**body, "type": "object", **({"$defs": definitions} if definitions else {})}
