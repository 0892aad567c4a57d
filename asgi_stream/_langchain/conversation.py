"""Converts a conversation to a Runnable's input, as the type of the input requires."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, signature
from typing import Any

from langchain_core.messages import BaseMessage, convert_to_messages
from typing_extensions import is_typeddict

from ..errors import InvalidInput
from .schemas.type_hints import (
    fields_of,
    has_messages,
    is_untyped_array,
    reduced_to_messages,
    union_members,
)

Message = Mapping[str, Any]


class Ambiguous(Exception):
    """The type of a Runnable's input does not say where a conversation goes, and why not."""


class Conversation:
    """Converts conversations to a Runnable's input.

    A chat model takes the messages. A graph takes them in the field of its state that holds
    messages: by its type, its reducer, or else its name. A prompt takes the text of the last
    message in its only variable and the earlier messages in its placeholder, or all of them there
    if it has no variable. A Runnable of text takes the text of the last message. A Runnable of
    unknown type takes the messages.

    Args:
        input_type: The type of the Runnable's input.
        function: The route's own conversion: a function of LangChain's messages, or of these and
            the `asgi_stream.formats.RunSpec` that has them.

    Raises:
        Ambiguous: There are several ways or none, and no function.
    """

    def __init__(self, input_type: Any, function: Callable[..., Any] | None = None) -> None:
        self._function = function
        self._untyped = input_type is Any
        self._fields: dict[str, Any] = {}
        self._messages_field: str | None = None
        self._text_field: str | None = None
        self._takes_text = False
        if function is not None or self._untyped or has_messages(input_type):
            return
        if fields := fields_of(input_type):
            self._fields = fields
            is_state = is_typeddict(input_type) or bool(reduced_to_messages(input_type))
            self._find_fields(is_state=is_state)
        elif any(member in (str, Any) for member in union_members(input_type)):
            self._takes_text = True
        else:
            raise Ambiguous(f"its input, {input_type!r}, is neither messages nor text")

    def input_for(
        self, messages: Sequence[Message], state: Mapping[str, Any], call: Any = None
    ) -> Any:
        """Return the input for a conversation, not yet validated.

        Args:
            messages: The conversation.
            state: Other fields of the input; those that it does not have are dropped.
            call: The second argument for a function of two.

        Raises:
            InvalidInput: The conversation does not fit the Runnable.
        """
        if not messages and not state:
            raise InvalidInput.at("messages", "expected at least one message")
        if self._function is not None:
            extra = [call] if _takes_two(self._function) else []
            return self._function(_converted(messages), *extra)
        if self._untyped:
            return _converted(messages)
        if self._takes_text:
            return _last_text(messages)
        if not self._fields:
            return list(messages)
        values = {name: value for name, value in state.items() if name in self._fields}
        if self._text_field is not None:
            values[self._text_field] = _last_text(messages)
            messages = messages[:-1]
        if self._messages_field is not None:
            untyped = is_untyped_array(self._fields[self._messages_field])
            values[self._messages_field] = _converted(messages) if untyped else list(messages)
        return values

    @property
    def takes_all(self) -> bool:
        """Whether the input holds every message, rather than the text of the last one."""
        return not self._takes_text and self._text_field is None

    def _find_fields(self, *, is_state: bool) -> None:
        texts = [name for name, hint in self._fields.items() if hint is str or _is_turn(hint)]
        lists = [
            name for name, hint in self._fields.items() if has_messages(hint) and not _is_turn(hint)
        ]
        if is_untyped_array(self._fields.get("messages")):
            lists.append("messages")
        if lists:
            if len(lists) > 1 and "messages" not in lists:
                raise Ambiguous(f"its input has several lists of messages: {', '.join(lists)}")
            self._messages_field = "messages" if "messages" in lists else lists[0]
            if is_state:
                return
        if len(texts) > 1 and self._messages_field != "messages":
            raise Ambiguous(f"its input has several variables: {', '.join(texts)}")
        if len(texts) == 1:
            self._text_field = texts[0]
        elif not lists:
            raise Ambiguous("its input has neither a list of messages nor a single text variable")


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        parameters = signature(function).parameters.values()
    except (TypeError, ValueError):  # a function in C
        return False
    positional = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    return sum(each.kind in positional and each.default is each.empty for each in parameters) > 1


def _is_turn(type_: Any) -> bool:
    """Whether a field takes one turn: the type of a Runnable that keeps the history itself."""
    members = union_members(type_)
    return has_messages(type_) and str in members and BaseMessage in members


def _last_text(messages: Sequence[Message]) -> str:
    """Return the text of the last message, which must be the user's."""
    last = messages[-1] if messages else {}
    if last.get("role") != "user":
        raise InvalidInput.at("messages", "the last message must be a user message")
    content = last["content"]
    if isinstance(content, str):
        return content
    others = {block["type"] for block in content} - {"text"}
    if others:
        raise InvalidInput.at("messages", f"this route only accepts text, not {min(others)}")
    return "".join(block["text"] for block in content)


def _converted(messages: Sequence[Message]) -> list[Any]:
    try:
        return convert_to_messages([dict(message) for message in messages])
    except Exception as error:  # LangChain raises exceptions of many kinds
        problem = "LangChain does not accept one of the messages"
        raise InvalidInput.at("messages", problem) from error
