"""A client's plain data as the LangChain objects that a declared type wants.

The type decides what is built, never the client's data: messages where it wants messages, prompt
values where it wants those, and LangChain's own data classes (`DATA`). Nothing else is built.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from langchain_core.agents import AgentAction, AgentActionMessageLog, AgentFinish, AgentStep
from langchain_core.documents import Document
from langchain_core.messages import BaseMessage, BaseMessageChunk, MessageLikeRepresentation
from langchain_core.outputs import (
    ChatGeneration,
    ChatGenerationChunk,
    ChatResult,
    Generation,
    GenerationChunk,
    LLMResult,
)
from langchain_core.prompt_values import ChatPromptValue, PromptValue, StringPromptValue
from pydantic import BaseModel, ValidationError

from ..formats._content import check_count, check_files, refused
from ..limits import Limits
from .messages import whole
from .sent_messages import as_python_has_it, message_of
from .type_hints import (
    arms,
    fields_of,
    is_array,
    is_list_of_messages,
    is_mapping,
    is_message,
    items_of,
)

DATA = (
    *(AgentAction, AgentActionMessageLog, AgentFinish, AgentStep),
    *(ChatGeneration, ChatGenerationChunk, ChatResult, Generation, GenerationChunk, LLMResult),
    Document,
)
"""Data classes of LangChain that are built where a type names exactly them."""

EXPECTED = (
    'expected a message: ["human", "..."], {"role": ..., "content": ...} '
    'or {"type": ..., "content": ...}'
)

LIKES = arms(MessageLikeRepresentation)
"""What LangChain makes a message of."""


@dataclass(frozen=True)
class _Shape:
    """What the members of a type are, as far as LangChain's objects are concerned.

    Attributes:
        messages: One is a list of messages.
        besides: What else there may be in such a list that no message is made of.
        message: One is a message.
        said: The classes of its messages; of a prompt any.
        keeps_chunks: Its messages are chunks, and nothing else.
        alone: The list of messages is the only member, except None.
        takes_dict: A member besides messages and `built` takes an object.
        takes_list: A member besides messages takes an array.
        takes_texts: It takes one of texts.
        takes_text: A member takes text.
        built: Members that are prompt values or of `DATA`.
        items: The item types of other arrays that hold LangChain's objects; several of a tuple.
        values: The value types of mappings that hold LangChain's objects.
        fields: The fields of models, typed dicts and dataclasses.
    """

    messages: bool
    besides: tuple[Any, ...]
    message: bool
    said: tuple[type[BaseMessage], ...]
    keeps_chunks: bool
    alone: bool
    takes_dict: bool
    takes_list: bool
    takes_texts: bool
    takes_text: bool
    built: tuple[Any, ...]
    items: tuple[tuple[Any, ...], ...]
    values: tuple[Any, ...]
    fields: tuple[dict[str, Any], ...]


def coerced(value: Any, wanted: Any, path: str, limits: Limits) -> Any:
    """`value` with LangChain's objects wherever `wanted` says so.

    Args:
        value: Plain data, as JSON has it.
        wanted: The type of the value.
        path: Where it is in the input, for errors.
        limits: Bounds of its messages.

    Raises:
        InvalidInput: A message is none, or there are too many messages or files.
    """
    try:
        shape = _shape(wanted)
    except TypeError:  # what is annotated with cannot be hashed
        shape = _shape.__wrapped__(wanted)
    if isinstance(value, str):
        return _text(value, shape, path, limits)
    if isinstance(value, list):
        return _array(value, shape, path, limits)
    return _object(value, shape, path, limits) if isinstance(value, dict) else value


def _text(value: str, shape: _Shape, path: str, limits: Limits) -> Any:
    if shape.messages and shape.alone:
        return [_message(value, shape, path, limits)]
    built = [kind for kind in shape.built if issubclass(StringPromptValue, kind)]
    return StringPromptValue(text=value) if built and not shape.takes_text else value


def _array(value: list[Any], shape: _Shape, path: str, limits: Limits) -> Any:
    if shape.message and (_is_pair(value) or not (shape.messages or shape.takes_list)):
        return _message(value, shape, path, limits)
    if shape.takes_texts and all(isinstance(each, str) for each in value):
        return value
    prompt = _prompt_kind(shape)
    if shape.messages or prompt:
        check_count(path or "input", value, "messages", limits.messages)
        try:
            made = [_item(each, shape, _below(path, n), limits) for n, each in enumerate(value)]
        except Exception:
            if shape.takes_list:
                return _each(value, shape, path, limits)
            raise
        said = (each.content for each in made if isinstance(each, BaseMessage))
        check_files(path or "input", said, limits.files)
        return prompt(messages=made) if prompt and not shape.messages else made
    return _each(value, shape, path, limits)


def _item(value: Any, shape: _Shape, path: str, limits: Limits) -> Any:
    """An item of a list of messages, in which there may be something else too."""
    if value is None and type(None) in shape.besides:
        return None
    try:
        return _converted(value, shape, path)
    except Exception:
        if shape.besides in ((), (type(None),)):
            raise
    return coerced(value, typing.Union[shape.besides], path, limits)  # noqa: UP007  # so many


def _each(value: list[Any], shape: _Shape, path: str, limits: Limits) -> list[Any]:
    for items in shape.items[:1]:
        if len(items) != len(value):
            items = items[:1] * len(value)
        value = [
            coerced(each, item, _below(path, n), limits)
            for n, (each, item) in enumerate(zip(value, items, strict=True))
        ]
    return value


def _object(value: dict[str, Any], shape: _Shape, path: str, limits: Limits) -> Any:
    if made := _built(value, shape, path, limits):
        return made
    if shape.message or (shape.messages and shape.alone):
        try:
            made = _message(value, shape, path, limits)
        except Exception:
            if not shape.takes_dict:
                raise
        else:
            return made if shape.message else [made]
    for hints in _fitting(value, shape):
        value = {
            name: coerced(inner, hints[name], _below(path, name), limits)
            if name in hints
            else inner
            for name, inner in value.items()
        }
    return value


def _built(value: dict[str, Any], shape: _Shape, path: str, limits: Limits) -> Any:
    """The prompt value or the one of `DATA` that an object is, or None."""
    if not shape.built:
        return None
    value = as_python_has_it(value)
    prompt = _prompt_kind(shape)
    state = any("messages" in hints for hints in shape.fields)
    if isinstance(value.get("messages"), list) and prompt and not state:
        return _array(value["messages"], shape, _below(path, "messages"), limits)
    wants_text = any(issubclass(StringPromptValue, kind) for kind in shape.built)
    if wants_text and isinstance(value.get("text"), str) and set(value) <= {"text", "type"}:
        return StringPromptValue(text=value["text"])
    lacks = None
    kinds = [kind for kind in shape.built if not issubclass(kind, PromptValue)]
    for kind in sorted(kinds, key=lambda kind: -len(_fields(kind).keys() & value.keys())):
        hints = _fields(kind)
        given = {
            name: each
            if hints[name] is None
            else coerced(each, hints[name], _below(path, name), limits)
            for name, each in value.items()
            if name in hints
        }
        try:
            made = kind.model_validate(given)
        except (ValidationError, NotImplementedError):
            continue  # another member's
        except TypeError:  # which the ``__init__`` of some raises, for pydantic too
            needed = (name for name, field in kind.model_fields.items() if field.is_required())
            lacks = lacks or next((name for name in needed if name not in given), "")
            continue
        held = list(_messages_in(made))
        check_count(path or "input", held, "messages", limits.messages)
        check_files(path or "input", (each.content for each in held), limits.files)
        return made
    if lacks and not (shape.takes_dict or shape.message or shape.messages):
        raise refused(_below(path, lacks), "Field required")
    return None


@lru_cache(maxsize=len(DATA))
def _fields(kind: Any) -> dict[str, Any]:
    """The fields of one of `DATA`, with the types of those that hold LangChain's objects."""
    return {name: hint if _holds(hint, set()) else None for name, hint in fields_of(kind).items()}


