"""The tool calls of a run by their ids, which models may repeat, omit or send late."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...events import Step

NOTHING = object()
"""The result of a tool that has not returned yet."""


@dataclass(slots=True, eq=False)
class ToolCall:
    """A tool call.

    Attributes:
        step: The tool's step: the one that calls it with the tool's name and type.
        call_id: The call's id in events, unique in the run.
        model_id: The id that the model gave it, None if there is none yet.
        shown: Whether the client gets the call's events.
        started: Whether any of its arguments have been emitted.
        complete: Whether its arguments are complete.
        matched: Whether it has been matched with a call in the model's final message.
        tool: The step of the tool that was last run for it.
        running: Whether that step is open.
        answered: Whether its result has been emitted, or never will be.
        result: What the tool returned or raised, until a message answers the call.
        arguments: The arguments, once they are complete.
        earlier: The arguments of a call from the thread's history.
        pieces: The pieces of its arguments so far.
    """

    step: Step
    call_id: str
    model_id: str | None
    shown: bool
    started: bool = False
    complete: bool = False
    matched: bool = False
    tool: Step | None = None
    running: bool = False
    answered: bool = False
    result: Any = NOTHING
    arguments: Any = None
    earlier: Mapping[str, Any] | None = None
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Return the arguments so far, as the model wrote them."""
        return "".join(self.pieces)


class CallRegistry:
    """Finds the tool calls of a run, and those that the thread's history left unanswered."""

    def __init__(self) -> None:
        self._calls: dict[str, ToolCall] = {}
        """All calls by their ids in events, in order."""
        self._by_model_id: dict[str | None, list[ToolCall]] = {}
        """The calls by the models' ids: several for an id that is repeated or empty."""
        self._history: dict[str, Mapping[str, Any] | None] = {}
        """The calls of the thread's history by id; None for those that have been answered."""

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, call: ToolCall) -> None:
        self._calls[call.call_id] = call
        if call.model_id is not None:
            self._by_model_id.setdefault(call.model_id, []).append(call)

    def set_model_id(self, call: ToolCall, model_id: str) -> None:
        """Set the id of a call whose model sends it after the name."""
        if call.model_id is not None:
            self._by_model_id[call.model_id].remove(call)
        call.model_id = model_id
        self._by_model_id.setdefault(model_id, []).append(call)

    def free_id(self, wanted: str) -> str:
        """Return `wanted`, or with a number appended if the run or the thread has used it."""
        number, free = 1, wanted
        while (
            free in self._calls
            or free in self._history
            or (number > 1 and free in self._by_model_id)
        ):
            number += 1
            free = f"{wanted}-{number}"
        return free

    def unanswered(self) -> list[ToolCall]:
        """Return all calls without an answer."""
        # Threads may add calls meanwhile.
        return [call for call in tuple(self._calls.values()) if not call.answered]

    def unanswered_with(self, model_id: str | None) -> list[ToolCall]:
        """Return the calls without an answer that a model gave an id."""
        return [call for call in self._by_model_id.get(model_id, ()) if not call.answered]

    def match(
        self, model_id: str | None, step: Step, name: str | None = None, arguments: Any = None
    ) -> ToolCall | None:
        """Return the unanswered call with an id; of several, the first that fits `step` best.

        Args:
            model_id: The id that the model gave the call.
            step: The step that runs for the call, or that has answered it.
            name: The tool's name, if known.
            arguments: The arguments that the tool runs with.
        """

        def fit(call: ToolCall) -> tuple[bool, ...]:
            ran = call.tool if step.type != "tool" else None
            return (
                call.step.graph == step.graph,
                call.step.name == name,
                call.arguments == arguments,
                ran is not None and ran.namespace == step.namespace,
                not call.running and call.result is NOTHING,
            )

        return max(self.unanswered_with(model_id), key=fit, default=None)

    def match_arguments(self, step: Step, arguments: Any) -> ToolCall | None:
        """Return the unanswered call of the graph of a tool that the tool runs for, without its id.

        Code may pass nothing but the arguments, perhaps with some of its own. Of several calls, it
        is the first one that no tool has run for.

        Args:
            step: The tool.
            arguments: The arguments that it runs with, None if there is only a text.
        """
        calls = [
            call
            for call in self.unanswered()
            if (call.step.graph, call.step.name) == (step.graph, step.name)
            and call.complete
            and not call.running
            and _includes(arguments, call.arguments if call.earlier is None else call.earlier)
        ]
        return min(calls, key=lambda call: call.tool is not None, default=None)

    # The thread's history.

    def add_history(self, call: Mapping[str, Any]) -> None:
        """Add a call of the thread's history, which the client knows."""
        if call.get("id") and call["id"] not in self._by_model_id:
            self._history[call["id"]] = call

    def answer_history(self, call_id: str) -> None:
        """Note that the thread's history contains the answer to a call."""
        if call_id in self._history:
            self._history[call_id] = None

    def history_with(self, name: str, arguments: Any) -> str | None:
        """Return the id of the first unanswered call of the thread's history that fits a tool."""
        for call_id, call in tuple(self._history.items()):
            if call and call["name"] == name and _includes(arguments, call["args"]):
                return call_id
        return None

    def take_history(self, call_id: str | None) -> Mapping[str, Any] | None:
        """Return the call of the thread's history with an id, once, if it has no answer yet."""
        if not call_id or (call := self._history.get(call_id)) is None:
            return None
        self._history[call_id] = None
        return call


def _includes(arguments: Any, wanted: Any) -> bool:
    """Return whether a tool may run with some arguments for a call with the `wanted` ones."""
    if not isinstance(arguments, Mapping) or not isinstance(wanted, Mapping):
        return arguments is None or arguments == wanted
    return all(name in arguments and arguments[name] == each for name, each in wanted.items())
