"""The steps of a served run as steps of the run here: callbacks, traces and events of both join."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from inspect import isawaitable
from typing import Any
from uuid import UUID

from langchain_core.messages import BaseMessage, BaseMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, Generation, GenerationChunk
from langchain_core.outputs import LLMResult as Result

from ._messages import revived

Called = Generator[Any, Any, Any]
"""What a callback manager was asked, each to be awaited if need be, and sent back."""


class Joined:
    """Passes the events of a served run on to the callbacks of a run here.

    Args:
        manager: The callback manager of the run here, for sync or for async code.
    """

    def __init__(self, manager: Any) -> None:
        self._manager = manager
        self._open: dict[str, Any] = {}

    async def tell(self, event: Mapping[str, Any]) -> None:
        await _awaited(self._told(event))

    def tell_sync(self, event: Mapping[str, Any]) -> None:
        _called(self._told(event))

    async def close(self, error: BaseException | None = None) -> None:
        """End the steps whose end was not told, with the run's error if there is one."""
        await _awaited(self._closed(error))

    def close_sync(self, error: BaseException | None = None) -> None:
        _called(self._closed(error))

    def _closed(self, error: BaseException | None) -> Called:
        while self._open:
            _, manager = self._open.popitem()
            kind = next(kind for kind in _NOTHING if hasattr(manager, f"on_{kind}_end"))
            if error is None:
                yield getattr(manager, f"on_{kind}_end")(_NOTHING[kind])
            else:
                yield getattr(manager, f"on_{kind}_error")(error)

    def _told(self, event: Mapping[str, Any]) -> Called:
        name, run_id = str(event["event"]), str(event["run_id"])
        parents, data = event.get("parent_ids") or [], event.get("data") or {}
        if name == "on_custom_event":
            above = self._open.get(run_id, self._manager)
            child = above.get_child()
            about = {"run_id": above.run_id}
            yield child.on_custom_event(str(event["name"]), revived(data), **about)
            return
        kind, _, moment = name.removeprefix("on_").rpartition("_")
        if not parents and kind == "chain":
            return  # the whole run, which is the run here
        if moment == "start":
            parent = self._open.get(str(parents[-1]) if parents else "", self._manager)
            child = parent.get_child()
            child.add_tags(list(event.get("tags") or ()), inherit=False)
            child.add_metadata(dict(event.get("metadata") or {}), inherit=False)
            about = {"run_id": UUID(run_id), "name": str(event["name"])}
            begin: Any = _START.get(kind, _chain_start)
            found = yield begin(child, kind, revived(data), about)
            self._open[run_id] = found[0] if isinstance(found, list) else found
        elif run_id in self._open:
            manager = self._open[run_id]
            told: Any = _MOMENTS.get((kind, moment)) or (_chain_end if moment == "end" else None)
            if told is not None:
                yield told(manager, revived(data))
            if moment in ("end", "error"):
                del self._open[run_id]


async def _awaited(steps: Called) -> None:
    try:
        value = next(steps)
        while True:
            value = steps.send(await value if isawaitable(value) else value)
    except StopIteration:
        pass


def _called(steps: Called) -> None:
    try:
        value = next(steps)
        while True:
            value = steps.send(value)
    except StopIteration:
        pass


def _input_of(data: Any) -> Any:
    return data.get("input", {}) if isinstance(data, dict) else {}


def _chain_start(child: Any, kind: str, data: Any, about: Mapping[str, Any]) -> Any:
    kind_of_run = {} if kind == "chain" else {"run_type": kind}
    return child.on_chain_start(None, _input_of(data), **about, **kind_of_run)


def _chat_model_start(child: Any, _: str, data: Any, about: Mapping[str, Any]) -> Any:
    given = _input_of(data)
    batches = given.get("messages") if isinstance(given, dict) else None
    return child.on_chat_model_start({}, batches or [[]], **about)


def _llm_start(child: Any, _: str, data: Any, about: Mapping[str, Any]) -> Any:
    given = _input_of(data)
    prompts = given.get("prompts") if isinstance(given, dict) else None
    return child.on_llm_start({}, prompts or [""], **about)


def _tool_start(child: Any, _: str, data: Any, about: Mapping[str, Any]) -> Any:
    given = _input_of(data)
    inputs = given if isinstance(given, dict) else {"input": given}
    serialized = {"name": about["name"]}
    return child.on_tool_start(serialized, str(given), inputs=inputs, **about)


def _retriever_start(child: Any, _: str, data: Any, about: Mapping[str, Any]) -> Any:
    given = _input_of(data)
    query = given.get("query", "") if isinstance(given, dict) else str(given)
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
    text = output if isinstance(output, str) else ""
    if isinstance(output, dict):
        found = output.get("generations") or [[{}]]
        text = str(found[0][0].get("text", ""))
    return manager.on_llm_end(Result(generations=[[Generation(text=text)]]))


def _tool_error(manager: Any, data: Any) -> Any:
    told = data.get("error")
    return manager.on_tool_error(
        RuntimeError(told if isinstance(told, str) else "The tool failed.")
    )


def _chain_end(manager: Any, data: Any) -> Any:
    return manager.on_chain_end(data.get("output"))


_NOTHING = {"llm": Result(generations=[]), "tool": "", "retriever": [], "chain": None}
"""What a step has ended with whose end was not told."""
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
