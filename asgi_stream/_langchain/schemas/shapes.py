"""The shape of a type: which of LangChain's objects it has, and where."""

from __future__ import annotations

import typing
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

from .type_hints import (
    fields_of,
    is_array,
    is_list_of_messages,
    is_mapping,
    is_message,
    is_subclass,
    item_types,
    union_members,
)

DATA = (
    *(AgentAction, AgentActionMessageLog, AgentFinish, AgentStep),
    *(ChatGeneration, ChatGenerationChunk, ChatResult, Generation, GenerationChunk, LLMResult),
    Document,
)
"""LangChain's data classes that are built where a type names exactly them."""

MESSAGE_LIKE = union_members(MessageLikeRepresentation)
"""Types that LangChain converts to a message."""


class Shape:
    """What a type, or the members of a union, say about LangChain's objects.

    Attributes:
        messages: A member is a list of messages.
        only_messages: It is the only member, None aside.
        other_items: Types in that list that are not converted to messages.
        message: A member is a message.
        message_classes: The accepted classes of messages.
        keeps_chunks: All of them are chunks.
        prompt: The class of a chat prompt value to build, or None.
        builds_text: A member is a prompt value of text.
        data: The members of `DATA`.
        takes_dict: A member that is none of the above takes an object.
        takes_list: A member other than messages takes an array.
        takes_texts: A member takes an array of text.
        takes_text: A member takes text.
        items: The item types of the first other array with LangChain's objects; several of a tuple.
        value: The value type of the first mapping with LangChain's objects, or None.
        fields: The fields of models, typed dicts and dataclasses.
    """

    def __init__(self, type_: Any) -> None:
        members = [member for member in union_members(type_) if member is not type(None)]
        lists = [member for member in members if is_list_of_messages(member)]
        others = [each for each in members if each not in lists and not is_message(each)]

        items = [item for member in lists for item in item_types(member)]
        self.messages = bool(lists)
        self.only_messages = members == lists
        self.other_items = tuple(
            item for item in items if not is_message(item) and item not in MESSAGE_LIKE
        )
        self.message = any(map(is_message, members))
        classes = tuple(filter(is_message, (*members, *items)))
        self.message_classes: tuple[type[BaseMessage], ...] = classes or (BaseMessage,)
        self.keeps_chunks = bool(classes) and all(issubclass(c, BaseMessageChunk) for c in classes)

        prompts = [each for each in others if is_subclass(each, PromptValue)]
        self.prompt = _chat_prompt(prompts)
        self.builds_text = any(issubclass(StringPromptValue, prompt) for prompt in prompts)
        self.data = [each for each in others if each in DATA]

        plain = [each for each in others if each not in prompts and each not in DATA]
        self.fields = [fields for each in plain if (fields := fields_of(each))]
        self.takes_dict = bool(self.fields) or any(t is Any or is_mapping(t) for t in plain)
        self.takes_list = any(each is Any or is_array(each) for each in others)
        self.takes_texts = any(is_array(each) and str in item_types(each) for each in others)
        self.takes_text = str in others or Any in others
        generics = [each for each in others if typing.get_args(each) and holds_objects(each)]
        self.items = next((_item_types(each) for each in generics if is_array(each)), ())
        self.value = next((typing.get_args(t)[-1] for t in generics if is_mapping(t)), None)


def shape_of(type_: Any) -> Shape:
    """Return the shape of a type, from a cache if the type is hashable."""
    try:
        return _cached_shape(type_)
    except TypeError:
        return Shape(type_)


_cached_shape = lru_cache(maxsize=256)(Shape)


def _chat_prompt(prompts: list[Any]) -> type[ChatPromptValue] | None:
    for prompt in prompts:
        if issubclass(prompt, ChatPromptValue):
            return prompt  # type: ignore[no-any-return]
    return ChatPromptValue if PromptValue in prompts else None


def _item_types(array: Any) -> tuple[Any, ...]:
    return tuple(argument for argument in typing.get_args(array) if argument is not Ellipsis)


def holds_objects(type_: Any, seen: set[int] | None = None) -> bool:
    """Return whether LangChain's objects occur in a type; if not, its values stay untouched.

    Args:
        type_: The type.
        seen: Ids of the types that were examined already, of which some contain themselves.
    """
    seen = set() if seen is None else seen
    if id(type_) in seen:
        return False
    seen.add(id(type_))
    for member in union_members(type_):
        if is_subclass(member, (BaseMessage, PromptValue)) or member in DATA:
            return True
        inner = (*typing.get_args(member), *fields_of(member).values())
        if any(holds_objects(each, seen) for each in inner):
            return True
    return False
