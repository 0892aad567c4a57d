"""Emits tool calls: as models make them, piece by piece, and as tools answer them.

The answer to a call is the ``ToolMessage`` that a node of the graph returns for it, as in
LangGraph's own streams: a tool may be retried, replaced by a cached answer, or never run at all.
Outside of a graph it is what the tool itself returns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import UUID

from langchain_core.messages import ToolMessage

from ...events import Event, Step
from ...serialize import to_json
from ..messages import ToolMessageError
from .call_events import CallEvents
from .call_registry import NOTHING, CallRegistry, ToolCall
from .graph_messages import answer_of, content_of, is_no_failure, messages_in
from .sink import Sink


class ToolCalls:
    """Emits the events of a run's tool calls.

    Whoever makes a call, and however it arrives, its events are the same, in the same order:
    started, deltas, called, and finished or failed if the tool does not run at the client.

    Args:
        sink: Says which calls are for the client.
        emit: Takes the events, from any thread.
        client_tools: The names of the tools that the client runs.
    """

    def __init__(
        self,
        sink: Sink,
        emit: Callable[[Event], None],
        client_tools: frozenset[str] = frozenset(),
    ) -> None:
        self._client_tools = client_tools
        self._registry = CallRegistry()
        self._events = CallEvents(self._registry, sink, emit, client_tools)
        self._incomplete: dict[str, dict[Any, ToolCall]] = {}
        """For the run id of each running model, its calls by the model's index or by their id."""
        self._running: dict[str, ToolCall] = {}
        """The calls whose tools are running, by the tools' run ids."""
        self._tasks: dict[UUID, Step] = {}
        """The open nodes, and the open tasks that those of an ``@entrypoint`` have started."""
        self.add_history = self._registry.add_history
        self.answer_history = self._registry.answer_history
        self.hide = self._events.hide

    # Calls that models make.

    def add_chunk(self, model: Step, chunk: Mapping[str, Any]) -> None:
        """Add a piece of a call that `model` streamed: LangChain's ``ToolCallChunk``."""
        calls = self._incomplete.setdefault(model.run_id, {})
        index, model_id, text = chunk.get("index"), chunk.get("id"), chunk.get("args") or ""
        name = chunk.get("name") or ""
        if index is None and (name or model_id in calls or not calls):
            index = model_id or object()
        elif index is None:
            # A model that does not number its calls continues the last one.
            index = next(reversed(calls))
        call = calls.get(index)
        if call is not None and model_id and not call.model_id and not name:
            self._registry.set_model_id(call, model_id)
        if call is None or (model_id and model_id != call.model_id):
            if call is not None:
                # Kept under another key, so that the final message's call is matched with it.
                self._events.complete(call, call.text)
                calls[call.call_id] = call
            hosted = chunk.get("type") == "server_tool_call_chunk"
            call = calls[index] = self._events.start(model, model_id, name, hosted=hosted)
        if text:
            call.pieces.append(text)
            self._events.add_arguments(call, text)

    def add(self, model: Step, whole: Mapping[str, Any]) -> None:
        """Add a whole call of `model`, streamed before or not: LangChain's ``ToolCall``."""
        calls = self._incomplete.setdefault(model.run_id, {})
        model_id, name, arguments = whole.get("id"), whole["name"], whole["args"]
        for call in calls.values():
            same = call.model_id == model_id if model_id else call.step.name == name
            if same and not call.matched:
                break
        else:
            hosted = whole.get("type") == "server_tool_call"
            call = self._events.start(model, model_id, name, hosted=hosted)
            calls[call.call_id] = call
            self._events.add_arguments(call, to_json(arguments).decode())
        call.matched = True
        # What the client has seen in pieces takes precedence.
        self._events.complete(call, call.text or arguments)

    def finish(self, model: Step, calls: Iterable[Mapping[str, Any]]) -> None:
        """Complete the calls of `model`, which has ended.

        Args:
            model: The model.
            calls: The calls in its final message, as LangChain parsed them.
        """
        for whole in calls:
            self.add(model, whole)
        for call in tuple(self._incomplete.pop(model.run_id, {}).values()):
            self._events.complete(call, call.text)

    def add_hosted_result(self, model: Step, result: Mapping[str, Any]) -> None:
        """Take the answer of a tool that the provider ran: LangChain's ``ServerToolResult``."""
        call = self._registry.match(result["tool_call_id"], model)
        if call is None:
            return
        self._events.complete(call, call.text)
        output = result.get("output")
        failed = result.get("status") == "error"
        self._events.finish(call, ToolMessageError(str(output)) if failed else output)

    # Tools that run on the server.

    def tool_started(self, step: Step, model_id: str | None, arguments: Any) -> None:
        """Note that a tool starts.

        Args:
            step: The tool.
            model_id: The id of the call, None if code calls the tool, perhaps for a model's call.
            arguments: The tool's arguments.
        """
        call = self._registry.match(model_id, step, step.name, arguments)
        call = call or self._events.resume(model_id, step)
        if call is None and model_id is None:
            call = self._registry.match_arguments(step, arguments) or self._events.resume(
                self._registry.history_with(step.name, arguments), step
            )
        if call is None:
            # No model has called it, so code has.
            call = self._events.start_here(step, model_id)
            self._events.complete(call, arguments or {})
        call.tool, call.running = step, True
        self._running[step.run_id] = call

    def tool_ended(self, step: Step, output: Any) -> None:
        """Take the output of a tool that has ended, the exception if it failed.

        A tool that runs in a graph is answered by the graph's message, see `message`. If there is
        none, `settle` emits its output.
        """
        call = self._running.pop(step.run_id)
        call.running = False
        if isinstance(output, BaseException) and is_no_failure(output):
            call.result = NOTHING
            return
        output = answer_of(output, call.model_id or "")
        called_by_code = call.step is step
        if step.node is None or called_by_code:
            self._events.finish(call, content_of(output))
        else:
            call.result = output

    def message(self, node: Step, message: ToolMessage, following: int = 0) -> None:
        """Take the answer to a call that a node returned.

        Args:
            node: The node.
            message: The answer.
            following: How many more messages the node returned for the same id. The last one that
                is left for a call is its answer.
        """
        model_id = message.tool_call_id
        unanswered = self._registry.unanswered_with(model_id)
        here = [call for call in unanswered if call.step.graph == node.graph] or unanswered
        if following and following >= len(here):
            return
        call = self._registry.match(model_id, node, message.name) or self._events.resume(
            model_id, node
        )
        if call is not None and not self._runs_at_client(call):
            self._events.finish(call, content_of(message))

    def chain_started(self, run_id: UUID, step: Step, parent_id: UUID | None) -> None:
        """Note that a chain starts, which may be a node, or a ``@task`` of LangGraph."""
        parent = None if parent_id is None else self._tasks.get(parent_id)
        is_task = parent is not None and step.graph == parent.namespace != step.namespace
        if step.is_node or is_task:
            self._tasks[run_id] = step

    def chain_ended(self, run_id: UUID, output: Any) -> None:
        """Note that a chain has succeeded: a node or a task answers the calls in it."""
        step = self._tasks.pop(run_id, None)
        if step is None:
            return
        for message in () if step.is_node else messages_in(output):
            if isinstance(message, ToolMessage):
                self.message(step, message)
        self.settle(step)

    def settle(self, node: Step) -> None:
        """Emit what the tools in a node or task that has succeeded returned, unless a message has.

        Tools of subgraphs in it are included. A node that fails may be retried.
        """
        for call in self._registry.unanswered():
            if call.result is not NOTHING and call.tool is not None and call.tool.is_in(node):
                self._events.finish(call, content_of(call.result))

    def conclude(self) -> None:
        """Finish all calls that the run should have answered itself: it has ended."""
        for call in self._registry.unanswered():
            ours = call.step.node is not None or call.tool is not None
            if call.result is not NOTHING:
                self._events.finish(call, content_of(call.result))
            elif ours and call.complete and not self._runs_at_client(call):
                reason = "was not run" if call.tool is None else "did not answer"
                self._events.finish(call, ToolMessageError(f"The tool {reason}."))

    def _runs_at_client(self, call: ToolCall) -> bool:
        """Return whether the client answers a call: no message of the graph is its answer then."""
        return call.step.name in self._client_tools and call.tool is None
