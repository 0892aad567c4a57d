"""Converts a client's plain data to the LangChain objects that a declared type wants.

The type decides what is built, never the client's data: messages where it wants messages, prompt
values where it wants those, and the data classes in `shapes.DATA`. Nothing else is built.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.prompt_values import StringPromptValue
from pydantic import BaseModel, ValidationError

from ..._limit_checks import check_count, check_files
from ...errors import InvalidInput
from ...limits import Limits
from ..messages import whole
from ..sent_messages import message_of, with_python_names
from .shapes import DATA, Shape, holds_objects, shape_of
from .type_hints import fields_of

EXPECTED = (
    'expected a message: ["human", "..."], {"role": ..., "content": ...} '
    'or {"type": ..., "content": ...}'
)

ROLES = frozenset({"ai", "assistant", "developer", "human", "system", "user"})


def coerced(value: Any, type_: Any, path: str, limits: Limits) -> Any:
    """Return `value` with LangChain's objects wherever its type wants them.

    Args:
        value: Plain data, as parsed from JSON.
        type_: The type of the value.
        path: Where it is in the input, for errors.
        limits: Bounds on its messages and files.

    Raises:
        InvalidInput: A message is invalid, or there are too many messages or files.
    """
    match value:
        case str():
            return _text(value, shape_of(type_), path, limits)
        case list():
            return _array(value, shape_of(type_), path, limits)
        case dict():
            return _object(value, shape_of(type_), path, limits)
    return value


def _text(value: str, shape: Shape, path: str, limits: Limits) -> Any:
    if shape.messages and shape.only_messages:
        return [_message(value, shape, path, limits)]
    return StringPromptValue(text=value) if shape.builds_text and not shape.takes_text else value


def _array(value: list[Any], shape: Shape, path: str, limits: Limits) -> Any:
    if shape.message and (_is_pair(value) or not (shape.messages or shape.takes_list)):
        return _message(value, shape, path, limits)
    if shape.takes_texts and all(isinstance(item, str) for item in value):
        return value
    if not (shape.messages or shape.prompt):
        return _items(value, shape, path, limits)
    check_count(path or "input", value, "messages", limits.messages)
    try:
        messages = [_list_item(item, shape, _join(path, n), limits) for n, item in enumerate(value)]
    except Exception:
        if shape.takes_list:
            return _items(value, shape, path, limits)
        raise
    contents = (each.content for each in messages if isinstance(each, BaseMessage))
    check_files(path or "input", contents, limits.files)
    if shape.prompt and not shape.messages:
        return shape.prompt(messages=messages)
    return messages


def _list_item(value: Any, shape: Shape, path: str, limits: Limits) -> Any:
    """Convert an item of a list of messages, which may have items of other types too."""
    if value is None and type(None) in shape.other_items:
        return None
    try:
        return _converted(value, shape, path)
    except Exception:
        if set(shape.other_items) <= {type(None)}:
            raise
    return coerced(value, typing.Union[shape.other_items], path, limits)  # noqa: UP007  # variable


def _items(value: list[Any], shape: Shape, path: str, limits: Limits) -> list[Any]:
    if not shape.items:
        return value
    types = shape.items if len(shape.items) == len(value) else shape.items[:1] * len(value)
    return [
        coerced(item, type_, _join(path, n), limits)
        for n, (item, type_) in enumerate(zip(value, types, strict=True))
    ]


def _object(value: dict[str, Any], shape: Shape, path: str, limits: Limits) -> Any:
    if built := _built(value, shape, path, limits):
        return built
    if shape.message or (shape.messages and shape.only_messages):
        try:
            message = _message(value, shape, path, limits)
        except Exception:
            if not shape.takes_dict:
                raise
        else:
            return message if shape.message else [message]
    hints: dict[str, Any] = {}
    if shape.fields:
        # Of several members, the one with most of the object's fields.
        hints = max(shape.fields, key=lambda fields: len(fields.keys() & value.keys()))
    elif shape.value is not None:
        hints = dict.fromkeys(value, shape.value)
    if not hints:
        return value
    return {
        name: coerced(inner, hints[name], _join(path, name), limits) if name in hints else inner
        for name, inner in value.items()
    }


def _built(value: dict[str, Any], shape: Shape, path: str, limits: Limits) -> Any:
    """Return the prompt value or the instance of `DATA` that an object represents, or None."""
    if not (shape.prompt or shape.builds_text or shape.data):
        return None
    value = with_python_names(value)
    is_state = any("messages" in fields for fields in shape.fields)
    if isinstance(value.get("messages"), list) and shape.prompt and not is_state:
        return _array(value["messages"], shape, _join(path, "messages"), limits)
    text = value.get("text")
    if shape.builds_text and isinstance(text, str) and value.keys() <= {"text", "type"}:
        return StringPromptValue(text=text)
    return _built_data(value, shape, path, limits)


def _built_data(value: dict[str, Any], shape: Shape, path: str, limits: Limits) -> Any:
    missing = None
    for kind in sorted(shape.data, key=lambda kind: -len(_fields(kind).keys() & value.keys())):
        hints = _fields(kind)
        arguments = {
            name: inner
            if hints[name] is None
            else coerced(inner, hints[name], _join(path, name), limits)
            for name, inner in value.items()
            if name in hints
        }
        try:
            built = kind.model_validate(arguments)
        except (ValidationError, NotImplementedError):
            continue
        except TypeError:  # from the class's own __init__, which pydantic does not convert
            required = (name for name, field in kind.model_fields.items() if field.is_required())
            missing = missing or next((name for name in required if name not in arguments), "")
            continue
        messages = list(_messages_in(built))
        check_count(path or "input", messages, "messages", limits.messages)
        check_files(path or "input", (each.content for each in messages), limits.files)
        return built
    if missing and not (shape.takes_dict or shape.message or shape.messages):
        raise InvalidInput.at(_join(path, missing), "Field required")
    return None


@lru_cache(maxsize=len(DATA))
def _fields(kind: Any) -> dict[str, Any]:
    """Return the fields of one of `DATA`, with the types of those that hold LangChain's objects."""
    return {name: hint if holds_objects(hint) else None for name, hint in fields_of(kind).items()}


def _messages_in(value: Any) -> Iterator[BaseMessage]:
    if isinstance(value, BaseMessage):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _messages_in(item)
    elif isinstance(value, BaseModel):
        yield from _messages_in(list(vars(value).values()))


def _join(path: str, part: str | int) -> str:
    return f"{path}.{part}".lstrip(".")


def _is_pair(value: list[Any]) -> bool:
    """Whether an array is one message: a role and its content."""
    return len(value) == 2 and isinstance(value[0], str) and value[0] in ROLES


def _message(value: Any, shape: Shape, path: str, limits: Limits) -> BaseMessage:
    message = _converted(value, shape, path)
    check_files(path or "input", (message.content,), limits.files)
    return message


def _converted(value: Any, shape: Shape, path: str) -> BaseMessage:
    try:
        message = message_of(value, keep_chunks=shape.keeps_chunks)
    except Exception:  # LangChain raises exceptions of many kinds
        raise InvalidInput.at(path or "input", EXPECTED) from None
    message = message if shape.keeps_chunks else whole(message)
    if not isinstance(message, shape.message_classes):
        # pydantic would read the fields of one class from an instance of another.
        names = " or ".join(dict.fromkeys(kind.__name__ for kind in shape.message_classes))
        raise InvalidInput.at(path or "input", f"expected a message of the class {names}")
    return message
