"""The parameters in the path of an operation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .schemas import Schema

path_parameter = re.compile(r"{(\w+)(?::(\w+))?}")
CONVERTORS = {"int": "integer", "float": "number"}


def in_path(path: str, *, uuids: bool) -> Iterator[dict[str, Any]]:
    """Yield the parameters in a path.

    Args:
        path: The path, as Starlette writes it.
        uuids: Whether ids of runs are UUIDs.
    """
    for name, convertor in path_parameter.findall(path):
        schema: Schema = {"type": CONVERTORS.get(convertor, "string")}
        if convertor == "uuid" or (uuids and name == "run_id"):
            schema["format"] = "uuid"
        yield {"name": name, "in": "path", "required": True, "schema": schema}