def _fitting(value: dict[str, Any], shape: _Shape) -> Iterator[dict[str, Any]]:
    """The types of an object's fields: of the member that has most of them, or a mapping's."""
    if shape.fields:
        yield max(shape.fields, key=lambda hints: len(hints.keys() & value.keys()))
    elif shape.values:
        yield dict.fromkeys(value, shape.values[0])


def _messages_in(made: Any) -> Iterator[BaseMessage]:
    """The messages in one of `DATA`."""
    if isinstance(made, BaseMessage):
        yield made
    elif isinstance(made, (list, tuple)):
        for each in made:
            yield from _messages_in(each)
    elif isinstance(made, BaseModel):
        yield from _messages_in(list(vars(made).values()))


def _prompt_kind(shape: _Shape) -> Any:
    """The class of a conversation as a prompt value that is wanted, or None."""
    for kind in shape.built:
        if issubclass(kind, ChatPromptValue):
            return kind
    return ChatPromptValue if PromptValue in shape.built else None


def _below(path: str, part: str | int) -> str:
    return f"{path}.{part}".lstrip(".")


def _is_pair(value: list[Any]) -> bool:
    """Whether an array is one message as a role and its content."""
    return len(value) == 2 and isinstance(value[0], str) and value[0] in ROLES


ROLES = frozenset({"ai", "assistant", "developer", "human", "system", "user"})


