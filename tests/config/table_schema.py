"""Makes the JSON Schema of a table's file, and the references in docs/pages/reference/.

``python -m tests.config.table_schema``
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docstring_parser import parse

import asgi_stream
from asgi_stream import EventFilter, Limits, Resume, StreamApp, StreamRoute, Threads
from asgi_stream._config.schema import File

from ..cli import command_reference
from .table_reference import PAGE, page

SHIPPED = Path(asgi_stream.__file__).parent / "asgi_stream.schema.json"
FROM_ENVIRONMENT = {
    "type": "object",
    "description": "The value of an environment variable.",
    "properties": {"from_env": {"type": "string"}},
    "required": ["from_env"],
    "additionalProperties": False,
}
DESCRIBED: dict[str, type] = {
    "App": StreamApp,
    "EventFilter": EventFilter,
    "Limits": Limits,
    "Options": StreamRoute,
    "Resume": Resume,
    "Route": StreamRoute,
    "Threads": Threads,
}


def schema() -> dict[str, Any]:
    made = File.model_json_schema()
    for name, kind in DESCRIBED.items():
        descriptions = {
            each.arg_name: each.description for each in parse(kind.__doc__ or "").params
        }
        for option, property_schema in made["$defs"][name]["properties"].items():
            property_schema.pop("title", None)
            property_schema.pop("default", None)
            property_schema["description"] = " ".join(
                (descriptions[option] or "").replace("``", "`").split()
            )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_with_environment(made),
    }


def _with_environment(value: Any) -> Any:
    """A value that is text may come from the environment."""
    if isinstance(value, list):
        return [_with_environment(each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get("type") == "string":
        kept = {key: value[key] for key in ("description", "title") if key in value}
        plain = {key: each for key, each in value.items() if key not in kept}
        return {**kept, "anyOf": [plain, {"$ref": "#/$defs/Environment"}]}
    result = {
        key: _with_environment(each) if key not in ("propertyNames",) else each
        for key, each in value.items()
    }
    if "$defs" in result:
        result["$defs"]["Environment"] = FROM_ENVIRONMENT
    return result


if __name__ == "__main__":
    made = schema()
    SHIPPED.write_text(json.dumps(made, indent=1) + "\n")
    PAGE.write_text(page(made))
    command_reference.PAGE.write_text(command_reference.page())
