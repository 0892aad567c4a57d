"""The part of a format that is about the stored runs of resumable routes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from ..events import Event, RunError
from ..stores import RunRecord
from ._frame import Frame
from ._spec import FormatRequest
from ._sse import data_frame, run_object
from ._stored_run import RunResource, StoredRun
from ._thread_protocol import ThreadProtocol

STORED_CONVERSATION = "stored_conversation"
"""The path parameter of endpoints for the newest run of a conversation (`Format.runs`).

Not ``conversation_id``, which paths of routes are likely to have.
"""

RUNS: Mapping[tuple[str, str], str] = {
    ("GET", "/runs"): "list",
    ("GET", "/runs/{run_id}"): "show",
    ("DELETE", "/runs/{run_id}"): "stop",
}
"""The endpoints for the stored runs of a resumable route, below its path, with their operations."""


class ResumableFormat(Protocol):
    """The part of a `Format` that is about stored runs: how they are read again, and continued."""

    runs: ClassVar[Mapping[tuple[str, str], str]] = {}
    """Method and path, below the route's own, of each endpoint for stored runs: `RUNS` and more.

    A path has the parameter ``run_id`` or ``stored_conversation``. The operations are to ``list``
    the caller's runs, to ``join`` a run as a reader, to return its ``state``, to ``show`` it (its
    state as JSON or its frames, as the ``Accept`` header says) and to ``stop`` it; to ``retrieve``
    its document or its frames, as `RunResource.position` says, and to ``cancel`` or to ``delete``
    it, which wait for its end. ``{}``: clients of the format cannot resume, so its routes cannot be
    resumable.
    """

    run_resource: ClassVar[RunResource] = RunResource()
    """How clients name the stored runs, and what they see of them."""

    joins_at_location: ClassVar[bool] = True
    """Whether a run is read again, and stopped, at its ``Content-Location``.

    False if that is relative to another URL than the request's, or read by other positions.
    """

    thread_runs: ClassVar[Mapping[tuple[str, str], str]] = {}
    """Method and path, below the route's own, of each endpoint for the stored runs of a thread.

    A path has the parameter ``stored_thread``, and ``run_id`` if it is about one run. The
    operations are to ``start`` a run and return its record, to ``list`` the runs, to return the
    ``state`` of one, to ``join`` it as a reader or wait for its ``result``, and to ``stop`` it; to
    start one by a ``command``, and to send the ``events`` of all of them.
    """

    thread_protocol: ClassVar[ThreadProtocol] = ThreadProtocol()
    """What the commands and the events of `thread_runs` consist of."""

    continues: ClassVar[bool] = False
    """Whether clients can read on when a run goes on with another worker, see `restore`.

    Its last node runs again then, so a wire whose text cannot be taken back, nor told apart from
    what is streamed again, has False.
    """

    def id_prefix(self, run_id: str) -> str | None:
        """Return what precedes the number in the id of a stored frame; None: frames have no ids."""
        return f"{run_id}:"

    def gap(self, run_id: str, first: int, last: int) -> bytes:
        """Return a frame that says that the frames from `first` to `last` are no longer stored.

        ``b""`` if clients cannot go on without them: they get an error instead.
        """
        gap = data_frame({"gap": {"first": first, "last": last}})
        return f"id: {self.id_prefix(run_id)}{last}\n".encode() + gap

    def first_frame(self, frame: bytes) -> bytes:
        """Return a run's first frame for a client that resumes its conversation, see `runs`.

        It may have lost what it had when the run began: its page was loaded again.
        """
        return frame

    def cut(self, error: RunError, run: StoredRun, number: int, *, ended: bool) -> bytes:
        """Return the frames with which a stream breaks off that another instance has encoded.

        Args:
            error: Why it does.
            run: Its run; if that has ended, with its first frame, as far as that is stored.
            number: The number of the first of the frames.
            ended: Whether the run has ended, too: its worker has died.
        """
        return self.encode(error)

    def restore(self, frames: Iterable[Frame], attempt: int, calls: Collection[str]) -> bytes:
        """Go on with a stream whose worker has died, after `parse`; `encode` gets the next events.

        Args:
            frames: All frames of the stream so far.
            attempt: How many workers have produced the stream, with this one.
            calls: The ids of the tool calls that the thread has. Any other will not be answered.

        Returns:
            Frames that close what the stream has left open; ``b""`` if there are none.
        """
        return b""

    def run_object(self, record: RunRecord) -> object:
        """Return what a client may know about a stored run."""
        return run_object(record)

    def runs_document(self, records: Sequence[RunRecord], request: FormatRequest) -> object:
        """Return the JSON of the runs of a thread, newest first, that a request asks for.

        Args:
            records: All runs of the thread.
            request: The request, with its query as `FormatRequest.body`.

        Raises:
            StreamError: The request is not valid in this format.
        """
        return {"runs": [self.run_object(each) for each in records]}

    def joined_frames(self, query: Mapping[str, Any]) -> Callable[[bytes], bytes] | None:
        """Return what a request to join a run of a thread gets of each stored frame.

        Args:
            query: The query of the request.

        Returns:
            A function from a frame to the one that is sent, ``b""`` if none is; None: all are sent
            as they are.

        Raises:
            StreamError: The query is not valid in this format.
        """
        return None

    def encode(self, event: Event) -> bytes:
        """See `Format.encode`."""
