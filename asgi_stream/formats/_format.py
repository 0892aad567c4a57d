"""What a format is, what it reads, and what it makes of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from ..events import Event, RunError, RunFinished
from ..filters import EventFilter
from ..serialize import to_json
from ..stores import RunRecord
from ._sse import PING, data_frame, error_object, run_object

RUNS: Mapping[tuple[str, str], str] = {
    ("GET", "/runs"): "list",
    ("GET", "/runs/{run_id}"): "show",
    ("DELETE", "/runs/{run_id}"): "stop",
}
"""Where the runs of a resumable route are, below its path, and what is asked of them there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatRequest:
    """What a client has sent.

    Attributes:
        endpoint: The one of the format's `endpoints` that it was sent to.
        body: The request's JSON as plain data; of a GET request, the input in its query.
        params: The parameters in the endpoint's path.
        models: The names of the route's Runnables; one, if the route has one.
        configurable: The ``configurable`` keys that the route lets its clients set.
    """

    endpoint: str = ""
    body: Any = None
    params: Mapping[str, Any] = field(default_factory=dict)
    models: Sequence[str] = ()
    configurable: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """The run that a client asks for, in neutral terms.

    Attributes:
        input: The Runnable's input, not yet checked.
        messages: A conversation instead of an input. Each is a dict with ``role`` (``system``,
            ``user``, ``assistant`` or ``tool``), ``content`` (text, or a list of LangChain's
            standard content blocks), and where it has them ``id``, ``name``, ``tool_calls``
            (``{"id", "name", "args"}`` each), ``tool_call_id`` and ``status``.
        state: Fields of a graph's state beside its messages. Those that it has not are left out.
        model: Which of the route's Runnables to run.
        tools: Tools that the client runs itself, as OpenAI's function definitions; None if it
            sends no list of tools.
        tool_choice: Which of them the model has to call, as for LangChain's ``bind_tools``.
        response_format: The form that the answer's text has to have, as OpenAI's API says it:
            ``{"type": "json_object"}`` or ``{"type": "json_schema", "json_schema": {...}}``.
        configurable: ``configurable`` keys, of which the route must list each.
        stream: Keyword arguments for ``astream``, over the route's.
        filter: What the client narrows the route's filter to.
        many: Whether `input` is a list of inputs, to be run side by side.
        max_concurrency: How many of them may run at once, at most; the route's limit may be lower.
        gathered: Whether the answer is one JSON document; None: as the ``Accept`` header says.
        place: What the client calls the place of the run, where it looks for it again: its chat.
        thread: What the client calls its conversation: the ``configurable`` key ``thread_id``,
            where the route takes that key and the request does not set it in another way.
        context: What the client tells of its user's surroundings (AG-UI): ``{"description",
            "value"}`` each.
        dropped: What of the client's messages has no place in `messages`, a few words each.
        cancel_on_disconnect: Whether the run ends when its readers leave, though the route says
            otherwise.
    """

    input: Any = None
    messages: Sequence[Mapping[str, Any]] | None = None
    state: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None
    tools: Sequence[Mapping[str, Any]] | None = None
    tool_choice: Any = None
    response_format: Mapping[str, Any] | None = None
    configurable: Mapping[str, Any] = field(default_factory=dict)
    stream: Mapping[str, Any] = field(default_factory=dict)
    filter: EventFilter | None = None
    many: bool = False
    max_concurrency: int | None = None
    gathered: bool | None = None
    place: str | None = None
    thread: str | None = None
    context: Sequence[Mapping[str, Any]] = ()
    dropped: Set[str] = frozenset()
    cancel_on_disconnect: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """An answer that needs no run.

    Attributes:
        body: Sent as JSON.
        schema: Send the JSON Schema of the Runnable's ``input``, ``output`` or ``config`` instead.
        headers: Sent with the body.
    """

    body: Any = None
    schema: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Format(Protocol):
    """One client's wire. An instance serves one run; both methods are synchronous and do no I/O.

    First it is given what the client has sent, by `parse`; then each event of the run, by `encode`
    when the answer is streamed, or by `gather` when the client asked for one JSON document. The
    last is always a ``RunFinished`` or a ``RunError``.
    A class that names this one as its base has everything but `wants` and `encode`.
    """

    media_type: ClassVar[str] = "text/event-stream"
    """The ``Content-Type`` of a stream."""

    endpoints: ClassVar[Sequence[tuple[str, str]]] = ()
    """Method and path, below the route's own, of all that it serves; ``()``: the route says."""

    chooses: ClassVar[bool] = False
    """Whether a client names the Runnable, so that a route may have several."""

    graphs: ClassVar[bool] = False
    """Whether it serves LangGraph graphs only."""

    ping: ClassVar[bytes] = PING
    """What goes out in a silence; ``b""`` where the wire has nothing that a client ignores."""

    breaks_on_error: ClassVar[bool] = False
    """Whether a run that fails after its first frame breaks the connection.

    For a wire that has no frame for an error, so that its client does not take a part of the answer
    for the whole.
    """

    converses: ClassVar[bool] = False
    """Whether clients send a conversation, so that a table can be checked for where it goes."""

    system_messages: ClassVar[bool] = True
    """Whether what a client says as the system in a conversation reaches the Runnable by default.

    False for clients that are browsers, where anyone may rewrite what they send.
    """

    runs: ClassVar[Mapping[tuple[str, str], str]] = {}
    """Method and path, below the route's own, of what may be asked of stored runs: `RUNS` and more.

    A path has the parameter ``run_id`` or ``place``. What is asked is to ``list`` the caller's
    runs, to ``join`` one as a reader, to tell its ``state``, to ``show`` it (its state as JSON or
    else its frames, as the ``Accept`` header says) or to ``stop`` it. ``{}``: the format's clients
    cannot resume, and a route of it cannot be resumable.
    """

    wants: frozenset[Any]
    """The events, besides a run's start and end, that the format has a use for.

    With `events.ALL_EVENTS` it is told of everything that a person may want to see, in order. The
    class has all that any request may want; after `parse` an instance may want fewer. Without
    `events.ToolFinished` it is told as text what a tool has answered to the client directly.
    """

    def parse(self, asked: FormatRequest) -> RunSpec | Document:
        """What the client wants.

        Raises:
            StreamError: It is not what this format takes.
        """
        return RunSpec(input=asked.body)

    def headers_of(self, run_id: str, *, resumable: bool = False) -> Mapping[str, str]:
        """Headers of the answer, besides those that every answer has."""
        return {}

    def id_prefix(self, run_id: str) -> str | None:
        """What comes before a stored frame's number in its id; None: frames have no ids."""
        return f"{run_id}:"

    def gap(self, run_id: str, first: int, last: int) -> bytes:
        """Tells that the frames from `first` to `last` are no longer kept.

        ``b""`` if the client cannot go on without them: it is told of an error then.
        """
        gap = data_frame({"gap": {"first": first, "last": last}})
        return f"id: {self.id_prefix(run_id)}{last}\n".encode() + gap

    def encode(self, event: Event) -> bytes:
        """The event as frames, each with its blank line; ``b""`` if it is not for the client."""

    def gather(self, event: Event) -> object:
        """What stands for the run in a JSON answer, once it has finished; before, anything."""
        return event.output if isinstance(event, RunFinished) else None

    def document(self, run_id: str, gathered: object, end: RunFinished) -> object:
        """The JSON answer, of what `gather` has returned last."""
        waits = {"interrupted": end.interrupts} if end.interrupts else {}
        return {"run_id": run_id, "output": gathered, **waits}

    def failure(self, end: RunError) -> object:
        """The JSON answer, with the status 200, of a run that has failed; None: it is an error."""
        return None

    def run_object(self, record: RunRecord) -> object:
        """What a client is told of a stored run."""
        return run_object(record)

    @classmethod
    def refusal(cls, error: RunError) -> tuple[bytes, str]:
        """The body and the media type of an answer that is an error from its start."""
        return to_json(error_object(error)), "application/json"
