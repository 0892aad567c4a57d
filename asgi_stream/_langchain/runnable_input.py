"""What is known of the input of a Runnable that a route serves, found out once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from langchain_core.runnables import Runnable

from .conversation import Ambiguous, Conversation
from .graphs import takes_context
from .input_schema import ConfigurableSchema, InputSchema
from .type_hints import fields_of


class RunnableInput:
    """What a Runnable takes: its input, its ``configurable`` keys, a conversation, a context.

    Args:
        runnable: The Runnable.
        input_type: The type that the route declares for its input; None is the Runnable's own.
        convert: The route's own function that makes an input of a conversation.

    Attributes:
        schema: Validates inputs.
        configurable: Validates ``configurable`` keys.

    Raises:
        Exception: The declared type cannot be validated by pydantic.
    """

    def __init__(
        self,
        runnable: Runnable[Any, Any],
        input_type: Any = None,
        convert: Callable[..., Any] | None = None,
    ) -> None:
        self._runnable = runnable
        self._convert = convert
        self.schema = InputSchema(runnable, input_type)
        self.configurable = ConfigurableSchema(runnable)

    @cached_property
    def conversation(self) -> Conversation | Ambiguous:
        """How it takes a conversation; what is unclear about that, if its input does not say."""
        try:
            return Conversation(self.schema.input_type, self._convert)
        except Ambiguous as error:
            return error

    @property
    def whole_conversation(self) -> bool:
        """Whether its input has a place for each message, by its own type."""
        conversation = self.conversation
        return (
            self._convert is None
            and isinstance(conversation, Conversation)
            and conversation.takes_all
        )

    @cached_property
    def state_fields(self) -> Mapping[str, Any]:
        """The fields of its input with their types; none if the route has its own function."""
        return {} if self._convert is not None else fields_of(self.schema.input_type)

    @cached_property
    def takes_context(self) -> bool:
        """Whether it takes LangGraph's ``context``."""
        return takes_context(self._runnable)
