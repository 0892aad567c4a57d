"""Tool calls and their results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from .steps import Step


@dataclass(frozen=True, slots=True)
class ToolCallStarted:
    """A model started to call a tool.

    It is followed by the deltas of the arguments, by one `ToolCalled` and, if the tool runs on the
    server, by one `ToolFinished` or `ToolFailed`.

    Attributes:
        step: The tool's step: type ``tool``, with the tags and the node of the model.
        call_id: The call's id, unique in the run.
        name: The tool's name.
        message: Run id of the model that makes the call; ``""`` if code calls the tool.
        hosted: Whether the model's provider runs the tool.
        at_client: Whether the client is to run the tool.
    """

    step: Step
    call_id: str
    name: str
    message: str = ""
    hosted: bool = False
    at_client: bool = False
    event: ClassVar[str] = "on_tool_start"


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of the call's arguments.

    Attributes:
        step: The tool's step.
        call_id: The call's id.
        text: A fragment of JSON.
    """

    step: Step
    call_id: str
    text: str
    event: ClassVar[str] = "on_tool_start"


@dataclass(frozen=True, slots=True)
class ToolCalled:
    """The arguments of a call are complete.

    Attributes:
        step: The tool's step.
        call_id: The call's id.
        name: The tool's name.
        arguments: The arguments by name; the raw text if it is not valid JSON.
        valid: Whether the arguments are valid JSON.
    """

    step: Step
    call_id: str
    name: str
    arguments: Any
    valid: bool = True
    event: ClassVar[str] = "on_tool_start"


@dataclass(frozen=True, slots=True)
class ToolCallResumed:
    """A call from the thread's history, which the client knows, is about to be answered.

    The only other event of such a call is its `ToolFinished` or `ToolFailed`.

    Attributes:
        step: The tool's step.
        call_id: The call's id.
        name: The tool's name.
        arguments: The arguments by name.
    """

    step: Step
    call_id: str
    name: str
    arguments: Any
    event: ClassVar[str] = "on_tool_start"


@dataclass(frozen=True, slots=True)
class ToolFinished:
    """A tool that ran on the server, or at the model's provider, returned its result.

    Attributes:
        step: The tool's step.
        call_id: The call's id.
        name: The tool's name.
        output: The result that the client may see.
    """

    step: Step
    call_id: str
    name: str
    output: Any
    event: ClassVar[str] = "on_tool_end"


@dataclass(frozen=True, slots=True)
class ToolFailed:
    """A tool that ran on the server, or at the model's provider, failed. The run may go on.

    Attributes:
        step: The tool's step.
        call_id: The call's id.
        name: The tool's name.
        message: A text that is safe to show to anyone.
    """

    step: Step
    call_id: str
    name: str
    message: str
    event: ClassVar[str] = "on_tool_error"
