"""`RemoteRunnable`: a served Runnable as a local Runnable. Needs the extra ``client``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.utils import Input, Output

from .._langchain.messages import added
from ..errors.text import mask_passwords
from ._callbacks import CallbackBridge
from ._chunks import chunks_in_thread, chunks_of
from ._connection import RemoteStream, httpx
from ._decode import RemoteOutput, readable
from ._messages import sendable
from ._request import RemoteRequest
from ._sync import run_blocking
from ._threads import read_thread

if TYPE_CHECKING:
    from langchain_core.callbacks import (
        AsyncCallbackManagerForChainRun,
        CallbackManagerForChainRun,
    )

__all__ = ["RemoteRunnable"]


class RemoteRunnable(Runnable[Input, Output]):
    """A Runnable that a route serves, as a step of a local chain.

    It yields what the route's format carries: pieces of text with ``tokens`` and ``text``, and the
    chunks of the served Runnable with ``chunks``, ``events`` and ``langserve``, with messages and
    documents as LangChain's classes. With ``events``, and with ``langserve`` if there are
    callbacks, the steps of the served run become steps of the local run, with their own ids, so
    callbacks, traces and ``astream_events`` include them.

    Leaving a stream early, or being cancelled, stops the served run. On a resumable route it
    reconnects if the connection breaks, and each chunk arrives once and in order.

    On a route with threads, an interrupt is answered as on a local graph: with LangGraph's
    ``Command(resume=...)``, or ``{"resume": ...}``, as the input.

    Args:
        url: The route's URL. For ``langserve``, the part before ``/invoke``.
        format: ``"langserve"`` for a route of that format, or a LangServe server. Other routes send
            their format.
        headers: Headers of each request: ``{"Authorization": "Bearer ..."}``.
        params: Query parameters of each request.
        configurable: Keys of ``config["configurable"]`` that requests have.
        thread_id: The thread of all requests, on a route with threads.
        auth: As for ``httpx.AsyncClient``.
        timeout: Seconds of silence after which a connection counts as broken. The server's pings
            end a silence; ``text`` has none. A response that is not streamed may take any amount
            of time, up to the route's ``limits.run``.
        reconnects: How many times in a row to reconnect after a broken connection.
        stops: Whether leaving early stops the run of a resumable route too.
        client: An ``httpx.AsyncClient`` to use, on one event loop. Not for sync code.
        verify: As for ``httpx.AsyncClient``: an ``ssl.SSLContext``, or False.
        name: The step's name in callbacks; by default the last part of the URL.

    Raises:
        ImportError: The extra is not installed.

    Calls raise the class in `asgi_stream.errors` that has the code of the server's error, with its
    ``id``; or ``httpx.HTTPError`` if there was no response, or one from another kind of server.

    Example:
        >>> remote = RemoteRunnable("https://example.com/chat")
        >>> shouting = remote | (lambda answer: answer.upper())
    """

    def __init__(
        self,
        url: str,
        *,
        format: str | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        configurable: Sequence[str] = (),
        thread_id: str | None = None,
        auth: Any = None,
        timeout: float = 60.0,
        reconnects: int = 5,
        stops: bool = True,
        client: httpx.AsyncClient | None = None,
        verify: Any = True,
        name: str | None = None,
    ) -> None:
        if format is not None and format not in readable():
            raise ValueError(f"format: expected one of {', '.join(readable())}, not {format!r}")
        self.url = url.rstrip("/")
        self.name = name or mask_passwords(self.url).rpartition("/")[2]
        self._format, self._configurable = format, tuple(configurable)
        self._thread_id = thread_id
        self._base = RemoteRequest(
            url=self.url,
            body=None,
            headers=dict(headers or {}),
            params=dict(params or {}),
            auth=auth,
            timeout=timeout,
            reconnects=reconnects,
            stops=stops,
            client=client,
            verify=verify,
        )

    def invoke(self, input: Input, config: RunnableConfig | None = None, **kwargs: Any) -> Output:
        return self._call_with_config(self._invoke, input, config, **kwargs)

    async def ainvoke(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Output:
        return await self._acall_with_config(self._ainvoke, input, config, **kwargs)

    def stream(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Output]:
        yield from self.transform(iter([input]), config, **kwargs)

    async def astream(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Output, None]:
        async def one() -> AsyncIterator[Input]:
            yield input

        async with aclosing(self.atransform(one(), config, **kwargs)) as chunks:
            async for chunk in chunks:
                yield chunk

    def transform(
        self, input: Iterator[Input], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Output]:
        yield from self._transform_stream_with_config(input, self._transform, config, **kwargs)

    async def atransform(
        self, input: AsyncIterator[Input], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Output, None]:
        chunks: Any = self._atransform_stream_with_config(input, self._atransform, config, **kwargs)
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    def get_state(self) -> dict[str, Any]:
        """Return the thread's state as LangGraph's ``ThreadState``, with its ``interrupts``."""
        return run_blocking(self.aget_state)

    async def aget_state(self) -> dict[str, Any]:
        """Return the state of the thread, as `get_state`."""
        return await read_thread(self._secured, self._thread_id, "state")  # type: ignore[no-any-return]

    def get_messages(self) -> list[Any]:
        """Return the messages of the thread."""
        return run_blocking(self.aget_messages)

    async def aget_messages(self) -> list[Any]:
        """Return the messages of the thread."""
        thread = await read_thread(self._secured, self._thread_id, "messages")
        return thread["messages"]  # type: ignore[no-any-return]

    def get_state_history(self, *, limit: int = 10) -> list[dict[str, Any]]:
        """Return the newest states of the thread, newest first, each as `get_state`."""
        return run_blocking(partial(self.aget_state_history, limit=limit))

    async def aget_state_history(self, *, limit: int = 10) -> list[dict[str, Any]]:
        """Return the newest states of the thread, as `get_state_history`."""
        thread = await read_thread(self._secured, self._thread_id, "history", limit=str(limit))
        return thread["states"]  # type: ignore[no-any-return]

    async def _ainvoke(
        self, input: Input, run_manager: AsyncCallbackManagerForChainRun, config: RunnableConfig
    ) -> Any:
        document = await self._document(input, config)
        result, bridge = RemoteOutput(document), CallbackBridge(run_manager)
        for event in result.events:
            await bridge.pass_on(event)
        await bridge.close()
        return result.output

    def _invoke(
        self, input: Input, run_manager: CallbackManagerForChainRun, config: RunnableConfig
    ) -> Any:
        document = run_blocking(self._document, input, config)
        result, bridge = RemoteOutput(document), CallbackBridge(run_manager)
        for event in result.events:
            bridge.pass_on_sync(event)
        bridge.close_sync()
        return result.output

    async def _atransform(
        self,
        input: AsyncIterator[Input],
        run_manager: AsyncCallbackManagerForChainRun,
        config: RunnableConfig,
    ) -> AsyncIterator[Any]:
        whole: Any = None
        async for each in input:
            whole = added(whole, each)
        stream = self._stream(whole, config, with_events=bool(run_manager.handlers))
        async with aclosing(chunks_of(stream, run_manager)) as chunks:
            async for chunk in chunks:
                yield chunk

    def _transform(
        self,
        input: Iterator[Input],
        run_manager: CallbackManagerForChainRun,
        config: RunnableConfig,
    ) -> Iterator[Any]:
        whole: Any = None
        for each in input:
            whole = added(whole, each)
        stream = self._stream(whole, config, with_events=bool(run_manager.handlers))
        with closing(chunks_in_thread(stream, run_manager)) as chunks:
            yield from chunks

    async def _document(self, input: Input, config: RunnableConfig) -> Any:
        request = self._request(input, config, "/invoke")
        return await RemoteStream(request, self._format).document()

    def _stream(self, input: Input, config: RunnableConfig, *, with_events: bool) -> RemoteStream:
        request = self._request(input, config, "/stream_events" if with_events else "/stream")
        return RemoteStream(request, self._format)

    def _request(self, input: Input, config: RunnableConfig, endpoint: str) -> RemoteRequest:
        keys = config.get("configurable", {})
        configurable = {key: keys[key] for key in self._configurable if key in keys}
        if self._thread_id is not None:
            configurable.setdefault("thread_id", self._thread_id)
        base, body = self._secured, sendable(input)
        if self._format == "langserve":
            body = {"input": body, "config": {"configurable": configurable}}
            return replace(base, url=self.url + endpoint, body=body)
        params = {**base.params, **{key: str(value) for key, value in configurable.items()}}
        return replace(base, body=body, params=params)

    @cached_property
    def _secured(self) -> RemoteRequest:
        if self._base.verify is True and self.url.startswith("https"):
            # Loading the certificates takes longer than a call does.
            return replace(self._base, verify=httpx.create_ssl_context())
        return self._base
