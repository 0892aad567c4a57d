"""How a Runnable takes a conversation, told by the type of its input."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, signature
from typing import Any

from langchain_core.messages import BaseMessage, convert_to_messages
from typing_extensions import is_typeddict

from ..errors import InvalidInput
from .type_hints import arms, fields_of, is_list_of_messages

Message = Mapping[str, Any]


class Ambiguous(Exception):
    """A Runnable whose input does not say where a conversation goes. The message says why."""


class Conversation:
    """Makes a Runnable's input of a conversation.

    A chat model takes the messages. A graph takes them in the field of its state that holds
    messages. A prompt takes the user's last words in its one variable, and what was said before in
    its placeholder; without a variable all of it goes to the placeholder. A Runnable of text takes
    the user's last words. One that does not say gets the messages.

    Args:
        wanted: The type of the Runnable's input.
        made: The route's own way: a function of LangChain's messages, or of these and the
            `asgi_stream.formats.RunSpec` that they came with.

    Raises:
        Ambiguous: The type leaves it open, and there is no function.
    """

    def __init__(self, wanted: Any, made: Callable[..., Any] | None = None) -> None:
        self._made = made
        self._whole = made is not None or wanted is Any
        self._fields = fields_of(wanted)
        self._history: str | None = None
        self._words: str | None = None
        if self._whole or any(map(_takes_messages, arms(wanted))):
            self._fields = {}
        elif self._fields:
            self._find_fields(wanted)
        elif not any(arm in (str, Any) for arm in arms(wanted)):
            raise Ambiguous(f"its input, {wanted!r}, is neither messages nor text")
        else:
            self._words = ""

    def input_for(
        self, messages: Sequence[Message], state: Mapping[str, Any], call: Any = None
    ) -> Any:
        """The input, not yet checked.

        Args:
            messages: The conversation.
            state: Fields of the input beside it.
            call: What a function of two arguments gets besides the messages.

        Raises:
            InvalidInput: The conversation does not fit the Runnable.
        """
        if not messages and not state:
            raise _refused("it has none")
        if self._made is not None:
            made = _as_langchain_has_them(messages)
            return self._made(made, call) if _takes_two(self._made) else self._made(made)
        if self._whole:
            return _as_langchain_has_them(messages)
        if not self._fields:
            return list(messages) if self._words is None else _words_of(messages)
        given = {name: value for name, value in state.items() if name in self._fields}
        if self._words is not None:
            given[self._words] = _words_of(messages)
            messages = messages[:-1]
        if self._history is not None:
            given[self._history] = list(messages)
        return given

    @property
    def takes_all(self) -> bool:
        """Whether the input has a place for each message, not for the user's last words only."""
        return self._words is None

    def _find_fields(self, wanted: Any) -> None:
        lists = [
            name
            for name, type_ in self._fields.items()
            if _takes_messages(type_) and not _is_turn(type_)
        ]
        if len(lists) > 1 and "messages" not in lists:
            raise Ambiguous(f"its input has several lists of messages: {', '.join(lists)}")
        if lists:
            self._history = "messages" if "messages" in lists else lists[0]
        texts = [name for name, type_ in self._fields.items() if type_ is str or _is_turn(type_)]
        if is_typeddict(wanted) and lists:
            return
        if len(texts) > 1 and self._history != "messages":
            raise Ambiguous(f"its input has several variables: {', '.join(texts)}")
        if len(texts) == 1:
            self._words = texts[0]
        elif not lists:
            raise Ambiguous("its input has neither messages nor one variable of text")


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        needed = signature(function).parameters.values()
    except (TypeError, ValueError):  # of a function in C
        return False
    positional = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    return sum(each.kind in positional and each.default is each.empty for each in needed) > 1


def _takes_messages(type_: Any) -> bool:
    return any(is_list_of_messages(arm) for arm in arms(type_))


def _is_turn(type_: Any) -> bool:
    """Whether a field takes one turn, as a Runnable that keeps the history itself has it."""
    members = arms(type_)
    return _takes_messages(type_) and str in members and BaseMessage in members


def _words_of(messages: Sequence[Message]) -> str:
    """The text of the last message, which must be the user's."""
    last = messages[-1] if messages else {}
    if last.get("role") != "user":
        raise _refused("the last message is not the user's")
    content = last["content"]
    if isinstance(content, str):
        return content
    other = {block["type"] for block in content} - {"text"}
    if other:
        raise _refused(f"this route takes text only, not {sorted(other)[0]}")
    return "".join(block["text"] for block in content)


def _as_langchain_has_them(messages: Sequence[Message]) -> list[Any]:
    try:
        return convert_to_messages([dict(each) for each in messages])
    except Exception as error:  # LangChain raises whatever it stumbles over
        raise _refused("it has a message that LangChain does not take") from error


def _refused(why: str) -> InvalidInput:
    return InvalidInput(f"messages: {why}", fields={"messages": why})
