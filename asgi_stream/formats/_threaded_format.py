"""The part of a format that is about threads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Protocol

from ._spec import FormatRequest
from ._threads import QUERIES, ThreadQuery, plain_document, plain_query


class ThreadedFormat(Protocol):
    """The part of a `Format` that is about threads: how they are read, listed and deleted."""

    threads: ClassVar[Mapping[tuple[str, str], str]] = {}
    """Method and path, below the route's own, of each endpoint for threads: `THREADS` for example.

    A path has the parameter ``stored_thread``. The operations are those of
    `asgi_stream._threads.endpoints`; ``run`` starts a run. ``{}``: clients of the format have no
    threads.
    """

    threads_by_runs: ClassVar[bool] = False
    """Whether clients name a thread by a run on it, so that threads need stored runs."""

    multitask: ClassVar[str] = "reject"
    """What happens to a second run on a thread if neither the client nor the route says."""

    def thread_query(self, operation: str, request: FormatRequest) -> ThreadQuery:
        """Return what a request about threads asks for, by its operation in `threads`.

        Raises:
            StreamError: The request is not valid in this format.
        """
        query = plain_query(request, QUERIES.get(operation, ()))
        # A store that has forgotten a thread does not know its status, but its state does.
        return replace(query, with_state=operation == "list")

    def thread_document(self, operation: str, result: Any) -> object:
        """Return the JSON response to a request about threads.

        Args:
            operation: The operation, one of `threads`.
            result: What `asgi_stream._threads.endpoints` returns for it.
        """
        return plain_document(operation, result)
