"""The callback handler that LangChain calls during a run.

Only this module knows LangChain's callbacks: their names and signatures, and from which threads
they come. What happened goes to a `RunTracker` and then to a `StepHandler`.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from threading import get_ident
from typing import Any, TypeVar
from uuid import UUID, uuid4

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import BaseMessage, BaseMessageChunk
from langchain_core.runnables.config import var_child_runnable_config

from ...events import Step
from .emitter import Emitter
from .pacing import Pacer
from .sink import Sink
from .step_handler import StepHandler
from .tracker import RunTracker

Item = TypeVar("Item")


class RunCallbacks(BaseCallbackHandler):
    """Passes LangChain's callbacks on to a `RunTracker` and a `StepHandler`.

    Its methods are plain functions where possible: LangChain calls an inline handler's in place,
    without a task or a thread, in the order in which things happen.

    Args:
        tracker: Tracks the steps.
        handler: Turns them into events.
        emitter: Emits events from threads.
        sink: Takes events on the event loop.
        pacer: Says when a model has to wait.
    """

    run_inline = True

    def __init__(
        self, tracker: RunTracker, handler: StepHandler, emitter: Emitter, sink: Sink, pacer: Pacer
    ) -> None:
        self._tracker = tracker
        self._handler = handler
        self._delta = handler.delta
        self._emitter = emitter
        self._put = sink.put
        self._pacer = pacer
        self._thread = get_ident()

    # Tokens.

    @property
    def on_llm_new_token(self) -> Callable[..., Any]:
        """Return the method to call for the current token.

        LangChain reads this at each token, and awaits the method if it is a coroutine function. So
        a token on the event loop costs a coroutine only when it has to wait. A thread must not get
        a coroutine function, for which LangChain would create an event loop each time.
        """
        if get_ident() != self._thread:
            return self._token_in_thread
        return self._token_and_pause if self._pacer.due() else self._token

    def _token(self, token: Any, *, run_id: UUID, chunk: Any = None, **_: Any) -> None:
        tracker = self._tracker
        if tracker.refusing and not tracker.allows(run_id):
            raise CancelledError
        event = self._delta(run_id, token, chunk)
        if event is not None:
            self._put(event)

    async def _token_and_pause(self, token: Any, **about: Any) -> None:
        if get_ident() == self._thread:
            self._token(token, **about)
            await self._pacer.pause()
        else:
            # From a sync call on the event loop's thread, which blocks until this is done.
            self._emit_token(token, **about)

    def _token_in_thread(self, token: Any, **about: Any) -> None:
        self._emit_token(token, **about)
        self._emitter.hold_back()

    def _emit_token(self, token: Any, *, run_id: UUID, chunk: Any = None, **_: Any) -> None:
        """Do what `_token` does, in another thread."""
        if self._tracker.refusing:
            raise CancelledError
        event = self._delta(run_id, token, chunk)
        if event is not None:
            self._emitter.emit(event)

    # Custom events, and what LangGraph reports without callbacks.

    @property
    def ignore_custom_event(self) -> bool:
        return not self._handler.takes_custom

    @property
    def on_custom_event(self) -> Any:  # like `on_llm_new_token`
        paced = get_ident() == self._thread and self._pacer.due()
        return self._custom_and_pause if paced else self._custom

    async def _custom_and_pause(self, *args: Any, **about: Any) -> None:
        self._custom(*args, **about)
        if get_ident() == self._thread:  # else a sync call on the loop's thread blocks until then
            await self._pacer.pause()

    def _custom(self, name: str, data: Any, *, run_id: UUID, **about: Any) -> None:
        node = (about.get("metadata") or {}).get("langgraph_node")
        step = Step(str(run_id), name, "custom", about.get("tags") or (), node)
        self._handler.custom(step, name, data)

    def write(self, data: Any) -> None:
        """Take data written to LangGraph's stream writer, from any thread."""
        self._take(self._written, data)

    def pushed(self, message: BaseMessage) -> None:
        """Take a message that code sends by LangGraph's ``push_message``, from any thread."""
        self._take(self._push, message)

    def _take(self, emit: Callable[[Any], None], value: Any) -> None:
        in_thread = get_ident() != self._thread
        if not self._tracker.refusing:
            emit(value)
        elif in_thread:
            raise CancelledError
        if in_thread:
            self._emitter.hold_back()

    def _written(self, data: Any) -> None:
        config = var_child_runnable_config.get() or {}
        node = (config.get("metadata") or {}).get("langgraph_node")
        name = self._tracker.root.name if self._tracker.root else "Unnamed"
        step = Step(str(self._tracker.root_id), name, "chain", (), node)
        self._handler.custom(step, "custom", data)

    def _push(self, message: BaseMessage) -> None:
        config = var_child_runnable_config.get() or {}
        run_id: Any = getattr(config.get("callbacks"), "parent_run_id", None)
        step = self._tracker.steps.get(run_id)
        if step is not None and not isinstance(message, BaseMessageChunk):
            self._handler.pushed(run_id, step, message)

    def cached(self, namespace: str, node: str, output: Any) -> None:
        """Take a node's output from LangGraph's cache, as if the node had run.

        Args:
            namespace: The checkpoint namespace of the node's graph.
            node: The node's name.
            output: What the node would have returned.
        """
        if self._tracker.refusing:
            return
        graph, agent = self._tracker.graph_in(namespace)
        metadata = {
            "langgraph_node": node,
            "langgraph_checkpoint_ns": f"{namespace}|{node}".lstrip("|"),
            "lc_agent_name": agent,
        }
        about: Any = {"name": node, "tags": ["graph:step:0"], "metadata": metadata}
        run_id = uuid4()
        self.on_chain_start(None, {}, run_id=run_id, parent_run_id=graph, **about)
        self.on_chain_end(output, run_id=run_id)

    # Steps.

    def _start(
        self,
        run_id: UUID,
        type_: str,
        serialized: Mapping[str, Any] | None,
        inputs: Any,
        about: dict[str, Any],
    ) -> Step:
        step = self._tracker.start(run_id, type_, serialized, about)
        parent_id, call_id = about.get("parent_run_id"), about.get("tool_call_id")
        self._handler.started(run_id, step, parent_id, inputs, call_id)
        return step

    def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: UUID, **about: Any) -> None:
        self._start(run_id, about.get("run_type") or "chain", serialized, inputs, about)

    def on_chat_model_start(
        self, serialized: Any, messages: Any, *, run_id: UUID, **about: Any
    ) -> None:
        step = self._start(run_id, "chat_model", serialized, messages, about)
        match about.get("options"):
            case {"ls_structured_output_format": {"kwargs": {"method": "function_calling"}}}:
                self._handler.structured(step)  # LangChain's mark, for LangSmith

    def on_llm_start(self, serialized: Any, prompts: Any, *, run_id: UUID, **about: Any) -> None:
        self._start(run_id, "llm", serialized, prompts, about)

    def on_tool_start(self, serialized: Any, input_str: Any, *, run_id: UUID, **about: Any) -> None:
        self._start(run_id, "tool", serialized, about.get("inputs"), about)

    def on_retriever_start(
        self, serialized: Any, query: Any, *, run_id: UUID, **about: Any
    ) -> None:
        self._start(run_id, "retriever", serialized, query, about)

    def _end(self, output: Any, *, run_id: UUID, **about: Any) -> None:
        step = self._tracker.end(run_id, output)
        if step is not None:
            self._handler.ended(run_id, step, output)

    # LangChain passes the output by position, whatever the parameter's name.
    on_chain_end = on_tool_end = on_retriever_end = _end  # type: ignore[assignment]

    def on_llm_end(self, response: Any, *, run_id: UUID, **about: Any) -> None:
        generation = response.generations[0][0] if response.generations[0] else None
        output = getattr(generation, "message", getattr(generation, "text", None))
        self._end(output, run_id=run_id)

    def _error(self, error: BaseException, *, run_id: UUID, **about: Any) -> None:
        step = self._tracker.fail(run_id)
        if step is not None:
            self._handler.failed(run_id, step, error)

    on_chain_error = on_llm_error = on_tool_error = on_retriever_error = _error


class StreamingCallbacks(RunCallbacks):
    """`RunCallbacks` for which every model streams, even one that a node calls with ``ainvoke``.

    LangChain recognizes a streaming handler by its two ``tap_`` methods (the runtime protocol
    ``langchain_core.tracers._streaming._StreamingCallbackHandler``).
    """

    def tap_output_aiter(self, run_id: UUID, output: AsyncIterator[Item]) -> AsyncIterator[Item]:
        return output

    def tap_output_iter(self, run_id: UUID, output: Iterator[Item]) -> Iterator[Item]:
        return output
