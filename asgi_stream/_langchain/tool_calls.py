"""Tool calls: as a model makes them, a piece at a time, and as tools answer them.

What answers a call is the ``ToolMessage`` that a node of the graph returns for it, as in
LangGraph's own streams: a tool may be tried again, replaced by a cached answer, or never be run at
all. What a tool itself has returned counts where no graph is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from langchain_core.messages import ToolMessage

from .._json import loads
from ..events import (
    Event,
    Step,
    ToolCallDelta,
    ToolCalled,
    ToolCallResumed,
    ToolCallStarted,
    ToolFailed,
    ToolFinished,
)
from ..serialize import to_json
from .messages import NOT_STREAMED, ToolMessageError, answer_of, content_of, is_no_failure
from .sink import Sink

NOTHING = object()
"""A tool has returned nothing yet."""


@dataclass(slots=True, eq=False)
class _Call:
    """A tool call.

    Attributes:
        step: The tool to be.
        call_id: Its id towards the client, which no other call of the run has.
        given: Its id as the model gives it, if that is known.
        shown: Whether the client is told of it.
        told: Whether anything of its arguments is.
        complete: Whether its arguments are all there.
        whole: Whether the model's whole message has been found to have it.
        tool: The step of the tool that was last run for it.
        running: Whether that goes on.
        answered: Whether the client has its answer, or never will.
        result: What the tool has returned or raised, until a message answers the call.
        arguments: The arguments, once they are all there.
        earlier: The arguments of a call of the thread's history.
    """

    step: Step
    call_id: str
    given: str | None
    shown: bool
    told: bool = False
    complete: bool = False
    whole: bool = False
    tool: Step | None = None
    running: bool = False
    answered: bool = False
    result: Any = NOTHING
    arguments: Any = None
    earlier: Mapping[str, Any] | None = None
    pieces: list[str] = field(default_factory=list)


class Calls:
    """All tool calls of a run.

    Of each call, whoever makes it and however it comes, the events are the same and in the same
    order: started, deltas, called, and one finished or failed if the tool is run here.

    Args:
        sink: FormatRequest whether a call is for the client.
        emit: Takes the events, from whichever thread.
    """

    def __init__(self, sink: Sink, emit: Callable[[Event], None]) -> None:
        self._sink = sink
        self._emit = emit
        self.client_tools: frozenset[str] = frozenset()
        """The names of the tools that the client runs."""
        self._calls: dict[str, _Call] = {}
        """All calls by their ids towards the client, in order."""
        self._given: dict[str | None, list[_Call]] = {}
        """The calls by the ids that models have given them: more than once, or empty ones too."""
        self._growing: dict[str, dict[Any, _Call]] = {}
        self._running: dict[str, _Call] = {}
        self._earlier: dict[str, Mapping[str, Any] | None] = {}
        """The calls of the thread's history by their ids; None for those that have an answer."""

    def had(self, call: Mapping[str, Any]) -> None:
        """This call is in the thread's history, so its client knows it."""
        if call.get("id") and call["id"] not in self._given:
            self._earlier[call["id"]] = call

    def had_answer(self, call_id: str) -> None:
        """The answer to a call is in the thread's history too."""
        if call_id in self._earlier:
            self._earlier[call_id] = None

    def grow(self, model: Step, chunk: Mapping[str, Any]) -> None:
        """`model` has said a piece of a call: LangChain's ``ToolCallChunk``."""
        growing = self._growing.setdefault(model.run_id, {})
        index, given, text = chunk.get("index"), chunk.get("id"), chunk.get("args") or ""
        name = chunk.get("name") or ""
        if index is None and (name or given in growing or not growing):
            index = given or object()
        elif index is None:
            # A model that does not count its calls goes on with the last one.
            index = next(reversed(growing))
        call = growing.get(index)
        if call is not None and given and not call.given and not name:
            self._name(call, given)  # the id may come after the name
        if call is None or (given and given != call.given):
            if call is not None:
                # Kept, so that the whole call at the end is known for the same.
                self._complete(call, "".join(call.pieces))
                growing[call.call_id] = call
            hosted = chunk.get("type") == "server_tool_call_chunk"
            call = growing[index] = self._begin(model, given, name, hosted)
        if text:
            call.pieces.append(text)
            self._tell(call, text)

    def made(self, model: Step, whole: Mapping[str, Any]) -> None:
        """`model` has made a call, in pieces or in one: LangChain's ``ToolCall``."""
        growing = self._growing.setdefault(model.run_id, {})
        given, name, arguments = whole.get("id"), whole["name"], whole["args"]
        for call in growing.values():
            same = call.given == given if given else call.step.name == name
            if same and not call.whole:
                break
        else:
            hosted = whole.get("type") == "server_tool_call"
            call = self._begin(model, given, name, hosted)
            growing[call.call_id] = call
            self._tell(call, to_json(arguments).decode())
        call.whole = True
        # What the client has seen grow is what counts.
        self._complete(call, "".join(call.pieces) or arguments)

    def finish(self, model: Step, calls: Iterable[Mapping[str, Any]]) -> None:
        """`model` has said all; `calls` are those that LangChain has understood."""
        for call in calls:
            self.made(model, call)
        for rest in tuple(self._growing.pop(model.run_id, {}).values()):
            self._complete(rest, "".join(rest.pieces))

    def answered(self, model: Step, result: Mapping[str, Any]) -> None:
        """A tool of the model's provider has answered: LangChain's ``ServerToolResult``."""
        call = self._open(result["tool_call_id"], model)
        if call is None:
            return
        self._complete(call, "".join(call.pieces))
        output = result.get("output")
        failed = result.get("status") == "error"
        self._end(call, ToolMessageError(str(output)) if failed else output)

    def tool_started(self, step: Step, given: str | None, arguments: Any) -> None:
        """A tool is run here."""
        call = self._open(given, step, step.name, arguments) or self._resume(given, step)
        if call is None:
            # No model has called it: the code has.
            call = self._begin_here(step, given)
            self._complete(call, arguments or {})
        call.tool, call.running = step, True
        self._running[step.run_id] = call

    def tool_ended(self, step: Step, output: Any) -> None:
        """A tool that was run here has answered, or failed if `output` is an exception.

        Where the tool is a part of a graph its answer waits for the graph's message, see
        `message`; `settle` is called if there is none.
        """
        call = self._running.pop(step.run_id)
        call.running = False
        if isinstance(output, BaseException) and is_no_failure(output):
            call.result = NOTHING
            return
        output = answer_of(output, call.given or "")
        by_code = call.step is step
        if step.node is None or by_code:
            self._end(call, content_of(output))
        else:
            call.result = output

    def message(self, node: Step, message: ToolMessage, coming: int = 0) -> None:
        """A node of the graph has returned the answer to a call.

        Args:
            node: The node.
            message: The answer.
            coming: How many more it has returned for the same id: for a call the last one counts.
        """
        given = message.tool_call_id
        waiting = [call for call in self._given.get(given, ()) if not call.answered]
        here = [call for call in waiting if call.step.graph == node.graph] or waiting
        if coming and coming >= len(here):
            return
        call = self._open(given, node, message.name) or self._resume(given, node)
        if call is not None and not self._is_client_s(call):
            self._end(call, content_of(message))

    def settle(self, node: Step) -> None:
        """A node has ended well: what its tools have returned and no message says is their answer.

        Those of graphs in it are its tools too. A node that fails may be tried again.
        """
        for call in self._unanswered():
            if call.result is not NOTHING and call.tool is not None and call.tool.is_in(node):
                self._end(call, content_of(call.result))

    def conclude(self) -> None:
        """The run has ended, and not to ask: of the calls that it answers itself none goes on."""
        for call in self._unanswered():
            ours = call.step.node is not None or call.tool is not None
            if call.result is not NOTHING:
                self._end(call, content_of(call.result))
            elif ours and call.complete and not self._is_client_s(call):
                never = "The tool was not run." if call.tool is None else "The tool did not answer."
                self._end(call, ToolMessageError(never))

    def _is_client_s(self, call: _Call) -> bool:
        """Whether the client is to answer a call: what a graph says instead is no answer."""
        return call.step.name in self.client_tools and call.tool is None

    def _unanswered(self) -> list[_Call]:
        # Threads may go on while a run is ended.
        return [call for call in tuple(self._calls.values()) if not call.answered]

    def _open(
        self, given: str | None, step: Step, name: str | None = None, arguments: Any = None
    ) -> _Call | None:
        """The call with an id that has no answer: of several, the first that `step` suits best.

        Args:
            given: The id.
            step: What is run for the call, or has answered it.
            name: The tool, if that is known.
            arguments: What it is run with.
        """

        def suits(call: _Call) -> tuple[bool, ...]:
            ran = call.tool if step.type != "tool" else None
            return (
                call.step.graph == step.graph,
                call.step.name == name,
                call.arguments == arguments,
                ran is not None and ran.namespace == step.namespace,
                not call.running and call.result is NOTHING,
            )

        found = [call for call in self._given.get(given, ()) if not call.answered]
        return max(found, key=suits, default=None)

    def _end(self, call: _Call, output: Any) -> None:
        if call.answered:
            return
        call.answered = True
        if not call.shown:
            return
        step, call_id, name = call.tool or call.step, call.call_id, call.step.name
        if call.earlier is not None:
            self._emit(ToolCallResumed(step, call_id, name, call.earlier))
        if isinstance(output, BaseException):
            self._emit(ToolFailed(step, call_id, name, self._sink.public_message(output)))
        else:
            self._emit(ToolFinished(step, call_id, name, output))

    def _begin(self, model: Step, given: str | None, name: str, hosted: bool) -> _Call:
        call_id = self._free_id(given or f"{model.run_id}-call-{len(self._calls) + 1}")
        step = replace(model, name=name, type="tool")
        return self._show(given, ToolCallStarted(step, call_id, name, model.run_id, hosted))

    def _begin_here(self, step: Step, given: str | None) -> _Call:
        return self._show(
            given, ToolCallStarted(step, self._free_id(given or step.run_id), step.name)
        )

    def _show(self, given: str | None, started: ToolCallStarted) -> _Call:
        step = started.step
        shown = NOT_STREAMED.isdisjoint(step.tags) and self._sink.admits(started)
        call = self._add(_Call(step, started.call_id, given, shown))
        if shown:
            self._emit(started)
        return call

    def _resume(self, given: str | None, step: Step) -> _Call | None:
        """The call of the thread's history with an id, if it has no answer yet."""
        if not given or (known := self._earlier.get(given)) is None:
            return None
        self._earlier[given] = None
        step = replace(step, name=known["name"], type="tool")
        shown = self._admits(step, given)
        return self._add(_Call(step, given, given, shown, complete=True, earlier=known["args"]))

    def _add(self, call: _Call) -> _Call:
        self._calls[call.call_id] = call
        if call.given is not None:
            self._given.setdefault(call.given, []).append(call)
        return call

    def _admits(self, step: Step, call_id: str) -> bool:
        started = ToolCallStarted(step, call_id, step.name)
        return NOT_STREAMED.isdisjoint(step.tags) and self._sink.admits(started)

    def _name(self, call: _Call, given: str) -> None:
        if call.given is not None:
            self._given[call.given].remove(call)
        call.given = given
        self._given.setdefault(given, []).append(call)

    def _free_id(self, wanted: str) -> str:
        """An id towards the client: models may give one twice, in another run too."""
        number, free = 1, wanted
        while free in self._calls or free in self._earlier or (number > 1 and free in self._given):
            number += 1
            free = f"{wanted}-{number}"
        return free

    def _tell(self, call: _Call, text: str) -> None:
        call.told = True
        if call.shown:
            self._emit(ToolCallDelta(call.step, call.call_id, text))

    def _complete(self, call: _Call, arguments: Any) -> None:
        if call.complete:
            return
        call.complete = valid = True
        if isinstance(arguments, str):
            try:
                arguments = loads(arguments or "{}")
            except orjson.JSONDecodeError:
                valid = False
        call.arguments = arguments
        if not call.told:
            self._tell(call, to_json(arguments).decode())
        if call.shown:
            self._emit(ToolCalled(call.step, call.call_id, call.step.name, arguments, valid))
