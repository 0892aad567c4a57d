"""Steps with odd events, and steps whose end is not in the stream."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from langchain_core.callbacks import (
    AsyncCallbackHandler,
    AsyncCallbackManager,
    BaseCallbackHandler,
    CallbackManager,
)
from langchain_core.messages import HumanMessage

from asgi_stream.client._callbacks import CallbackBridge
from asgi_stream.events import LangChainEvent, Step

pytestmark = pytest.mark.anyio

KINDS = ("chain", "chat_model", "llm", "tool", "retriever")


class Calls(BaseCallbackHandler):
    """Records the names and the first arguments of callbacks."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("on_"):
            return lambda *args, **named: self.calls.append((name, args or (named.get("token"),)))
        return super().__getattribute__(name)


def event(name: str, run_id: str, **data: Any) -> LangChainEvent:
    return LangChainEvent(Step(run_id, "step", ""), name, data, {}, ["x"])


def sync_root(recorder: Calls) -> Any:
    return CallbackManager(handlers=[], inheritable_handlers=[recorder]).on_chain_start({}, {})


def names(recorder: Calls) -> list[str]:
    return [name for name, _ in recorder.calls]


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_that_has_no_end_is_ended_with_the_run(kind: str) -> None:
    recorder = Calls()
    bridge = CallbackBridge(sync_root(recorder))
    bridge.pass_on_sync(event(f"on_{kind}_start", str(uuid4())))
    bridge.close_sync(ValueError("gone"))
    error = {"chat_model": "llm"}.get(kind, kind)
    assert names(recorder)[-1] == f"on_{error}_error"
    before = len(recorder.calls)
    bridge.close_sync(ValueError("gone"))
    assert len(recorder.calls) == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_whose_end_was_filtered_out_ends_with_the_run(kind: str) -> None:
    recorder = Calls()
    bridge = CallbackBridge(sync_root(recorder))
    bridge.pass_on_sync(event(f"on_{kind}_start", str(uuid4())))
    bridge.close_sync()
    ended = {"chat_model": "llm"}.get(kind, kind)
    assert names(recorder)[-1] == f"on_{ended}_end"


async def test_async_code_is_told_the_same() -> None:
    recorder: Any = []

    class Hears(AsyncCallbackHandler):
        async def on_tool_start(self, *args: Any, **kwargs: Any) -> None:
            recorder.append("start")

        async def on_tool_error(self, *args: Any, **kwargs: Any) -> None:
            recorder.append("error")

    manager = AsyncCallbackManager(handlers=[], inheritable_handlers=[Hears()])
    bridge = CallbackBridge(await manager.on_chain_start({}, {}))
    await bridge.pass_on(event("on_tool_start", str(uuid4()), input={"a": 1}))
    await bridge.close(ValueError("gone"))
    assert recorder == ["start", "error"]


def test_a_model_of_text() -> None:
    recorder, run_id = Calls(), str(uuid4())
    bridge = CallbackBridge(sync_root(recorder))
    for each in (
        event("on_llm_start", run_id, input={"prompts": ["Hi"]}),
        event("on_llm_stream", run_id, chunk={"text": "typed "}),
        event("on_llm_stream", run_id, chunk="text"),
        event("on_llm_end", run_id, output={"generations": [[{"text": "typed text"}]]}),
        event("on_llm_end", run_id, output="twice"),
    ):
        bridge.pass_on_sync(each)
    tokens = [args[0] for name, args in recorder.calls if name == "on_llm_new_token"]
    assert tokens == ["typed ", "text"]
    [(result,)] = [args for name, args in recorder.calls if name == "on_llm_end"]
    assert result.generations[0][0].text == "typed text"


@pytest.mark.parametrize("output", ["text", None, {"generations": []}])
def test_what_a_model_of_text_ends_with(output: Any) -> None:
    recorder, run_id = Calls(), str(uuid4())
    bridge = CallbackBridge(sync_root(recorder))
    bridge.pass_on_sync(event("on_llm_start", run_id))
    bridge.pass_on_sync(event("on_llm_end", run_id, output=output))
    [(result,)] = [args for name, args in recorder.calls if name == "on_llm_end"]
    assert result.generations[0][0].text == ("text" if output == "text" else "")


def test_the_messages_that_a_chat_model_gets() -> None:
    recorder = Calls()
    bridge = CallbackBridge(sync_root(recorder))
    human = HumanMessage("Hi", id="1")
    bridge.pass_on_sync(
        event("on_chat_model_start", str(uuid4()), input={"messages": [[human, "no message"]]})
    )
    [started] = [about for name, about in recorder.calls if name == "on_chat_model_start"]
    assert started == ({}, [[human]])


def test_inputs_and_errors_of_any_form() -> None:
    recorder, run_id = Calls(), str(uuid4())
    bridge = CallbackBridge(sync_root(recorder))
    bridge.pass_on_sync(event("on_tool_start", run_id, input="text"))
    bridge.pass_on_sync(event("on_tool_error", run_id, error="It failed."))
    bridge.pass_on_sync(event("on_retriever_start", run_id, input="query"))
    bridge.pass_on_sync(event("on_retriever_end", run_id))
    bridge.pass_on_sync(event("on_prompt_start", run_id, input={"a": 1}))
    bridge.pass_on_sync(event("on_prompt_stream", run_id))
    bridge.pass_on_sync(event("on_prompt_end", run_id, output={"b": 2}))
    assert names(recorder) == [
        "on_tool_start",
        "on_tool_error",
        "on_retriever_start",
        "on_retriever_end",
        "on_chain_start",
        "on_chain_end",
    ]
    assert str(recorder.calls[1][1][0]) == "It failed."
