"""The values that a format exchanges with the rest of the package."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Literal

from ..filters import EventFilter
from ._stored_run import StoredRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer to an interrupt at which a thread waits.

    Attributes:
        value: The answer: what LangGraph's ``interrupt()`` returns.
        interrupt: The id of the interrupt. Without it and `call`, the thread must wait at one only.
        call: The id of a tool call that waits for approval; `value` is the decision on it then, as
            LangChain's ``HumanInTheLoopMiddleware`` takes it: ``{"type": "approve"}``.
        cancelled: Whether the person declined to answer: calls that wait for approval are rejected
            then, and `value` is the answer to any other interrupt.
        path: Where the answer is in the request, for errors.
    """

    value: Any
    interrupt: str | None = None
    call: str | None = None
    cancelled: bool = False
    path: str = "resume"


@dataclass(frozen=True, slots=True)
class Recall:
    """What a request repeats of the caller's earlier runs on the route.

    Attributes:
        run_ids: The ids of these runs.
        complete: Returns the `RunSpec`, given those of them that the caller has and that are still
            stored, of the one without. Raises a `StreamError` if one is missing.
    """

    run_ids: Sequence[str]
    complete: Callable[[RunSpec, Mapping[str, StoredRun]], RunSpec]


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatRequest:
    """A request that a format has to parse.

    Attributes:
        endpoint: The path of the endpoint, one of the format's `endpoints`.
        body: The parsed JSON body; for a GET request, the input in its query.
        params: The path parameters of the endpoint.
        models: The names of the route's Runnables.
        configurable: The ``configurable`` keys that clients of the route may set.
        threads: Whether the route has threads.
        resumable: Whether the route stores runs.
        sdk_version: The major version of the AI SDK that the route's clients have.
        user_messages_only: Whether clients may add messages of the user only to a thread.
        headers: The request's headers, by their lower-case names.
        thread: The id of the thread in the path or the query.
    """

    endpoint: str = ""
    body: Any = None
    params: Mapping[str, Any] = field(default_factory=dict)
    models: Sequence[str] = ()
    configurable: Sequence[str] = ()
    threads: bool = False
    resumable: bool = False
    sdk_version: int = 6
    user_messages_only: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    thread: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """The run that a request asks for, in neutral terms.

    Attributes:
        input: The Runnable's input, not yet validated.
        arguments: Whether `input` is a mapping of arguments: the input itself if the Runnable takes
            a mapping, else with the input as its ``input``.
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
        response_format_path: Where the request has it.
        configurable: ``configurable`` keys, each of which the route must list.
        astream_kwargs: Keyword arguments for ``astream``, which override the route's.
        filter: A filter that narrows the route's.
        many: Whether `input` is a list of inputs, to be run concurrently.
        max_concurrency: How many of them may run at once; the route's limit may be lower.
        gathered: Whether the response is one JSON document; None: the ``Accept`` header decides.
        conversation_id: The client's id of the conversation (its chat id), under which a client
            without a run id can join or stop the newest run.
        thread: The client's id of the thread. On a route without `threads`, the default of the
            ``configurable`` key ``thread_id``, where the route lists that key.
        trigger: Why the client sends the request, in its own word: ``"regenerate-message"``.
        answers: Answers to the interrupts at which the thread waits, instead of an input.
        answers_if_waiting: What `input` is if the thread waits, and it has no field of the graph's.
        update: What to write to the state of the graph together with the answers, as a node does.
        goto: The nodes at which to go on: names, or ``{"node", "input"}`` for LangGraph's ``Send``.
        resumes: Whether a run without an input goes on from where the thread stands.
        checkpoint: The ``configurable`` keys of a checkpoint of the thread to go on from.
        must_exist: Whether the thread must exist; otherwise it is created.
        ephemeral: Whether the thread is for this run only.
        multitask: What to do if another run on the thread is in progress; None: the route decides.
        metadata: Metadata for the thread and its checkpoints.
        owner: What the route's ``authorize`` returned. Set by the route, as `body` is.
        body: The request's JSON, or the input in its query.
        catches_up: Whether a conversation that adds nothing to the thread is answered with where
            the thread stands, and nothing runs.
        context: Context for the model (AG-UI), ``{"description", "value"}`` each; None: not sent.
        dropped: Kinds of content in the client's messages that `messages` leaves out.
        cancel_on_disconnect: Whether a disconnect cancels the run, whatever the route says.
        attempt: How many workers have executed the run, this one included. Set by the route.
        background: Whether the response is the record of the run, at once, instead of its frames.
        cancel_key: What a later request of the same owner cancels the run by (`Document.cancels`).
        stored: Whether a resumable route stores the run; None: if its response is a stream.
        unattended: Whether the run goes on without readers, whatever the route says.
        after_run: The id of a run of the thread, from whose last checkpoint this one goes on;
            `messages` has only what is new then.
        seeds: Whether a new thread begins with all of `messages`, the assistant's words included.
        revises: Whether the last of `messages` is an old one, removed or not; None: perhaps.
        recall: What the request repeats of earlier runs, which the route has yet to find.
    """

    input: Any = None
    arguments: bool = False
    messages: Sequence[Mapping[str, Any]] | None = None
    state: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None
    tools: Sequence[Mapping[str, Any]] | None = None
    tool_choice: Any = None
    response_format: Mapping[str, Any] | None = None
    response_format_path: str = "response_format"
    configurable: Mapping[str, Any] = field(default_factory=dict)
    astream_kwargs: Mapping[str, Any] = field(default_factory=dict)
    filter: EventFilter | None = None
    many: bool = False
    max_concurrency: int | None = None
    gathered: bool | None = None
    conversation_id: str | None = None
    thread: str | None = None
    trigger: str | None = None
    answers: Sequence[Answer] = ()
    answers_if_waiting: Sequence[Answer] = ()
    update: Any = None
    goto: Any = None
    resumes: bool = False
    checkpoint: Mapping[str, Any] | None = None
    must_exist: bool = False
    ephemeral: bool = False
    multitask: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    owner: str | None = None
    body: Any = None
    catches_up: bool = False
    context: Sequence[Mapping[str, Any]] | None = None
    dropped: Set[str] = frozenset()
    cancel_on_disconnect: bool = False
    attempt: int = 1
    background: bool = False
    cancel_key: str | None = None
    stored: bool | None = None
    unattended: bool = False
    after_run: str | None = None
    seeds: bool = False
    revises: bool | None = False
    recall: Recall | None = None

    @property
    def continued(self) -> bool:
        """Whether another worker has begun the run, and this one goes on at its last checkpoint."""
        return self.attempt > 1


