"""The JSON Schema of a type as `serialize.to_json` writes its values.

pydantic describes what its own serializers write to JSON. What is written here differs: by field
name, durations as seconds, NaN as null, and values without a JSON form as objects that say so. What
is not certain is left unspecified.
"""

from __future__ import annotations

import json
from dataclasses import is_dataclass
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from ...serialize import to_json
from .adapters import pydantic_type
from .keywords import Schema, mapped
from .type_hints import is_subclass

CERTAIN = {
    *("$ref", "type", "enum", "properties", "required", "items", "prefixItems"),
    *("allOf", "anyOf", "title", "description"),
}
"""The keywords that also hold for values which nothing has validated."""

TEXTS = {None, "binary", "date", "date-time", "path", "time", "uuid"}
"""The formats of the types that are written as text, besides plain text."""


def schema_of_written(type_: Any) -> Schema:
    """Return the JSON Schema of a type's values as they are written.

    Raises:
        Exception: pydantic has no schema for the type.
    """
    adapter = TypeAdapter(pydantic_type(type_))
    return adapter.json_schema(by_alias=False, schema_generator=_AsWritten, mode="serialization")


def schema_of_sent(type_: Any) -> Schema:
    """Return the JSON Schema of what values of a type are made of, to compare it with the above.

    Raises:
        Exception: pydantic has no schema for the type.
    """
    return TypeAdapter(pydantic_type(type_)).json_schema(schema_generator=_AsWritten)


def certain(schema: Schema) -> Schema:
    """Return what is certain of a schema of written values."""
    body = _certain(schema)
    definitions = {name: _certain(each) for name, each in schema.get("$defs", {}).items()}
    return {**body, "$defs": definitions} if definitions else body


def _certain(schema: Schema) -> Schema:
    if schema.get("format") not in TEXTS:
        return {}  # its values are of a class that is not written as text
    kept = {key: value for key, value in schema.items() if key in CERTAIN}
    if "oneOf" in schema:
        kept["anyOf"] = schema["oneOf"]  # without its bounds, a value may fit several
    if isinstance(schema.get("additionalProperties"), dict) and "properties" not in schema:
        kept["additionalProperties"] = schema["additionalProperties"]
    result = mapped(kept, _certain)
    if {} in result.get("anyOf", ()):
        del result["anyOf"]  # anything
    return result


class _AsWritten(GenerateJsonSchema):
    """Describes the types whose JSON is not pydantic's own."""

    def ser_schema(self, schema: Any) -> Schema | None:
        """Leave unspecified what a user's function writes, and what is written to JSON only."""
        if schema["type"] in ("to-string", "format") or "json" in schema.get("when_used", ""):
            return {}
        function = schema.get("function")
        is_own = getattr(function, "__module__", "").startswith("pydantic")
        return super().ser_schema(schema) if function is None or is_own else {}

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> Schema:
        return {}

    def float_schema(self, schema: core_schema.FloatSchema) -> Schema:
        return {"type": ["number", "null"]}

    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> Schema:
        return {"type": "number"} if self.mode == "serialization" else {}

    def date_schema(self, schema: core_schema.DateSchema) -> Schema:
        return {"type": "string", "format": "date"}

    def datetime_schema(self, schema: core_schema.DatetimeSchema) -> Schema:
        return {"type": "string", "format": "date-time"}

    def time_schema(self, schema: core_schema.TimeSchema) -> Schema:
        return {"type": "string", "format": "time"}

    def bytes_schema(self, schema: core_schema.BytesSchema) -> Schema:
        return {"type": "string", "format": "binary"}

    def complex_schema(self, schema: core_schema.ComplexSchema) -> Schema:
        return {}

    def generator_schema(self, schema: core_schema.GeneratorSchema) -> Schema:
        return {}  # a generator is not read

    def literal_schema(self, schema: core_schema.LiteralSchema) -> Schema:
        return _one_of(schema["expected"])

    def enum_schema(self, schema: core_schema.EnumSchema) -> Schema:
        return {"title": schema["cls"].__name__, **_one_of(schema["members"])}

    def json_or_python_schema(self, schema: core_schema.JsonOrPythonSchema) -> Schema:
        return self.generate_inner(schema["python_schema"])

    def function_after_schema(self, schema: core_schema.AfterValidatorFunctionSchema) -> Schema:
        return {} if _makes_instances(schema) else super().function_after_schema(schema)

    def function_wrap_schema(self, schema: core_schema.WrapValidatorFunctionSchema) -> Schema:
        return {} if _makes_instances(schema) else super().function_wrap_schema(schema)

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> Schema:
        # Its own fields are written, without those that pydantic computes.
        described = super().dataclass_schema(schema)
        return {key: value for key, value in described.items() if key != "required"}


def _makes_instances(schema: Any) -> bool:
    """Whether a validator is a class, or a method of one that is no model: what it makes is new."""
    function = schema["function"]["function"]
    owner = getattr(function, "__self__", function)
    return isinstance(owner, type) and not is_subclass(owner, BaseModel) and not is_dataclass(owner)


def _one_of(values: list[Any]) -> Schema:
    return {"enum": [json.loads(to_json(value)) for value in values]}
