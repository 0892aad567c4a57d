"""StreamRoute: one path, one Runnable, one format, and every option there is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from copy import copy
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from . import formats
from ._importer import kind_of
from ._langchain.conversation import Conversation
from ._langchain.graphs import merged_context
from ._langchain.input_schema import ConfigurableSchema, InputSchema
from ._langchain.runnables import is_runnable, merge_configs
from ._langchain.tasks import RunTasks
from ._routing import validation as checks
from ._routing.hooks import call_hook
from ._routing.opened import Opened, as_manager
from .errors import StreamError, TableError
from .filters import EventFilter
from .limits import Limits
from .requests import StreamRequest
from .resume import Resume

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import Runnable, RunnableConfig

    AnyRunnable = Runnable[Any, Any]
    # The Runnable is what is returned, awaited, yielded, or the context manager's value.
    Made = (
        AnyRunnable
        | Awaitable[AnyRunnable]
        | AsyncIterator[AnyRunnable]
        | Iterator[AnyRunnable]
        | AbstractAsyncContextManager[AnyRunnable]
        | AbstractContextManager[AnyRunnable]
    )
    RunnableSource = AnyRunnable | Callable[[StreamRequest], Made] | str
    # With a "context", which a RunnableConfig has no key for.
    Config = RunnableConfig | Mapping[str, object]
    Configure = Callable[[StreamRequest], Config | Awaitable[Config]]
    Authorize = Callable[[StreamRequest], str | Awaitable[str | None] | None]
    # Awaited, if they can be.
    Converse = (
        Callable[[list[BaseMessage]], Any] | Callable[[list[BaseMessage], formats.RunSpec], Any]
    )

__all__ = ["StreamRoute"]


class _Default:
    """A value that nobody has asked for, which a table's own default may replace."""

    def __init__(self, value: Any) -> None:
        self.value = value


def _option(default: Any) -> Any:
    return field(default=_Default(default), kw_only=True)


