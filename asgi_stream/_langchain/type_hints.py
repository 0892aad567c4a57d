"""What the types of inputs consist of."""

from __future__ import annotations

import types
import typing
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import is_dataclass
from typing import Any

from langchain_core.messages import BaseMessage
from pydantic import BaseModel
from typing_extensions import is_typeddict


def is_array(wanted: Any) -> bool:
    kind = typing.get_origin(wanted) or wanted
    if not isinstance(kind, type) or issubclass(kind, (str, bytes)):
        return False
    return issubclass(kind, (Sequence, typing.AbstractSet)) or kind in (Collection, Iterable)


def is_mapping(wanted: Any) -> bool:
    kind = typing.get_origin(wanted) or wanted
    return isinstance(kind, type) and issubclass(kind, Mapping)


def fields_of(wanted: Any) -> dict[str, Any]:
    """The fields of a model, a typed dict or a dataclass with their types; none of all else."""
    if not isinstance(wanted, type) or typing.get_origin(wanted) is not None:
        return {}
    if issubclass(wanted, BaseModel):
        return {name: field.annotation for name, field in wanted.model_fields.items()}
    if is_typeddict(wanted) or is_dataclass(wanted):
        try:
            return typing.get_type_hints(wanted)
        except Exception:  # a name that only a type checker can see
            return {}
    return {}


def plain_type(wanted: Any) -> Any:
    """`wanted` without ``Annotated``, ``Required`` and the like."""
    while typing.get_origin(wanted) in (
        typing.Annotated,
        typing.Required,
        typing.NotRequired,
    ):
        wanted = typing.get_args(wanted)[0]
    return wanted


def arms(wanted: Any) -> list[Any]:
    """The members of a union, in depth; anything else is a union of itself."""
    wanted = plain_type(wanted)
    if typing.get_origin(wanted) in (typing.Union, types.UnionType):
        return [arm for member in typing.get_args(wanted) for arm in arms(member)]
    return [wanted]


def is_message(wanted: Any) -> bool:
    return isinstance(wanted, type) and issubclass(wanted, BaseMessage)


def is_list_of_messages(wanted: Any) -> bool:
    """Whether this is an array with messages; where each part has its type, with nothing else."""
    of_parts = typing.get_origin(wanted) is tuple and ... not in typing.get_args(wanted)
    found = [is_message(item) for item in items_of(wanted)]
    return is_array(wanted) and any(found) and (all(found) or not of_parts)


def items_of(wanted: Any) -> list[Any]:
    """The members of the types of an array's items."""
    items = [item for item in typing.get_args(wanted) if item is not Ellipsis]
    return [arm for item in items for arm in arms(item)]
