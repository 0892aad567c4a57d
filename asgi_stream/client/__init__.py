"""A served Runnable as a Runnable: ``RemoteRunnable(url)``. Needs the extra ``client``."""

from __future__ import annotations

import asyncio
from asyncio import Task
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from functools import cached_property
from typing import TYPE_CHECKING, Any

from anyio.from_thread import start_blocking_portal
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.utils import Input, Output

from .._langchain.messages import added
from ..errors import mask_passwords
from ._callbacks import Joined
from ._connection import Asking, Frame, Reading, httpx
from ._decode import READABLE, Read, Said
from ._messages import sendable

if TYPE_CHECKING:
    from langchain_core.callbacks import (
        AsyncCallbackManagerForChainRun,
        CallbackManagerForChainRun,
    )

__all__ = ["RemoteRunnable"]


class RemoteRunnable(Runnable[Input, Output]):
    """The Runnable that a route serves, as a step of a chain here.

    What it yields is what the route's format sends: of ``tokens`` and ``text`` pieces of text, of
    ``chunks``, ``events`` and ``langserve`` what the served Runnable yields, its messages and
    documents as LangChain's classes. Of ``events``, and of ``langserve`` if anyone listens, the
    served run's steps become steps of the run here, with their own ids: callbacks, traces and
    ``astream_events`` tell of both sides.

    Leaving a stream, or being cancelled, ends the served run. A connection that breaks is made
    again where the route is resumable, and each chunk comes once and in order.

    Args:
        url: The route's. Of ``langserve`` the one in front of ``/invoke``.
        format: ``"langserve"`` for a route of that format, or a LangServe; all others tell theirs.
        headers: Sent with each request: ``{"Authorization": "Bearer ..."}``.
        params: Sent in each query.
        configurable: Keys of ``config["configurable"]`` that are sent on.
        auth: As for ``httpx.AsyncClient``.
        timeout: Seconds of silence after which a stream is held to be broken; the server's pings
            break a silence, save in ``text``, which has none. What is not streamed is waited for,
            and the route's ``limits.run`` is its end.
        reconnects: How often in a row a broken connection is made again.
        stops: Whether leaving ends the run of a resumable route too.
        client: An ``httpx.AsyncClient`` to send with, on one event loop, for sync code none.
        verify: As for ``httpx.AsyncClient``: an ``ssl.SSLContext``, or False.
        name: The step's name in callbacks; the last part of the URL by default.

    Raises:
        ImportError: The extra is not installed.

    Calls raise `asgi_stream.StreamError`, of the class in `asgi_stream.errors` that has the code
    that the server told, with its ``id``; and ``httpx.HTTPError`` where no answer came, or one of
    another server.
    """

    def __init__(
        self,
        url: str,
        *,
        format: str | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        configurable: Sequence[str] = (),
        auth: Any = None,
        timeout: float = 60.0,
        reconnects: int = 5,
        stops: bool = True,
        client: httpx.AsyncClient | None = None,
        verify: Any = True,
        name: str | None = None,
    ) -> None:
        if format not in (None, *READABLE):
            raise ValueError(f"format: expected one of {', '.join(READABLE)}, not {format!r}")
        self.url = url.rstrip("/")
        self.name = name or mask_passwords(self.url).rpartition("/")[2]
        self._format = format
        self._headers, self._params = dict(headers or {}), dict(params or {})
        self._configurable = tuple(configurable)
        self._auth, self._timeout, self._client = auth, timeout, client
        self._reconnects, self._stops, self._verify = reconnects, stops, verify

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
        async with aclosing(chunks) as found:
            async for chunk in found:
                yield chunk

    # A run here, around the run there.

    async def _ainvoke(
        self,
        input: Input,
        run_manager: AsyncCallbackManagerForChainRun,
        config: RunnableConfig,
    ) -> Any:
        found, joined = Read(await self._document(input, config)), Joined(run_manager)
        for event in found.events:
            await joined.tell(event)
        await joined.close()
        return found.output

    def _invoke(
        self, input: Input, run_manager: CallbackManagerForChainRun, config: RunnableConfig
    ) -> Any:
        with start_blocking_portal() as portal:
            answer = portal.call(self._document, input, config)
        found, joined = Read(answer), Joined(run_manager)
        for event in found.events:
            joined.tell_sync(event)
        joined.close_sync()
        return found.output

    async def _atransform(
        self,
        input: AsyncIterator[Input],
        run_manager: AsyncCallbackManagerForChainRun,
        config: RunnableConfig,
    ) -> AsyncIterator[Any]:
        given: Any = None
        async for each in input:
            given = added(given, each)
        joined, said = Joined(run_manager), Said()
        reading = self._reading(given, config, listened=bool(run_manager.handlers))
        try:
            async with aclosing(reading.frames()) as frames:
                async for frame in frames:
                    for kind, value in said.of(reading.format, frame):
                        if kind == "event":
                            await joined.tell(value)
                        else:
                            yield value
            said.check()
            await joined.close()
        except BaseException as error:
            await joined.close(error)
            raise

    def _transform(
        self,
        input: Iterator[Input],
        run_manager: CallbackManagerForChainRun,
        config: RunnableConfig,
    ) -> Iterator[Any]:
        given: Any = None
        for each in input:
            given = added(given, each)
        joined, said = Joined(run_manager), Said()
        reading = self._reading(given, config, listened=bool(run_manager.handlers))
        try:
            with closing(_in_thread(reading)) as frames:
                for frame in frames:
                    for kind, value in said.of(reading.format, frame):
                        if kind == "event":
                            joined.tell_sync(value)
                        else:
                            yield value
            said.check()
            joined.close_sync()
        except BaseException as error:
            joined.close_sync(error)
            raise

    async def _document(self, input: Input, config: RunnableConfig) -> Any:
        asking = self._asking(input, config, "/invoke")
        return await Reading(asking, self._format).document()

    def _reading(self, input: Input, config: RunnableConfig, *, listened: bool) -> Reading:
        asking = self._asking(input, config, "/stream_events" if listened else "/stream")
        return Reading(asking, self._format)

    def _asking(self, input: Input, config: RunnableConfig, endpoint: str) -> Asking:
        given = config.get("configurable", {})
        chosen = {key: given[key] for key in self._configurable if key in given}
        body, url, params = sendable(input), self.url, {**self._params}
        if self._format == "langserve":
            body, url = {"input": body, "config": {"configurable": chosen}}, url + endpoint
        else:
            params |= {key: str(value) for key, value in chosen.items()}
        return Asking(
            url=url,
            body=body,
            headers=self._headers,
            params=params,
            auth=self._auth,
            timeout=self._timeout,
            reconnects=self._reconnects,
            stops=self._stops,
            client=self._client,
            verify=self._verified,
        )

    @cached_property
    def _verified(self) -> Any:
        # Reading the certificates takes longer than a call does.
        if self._verify is True and self.url.startswith("https"):
            return httpx.create_ssl_context()
        return self._verify


def _in_thread(reading: Reading) -> Generator[Frame, None, None]:
    """The frames for sync code, read by an event loop in a thread of its own."""
    frames = reading.frames()
    end: Any = object()
    task: Task[Any] | None = None

    async def following() -> Any:
        nonlocal task
        task = asyncio.current_task()
        return await anext(frames, end)

    async def close() -> None:
        if task is not None and not task.done():
            # Ctrl-C comes in this thread, while that one still waits for a frame.
            task.cancel()
            await asyncio.wait({task})
        await frames.aclose()

    with start_blocking_portal() as portal:
        try:
            while (frame := portal.call(following)) is not end:
                yield frame
        finally:
            portal.call(close)
