"""The base of all formats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Protocol

from ..events import Event, RunError, RunFinished
from ..serialize import to_json
from ..stores import RunRecord
from ._decoded import plain_events
from ._frame import Frame
from ._plain_request import plain_spec
from ._spec import Document, FormatRequest, RunSpec
from ._sse import PING, data_frame, error_object, run_object
from ._threads import QUERIES, ThreadQuery, plain_document, plain_query

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


class Format(Protocol):
    """The wire of one kind of client. An instance serves one run, or reads one stream.

    On the server `parse` gets the request first. Then each event of the run goes to `encode` if
    the response is a stream, or to `gather` if it is one JSON document; the last event is always a
    ``RunFinished`` or a ``RunError``. On the client each frame of a stream goes to `decode`. All
    methods are synchronous and do no I/O. A subclass has to define `wants` and `encode` only.
    """

    media_type: ClassVar[str] = "text/event-stream"
    """The ``Content-Type`` of a stream."""

    endpoints: ClassVar[Sequence[tuple[str, str]]] = ()
    """Method and path, below the route's own, of each endpoint; ``()``: the route's own path."""

    chooses: ClassVar[bool] = False
    """Whether requests name the Runnable, so that a route may have several."""

    graphs: ClassVar[bool] = False
    """Whether the format serves LangGraph graphs only."""

    ping: ClassVar[bytes] = PING
    """Keep-alive; ``b""`` where the wire has nothing that a client ignores."""

    breaks_on_error: ClassVar[bool] = False
    """Whether a run that fails after its first frame aborts the connection.

    For a wire without an error frame, so that clients do not take a partial answer for the whole.
    """

    converses: ClassVar[bool] = False
    """Whether requests have a conversation, which the route's input has to accept."""

    system_messages: ClassVar[bool] = True
    """Whether system messages of a conversation reach the Runnable by default.

    False for formats of browsers, where users can change the messages that they send.
    """

    runs: ClassVar[Mapping[tuple[str, str], str]] = {}
    """Method and path, below the route's own, of each endpoint for stored runs: `RUNS` and more.

    A path has the parameter ``run_id`` or ``stored_conversation``. The operations are to ``list``
    the caller's runs, to ``join`` a run as a reader, to return its ``state``, to ``show`` it (its
    state as JSON or its frames, as the ``Accept`` header says) and to ``stop`` it. ``{}``: clients
    of the format cannot resume, so its routes cannot be resumable.
    """

    threads: ClassVar[Mapping[tuple[str, str], str]] = {}
    """Method and path, below the route's own, of each endpoint for threads: `THREADS` for example.

    A path has the parameter ``stored_thread``. The operations are those of
    `asgi_stream._threads.endpoints`; ``run`` starts a run. ``{}``: clients of the format have no
    threads.
    """

    sdk_versions: ClassVar[Sequence[int]] = ()
    """The values of the option `sdk_version`; ``()``: the format has no use for it."""

    thread_runs: ClassVar[Mapping[tuple[str, str], str]] = {}
    """Method and path, below the route's own, of each endpoint for the stored runs of a thread.

    A path has the parameter ``stored_thread``, and ``run_id`` if it is about one run. The
    operations are to ``start`` a run and return its record, to ``list`` the runs, to return the
    ``state`` of one, to ``join`` it as a reader or wait for its ``result``, and to ``stop`` it; to
    start one by a ``command``, and to send the ``events`` of all runs that commands have started.
    """

    multitask: ClassVar[str] = "reject"
    """What happens to a second run on a thread if neither the client nor the route says."""

    wants: frozenset[Any]
    """The event types that `encode` or `gather` uses, besides a run's start and end.

    `events.ALL_EVENTS` stands for all that a person may want to see, in order. The class has the
    types of every request; an instance may want fewer after `parse`. Without
    `events.ToolFinished`, what a tool answers directly to the client arrives as text.
    """

    def parse(self, request: FormatRequest) -> RunSpec | Document:
        """Return what a request asks for.

        Raises:
            StreamError: The request is not valid in this format.
        """
        return plain_spec(request)

    def headers_of(
        self, run_id: str, *, resumable: bool = False, thread_id: str | None = None
    ) -> Mapping[str, str]:
        """Return headers of the response, besides those that all formats have."""
        return {}

    def id_prefix(self, run_id: str) -> str | None:
        """Return what precedes the number in the id of a stored frame; None: frames have no ids."""
        return f"{run_id}:"

    def gap(self, run_id: str, first: int, last: int) -> bytes:
        """Return a frame that says that the frames from `first` to `last` are no longer stored.

        ``b""`` if clients cannot go on without them: they get an error instead.
        """
        gap = data_frame({"gap": {"first": first, "last": last}})
        return f"id: {self.id_prefix(run_id)}{last}\n".encode() + gap

    def encode(self, event: Event) -> bytes:
        """Return the frames of an event, each with its blank line; ``b""`` if it has none."""

    def decode(self, frame: Frame) -> Iterable[Event]:
        """Return the events of a frame: the reverse of `encode`.

        The first ``RunFinished`` or ``RunError`` is the end of the stream, whatever follows. By
        default a frame's data is an ``OutputChunk``, and ``[DONE]`` the end.

        Raises:
            ValueError: The frame's data is not JSON, where the format's is.
        """
        return plain_events(frame)

    @classmethod
    def recognizes(cls, frame: Frame) -> bool:
        """Return whether a stream of an unknown server with this frame has this format."""
        return False

    def gather(self, event: Event) -> object:
        """Return the output for a JSON response at the end of the run; before that, anything."""
        return event.output if isinstance(event, RunFinished) else None

    def document(self, run_id: str, gathered: object, end: RunFinished) -> object:
        """Return the JSON response, made of what `gather` returned last."""
        interrupted = {"interrupted": end.questions} if end.interrupts else {}
        return {"run_id": run_id, "output": gathered, **interrupted}

    def failure(self, end: RunError) -> object:
        """Return the JSON response of a failed run, sent with status 200; None: send an error."""
        return None

    def run_object(self, record: RunRecord) -> object:
        """Return what a client may know about a stored run."""
        return run_object(record)

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

    def runs_document(self, records: Sequence[RunRecord], request: FormatRequest) -> object:
        """Return the JSON of the runs of a thread, newest first, that a request asks for.

        Args:
            records: All runs of the thread.
            request: The request, with its query as `FormatRequest.body`.

        Raises:
            StreamError: The request is not valid in this format.
        """
        return {"runs": [self.run_object(each) for each in records]}

    @classmethod
    def refusal(cls, error: RunError) -> tuple[bytes, str]:
        """Return the body and the media type of an error response."""
        return to_json(error_object(error)), "application/json"
