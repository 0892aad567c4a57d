"""Validates a Runnable's input: a client's plain data becomes what the declared type wants.

The type that the route or the Runnable declares decides which classes are built, never the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from langchain_core.load.serializable import Serializable
from langchain_core.runnables import Runnable
from pydantic import BaseModel, RootModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from typing_extensions import is_typeddict

from ...errors import InvalidInput
from ...errors.mapping import raised_in
from ...errors.text import listed
from ...limits import Limits
from ..graphs import graph_of
from .adapters import adapter_of, adapter_or_none, first_errors, invalid_input, without_warnings
from .coercion import coerced
from .runnable import (
    configurable_adapters,
    schema_of,
    schema_of_declared,
    schemas_of_adapters,
)
from .tool_arguments import ToolArguments, first_tool
from .type_hints import fields_of, is_list_of_messages, is_subclass, untyped_messages

PARSED_ERRORS = 1_000
"""How many of pydantic's errors are examined; input with more is refused in any case."""

UNLIMITED = Limits(messages=None, files=None)


class InputSchema:
    """The schema of a route's input.

    A declared type is enforced by pydantic. Without one the Runnable's own input schema is used,
    but only where it cannot be wrong: a missing prompt variable is refused, while its type is not
    enforced, and a graph accepts a part of its state. The schema of a tool's arguments is enforced.

    Attributes:
        input_type: The type of the input, or ``Any``.

    Raises:
        Exception: Pydantic cannot validate the declared type.
    """

    def __init__(self, runnable: Runnable[Any, Any], declared: Any = None) -> None:
        own_type = _own_type(runnable)
        self._runnable = runnable
        self._declared = declared
        tool = None if declared is not None else first_tool(runnable)
        arguments = getattr(tool, "args_schema", None)
        self._arguments = ToolArguments(arguments) if isinstance(arguments, Mapping) else None
        if declared is not None:
            self.input_type: Any = declared
            self._adapter: TypeAdapter[Any] | None = adapter_of(declared)
        elif self._arguments is not None:
            self.input_type, self._adapter = dict[str, Any], None
        else:
            self.input_type = _resolved_type(runnable, own_type)
            self._adapter = adapter_or_none(self.input_type)
        # An annotation is the class's name if its module postpones annotations.
        self._takes_instance = declared is not None and (
            own_type is declared
            or (isinstance(own_type, str) and own_type == getattr(declared, "__name__", None))
        )
        self._untyped_messages = untyped_messages(self.input_type)
        self._generated = is_subclass(self.input_type, BaseModel) and not any(
            self.input_type is each for each in (own_type, arguments)
        )

    def check(self, value: Any, limits: Limits | None = None) -> Any:
        """Return `value` validated, in the form that the Runnable takes.

        Args:
            value: The input, as plain data.
            limits: Bounds on its messages and files.

        Raises:
            InvalidInput: The value does not fit. The error names the fields.
        """
        if self._arguments is not None:
            self._arguments.check(value)
        if self._adapter is None:
            return value
        value = coerced(value, self.input_type, "", limits or UNLIMITED)
        try:
            valid = self._adapter.validate_python(value)
        except ValidationError as error:
            details = list(first_errors(error, PARSED_ERRORS))
            relevant = [each for each in details if self._is_relevant(each, value)]
            if not relevant and error.error_count() > PARSED_ERRORS:
                relevant = details
            if relevant:
                raise invalid_input(relevant) from None
            return value
        except Exception as error:
            # An exception from a user's own class is not the client's fault.
            if not raised_in(error, "langchain_core", "pydantic"):
                raise
            if self._declared is None:
                return value
            raise InvalidInput.at("input", "the fields do not match the input type") from None
        if self._declared is None:
            return value
        return valid if self._takes_instance else _as_mapping(valid)

    def json_schema(self) -> Any:
        """Return the JSON Schema of the input; ``{}`` if its type is unknown."""
        if self._declared is not None:
            return schema_of_declared(self._declared)
        if self._arguments is not None:
            return self._arguments.schema
        schema = schema_of(self._runnable, "input")
        if is_typeddict(self.input_type):
            schema.pop("required", None)
        return schema

    def _is_relevant(self, error: ErrorDetails, value: Any) -> bool:
        """Whether this error refuses the input."""
        if self._declared is not None:
            return True
        if error["loc"][1:] and error["loc"][0] in self._untyped_messages:
            # The reducer takes messages, whatever the type says of the items.
            return False
        if is_typeddict(self.input_type):
            # The state of a graph, of which a client sends a part.
            return error["type"] != "missing"
        if not self._generated:
            return True
        variables = self.input_type.model_fields
        if not error["loc"]:
            # A prompt with one variable also takes its bare value.
            return len(variables) != 1 or isinstance(value, Mapping)
        variable = variables.get(str(error["loc"][0]))
        if variable is None or variable.annotation is Any:
            return False
        return error["type"] == "missing" or is_list_of_messages(variable.annotation)


def check_fields(runnable: Runnable[Any, Any], declared: Any) -> None:
    """Check the fields of a declared input type, of which LangGraph would silently drop some.

    Raises:
        ValueError: The Runnable is a graph whose input does not have them all.
    """
    graph = graph_of(runnable)
    own = {} if graph is None else fields_of(_own_type(graph))
    dropped = [name for name in fields_of(declared) if name not in own]
    if own and dropped:
        there = listed(list(own))
        raise ValueError(
            f"the graph would drop {listed(dropped)}; the fields of its input: {there}"
        )


class ConfigurableSchema:
    """The ``configurable`` keys that a Runnable declares, with their types."""

    def __init__(self, runnable: Runnable[Any, Any]) -> None:
        self._adapters = configurable_adapters(runnable)

    def json_schemas(self) -> dict[str, Any]:
        """Return the JSON Schema of each key."""
        return schemas_of_adapters(self._adapters)

    def check(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return `values` converted to their types; keys that are not declared stay as they are.

        Raises:
            InvalidInput: A value does not fit. The error names the key.
        """
        checked: dict[str, Any] = {}
        for name, value in values.items():
            try:
                adapter = self._adapters.get(name)
                checked[name] = value if adapter is None else adapter.validate_python(value)
            except ValidationError as error:
                raise InvalidInput.at(name, next(first_errors(error, 1))["msg"]) from None
        return checked


def _own_type(runnable: Runnable[Any, Any]) -> Any:
    try:
        return runnable.InputType
    except Exception:  # many user classes do not declare it
        return Any


def _resolved_type(runnable: Runnable[Any, Any], own_type: Any) -> Any:
    """Return the type of a Runnable's input, or ``Any``; for a prompt, a model of its variables."""
    if is_typeddict(own_type):
        return own_type
    try:
        with without_warnings():
            schema: Any = runnable.get_input_schema()
    except Exception:  # pydantic has no schema for the type
        return Any
    if not isinstance(schema, type):
        return Any
    return schema.model_fields["root"].annotation if issubclass(schema, RootModel) else schema


def _as_mapping(valid: Any) -> Any:
    """Return a validated model or dataclass as the dict that chains and prompts take."""
    if isinstance(valid, Serializable):
        return valid  # LangChain's own: a message, a document, a prompt value
    if isinstance(valid, RootModel):
        return valid.root
    if isinstance(valid, BaseModel):
        return {name: getattr(valid, name) for name in type(valid).model_fields}
    if is_dataclass(valid) and not isinstance(valid, type):
        return {field.name: getattr(valid, field.name) for field in fields(valid)}
    return valid
