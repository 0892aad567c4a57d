"""Serializes any value as ASCII JSON, without ever failing.

A value that JSON cannot represent becomes ``{"__unserializable__": "TypeName"}``. It neither ends a
stream nor becomes its ``repr``, which may contain secrets.
"""

from __future__ import annotations

import base64
import json
import math
from collections import deque
from collections.abc import Mapping, Set
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from json.encoder import encode_basestring_ascii
from pathlib import PurePath
from typing import Any
from uuid import UUID

import orjson
from langchain_core.messages import BaseMessage
from langchain_core.runnables import Runnable
from pydantic import BaseModel

__all__ = ["to_json"]

OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
MAX_DEPTH = 200


def to_json(value: Any) -> bytes:
    """Return `value` as one line of ASCII JSON. Never raises.

    Messages, documents, prompt values and other pydantic models become objects with their fields,
    as do dataclasses and LangGraph's ``Command``, ``Send`` and ``Interrupt``; sets become arrays,
    bytes base64, dates ISO 8601, durations seconds, decimals and paths strings, enums their values;
    NaN and the infinities become null.

    Example:
        >>> to_json({"name": "é", "tags": {"a"}})
        b'{"name":"\\\\u00e9","tags":["a"]}'
    """
    try:
        encoded = orjson.dumps(value, default=_default, option=OPTIONS)
    except (TypeError, RecursionError):
        # Integers beyond 64 bits, lone surrogates, odd keys, cycles: too rare to be fast.
        return json.dumps(_plain(value, 0)).encode()
    if encoded.isascii():
        return encoded
    return _escape_non_ascii(encoded.decode()).encode()


def text_or_json(value: Any) -> str:
    """Return a text as it is, and any other value as JSON."""
    return value if isinstance(value, str) else to_json(value).decode()


def _unserializable(value: object) -> dict[str, str]:
    return {"__unserializable__": type(value).__name__}


def _escape_non_ascii(text: str) -> str:
    """Return JSON `text` in ASCII, in three passes whatever it contains."""
    # Encoded as the content of a string, its quotes and backslashes are escaped once too often.
    escaped = encode_basestring_ascii(text)[1:-1]
    return escaped.replace('\\"', '"').replace("\\\\", "\\")


@cache
def _included_fields(model: type[BaseModel]) -> tuple[str, ...]:
    return tuple(name for name, field in model.model_fields.items() if not field.exclude)


def _default(value: Any) -> Any:
    """Convert the outermost level of `value`; the encoder calls again for what is inside."""
    try:
        return _convert(value)
    except Exception:
        # A user's serializer fails, or an object's attributes raise.
        return _unserializable(value)


def _convert(value: Any) -> Any:
    match value:
        case BaseMessage():
            known = {name: getattr(value, name) for name in _included_fields(type(value))}
            return known | (value.__pydantic_extra__ or {})
        case Runnable():
            return _unserializable(value)
        case BaseModel():
            try:
                return value.model_dump(serialize_as_any=True, warnings=False)
            except ValueError:  # before pydantic 2.12 a model within its own class is a cycle
                return value.model_dump(warnings=False)
        case Set() | deque() | tuple():
            return list(value)
        case Mapping():
            return dict(value)
        case bytes() | bytearray() | memoryview():
            return base64.b64encode(value).decode()
        case Decimal() | PurePath():
            return str(value)
        case time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
    if hasattr(value, "dtype") and hasattr(value, "tolist"):
        return value.tolist()
    if type(value).__module__.startswith("langgraph.") and type(value).__name__ == "Send":
        return {"node": value.node, "arg": value.arg}
    return _unserializable(value)


def _plain(value: Any, depth: int) -> Any:
    """Return `value` as data that ``json.dumps`` accepts, whatever it contains."""
    match value:
        case None | bool():
            return value
        case Enum():
            return _plain(value.value, depth + 1)
        case str() | int():
            return value
        case float():
            return float(value) if math.isfinite(value) else None
        case UUID():
            return str(value)
        case date():
            return value.isoformat()
    if depth > MAX_DEPTH:
        return _unserializable(value)
    if isinstance(value, Mapping):
        return {_key(key): _plain(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner, depth + 1) for inner in value]
    if is_dataclass(value) and not isinstance(value, type):
        members = {field.name: getattr(value, field.name, None) for field in fields(value)}
        return _plain(members, depth + 1)
    return _plain(_default(value), depth + 1)


def _key(key: Any) -> str:
    match key:
        case str():
            return key
        case None | bool() | int() | float() | UUID() | date() | Enum() | tuple():
            plain = _plain(key, 0)
            return plain if isinstance(plain, str) else json.dumps(plain)
    return f"__unserializable__:{type(key).__name__}"
