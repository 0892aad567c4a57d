"""The calls of tools, and their results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from .steps import Step


@dataclass(frozen=True, slots=True)
class ToolCallStarted:
    """A model begins to call a tool.

    Of each call there is one of these, then deltas if its arguments grow, then one `ToolCalled`;
    and after that, if the tool is run here, its `ToolFinished` or `ToolFailed`.

    Attributes:
        step: The tool to be: type ``tool``, with the tags and the node of the model.
        message: The id of the step of the model that calls; ``""`` if code calls the tool.
        hosted: Whether the model's provider runs the tool.
    """

    step: Step
    call_id: str
    name: str
    message: str = ""
    hosted: bool = False
    event: ClassVar[str] = "on_tool_start"


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a call's arguments, which are JSON when they are all there."""

    step: Step
    call_id: str
    text: str
    event: ClassVar[str] = "on_tool_start"


@dataclass(frozen=True, slots=True)
class ToolCalled:
    """A call whose arguments are all there.

    Attributes:
        arguments: The arguments by name; the text as it is, if that is not JSON.
        valid: Whether they are JSON.
    """

    step: Step
    call_id: str
    name: str
    arguments: Any
    valid: bool = True
    event: ClassVar[str] = "on_tool_start"


@dataclass(frozen=True, slots=True)
class ToolCallResumed:
    """A call of the thread's history, which the client has been told of, is about to be answered.

    Of such a call there is nothing else but this and then its `ToolFinished` or `ToolFailed`.
    """

    step: Step
    call_id: str
    name: str
    arguments: Any
    event: ClassVar[str] = "on_tool_start"


@dataclass(frozen=True, slots=True)
class ToolFinished:
    """A tool that the run has run itself has answered."""

    step: Step
    call_id: str
    name: str
    output: Any
    event: ClassVar[str] = "on_tool_end"


@dataclass(frozen=True, slots=True)
class ToolFailed:
    """A tool that the run has run itself has failed; the run may go on.

    The `message` is safe to show to anyone.
    """

    step: Step
    call_id: str
    name: str
    message: str
    event: ClassVar[str] = "on_tool_error"
