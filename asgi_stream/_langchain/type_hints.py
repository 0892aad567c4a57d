"""What the type of an input consists of."""

from __future__ import annotations

import types
import typing
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import is_dataclass
from typing import Any

from langchain_core.messages import BaseMessage
from pydantic import BaseModel, RootModel
from typing_extensions import is_typeddict

ROOT = "root"
"""The field of a ``RootModel``, whose value the model stands for."""


def is_subclass(type_: Any, classes: type | tuple[type, ...]) -> bool:
    """Return whether this is a class and one of `classes`, or a subclass; never for ``list[x]``."""
    return isinstance(type_, type) and issubclass(type_, classes)


def is_array(type_: Any) -> bool:
    origin = typing.get_origin(type_) or type_
    if is_subclass(origin, (str, bytes)):
        return False
    return is_subclass(origin, (Sequence, AbstractSet)) or origin in (Collection, Iterable)


def is_mapping(type_: Any) -> bool:
    return is_subclass(typing.get_origin(type_) or type_, Mapping)


def takes_mapping(type_: Any) -> bool:
    """Return whether values of this type are made of a mapping: of its fields, if it has any."""
    # LangChain's model of parallel steps that take anything has a field of that name.
    if is_subclass(type_, RootModel) or fields_of(type_).keys() == {ROOT}:
        return False
    return is_mapping(type_) or is_subclass(type_, BaseModel) or _has_fields(type_)


def is_message(type_: Any) -> bool:
    return is_subclass(type_, BaseMessage)


def is_list_of_messages(type_: Any) -> bool:
    """Return whether this is an array with messages; a tuple of fixed length, of nothing else."""
    fixed = typing.get_origin(type_) is tuple and ... not in typing.get_args(type_)
    messages = [is_message(item) for item in item_types(type_)]
    return is_array(type_) and any(messages) and (all(messages) or not fixed)


def item_types(type_: Any) -> list[Any]:
    """Return the types of an array's items, the members of unions one by one."""
    arguments = [argument for argument in typing.get_args(type_) if argument is not Ellipsis]
    return [member for argument in arguments for member in union_members(argument)]


def union_members(type_: Any) -> list[Any]:
    """Return the members of a union and of the unions in it; of another type the type itself."""
    while typing.get_origin(type_) in (typing.Annotated, typing.Required, typing.NotRequired):
        type_ = typing.get_args(type_)[0]
    if typing.get_origin(type_) in (typing.Union, types.UnionType):
        return [inner for member in typing.get_args(type_) for inner in union_members(member)]
    return [type_]


def fields_of(type_: Any) -> dict[str, Any]:
    """Return the fields of a model, typed dict or dataclass with their types, else ``{}``."""
    if is_subclass(type_, BaseModel):
        return {name: field.annotation for name, field in type_.model_fields.items()}
    if _has_fields(type_):
        try:
            return typing.get_type_hints(type_)
        except Exception:  # a name that exists for type checkers only
            return {}
    return {}


def _has_fields(type_: Any) -> bool:
    return is_typeddict(type_) or (isinstance(type_, type) and is_dataclass(type_))
