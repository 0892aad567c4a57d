"""StreamRoute: one path, one Runnable, one format, and every option there is.

Everything here is a value. What is wrong with a route is found out when an app binds it to its own
defaults (`asgi_stream._routing.bound.BoundRoute`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from inspect import Parameter, Signature
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from typing_extensions import Unpack

from ._options import Option, renamed, unknown
from .errors import StreamError, TableError
from .errors.text import mask_passwords
from .filters import EventFilter
from .limits import Limits
from .resume import Resume
from .threads import Threads

if TYPE_CHECKING:
    from .requests import Authorize, Config, Configure, Converse, RunnableSource

__all__ = ["AppOptions", "RouteOptions", "StreamRoute"]

FormatName = Literal[
    "agui", "chunks", "events", "langgraph", "langserve", "mcp", "openai", "text", "tokens",
    "vercel",
]  # fmt: skip
Multitask = Literal["reject", "enqueue", "interrupt", "rollback"]

RENAMED = {"stream": "astream_kwargs"}
"""Options that had another name, which is still understood."""


class RouteOptions(TypedDict, total=False):
    """The options of a `StreamRoute`, which `StreamApp` takes as defaults for its routes."""

    format: FormatName | str
    methods: Sequence[Literal["GET", "POST"]]
    input: Any
    conversation: Converse | None
    system_messages: bool | None
    filter: EventFilter | None
    answer: Sequence[str]
    config: Config | None
    configure: Configure | None
    configurable: Sequence[str]
    astream_kwargs: Mapping[str, Any]
    limits: Limits
    json_pings: bool
    errors: Mapping[Any, StreamError]
    authorize: Authorize | None
    resume: Resume | bool
    threads: Threads | bool
    multitask: Multitask | None
    sdk_version: Literal[5, 6, 7]
    debug: bool


class AppOnlyOptions(TypedDict, total=False):
    """The options of `StreamApp` that are not its routes'."""

    title: str
    openapi: bool
    health: bool
    playground: bool
    client_js: bool
    allowed_hosts: Collection[str] | None
    telemetry: bool
    signals: bool


class AppOptions(AppOnlyOptions, RouteOptions, total=False):
    """All options of `StreamApp`."""


class Options:
    """The options of a route as attributes.

    Attributes:
        options: Those that are set, by their names.
    """

    options: Mapping[str, Any]

    format = Option[FormatName | str]("tokens", "string", of_format=True)
    methods = Option[Sequence[str]](("POST",), "HTTP methods", of_format=True)
    input = Option[Any](None, "reference")
    conversation = Option["Converse | None"](None, "function", of_format=True)
    system_messages = Option[bool | None](None, "boolean", of_format=True)
    filter = Option[EventFilter | None](None, "EventFilter")
    answer = Option[Sequence[str]]((), "strings", of_format=True)
    config = Option["Config | None"](None, "reference or table")
    configure = Option["Configure | None"](None, "function")
    configurable = Option[Sequence[str]]((), "strings")
    astream_kwargs = Option[Mapping[str, Any]](MappingProxyType({}), "table")
    limits = Option[Limits](Limits(), "Limits")
    json_pings = Option[bool](False, "boolean", of_format=True)
    errors = Option[Mapping[Any, StreamError]](MappingProxyType({}), "errors by class")
    authorize = Option["Authorize | None"](None, "function")
    resume = Option[Resume | bool](False, "Resume or boolean")
    threads = Option[Threads | bool](False, "Threads or boolean")
    multitask = Option["Multitask | None"](None, "string")
    sdk_version = Option[int](6, "integer", of_format=True)
    debug = Option[bool](False, "boolean")


OPTIONS: Mapping[str, Option[Any]] = {
    name: value for name, value in vars(Options).items() if isinstance(value, Option)
}
"""Every option of a route by its name, in the order of their documentation."""