@dataclass(frozen=True, slots=True)
class Tool:
    """A Runnable of a route as a tool that programs call.

    Attributes:
        name: The Runnable's name.
        description: What it is for.
        input: The JSON Schema of its arguments, which is that of an object.
        output: The JSON Schema of its output; ``{}`` if it is not known.
    """

    name: str
    description: str
    input: Mapping[str, Any]
    output: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class GraphQuery:
    """What is asked about one of the route's graphs.

    Attributes:
        model: The name of the graph.
        part: Its nodes and edges (``drawing``), its ``schemas``, or those of its ``subgraphs``.
        xray: Whether the nodes and edges of subgraphs are drawn, too; a number: how deep.
        namespace: The subgraph that is asked about; None: all.
        recurse: Whether subgraphs of subgraphs are asked about, too.
    """

    model: str
    part: Literal["drawing", "schemas", "subgraphs"]
    xray: bool | int = False
    namespace: str | None = None
    recurse: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """A response that needs no run.

    Attributes:
        body: The JSON body. With `status` 202 there is none.
        schema: Respond with the JSON Schema of the Runnable's ``input``, ``output`` or ``config``.
        headers: Headers of the response.
        graph: Respond with this about a graph instead.
        status: Its HTTP status.
        tools: Respond with what this returns for all Runnables of the route, instead.
        cancels: Cancel the runs with this `RunSpec.cancel_key` that the caller owns.
    """

    body: Any = None
    schema: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    tools: Callable[[Sequence[Tool]], Any] | None = None
    cancels: str | None = None
    graph: GraphQuery | None = None

    @property
    def model(self) -> str | None:
        """The Runnable that it is about; None: the route's only one."""
        return self.graph.model if self.graph else None
