"""The base of all formats, and the values that it exchanges with the rest of the package."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from ..events import Event, RunError, RunFinished
from ..filters import EventFilter
from ..serialize import to_json
from ..stores import RunRecord
from ._decoded import plain_events
from ._frame import Frame
from ._sse import PING, data_frame, error_object, run_object

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


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatRequest:
    """A request that a format has to parse.

    Attributes:
        endpoint: The path of the endpoint, one of the format's `endpoints`.
        body: The parsed JSON body; for a GET request, the input in its query.
        params: The path parameters of the endpoint.
        models: The names of the route's Runnables.
        configurable: The ``configurable`` keys that clients of the route may set.
    """

    endpoint: str = ""
    body: Any = None
    params: Mapping[str, Any] = field(default_factory=dict)
    models: Sequence[str] = ()
    configurable: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """The run that a request asks for, in neutral terms.

    Attributes:
        input: The Runnable's input, not yet validated.
        messages: A conversation instead of an input. Each message is a dict with ``role``
            (``system``, ``user``, ``assistant`` or ``tool``), ``content`` (text, or a list of
            LangChain's standard content blocks), and optionally ``id``, ``name``, ``tool_calls``
            (``{"id", "name", "args"}`` each), ``tool_call_id`` and ``status``.
        state: Further fields of a graph's state. Fields that the graph does not have are dropped.
        model: Which of the route's Runnables to run.
        tools: Tools that the client runs itself, as OpenAI's function definitions; None if the
            request has no list of tools.
        tool_choice: Which tool the model has to call, as for LangChain's ``bind_tools``.
        response_format: The form of the answer's text, as in OpenAI's API:
            ``{"type": "json_object"}`` or ``{"type": "json_schema", "json_schema": {...}}``.
        configurable: ``configurable`` keys, each of which the route must list.
        astream_kwargs: Keyword arguments for ``astream``, which override the route's.
        filter: A filter that narrows the route's.
        many: Whether `input` is a list of inputs, to be run concurrently.
        max_concurrency: How many of them may run at once; the route's limit may be lower.
        gathered: Whether the response is one JSON document; None: the ``Accept`` header decides.
        conversation_id: The client's id of the conversation (its chat id), under which a client
            without a run id can join or stop the newest run.
        thread: The client's id of the thread: the default of the ``configurable`` key
            ``thread_id``, where the route lists that key.
        context: Context for the model (AG-UI), ``{"description", "value"}`` each.
        dropped: Kinds of content in the client's messages that `messages` leaves out.
        cancel_on_disconnect: Whether a disconnect cancels the run, whatever the route says.
    """

    input: Any = None
    messages: Sequence[Mapping[str, Any]] | None = None
    state: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None
    tools: Sequence[Mapping[str, Any]] | None = None
    tool_choice: Any = None
    response_format: Mapping[str, Any] | None = None
    configurable: Mapping[str, Any] = field(default_factory=dict)
    astream_kwargs: Mapping[str, Any] = field(default_factory=dict)
    filter: EventFilter | None = None
    many: bool = False
    max_concurrency: int | None = None
    gathered: bool | None = None
    conversation_id: str | None = None
    thread: str | None = None
    context: Sequence[Mapping[str, Any]] = ()
    dropped: Set[str] = frozenset()
    cancel_on_disconnect: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """A response that needs no run.

    Attributes:
        body: The JSON body.
        schema: Respond with the JSON Schema of the Runnable's ``input``, ``output`` or ``config``
            instead.
        headers: Headers of the response.
    """

    body: Any = None
    schema: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


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
        return RunSpec(input=request.body)

    def headers_of(self, run_id: str, *, resumable: bool = False) -> Mapping[str, str]:
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
        interrupted = {"interrupted": end.interrupts} if end.interrupts else {}
        return {"run_id": run_id, "output": gathered, **interrupted}

    def failure(self, end: RunError) -> object:
        """Return the JSON response of a failed run, sent with status 200; None: send an error."""
        return None

    def run_object(self, record: RunRecord) -> object:
        """Return what a client may know about a stored run."""
        return run_object(record)

    @classmethod
    def refusal(cls, error: RunError) -> tuple[bytes, str]:
        """Return the body and the media type of an error response."""
        return to_json(error_object(error)), "application/json"
