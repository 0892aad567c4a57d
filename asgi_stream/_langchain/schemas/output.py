"""The JSON Schema of a Runnable's output, which each of its outputs fits."""

from __future__ import annotations

from types import NoneType
from typing import Any

from langchain_core.messages import AnyMessage
from langchain_core.runnables import Runnable, RunnableSequence
from langchain_core.runnables.base import RunnableBindingBase
from pydantic import BaseModel

from ..graphs import graph_of
from .keywords import Schema, inlined
from .runnable import MAX_LEVELS, first_schema
from .type_hints import fields_of, is_list_of_messages, is_message
from .written import certain, schema_of_sent, schema_of_written

RENAMED = "private_"
"""What LangChain puts before a key of parallel steps that is a method of pydantic's models."""


def output_schema_of(runnable: Runnable[Any, Any]) -> Schema:
    """Return the JSON Schema of a Runnable's output as it is written; ``{}`` if it is unknown."""
    last = _last_of(runnable)
    graph = graph_of(last)
    schema = first_schema(
        lambda: _own_description(runnable),
        lambda: _known(graph.builder.output_schema),
        lambda: _known(NoneType) if last.OutputType in (None, NoneType) else None,
        lambda: _known(AnyMessage) if is_message(last.OutputType) else None,  # or a chunk of one
        lambda: _known(last.get_output_schema()),
        lambda: _known(last.OutputType),
    )
    schema = inlined(certain(schema))
    return _without_renamed(schema) if graph is None else _of_state(schema, graph)


def _last_of(runnable: Runnable[Any, Any]) -> Runnable[Any, Any]:
    """Return what makes the output: the last step of a sequence, without what wraps it."""
    if isinstance(runnable, RunnableSequence):
        return _last_of(runnable.last)
    if isinstance(runnable, RunnableBindingBase) and runnable.custom_output_type is None:
        return _last_of(runnable.bound)
    return runnable


def _own_description(runnable: Runnable[Any, Any]) -> Any:
    """Return the schema that a user's class has written itself; None for all others."""
    method = type(runnable).get_output_jsonschema
    of_library = method.__module__.startswith(("langchain_core.", "langgraph."))
    return None if of_library else runnable.get_output_jsonschema()


def _known(type_: Any, levels: int = MAX_LEVELS) -> Schema | None:
    """Return the schema of a type; None if it says nothing.

    If pydantic has none for a class, it consists of the schemas of the fields that have one.
    """
    return first_schema(lambda: schema_of_written(type_), lambda: _of_fields(type_, levels)) or None


def _of_fields(type_: Any, levels: int) -> Schema | None:
    hints = fields_of(type_) if levels else {}
    properties = {name: _known(hint, levels - 1) or {} for name, hint in hints.items()}
    return {"type": "object", "properties": properties} if properties else None


def _of_state(schema: Schema, graph: Any) -> Schema:
    """Return the schema of a graph's state, whose fields may be missing, or as a client sent them.

    A graph validates what it is sent, but its state is not what came of that.
    """
    schema.pop("required", None)
    sent = fields_of(getattr(getattr(graph, "builder", None), "input_schema", None))
    for name, hint in sent.items():
        if name in schema.get("properties", ()) and not _is_written_as_sent(hint):
            schema["properties"][name] = {}
    return schema


def _is_written_as_sent(type_: Any) -> bool:
    if is_list_of_messages(type_):
        return True  # which are made of what is sent
    written = certain(first_schema(lambda: schema_of_written(type_)))
    return written == certain(first_schema(lambda: schema_of_sent(type_)))


def _without_renamed(schema: Schema) -> Schema:
    """Return the schema of an output without the keys that LangChain has renamed in it."""
    renamed = {
        name
        for name in schema.get("properties", ())
        if name.startswith(RENAMED) and hasattr(BaseModel, name.removeprefix(RENAMED))
    }
    if not renamed:
        return schema
    properties = {key: each for key, each in schema["properties"].items() if key not in renamed}
    required = [name for name in schema.get("required", ()) if name not in renamed]
    return {**schema, "properties": properties, "required": required}
