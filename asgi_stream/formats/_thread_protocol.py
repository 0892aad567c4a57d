"""A protocol of commands that start the runs of a thread, and of readers of all its runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ..errors import StreamError
from ..stores import RunRecord
from ._spec import RunSpec


class ThreadReader:
    """Translates the stored runs of a thread, one after the other, for one client.

    By default the client gets their frames as they are.
    """

    def begin(self, record: RunRecord) -> None:
        """Go on with a run, which has started."""

    def read(self, number: int, frame: bytes) -> Sequence[bytes]:
        """Return what the client gets of the run's next frame.

        Args:
            number: Its number in the run.
            frame: The frame as it is stored.

        Raises:
            Exception: The frame cannot be translated; the client does not get it.
        """
        return [frame]

    def end(self) -> Sequence[bytes]:
        """Return what the client gets after the run's last frame."""
        return ()


class ThreadProtocol:
    """The wire of the operations ``command`` and ``events`` of `Format.thread_runs`."""

    def with_graph(self, spec: RunSpec, graph: str) -> RunSpec:
        """Return the run of a command that answers a thread, with the graph of the thread."""
        return replace(spec, model=graph)

    def started(self, body: Any, run_id: str, since: float) -> object:
        """Return the JSON response to a command that has started a run.

        Args:
            body: The body of the request.
            run_id: The run.
            since: A time before the run began, in seconds since the epoch.
        """
        return {"run_id": run_id}

    def refused(self, body: Any, error: StreamError) -> object:
        """Return the JSON response to a command that is refused, which is sent with status 200.

        Args:
            body: The body of the request; None if it could not be read.
            error: Why it is refused.
        """
        return {"error": {"code": error.code, "message": error.message}}

    def reader(self, body: Any, restore: Callable[[Any], Any]) -> ThreadReader:
        """Return what translates the runs of a thread for a client that asks for their events.

        Args:
            body: The body of the request.
            restore: Returns the message of LangChain's that a frame has as JSON.

        Raises:
            StreamError: The request is not valid.
        """
        return ThreadReader()
