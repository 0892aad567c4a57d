"""Whatever a broken or hostile server sends, a client raises one of its own errors, if any."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import httpx
import pytest
from langchain_core.callbacks import AsyncCallbackHandler

from asgi_stream import StreamError
from asgi_stream.cli.pieces import Pieces
from asgi_stream.client import RemoteRunnable
from asgi_stream.client._connection import RemoteStream
from asgi_stream.client._messages import revived
from asgi_stream.client._request import RemoteRequest
from asgi_stream.formats import Frame

from ..formats.test_decode import CARRIED, PAIRS, encoder_of, frames_of, recorded

pytestmark = pytest.mark.anyio

OTHERS: Sequence[Any] = (None, 1, "x", [], [1], {"a": 1})
"""What comes in the place of something else."""
SAMPLE = 150
"""The most broken streams of each format that are read."""

DONE = "response.output_item.done"
DEEP = "[" * 100_000
ID = "01890a5d-ac96-774b-bcce-b302099a8057"
RUN = {"event": "on_x_start", "run_id": ID, "name": "x", "parent_ids": [], "data": {}}


def answering(**answer: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200, **answer)))


def body_of(frames: list[Frame]) -> bytes:
    return "".join(f"event: {each.event}\ndata: {each.data}\n\n" for each in frames).encode()


async def shown(name: str, body: bytes) -> list[str]:
    """Return what a terminal shows of a stream."""
    headers = {"content-type": "text/event-stream", "x-stream-format": name, "x-run-id": "r"}
    pieces = Pieces()
    async with answering(content=body, headers=headers) as client:
        request = RemoteRequest(url="http://server/x", body=1, headers={}, params={}, client=client)
        frames = RemoteStream(request).frames()
        return [p.text async for _, events in frames for each in events for p in pieces.of(each)]


async def streamed(name: str, body: bytes, callbacks: Any = None) -> list[Any]:
    """Return the chunks of a stream, which has callbacks."""
    headers = {"content-type": "text/event-stream", "x-stream-format": name, "x-run-id": "r"}
    async with answering(content=body, headers=headers) as client:
        runnable: Any = RemoteRunnable("http://server/x", client=client)
        config: Any = {"callbacks": [callbacks or AsyncCallbackHandler()]}
        return [chunk async for chunk in runnable.astream(1, config)]


def parts_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each part of a JSON value."""
    yield path
    keys = value if isinstance(value, dict) else range(len(value)) if type(value) is list else ()
    for key in keys:
        yield from parts_of(value[key], (*path, key))


def changed(value: Any, path: tuple[Any, ...], part: Any) -> Any:
    """Return a JSON value with another part."""
    if not path:
        return part
    value = copy.copy(value)
    value[path[0]] = changed(value[path[0]], path[1:], part)
    return value


async def broken_streams(name: str) -> list[list[Frame]]:
    """Return a sample of streams of a format in which a part of a frame is something else."""
    places = []
    for run in (run for each, run in PAIRS if each == name):
        encoder = encoder_of(name)
        events = await recorded(encoder, run)
        frames = [frame for event in events for frame in frames_of(encoder.encode(event))]
        for n, frame in enumerate(frames):
            with suppress(ValueError):
                value = json.loads(frame.data)
                places += [(frames, n, value, path) for path in parts_of(value)]
    chance = random.Random(1)
    streams = []
    for frames, n, value, path in chance.sample(places, min(SAMPLE, len(places))):
        data = json.dumps(changed(value, path, chance.choice(OTHERS)))
        streams.append([*frames[:n], frames[n]._replace(data=data), *frames[n + 1 :]])
    return streams


@pytest.mark.parametrize("name", [name for name in CARRIED if name != "text"])
async def test_a_frame_of_another_shape_is_read_or_an_error_of_the_client_s(name: str) -> None:
    format = name.split(" ")[0]
    for frames in await broken_streams(name):
        for read in (shown, streamed):
            with suppress(httpx.DecodingError, StreamError):
                await read(format, body_of(frames))


