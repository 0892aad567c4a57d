"""Questions about type hints: is it a mapping, a message, a list of messages?"""

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

ADD_MESSAGES = ("langgraph.graph.message", ("add_messages", "_add_messages"))
"""The module and the names of LangGraph's ``add_messages``; LangGraph may not be installed."""

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
    """Return the fields of a model, typed dict or dataclass with their types, else ``{}``.

    What ``add_messages`` reduces is a list of messages, even if its type does not say so.
    """
    return _own_fields(type_) | dict.fromkeys(untyped_messages(type_), list[BaseMessage])


def untyped_messages(type_: Any) -> list[str]:
    """Return the fields that are lists of messages by their reducer, and not by their type."""
    own = _own_fields(type_)
    return [name for name in reduced_to_messages(type_) if not has_messages(own[name])]


def reduced_to_messages(type_: Any) -> list[str]:
    """Return the fields of a graph's state whose reducer is LangGraph's ``add_messages``."""
    if is_subclass(type_, BaseModel):
        metadata = {name: field.metadata for name, field in type_.model_fields.items()}
    else:
        metadata = {name: _metadata(hint) for name, hint in _hints(type_, extras=True).items()}
    return [name for name, each in metadata.items() if any(map(_adds_messages, each))]


def _own_fields(type_: Any) -> dict[str, Any]:
    if is_subclass(type_, BaseModel):
        return {name: field.annotation for name, field in type_.model_fields.items()}
    return _hints(type_)


def _hints(type_: Any, *, extras: bool = False) -> dict[str, Any]:
    if _has_fields(type_):
        try:
            return typing.get_type_hints(type_, include_extras=extras)
        except Exception:  # a name that exists for type checkers only
            return {}
    return {}


def has_messages(type_: Any) -> bool:
    """Return whether a field of this type has a list of messages."""
    return any(map(is_list_of_messages, union_members(type_)))


def is_untyped_array(type_: Any) -> bool:
    """Return whether this is an array whose type does not say what is in it, or None."""
    return any(
        is_array(member) and {*item_types(member)} <= {Any} for member in union_members(type_)
    )


def _metadata(hint: Any) -> Sequence[Any]:
    while typing.get_origin(hint) in (typing.Required, typing.NotRequired):
        hint = typing.get_args(hint)[0]
    return getattr(hint, "__metadata__", ())


def _adds_messages(reducer: Any) -> bool:
    """Whether this is ``add_messages``, or what it returns for its options: a partial of it."""
    function = getattr(reducer, "func", reducer)
    module, names = ADD_MESSAGES
    return (
        getattr(function, "__module__", None) == module
        and getattr(function, "__name__", None) in names
    )


def _has_fields(type_: Any) -> bool:
    return is_typeddict(type_) or (isinstance(type_, type) and is_dataclass(type_))