@dataclass(frozen=True, init=False)
class StreamRoute(Options):
    """Serves one Runnable at one path, in one format.

    A route is a value: it is checked when an app binds it to its defaults. `StreamApp` takes the
    same options as defaults for all of its routes.

    Args:
        path: ``"/chat"``, or with path parameters as in Starlette, ``"/bots/{name}"``.
        runnable: A Runnable (a compiled LangGraph graph is one); or a function that is called with
            each Starlette ``Request`` and returns one, or yields one as a generator or context
            manager, sync or async, which is closed after the run has ended and cleaned up; or the
            ``"module:attribute"`` of either. Formats whose clients name a model, a graph or a tool
            (``openai``, ``langgraph``, ``mcp``) take a mapping of names to these too.
        format: The wire format: the name of a built-in format, or the ``"module:Class"`` of an
            `asgi_stream.formats.Format`.
        methods: ``("POST",)``, ``("GET",)`` or both. GET takes the input from the query string.
            Formats with endpoints of their own (those of front ends) define their own methods.
        input: A pydantic model, TypedDict, dataclass, or any other type that pydantic validates,
            against which the input is validated. By default the Runnable's own input schema is
            used, as far as it can be trusted.
        conversation: Converts a conversation to the Runnable's input, for formats whose clients
            send one. Called with LangChain's messages, and if it has a second parameter with the
            `asgi_stream.formats.RunSpec` of the request. The result is passed to the Runnable
            without validation; it may be a LangGraph ``Command``. By default the input's type
            decides, as the documentation says under "Front ends".
        system_messages: Whether system and developer messages sent by the client are forwarded to
            the Runnable. By default they are, except in conversations of ``vercel``, ``agui`` and
            ``text``, whose clients are browsers.
        filter: Which events are sent to the client.
        answer: Whose text is the answer if several models stream: names of models, agents, graphs
            or graph nodes, or tags.
        config: A ``RunnableConfig`` for every run: callbacks, tags, metadata. Each run gets its own
            copy of the metadata's dicts, lists and sets. A ``"context"`` in it is passed to a
            LangGraph graph as such (https://docs.langchain.com/oss/python/langgraph/graph-api).
        configure: Called with the Starlette ``Request``; returns a ``RunnableConfig`` for this run,
            which is merged over `config`, including its ``"context"``. Raise a `StreamError` or a
            Starlette ``HTTPException`` to refuse the request.
        configurable: The ``configurable`` keys that clients may set: in the query string, or in the
            body where the format has a field for them.
        astream_kwargs: Keyword arguments for ``astream``:
            ``{"stream_mode": ["updates", "messages"]}``.
        limits: Limits in seconds, bytes and counts.
        json_pings: Keep proxies from timing out during JSON responses: a response that takes longer
            than ``limits.hold`` starts with status 200 and sends a space every ``limits.ping``
            seconds. A run that fails after that is a 200 too, with the error as its document.
        errors: The error to send for exceptions of a class, a `StreamError` each:
            ``{RateLimitError: StreamError("Slow down.", code="rate_limited", status=429)}``.
        authorize: Called first with each ``Request``; returns the name of the user, or None. The
            user owns the runs that the request starts. It refuses requests as `configure` does.
        resume: Store runs, so that they outlive their readers: a `Resume`, or True for its
            defaults.
        threads: Keep conversations in the checkpointer of the graph: a `Threads`, or True for its
            defaults. A thread belongs to the user that began it.
        multitask: What happens to a request on a thread on which another run is in progress:
            ``"reject"`` it with status 409, ``"enqueue"`` it, ``"interrupt"`` the other run, or
            also ``"rollback"`` what that one has added to the thread. By default it is rejected,
            with the format ``langgraph`` enqueued. Clients of that format may choose.
        sdk_version: The major version of the AI SDK that the clients of the format ``vercel`` have:
            5, 6 or 7. Version 5 has no approvals of tool calls: it gets the part
            ``data-interrupt`` instead.
        debug: Send the text of exceptions to clients; for development only.

    `runnable`, `conversation`, `configure` and `authorize` may be async functions. Sync functions
    run in a worker thread and never block the event loop. The ``Request`` that all but
    `conversation` are called with is an `asgi_stream.requests.StreamRequest`: any of them may read
    its body, which is read once, within ``limits.body`` and ``limits.receive``. When `runnable` and
    `configure` are called it has been read, and is parsed in the request's `data` and `call`.

    Raises:
        TableError: There is no such option.

    Example:
        >>> from langchain_core.runnables import RunnableLambda
        >>> StreamRoute("/shout", RunnableLambda(str.upper), format="vercel", debug=True).format
        'vercel'
    """

    path: str
    runnable: RunnableSource | Mapping[str, RunnableSource]
    options: Mapping[str, Any]
    """The options that the route itself sets."""

    def __init__(
        self,
        path: str,
        runnable: RunnableSource | Mapping[str, RunnableSource],
        *,
        options: Mapping[str, Any] = MappingProxyType({}),
        **changes: Unpack[RouteOptions],
    ) -> None:
        # `dataclasses.replace` passes on `options`, and what is to be changed by its own name.
        options = {**options, **renamed(changes, RENAMED)}
        if problems := unknown(options, OPTIONS):
            raise TableError(*(f"route {path!r}: {problem}" for problem in problems))
        for name, value in (("path", path), ("runnable", runnable), ("options", options)):
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        options = (f", {name}={value!r}" for name, value in self.options.items())
        return mask_passwords(f"StreamRoute({self.path!r}, {self.runnable!r}{''.join(options)})")

    @cached_property
    def own_resume(self) -> Resume:
        """What ``resume=True`` stands for: one for all apps that serve this route."""
        return Resume()

    @cached_property
    def own_threads(self) -> Threads:
        """What ``threads=True`` stands for: one for all apps that serve this route."""
        return Threads()

    def with_defaults(self, defaults: Mapping[str, Any]) -> StreamRoute:
        """Return this route with `defaults` for the options that it does not set itself."""
        return StreamRoute(self.path, self.runnable, options={**defaults, **self.options})


def _signature() -> Signature:
    """Return the signature of `StreamRoute` with each option and its default."""
    required = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in ("path", "runnable")]
    types = RouteOptions.__annotations__
    options = [option.parameter(types[name].__forward_arg__) for name, option in OPTIONS.items()]
    return Signature([*required, *options])


StreamRoute.__signature__ = _signature()  # type: ignore[attr-defined]
