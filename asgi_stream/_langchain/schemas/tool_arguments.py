"""The arguments of a LangChain tool: whose they are, and whether they fit a JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.runnables import Runnable, RunnableSequence
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.tools import BaseTool

from ...errors import InvalidInput
from .defaults import matches
from .json_schema import valid_schema
from .keywords import Schema


def first_tool(runnable: Runnable[Any, Any]) -> BaseTool | None:
    """Return the tool that takes a Runnable's input; None if something else does."""
    if isinstance(runnable, RunnableSequence):
        return first_tool(runnable.first)
    if isinstance(runnable, RunnableBindingBase) and runnable.custom_input_type is None:
        return first_tool(runnable.bound)
    return runnable if isinstance(runnable, BaseTool) else None


class ToolArguments:
    """The arguments of a tool that has a JSON Schema of them, such as one of another server.

    LangChain does not validate them.

    Attributes:
        schema: The schema, as far as it is valid.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema: Schema = valid_schema(schema)

    def check(self, value: Any) -> None:
        """Check arguments.

        Raises:
            InvalidInput: They do not fit. The error names them.
        """
        if not isinstance(value, Mapping):
            raise InvalidInput.at("input", "expected an object")
        definitions = self.schema.get("$defs", {})
        properties = self.schema.get("properties", {})
        is_closed = (
            self.schema.get("additionalProperties") is False
            and "patternProperties" not in self.schema
        )
        required = self.schema.get("required", ())
        fields = {name: "required" for name in required if name not in value}
        for name, argument in value.items():
            if not matches(argument, properties.get(name, {}), definitions):
                fields[name] = "does not fit the schema"
            elif is_closed and name not in properties:
                fields[name] = "unexpected"
        if fields:
            message = "; ".join(f"{name}: {problem}" for name, problem in fields.items())
            raise InvalidInput(message, fields=fields)