def _message(value: Any, shape: _Shape, path: str, limits: Limits) -> BaseMessage:
    made = _converted(value, shape, path)
    check_files(path or "input", (made.content,), limits.files)
    return made


def _converted(value: Any, shape: _Shape, path: str) -> BaseMessage:
    try:
        made = message_of(value, pieces=shape.keeps_chunks)
    except Exception:  # LangChain raises whatever it stumbles over
        raise refused(path or "input", EXPECTED) from None
    made = made if shape.keeps_chunks else whole(made)
    if not isinstance(made, shape.said):
        # pydantic would look for the fields of one class in an object of another.
        names = " or ".join(dict.fromkeys(kind.__name__ for kind in shape.said))
        raise refused(path or "input", f"expected a message of the class {names}")
    return made


def _shape_of(wanted: Any) -> _Shape:
    members = [arm for arm in arms(wanted) if arm is not type(None)]
    kinds = [arm for arm in members if isinstance(arm, type) and typing.get_origin(arm) is None]
    lists = [arm for arm in members if is_list_of_messages(arm)]
    said = [arm for arm in kinds if issubclass(arm, BaseMessage)]
    items = [arm for each in lists for arm in items_of(each)]
    said += filter(is_message, items)
    others = [arm for arm in members if arm not in lists and not is_message(arm)]
    built = [arm for arm in kinds if arm in DATA or issubclass(arm, PromptValue)]
    holding = [arm for arm in others if typing.get_args(arm) and _holds(arm, set())]
    arrays = [arm for arm in holding if is_array(arm)]
    mappings = [arm for arm in holding if is_mapping(arm)]
    return _Shape(
        messages=bool(lists),
        besides=tuple(arm for arm in items if not is_message(arm) and arm not in LIKES),
        message=any(map(is_message, members)),
        said=tuple(said) or (BaseMessage,),
        keeps_chunks=bool(said) and all(issubclass(arm, BaseMessageChunk) for arm in said),
        alone=members == lists,
        takes_dict=any(
            arm is Any or is_mapping(arm) or bool(fields_of(arm))
            for arm in others
            if arm not in built
        ),
        takes_texts=any(str in items_of(arm) for arm in others if is_array(arm)),
        takes_list=any(arm is Any or is_array(arm) for arm in others),
        takes_text=any(arm in (str, Any) for arm in others),
        built=tuple(built),
        items=tuple(typing.get_args(arm) for arm in arrays),
        values=tuple(typing.get_args(arm)[-1] for arm in mappings),
        fields=tuple(fields_of(arm) for arm in others if arm not in built and fields_of(arm)),
    )


_shape = lru_cache(maxsize=256)(_shape_of)


def _holds(wanted: Any, seen: set[int]) -> bool:
    """Whether a type has LangChain's objects anywhere in it; large arrays of others are no work."""
    if id(wanted) in seen:
        return False
    seen.add(id(wanted))
    for arm in arms(wanted):
        plain = isinstance(arm, type) and typing.get_origin(arm) is None
        if plain and (issubclass(arm, (BaseMessage, PromptValue)) or arm in DATA):
            return True
        inner = (*typing.get_args(arm), *fields_of(arm).values())
        if any(_holds(each, seen) for each in inner):
            return True
    return False