@dataclass(frozen=True)
class StreamRoute:
    """Serves one Runnable at one path. `StreamApp` takes the options as defaults for its routes.

    Args:
        path: ``"/chat"``, or with parameters as in Starlette, ``"/bots/{name}"``.
        runnable: A Runnable (a compiled LangGraph graph is one); or a function that is called with
            each Starlette ``Request`` and returns one, or yields one as a generator or context
            manager, async or not, which goes on when the run and its clean-up have ended; or the
            ``"module:attribute"`` of either.
            A format whose clients name a model (``openai``) takes a mapping of names to these too.
        format: What the client reads: the name of a format, or the ``"module:Class"`` of a
            `asgi_stream.formats.Format`.
        methods: ``("POST",)``, ``("GET",)`` or both. GET takes the input from the query string.
            Formats with endpoints of their own (the front ends') have methods of their own.
        input: A pydantic model, TypedDict or dataclass (any type pydantic validates) that the
            input must fit. Without one the Runnable's own input schema is used where it helps.
        conversation: Makes the input of a conversation, for formats whose clients send one: called
            with LangChain's messages, and if it has a second parameter with the
            `asgi_stream.formats.RunSpec` that they came with. The Runnable gets what it returns,
            unchecked: a LangGraph ``Command`` too. Without it the input's type says how
            (`asgi_stream._langchain.conversation.Conversation`).
        system_messages: Whether what a client says as the system (or the developer) reaches the
            Runnable. By default not in the conversations of ``vercel``, ``agui`` and ``text``,
            whose clients are browsers; elsewhere it does.
        filter: Which events reach the client.
        answer: Whose text is the answer when several models speak: names of models, agents,
            graphs or graph nodes, or tags.
        config: A ``RunnableConfig`` for every run: callbacks, tags, metadata... Each run gets a
            copy of the metadata's dicts, lists and sets. A ``"context"`` in it is passed to a
            LangGraph graph as such (https://docs.langchain.com/oss/python/langgraph/graph-api).
        configure: Called with the Starlette ``Request``, returns a ``RunnableConfig`` for this run
            that is merged into `config`; its ``"context"`` is merged too. It may refuse the
            request by raising a `StreamError` or a Starlette ``HTTPException``.
        configurable: The ``configurable`` keys that a client may set in the query string.
        stream: Keyword arguments for ``astream``: ``{"stream_mode": ["updates", "messages"]}``.
        limits: Bounds in seconds, bytes and counts.
        json_pings: A JSON answer that takes longer than ``limits.hold`` begins then, with the
            status 200, and a space each ``limits.ping`` seconds tells proxies that it goes on. A
            run that fails afterwards is a 200 too, with the error as its document.
        errors: What a client is told of exceptions of a class, a `StreamError` each:
            ``{RateLimitError: StreamError("Slow down.", code="rate_limited", status=429)}``.
        authorize: Called first with each ``Request``, returns a name for who sent it, or None: the
            owner of the runs that it starts. It refuses as `configure` does.
        resume: Runs outlive their readers: a `Resume`, or True for one with its defaults.
        inline_parser: Run a ``StrOutputParser`` at the end of a chain on the event loop instead of
            in a thread for each chunk. Output, callbacks and traces stay the same.
        debug: Send the text of exceptions too; for development.

    The functions among these (`runnable`, `conversation`, `configure`, `authorize`) may be async.
    Those that are not run in a worker thread, so that none of them blocks the event loop
    (`asgi_stream._routing.hooks.call_hook`). The ``Request`` that they get is a
    `asgi_stream.requests.StreamRequest`: each may read its body, which is read once, within
    ``limits.body`` and ``limits.receive``; `runnable` and `configure` find it read, in its `data`
    and `call`.

    Raises:
        TableError: An option cannot work. The message names the route and what was expected.
    """

    path: str
    runnable: RunnableSource | Mapping[str, RunnableSource]
    format: str = _option("tokens")
    methods: Sequence[str] = _option(("POST",))
    input: Any = _option(None)
    conversation: Converse | None = _option(None)
    system_messages: bool | None = _option(None)
    filter: EventFilter | None = _option(None)
    answer: Sequence[str] = _option(())
    config: Config | None = _option(None)
    configure: Configure | None = _option(None)
    configurable: Sequence[str] = _option(())
    stream: Mapping[str, Any] = _option(MappingProxyType({}))
    limits: Limits = _option(Limits())
    json_pings: bool = _option(False)
    errors: Mapping[Any, StreamError] = _option(MappingProxyType({}))
    authorize: Authorize | None = _option(None)
    resume: Resume | bool = _option(False)
    inline_parser: bool = _option(True)
    debug: bool = _option(False)

    _asked_for: frozenset[str] = field(init=False, repr=False, compare=False)
    format_class: type[formats.Format] = field(init=False, repr=False, compare=False)
    runnables: Mapping[str, RunnableSource] = field(init=False, repr=False, compare=False)
    """The Runnables by name; the name of a single one is the last part of the path."""
    kept: Resume | None = field(init=False, repr=False, compare=False)
    """How its runs are kept, if they are."""
    schemas: list[tuple[AnyRunnable, tuple[InputSchema, ConfigurableSchema]]] = field(
        init=False, repr=False, compare=False
    )
    """What the Runnables take that were asked last."""
    said: set[str] = field(init=False, repr=False, compare=False)
    """What the log has said of the route, and need not say again."""

    def __post_init__(self) -> None:
        asked_for = set()
        for name in OPTIONS:
            value = getattr(self, name)
            if isinstance(value, _Default):
                object.__setattr__(self, name, value.value)
            else:
                asked_for.add(name)
        object.__setattr__(self, "_asked_for", frozenset(asked_for))
        self._check()

    def with_defaults(self, defaults: Mapping[str, Any]) -> StreamRoute:
        """This route with `defaults` for the options that it does not give itself.

        Raises:
            TableError: There is no such option, or one does not fit this route.
        """
        unknown = sorted(set(defaults) - set(OPTIONS))
        if unknown:
            raise TableError(
                f"there is no option {unknown[0]!r}; expected one of {', '.join(OPTIONS)}"
            )
        if self._asked_for.issuperset(defaults):
            return self
        own = {name: getattr(self, name) for name in self._asked_for}
        return StreamRoute(self.path, self.runnable, **{**defaults, **own})

    def keeping(self, kept: Resume) -> StreamRoute:
        """This route, whose runs are kept like that."""
        route = copy(self)
        object.__setattr__(route, "kept", kept)
        return route

    def says_first(self, what: str) -> bool:
        """Whether something is to be said in the log for the first time."""
        first = what not in self.said
        self.said.add(what)
        return first

    def gives(self, option: str) -> bool:
        """Whether the route itself gives this option."""
        return option in self._asked_for

    @property
    def endpoints(self) -> Sequence[tuple[str, str]]:
        """Method and path below this route's, of all that it serves."""
        own = self.format_class.endpoints or tuple((method, "") for method in self.methods)
        return (*own, *(self.format_class.runs if self.kept else ()))

    async def owner(self, request: StreamRequest) -> str | None:
        """Who has sent `request`, to whom the runs belong that it starts.

        Raises:
            TypeError: `authorize` returned something else, or an empty name.
        """
        owner: Any = await call_hook(self.authorize, request) if self.authorize else None
        if not isinstance(owner, str | None):
            raise TypeError(
                f"authorize of route {self.path!r} returned {kind_of(owner)}, not a name or None"
            )
        if owner == "":
            raise TypeError(
                f"authorize of route {self.path!r} returned an empty name; return None for nobody"
            )
        return owner

    async def resolve(
        self, request: StreamRequest, name: str | None, held: ExitStack, tasks: RunTasks
    ) -> AnyRunnable:
        """The Runnable of that name, or the only one, for this request.

        Args:
            request: What the route's function is called with.
            name: One of `runnables`.
            held: Closed when the run has ended; then what the function has opened is closed.
            tasks: Keeps the task alive that waits for that.

        Raises:
            TypeError: The function that the route names returned something else.
        """
        found: Any = self.runnables[name] if name else next(iter(self.runnables.values()))
        if not is_runnable(found):
            found = await call_hook(found, request)
            manager = None if is_runnable(found) else as_manager(found)
            if manager is not None:
                opened = Opened(manager, self.path, tasks)
                held.callback(opened.release)
                found = await opened.value()
            if not is_runnable(found):
                how = "returned" if manager is None else "yielded"
                raise TypeError(
                    f"the function of route {self.path!r} {how} {kind_of(found)}, not a Runnable"
                )
        return found  # type: ignore[no-any-return]  # checked above

    async def config_for(
        self, request: StreamRequest, configurable: Mapping[str, Any]
    ) -> tuple[RunnableConfig, Any]:
        """The config of one run: what the client may set, under what the server sets.

        Its metadata is the run's own, so that nothing that a run writes there is seen by another.

        Returns:
            The config, and LangGraph's context for the run; None if there is none.

        Raises:
            TypeError: `configure` returned something else.
        """
        configured: Any = await call_hook(self.configure, request) if self.configure else None
        if not isinstance(configured, Mapping | None):
            raise TypeError(
                f"configure of route {self.path!r} returned {kind_of(configured)}, not a config"
            )
        ours: list[Any] = [dict(each or {}) for each in (self.config, configured)]
        # LangChain would make it a configurable key.
        context = merged_context(*(each.pop("context", None) for each in ours))
        config = merge_configs({"configurable": dict(configurable)}, *ours)
        return {**config, "metadata": _copied(config["metadata"])}, context

    def input_schema(self, runnable: AnyRunnable) -> InputSchema:
        """What `runnable` takes. Kept for as long as it is the same Runnable that is asked for."""
        return self._schemas(runnable)[0]

    def configurable_schema(self, runnable: AnyRunnable) -> ConfigurableSchema:
        return self._schemas(runnable)[1]

    def conversation_of(self, runnable: AnyRunnable) -> Conversation:
        """How `runnable` takes a conversation.

        Raises:
            Ambiguous: Its input does not say.
        """
        return Conversation(self.input_schema(runnable).wanted, self.conversation)

    def takes_system_messages(self, call: formats.RunSpec) -> bool:
        """Whether what the client says as the system reaches the Runnable."""
        if self.system_messages is not None:
            return self.system_messages
        return call.messages is None or self.format_class.system_messages

    def _schemas(self, runnable: AnyRunnable) -> tuple[InputSchema, ConfigurableSchema]:
        for known, found in self.schemas:
            if known is runnable:
                return found
        found = (InputSchema(runnable, self.input), ConfigurableSchema(runnable))
        # As many as the route has; a function that makes a new one each time pushes out its last.
        self.schemas.insert(0, (runnable, found))
        del self.schemas[len(self.runnables) :]
        return found

    def _check(self) -> None:
        """Find out what is wrong, all of it, and settle what is made of the options."""
        found = checks.RouteValidation(self)
        if found.problems:
            problems = (f"route {self.path!r}: {each}" for each in found.problems)
            raise TableError(*problems) from found.cause
        for name in checks.SETTLED:
            object.__setattr__(self, name, getattr(found, name))


def _copied(value: Any) -> Any:
    """A deep copy of plain containers. What is not one, a client or a lock perhaps, is shared."""
    if type(value) is dict:
        return {key: _copied(each) for key, each in value.items()}
    if type(value) in (list, tuple, set):
        return type(value)(map(_copied, value))
    return value


OPTIONS = tuple(
    f.name for f in fields(StreamRoute) if f.init and f.name not in ("path", "runnable")
)
