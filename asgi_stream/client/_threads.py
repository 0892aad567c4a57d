"""Threads, as a client reads them."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from ._errors import json_of, response_error, with_body
from ._messages import revived
from ._request import RemoteRequest


async def read_thread(
    request: RemoteRequest, thread_id: str | None, part: str, **params: str
) -> Any:
    """Return a part of a thread, with messages as LangChain's classes.

    Args:
        request: A request for a run of the thread's route.
        thread_id: The thread.
        part: ``state``, ``messages`` or ``history``.
        params: Further query parameters.

    Raises:
        ValueError: There is no thread.
        StreamError: The server's error, of the class with its code.
        httpx.HTTPError: There was no response, or one of another kind of server.
    """
    if thread_id is None:
        raise ValueError("thread_id: the RemoteRunnable was made without one")
    url = f"{request.url}/threads/{quote(thread_id, safe='')}/{part}"
    request = replace(request, url=url, params={**request.params, **params})
    async with AsyncExitStack() as stack:
        client = await request.open_client(stack)
        headers = request.headers_with(Accept="application/json")
        response = await client.get(url, headers=headers, **request.options)
        if response.status_code >= 300:
            raise response_error(await with_body(response))
        return revived(json_of(response))
