"""The steps of a served run as steps of a local run: callbacks, traces and events include both."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from inspect import isawaitable
from typing import Any
from uuid import UUID

from langchain_core.messages import BaseMessage, BaseMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, Generation, GenerationChunk
from langchain_core.outputs import LLMResult as Result

from ..events import LangChainEvent
from ._errors import httpx
from ._messages import revived

Calls = Generator[Any, Any, Any]
"""Yields the result of each call to a callback manager, and gets it back, awaited if need be."""


class CallbackBridge:
    """Passes the events of a served run on to the callbacks of a local run.

    Args:
        manager: The callback manager of the local run, for sync or for async code.
    """

    def __init__(self, manager: Any) -> None:
        self._manager = manager
        self._open: dict[str, Any] = {}

    async def pass_on(self, event: LangChainEvent) -> None:
        """Call the callbacks of an event, from async code."""
        await _run_async(self._pass_on(event))

    def pass_on_sync(self, event: LangChainEvent) -> None:
        """Call the callbacks of an event, from sync code."""
        _run_sync(self._pass_on(event))

    async def close(self, error: BaseException | None = None) -> None:
        """End the steps whose end was not in the stream, with the run's error if there is one."""
        await _run_async(self._close(error))

    def close_sync(self, error: BaseException | None = None) -> None:
        """The same for sync code."""
        _run_sync(self._close(error))

    def _close(self, error: BaseException | None) -> Calls:
        while self._open:
            _, manager = self._open.popitem()
            kind = next(kind for kind in _EMPTY_OUTPUTS if hasattr(manager, f"on_{kind}_end"))
            if error is None:
                yield getattr(manager, f"on_{kind}_end")(_EMPTY_OUTPUTS[kind])
            else:
                yield getattr(manager, f"on_{kind}_error")(error)

    def _pass_on(self, event: LangChainEvent) -> Calls:
        step = event.step
        if event.event == "on_custom_event":
            parent = self._open.get(step.run_id, self._manager)
            child = parent.get_child()
            yield child.on_custom_event(step.name, revived(event.data), run_id=parent.run_id)
            return
        kind, _, moment = event.event.removeprefix("on_").rpartition("_")
        if not event.parent_ids and kind == "chain":
            return  # the whole run, which is the local step
        if moment == "start":
            parent_id = str(event.parent_ids[-1]) if event.parent_ids else ""
            child = self._open.get(parent_id, self._manager).get_child()
            child.add_tags(list(step.tags), inherit=False)
            child.add_metadata(dict(event.metadata), inherit=False)
            about = {"run_id": _run_id(step.run_id), "name": step.name}
            start: Any = _START.get(kind, _chain_start)
            managers = yield start(child, kind, revived(event.data), about)
            self._open[step.run_id] = managers[0] if isinstance(managers, list) else managers
        elif step.run_id in self._open:
            manager = self._open[step.run_id]
            if not hasattr(manager, f"on_{_FAMILIES.get(kind, 'chain')}_end"):
                raise httpx.DecodingError(f"{event.event!r} is the event of another kind of step.")
            call: Any = _MOMENTS.get((kind, moment)) or (_chain_end if moment == "end" else None)
            if call is not None:
                yield call(manager, revived(event.data))
            if moment in ("end", "error"):
                del self._open[step.run_id]


async def _run_async(calls: Calls) -> None:
    try:
        value = next(calls)
        while True:
            value = calls.send(await value if isawaitable(value) else value)
    except StopIteration:
        pass


def _run_sync(calls: Calls) -> None:
    try:
        value = next(calls)
        while True:
            value = calls.send(value)
    except StopIteration:
        pass


def _run_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise httpx.DecodingError(f"Invalid id of a run: {text[:100]!r}") from None


def _input_of(data: Any) -> Any:
    return data.get("input", {}) if isinstance(data, dict) else {}


def _chain_start(child: Any, kind: str, data: Any, about: Mapping[str, Any]) -> Any:
    kind_of_run = {} if kind == "chain" else {"run_type": kind}
    return child.on_chain_start(None, _input_of(data), **about, **kind_of_run)


def _chat_model_start(child: Any, _: str, data: Any, about: Mapping[str, Any]) -> Any:
    messages: list[Any] = []
    match _input_of(data):
        case {"messages": [[*batch], *_]}:
            messages = [each for each in batch if isinstance(each, BaseMessage)]
    return child.on_chat_model_start({}, [messages], **about)


def _llm_start(child: Any, _: str, data: Any, about: Mapping[str, Any]) -> Any:
    text = ""
    match _input_of(data):
        case {"prompts": [prompt, *_]}:
            text = str(prompt)
    return child.on_llm_start({}, [text], **about)


def _tool_start(child: Any, _: str, data: Any, about: Mapping[str, Any]) -> Any:
    value = _input_of(data)
    inputs = value if isinstance(value, dict) else {"input": value}
    serialized = {"name": about["name"]}
    return child.on_tool_start(serialized, str(value), inputs=inputs, **about)


def _retriever_start(child: Any, _: str, data: Any, about: Mapping[str, Any]) -> Any:
    value = _input_of(data)
    query = value.get("query", "") if isinstance(value, dict) else str(value)
    return child.on_retriever_start({}, query, **about)


def _model_stream(manager: Any, data: Any) -> Any:
    chunk = data.get("chunk")
    if isinstance(chunk, BaseMessageChunk):
        return manager.on_llm_new_token(chunk.text, chunk=ChatGenerationChunk(message=chunk))
    text = str(chunk.get("text", "") if isinstance(chunk, dict) else chunk)
    return manager.on_llm_new_token(text, chunk=GenerationChunk(text=text))


def _model_end(manager: Any, data: Any) -> Any:
    output = data.get("output")
    if isinstance(output, BaseMessage):
        return manager.on_llm_end(Result(generations=[[ChatGeneration(message=output)]]))
    match output:
        case str(text) | {"generations": [[{"text": str(text)}, *_], *_]}:
            pass
        case _:
            text = ""
    return manager.on_llm_end(Result(generations=[[Generation(text=text)]]))


def _tool_error(manager: Any, data: Any) -> Any:
    message = data.get("error")
    return manager.on_tool_error(
        RuntimeError(message if isinstance(message, str) else "The tool failed.")
    )


def _chain_end(manager: Any, data: Any) -> Any:
    return manager.on_chain_end(data.get("output"))


_EMPTY_OUTPUTS = {"llm": Result(generations=[]), "tool": "", "retriever": [], "chain": None}
"""The outputs of steps whose end was not in the stream."""
_FAMILIES = {"chat_model": "llm", "llm": "llm", "tool": "tool", "retriever": "retriever"}
_START: Mapping[str, Callable[..., Any]] = {
    "chat_model": _chat_model_start,
    "llm": _llm_start,
    "tool": _tool_start,
    "retriever": _retriever_start,
}
_MOMENTS: Mapping[tuple[str, str], Callable[[Any, Any], Any]] = {
    ("chat_model", "stream"): _model_stream,
    ("llm", "stream"): _model_stream,
    ("chat_model", "end"): _model_end,
    ("llm", "end"): _model_end,
    ("tool", "end"): lambda manager, data: manager.on_tool_end(data.get("output")),
    ("tool", "error"): _tool_error,
    ("retriever", "end"): lambda manager, data: manager.on_retriever_end(data.get("output") or []),
}