@pytest.mark.parametrize(
    ("format", "frame"),
    [
        ("openai", Frame(DONE, f'{{"type": "{DONE}"')),
        ("openai", Frame("response.x", json.dumps({"type": DONE, "item": {"type": "mcp_call"}}))),
        ("openai", Frame("", '{"choices": [5]}')),
        ("openai", Frame("", '{"choices": [{"delta": {"content": 5}}]}')),
        ("agui", Frame("", '{"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": 5}')),
        ("agui", Frame("", '{"type": "RUN_FINISHED", "outcome": "x"}')),
        ("vercel", Frame("", '{"type": "finish", "messageMetadata": 5}')),
        ("events", Frame("", json.dumps({**RUN, "tags": 5}))),
        ("events", Frame("", json.dumps({**RUN, "data": "x"}))),
        ("langserve", Frame("data", json.dumps({**RUN, "parent_ids": [5]}))),
        ("tokens", Frame("", DEEP)),
    ],
)  # fmt: skip
async def test_a_frame_that_cannot_be_read_is_an_error(format: str, frame: Frame) -> None:
    for read in (shown, streamed):
        with pytest.raises(httpx.DecodingError):
            await read(format, body_of([frame]))


async def test_a_result_without_a_call_is_shown() -> None:
    item = {"type": "mcp_call", "id": "m", "name": "t", "output": "Result"}
    frames = [Frame(DONE, json.dumps({"type": DONE, "item": item})), Frame("", "[DONE]")]
    frames += [Frame("", '{"type": "response.completed", "response": {}}')]
    assert await shown("openai", body_of(frames)) == ["Result"]


@pytest.mark.parametrize(
    "events",
    [
        [{**RUN, "run_id": "x"}],
        [{**RUN, "event": "on_tool_start"}, {**RUN, "event": "on_chat_model_end"}],
        [{**RUN, "parent_ids": ["p"]}, {**RUN, "event": "on_llm_stream"}],
    ],
)
async def test_events_of_no_run_are_an_error(events: list[Any]) -> None:
    frames = [Frame("", json.dumps(each)) for each in events]
    with pytest.raises(httpx.DecodingError):
        await streamed("events", body_of(frames))


class Started(AsyncCallbackHandler):
    inputs: Any = None

    async def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        self.inputs = args[1]

    async def on_llm_start(self, *args: Any, **kwargs: Any) -> None:
        self.inputs = args[1]


@pytest.mark.parametrize(("kind", "inputs"), [("chat_model", [[]]), ("llm", [""])])
@pytest.mark.parametrize("data", [{}, {"input": 5}, {"input": {"messages": 5, "prompts": []}}])
async def test_a_model_whose_input_is_none_starts_without(
    kind: str, inputs: list[Any], data: Any
) -> None:
    started = Started()
    event = {**RUN, "event": f"on_{kind}_start", "data": data}
    with pytest.raises(StreamError, match="The connection was lost"):
        await streamed("events", body_of([Frame("", json.dumps(event))]), started)
    assert started.inputs == inputs


DEEPER = "[" * 1000 + "]" * 1000
"""What the parser reads, and recursion in Python may not."""


@pytest.mark.parametrize(
    "document",
    [
        DEEP,
        f'{{"output": {DEEPER}}}',
        json.dumps({"output": [{**RUN, "metadata": 5}]}),
    ],
)
async def test_a_document_that_cannot_be_read_is_an_error(document: str) -> None:
    async with answering(text=document) as client:
        runnable: Any = RemoteRunnable("http://server/x", thread_id="t", client=client)
        for call in (runnable.ainvoke(1), runnable.aget_messages()):
            with suppress(KeyError), pytest.raises(httpx.DecodingError):
                await call


def test_what_is_nested_deeper_than_python_reads_is_an_error() -> None:
    value: list[Any] = []
    for _ in range(5000):
        value = [value]
    with pytest.raises(httpx.DecodingError, match="nested too deeply"):
        revived(value)


@pytest.mark.parametrize("url", ["http://[x]/", "http://a:65536/"])
async def test_a_run_at_no_address_is_an_error(url: str) -> None:
    headers = {"content-type": "text/event-stream", "content-location": url}
    async with answering(content=b"data: 1\n\n", headers=headers) as client:
        runnable: Any = RemoteRunnable("http://server/x", client=client)
        with pytest.raises(httpx.DecodingError, match="Invalid Content-Location"):
            _ = [chunk async for chunk in runnable.astream(1)]
