"""Valid parts of a schema are kept, and the rest is left unspecified."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from asgi_stream._langchain.schemas.json_schema import MAX_DEPTH, valid_schema
from asgi_stream._langchain.schemas.keywords import mapped, within

NAN = float("nan")
TEXT = {"type": "string"}


def nested(levels: int) -> Any:
    return {"items": nested(levels - 1)} if levels else TEXT


def endless() -> Any:
    schema: dict[str, Any] = {"type": "object"}
    schema["properties"] = {"again": schema, "text": TEXT}
    return schema


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (TEXT, TEXT),
        (True, {}),
        (False, {"not": {}}),
        (None, {}),
        ("text", {}),
        # Keywords with values of the wrong type.
        ({"type": ["string", "null"]}, {"type": ["string", "null"]}),
        ({"type": ["string", "string"]}, {}),
        ({"type": []}, {}),
        ({"type": "words", "title": 3, "minLength": -1, "maxLength": True}, {}),
        ({"minimum": 1.5, "maximum": NAN, "exclusiveMaximum": True}, {"minimum": 1.5}),
        ({"multipleOf": 0}, {}),
        ({"multipleOf": 2}, {"multipleOf": 2}),
        ({"required": ["a"]}, {"required": ["a"]}),
        ({"required": ["a", "a"]}, {}),
        ({"required": [3]}, {}),
        ({"uniqueItems": 1, "deprecated": True}, {"deprecated": True}),
        ({"dependentRequired": {"a": ["b"]}}, {"dependentRequired": {"a": ["b"]}}),
        ({"dependentRequired": {"a": "b"}}, {}),
        ({"anyOf": [], "allOf": 3, "properties": 3}, {"properties": {}}),
        ({"anyOf": (TEXT, 3)}, {"anyOf": [TEXT, {}]}),
        ({"additionalProperties": False}, {"additionalProperties": False}),
        (
            {"properties": {"a": True, "b": False, 3: TEXT}},
            {"properties": {"a": {}, "b": {"not": {}}, "3": TEXT}},
        ),
        ({1: 2, "x-own": {"y": 1}, "x-odd": object()}, {"x-own": {"y": 1}}),
        # Values that are not JSON.
        ({"const": b"a", "enum": [b"a", "a"]}, {"enum": ["a"]}),
        ({"enum": [b"a"], "examples": "a"}, {}),
        ({"examples": [date(2020, 1, 2), {1}]}, {"examples": ["2020-01-02"]}),
        # Keywords of other drafts, and of a document's root.
        ({"items": [TEXT]}, {"prefixItems": [TEXT]}),
        ({"$schema": "x", "$id": "https://x", "discriminator": {"propertyName": "a"}}, {}),
        # Properties with the names of keywords.
        (
            {"properties": {"$ref": TEXT, "type": TEXT}},
            {"properties": {"$ref": TEXT, "type": TEXT}},
        ),
        # References.
        ({"$ref": "https://example.com", "title": "T"}, {"title": "T"}),
        ({"$ref": "#/$defs/A"}, {}),
        ({"$ref": "#a"}, {}),
        ({"$ref": "#/$defs/A", "$defs": {"A": 3}}, {}),
        ({"$ref": "#"}, {"$defs": {"Whole": {}}}),
        ({"$defs": {"A": TEXT}}, {}),
        ({"$ref": "#/$defs/A", "$defs": {"A": TEXT}}, {"$ref": "#/$defs/A", "$defs": {"A": TEXT}}),
        (
            {"$ref": "#/definitions/A%20b~1c", "definitions": {"A b/c": TEXT}},
            {"$ref": "#/$defs/A_b_c", "$defs": {"A_b_c": TEXT}},
        ),
        (
            {"$ref": "#/$defs/A", "$defs": {"A": {"title": "A", "$ref": "#/$defs/A"}}},
            {"$defs": {"A": {"title": "A"}}},
        ),
        (
            {"properties": {"a": TEXT, "b": {"$ref": "#/properties/a"}}},
            {
                "properties": {"a": TEXT, "b": {"$ref": "#/$defs/a"}},
                "$defs": {"a": TEXT},
            },
        ),
        (
            {"allOf": [{"$ref": "#/allOf/1"}, TEXT, {"$ref": "#/allOf/9"}, {"$ref": "#/allOf/x"}]},
            {"allOf": [{"$ref": "#/$defs/1"}, TEXT, {}, {}], "$defs": {"1": TEXT}},
        ),
        (
            {"title": "Tree", "properties": {"below": {"$ref": "#"}}},
            {
                "title": "Tree",
                "properties": {"below": {"$ref": "#/$defs/Tree"}},
                "$defs": {
                    "Tree": {"title": "Tree", "properties": {"below": {"$ref": "#/$defs/Tree"}}}
                },
            },
        ),
        # A document inside another, with definitions of its own.
        (
            {
                "properties": {
                    "a": {"$ref": "#/$defs/A", "$defs": {"A": TEXT}},
                    "b": {"$ref": "#/$defs/A", "$defs": {"A": {"type": "null"}}},
                }
            },
            {
                "properties": {"a": {"$ref": "#/$defs/A"}, "b": {"$ref": "#/$defs/A2"}},
                "$defs": {"A": TEXT, "A2": {"type": "null"}},
            },
        ),
        (endless(), {"type": "object", "properties": {"again": {}, "text": TEXT}}),
    ],
)
def test_valid_parts_are_kept(schema: Any, expected: Any) -> None:
    result = valid_schema(schema)
    assert result == expected
    Draft202012Validator.check_schema(result)


@pytest.mark.parametrize(
    ("schema", "default", "fits"),
    [
        (TEXT, "a", True),
        (TEXT, None, False),
        ({"type": ["string", "null"]}, None, True),
        ({"type": "number"}, NAN, False),
        ({"type": "number"}, 1, True),
        ({"type": "integer"}, True, False),
        ({"type": "integer"}, 1.0, True),
        ({"type": "integer"}, 1.5, False),
        ({"type": "boolean"}, True, True),
        ({"minLength": 1}, "", False),
        ({"minLength": 1}, 3, True),
        ({"maxLength": 1}, "ab", False),
        ({"minItems": 1}, [], False),
        ({"maxItems": 1}, [1, 2], False),
        ({"minimum": 1}, 0, False),
        ({"maximum": 1}, 2, False),
        ({"exclusiveMinimum": 1}, 1, False),
        ({"exclusiveMaximum": 1}, 1, False),
        ({"enum": ["a"]}, "b", False),
        ({"const": "a"}, "a", True),
        ({"required": ["a"]}, {}, False),
        ({"properties": {"a": TEXT}}, {"a": 3}, False),
        ({"properties": {"a": TEXT}}, {"b": 3}, True),
        ({"items": TEXT}, ["a", 3], False),
        ({"items": False}, ["a"], False),
        ({"items": True}, ["a"], True),
        ({"anyOf": [TEXT, {"type": "null"}]}, None, True),
        ({"oneOf": [TEXT, {"type": "null"}]}, 3, False),
        ({"allOf": [TEXT, {"minLength": 2}]}, "a", False),
        ({"$ref": "#/$defs/A", "$defs": {"A": TEXT}}, "a", True),
        ({"$ref": "#/$defs/A", "$defs": {"A": TEXT}}, 3, False),
        ({"anyOf": [{"$ref": "#"}]}, 3, True),
    ],
)
def test_a_default_that_does_not_match_is_removed(
    schema: Mapping[str, Any], default: Any, fits: bool
) -> None:
    result = valid_schema(
        {"properties": {"x": {**schema, "default": default}}, "$defs": schema.get("$defs")}
    )
    assert ("default" in result["properties"]["x"]) is fits


def test_what_is_nested_too_deep_is_unspecified() -> None:
    result, levels = valid_schema(nested(MAX_DEPTH * 3)), 0
    while "items" in result:
        result, levels = result["items"], levels + 1
    assert (result, levels) == ({}, MAX_DEPTH + 1)


def test_a_long_chain_of_definitions_is_followed() -> None:
    chain = {f"A{n}": {"items": {"$ref": f"#/$defs/A{n + 1}"}} for n in range(2000)}
    result = valid_schema({"$ref": "#/$defs/A0", "$defs": {**chain, "A2000": TEXT}})
    assert len(result["$defs"]) == 2001


def test_the_schemas_in_a_schema() -> None:
    schema = {
        "items": {"title": "1"},
        "anyOf": [{"title": "2"}],
        "properties": {"items": {"title": "3"}},
        "additionalProperties": False,
        "default": {"title": "no"},
    }
    assert [each["title"] for each in within(schema)] == ["1", "2", "3"]
    assert mapped(schema, lambda inner: inner["title"]) == {
        "items": "1",
        "anyOf": ["2"],
        "properties": {"items": "3"},
        "additionalProperties": False,
        "default": {"title": "no"},
    }
