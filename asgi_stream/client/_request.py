"""The request for a run."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from ..serialize import to_json
from ._errors import httpx


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteRequest:
    """A request for a run, and how to send it.

    Attributes:
        url: The URL to post to.
        body: The body, sent as JSON.
        headers: Headers of each request.
        params: Query parameters of each request.
        auth: As for ``httpx.AsyncClient``.
        timeout: Seconds of silence after which a connection counts as broken.
        reconnects: How many times in a row to reconnect after a broken connection.
        stops: Whether to stop a resumable run that the client leaves before its end.
        client: The client to use, instead of one per call.
        verify: As for ``httpx.AsyncClient``.
    """

    url: str
    body: Any
    headers: Mapping[str, str]
    params: Mapping[str, str]
    auth: Any = None
    timeout: float = 60.0
    reconnects: int = 5
    stops: bool = True
    client: httpx.AsyncClient | None = None
    verify: Any = True

    @property
    def content(self) -> bytes:
        """The body as JSON."""
        return to_json(self.body)

    @property
    def options(self) -> dict[str, Any]:
        """Options of each request; the client's own apply where there are none."""
        options = {"params": self.params, "auth": self.auth}
        return {name: option for name, option in options.items() if option}

    def headers_with(self, **more: str) -> dict[str, str]:
        """Return the headers of a request."""
        return {**self.headers, "Content-Type": "application/json", **more}

    async def open_client(self, stack: AsyncExitStack) -> httpx.AsyncClient:
        """Return the client to use; one made here is closed with `stack`."""
        if self.client is not None:
            return self.client
        client = httpx.AsyncClient(timeout=self.timeout, verify=self.verify)
        return await stack.enter_async_context(client)
