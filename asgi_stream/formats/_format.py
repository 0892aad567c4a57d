"""The base of all formats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from ..events import Event, RunError, RunFinished
from ..serialize import to_json
from ._decoded import plain_events
from ._frame import Frame
from ._plain_request import plain_spec
from ._resumable_format import ResumableFormat
from ._spec import Document, FormatRequest, RunSpec
from ._sse import PING, error_object
from ._threaded_format import ThreadedFormat


class Format(ResumableFormat, ThreadedFormat, Protocol):
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

    names: ClassVar[str] = r"(?s).+"
    """A regular expression for the names of a route's Runnables."""

    graphs: ClassVar[bool] = False
    """Whether the format serves LangGraph graphs only."""

    ping: ClassVar[bytes] = PING
    """Keep-alive; ``b""`` where the wire has nothing that a client ignores."""

    breaks_on_error: ClassVar[bool] = False
    """Whether a run that fails after its first frame aborts the connection.

    For a wire without an error frame, so that clients do not take a partial answer for the whole.
    """

    replies: ClassVar[bool] = False
    """Whether the last frame is the whole reply to a request, also if the run has failed.

    A run that fails before it has had any output is then answered with status 200, and so is a
    request that its route refuses, with what `failure` returns.
    """

    thread_arguments: ClassVar[Sequence[str]] = ()
    """The arguments about threads, whose names a tool's own arguments cannot have."""

    checks_origin: ClassVar[bool] = False
    """Whether pages of other hosts than the app's ``allowed_hosts`` are refused, CORS or not.

    By default those are the loopback names.
    """

    converses: ClassVar[bool] = False
    """Whether requests have a conversation, which the route's input has to accept."""

    system_messages: ClassVar[bool] = True
    """Whether system messages of a conversation reach the Runnable by default.

    False for formats of browsers, where users can change the messages that they send.
    """

    sdk_versions: ClassVar[Sequence[int]] = ()
    """The values of the option `sdk_version`; ``()``: the format has no use for it."""

    not_offered: ClassVar[Mapping[tuple[str, str], str]] = {}
    """Method and path, below the route's own, of what clients may request in vain, and why."""

    unfiltered: ClassVar[tuple[type[Any], ...]] = ()
    """Which of `wants` a route's filter does not concern."""

    carries_output: ClassVar[bool] = False
    """Whether a stream has the output of the Runnable, for a Runnable that is its client."""

    answers_with_resume: ClassVar[bool] = False
    """Whether interrupts are answered by ``resume`` in a body for the URL of the run."""

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

    def encode(self, event: Event) -> bytes:
        """Return the frames of an event, each with its blank line; ``b""`` if it has none."""

    def decode(self, frame: Frame) -> Iterable[Event]:
        """Return the events of a frame: the reverse of `encode`.

        The first ``RunFinished`` or ``RunError`` is the end of the stream, whatever follows. By
        default a frame's data is an ``OutputChunk``, and ``[DONE]`` the end.

        Raises:
            ValueError: The frame's data is not JSON, where the format's is. To a client, any other
                exception means the same: it cannot read the frame.
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

    @classmethod
    def refusal(cls, error: RunError) -> tuple[bytes, str]:
        """Return the body and the media type of an error response."""
        return to_json(error_object(error)), "application/json"
