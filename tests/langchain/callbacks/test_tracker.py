"""The callbacks of a run, beyond what whole runs show in test_run.py and test_live.py."""

from __future__ import annotations

import asyncio
import threading
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.callbacks.manager import handle_event
from langchain_core.documents import Document
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.tracers._streaming import _StreamingCallbackHandler

from asgi_stream import StreamApp, StreamRoute
from asgi_stream._langchain.callbacks.text_handler import TextHandler
from asgi_stream.events import TextDelta

from ...asgi import frames, post, tokens
from ...corpus import Recording
from ...models import InThread
from ..handlers import callbacks_for

pytestmark = pytest.mark.anyio


def made(kind: Any = TextHandler) -> tuple[Any, Recording]:
    sink = Recording(frozenset({TextDelta}))
    return callbacks_for(sink, kind)[0], sink


async def test_langchain_streams_models_for_text_and_not_for_raw_chunks() -> None:
    """If this fails LangChain has changed how it recognizes a streaming handler.

    Look for what ``BaseChatModel._should_stream`` requires of handlers now, and add that to
    `StreamingCallbacks`. `RunCallbacks` must not have it, or `astream_events` reports no chunks.
    """
    streaming: Any = made(TextHandler)[0]
    raw: Any = made(None)[0]
    assert isinstance(streaming, _StreamingCallbackHandler)
    assert not isinstance(raw, _StreamingCallbackHandler)
    assert hasattr(BaseChatModel, "_should_stream")


class Finds(BaseRetriever):
    def _get_relevant_documents(self, query: str, **_: Any) -> list[Document]:
        return [Document(query)]


@pytest.mark.parametrize("format", ["tokens", "chunks", "events"])
async def test_a_retriever_is_a_runnable_too(format: str) -> None:
    answer = await post(StreamApp([StreamRoute("/", Finds(), format=format)]), "/", "what")
    *chunks, done = frames(answer.body)
    assert done == "[DONE]"
    assert "page_content" in str(chunks)


def streams_in_a_thread(value: Any) -> str:
    chain = InThread(script=["Hel", "lo"]) | StrOutputParser()
    return "".join(chain.stream("x"))


async def test_what_is_streamed_in_a_thread_comes_once() -> None:
    app = StreamApp([StreamRoute("/", RunnableLambda(streams_in_a_thread))])
    assert tokens((await post(app, "/", 1)).body) == ["Hel", "lo"]


def streaming(callbacks: Any, token: str, ended: list[str]) -> threading.Thread:
    """Start a thread in which a model streams a token; note whether it is cancelled there."""

    def stream() -> None:
        run_id = uuid4()
        callbacks.on_chat_model_start({"name": "m"}, [], run_id=run_id)
        try:
            callbacks.on_llm_new_token(token, run_id=run_id)
        except asyncio.CancelledError:
            ended.append("token")

    thread = threading.Thread(target=stream)
    thread.start()
    return thread


async def make() -> Any:
    return made()


def test_a_thread_that_outlives_its_loop_is_ended() -> None:
    loop = asyncio.new_event_loop()
    callbacks, sink = loop.run_until_complete(make())
    loop.close()
    ended: list[str] = []
    streaming(callbacks, "a", ended).join(5)
    assert ended == ["token"]
    assert sink.events == []


async def test_a_thread_that_waits_for_a_loop_that_closes_is_ended() -> None:
    ended: list[str] = []
    loop = asyncio.new_event_loop()
    callbacks, sink = await asyncio.to_thread(loop.run_until_complete, make())
    sink.full = True
    thread = streaming(callbacks, "", ended)
    await asyncio.sleep(0.1)
    await asyncio.to_thread(loop.close)
    await asyncio.to_thread(thread.join, 5)
    assert ended == ["token"]


async def test_a_sync_model_on_the_loop_does_not_wait_for_the_loop() -> None:
    callbacks, sink = made()
    sink.full = True
    run_id = uuid4()
    handle_event([callbacks], "on_llm_start", "ignore_llm", {}, ["x"], run_id=run_id)
    for token in "ab":
        handle_event([callbacks], "on_llm_new_token", "ignore_llm", token, run_id=run_id)
    await asyncio.sleep(0)
    assert [event.text for event in sink.events if isinstance(event, TextDelta)] == ["a", "b"]


async def test_after_the_end_no_step_starts_and_no_token_is_taken() -> None:
    sink = Recording(frozenset({TextDelta}))
    callbacks, tracker = callbacks_for(sink, None)
    tracker.refusing = True
    with pytest.raises(asyncio.CancelledError):
        handle_event([callbacks], "on_chain_start", "ignore_chain", {}, {}, run_id=uuid4())
    with pytest.raises(asyncio.CancelledError):
        await callbacks.on_llm_new_token("a", run_id=uuid4())
    with pytest.raises(asyncio.CancelledError):
        await asyncio.to_thread(lambda: callbacks.on_llm_new_token("a", run_id=uuid4()))
    assert sink.events == []


async def test_steps_have_names_wherever_langchain_keeps_them() -> None:
    callbacks, tracker = callbacks_for(Recording(frozenset()), None)
    for serialized, name, expected in (
        ({"name": "a"}, "b", "b"),
        ({"name": "a", "id": ["x", "y"]}, None, "a"),
        ({"id": ["x", "y"]}, None, "y"),
        (None, None, "Unnamed"),
    ):
        run_id = uuid4()
        callbacks.on_tool_start(serialized, "", run_id=run_id, name=name)
        assert tracker.steps[run_id].name == expected
        callbacks.on_tool_error(ValueError(), run_id=run_id)
    assert tracker.steps == {}


async def test_the_end_of_a_step_that_has_not_started_is_ignored() -> None:
    sink = Recording(frozenset({TextDelta}))
    callbacks, tracker = callbacks_for(sink)
    callbacks.on_chain_end({"messages": []}, run_id=uuid4())
    callbacks.on_chain_error(ValueError(), run_id=uuid4())
    assert (sink.events, tracker.finished) == ([], False)
