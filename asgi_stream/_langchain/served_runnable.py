"""A Runnable that a route serves, with its schemas and its plan, determined once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from langchain_core.language_models import BaseLanguageModel
from langchain_core.runnables import Runnable

from ..errors import InvalidInput
from .conversation import Ambiguous, Conversation
from .graphs import takes_context
from .plan import RunnablePlan, plan_of
from .schemas.input import ConfigurableSchema, InputSchema, check_fields
from .schemas.type_hints import fields_of, takes_mapping

ARGUMENT = "input"
"""The argument that is the input of a Runnable whose input is no mapping."""


class ServedRunnable:
    """What a Runnable takes, and how it is run.

    Args:
        runnable: The Runnable.
        input_type: The type that the route declares for its input; None is the Runnable's own.
        convert: The route's own function that makes an input of a conversation.

    Attributes:
        runnable: The Runnable.
        schema: Validates inputs.
        configurable: Validates ``configurable`` keys.

    Raises:
        Exception: The declared type cannot be validated by pydantic, or does not fit the Runnable.
    """

    def __init__(
        self,
        runnable: Runnable[Any, Any],
        input_type: Any = None,
        convert: Callable[..., Any] | None = None,
    ) -> None:
        self.runnable = runnable
        self._convert = convert
        if convert is None and input_type is not None:
            check_fields(runnable, input_type)
        self.schema = InputSchema(runnable, input_type)
        self.configurable = ConfigurableSchema(runnable)
        self._plan: RunnablePlan | None = None

    @property
    def plan(self) -> RunnablePlan:
        """How it is run.

        Determined once for a model, and for a graph itself. The parts of all other Runnables may be
        replaced between two runs.
        """
        if self._plan is not None:
            return self._plan
        plan = plan_of(self.runnable)
        if isinstance(self.runnable, BaseLanguageModel) or plan.graph is self.runnable:
            self._plan = plan
        return plan

    @cached_property
    def conversation(self) -> Conversation | Ambiguous:
        """How it takes a conversation; what is unclear about that, if its input does not say."""
        try:
            return Conversation(self.schema.input_type, self._convert)
        except Ambiguous as error:
            return error

    @cached_property
    def takes_mapping(self) -> bool:
        """Whether its input is a mapping, by its type."""
        return takes_mapping(self.schema.input_type)

    def input_in(self, arguments: Mapping[str, Any]) -> Any:
        """Return the input that `RunSpec.arguments` have.

        Raises:
            InvalidInput: They have no input, or more than that.
        """
        if self.takes_mapping:
            return arguments
        if ARGUMENT not in arguments:
            raise InvalidInput.at(ARGUMENT, "required")
        if unknown := arguments.keys() - {ARGUMENT}:
            raise InvalidInput.at(min(unknown), f"unexpected; the only argument is {ARGUMENT!r}")
        return arguments[ARGUMENT]

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
        return takes_context(self.runnable)
