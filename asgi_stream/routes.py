"""StreamRoute: one path, one Runnable, one format, and every option there is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from inspect import isawaitable
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.routing import compile_path

from . import formats
from .conversations import Ambiguous, Conversation
from .errors import StreamError, TableError
from .events import OutputChunk, TextDelta
from .filters import EventFilter
from .graphs import default_mode
from .importer import ImportFailed, import_from_string, kind_of
from .inputs import ConfigurableSchema, InputSchema
from .limits import Limits
from .resume import Resume
from .runs import is_runnable, merge_configs

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import Runnable, RunnableConfig

    AnyRunnable = Runnable[Any, Any]
    RunnableSource = AnyRunnable | Callable[[Request], AnyRunnable | Awaitable[AnyRunnable]] | str
    Configure = Callable[[Request], RunnableConfig | Awaitable[RunnableConfig]]
    Authorize = Callable[[Request], str | Awaitable[str | None] | None]
    Converse = Callable[[list[BaseMessage]], Any]

__all__ = ["StreamRoute"]

METHODS = ("GET", "POST")


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
            each Starlette ``Request`` and returns one, awaited if it is async; or the
            ``"module:attribute"`` of either. A format whose clients name a model
            (``openai``) takes a mapping of names to these too.
        format: What the client reads: the name of a format, or the ``"module:Class"`` of a
            `asgi_stream.formats.Format`.
        methods: ``("POST",)``, ``("GET",)`` or both. GET takes the input from the query string.
            Formats with endpoints of their own (the front ends') have methods of their own.
        input: A pydantic model, TypedDict or dataclass (any type pydantic validates) that the
            input must fit. Without one the Runnable's own input schema is used where it helps.
        conversation: Makes the input of a conversation, for formats whose clients send one: called
            with LangChain's messages. Without it the input's type says how
            (`asgi_stream.conversations.Conversation`).
        filter: Which events reach the client.
        answer: Whose text is the answer when several models speak: names of models, tags or
            names of graph nodes.
        config: A ``RunnableConfig`` for every run: callbacks, tags, metadata...
        configure: Called with the Starlette ``Request``, returns a ``RunnableConfig`` for this run
            that is merged into `config`; awaited if it is async. It may refuse the request by
            raising a `StreamError` or a Starlette ``HTTPException``.
        configurable: The ``configurable`` keys that a client may set in the query string.
        stream: Keyword arguments for ``astream``: ``{"stream_mode": ["updates", "messages"]}``.
        limits: Bounds in seconds, bytes and counts.
        errors: What a client is told of exceptions of a class, a `StreamError` each:
            ``{RateLimitError: StreamError("Slow down.", code="rate_limited", status=429)}``.
        authorize: Called first with each ``Request``, returns a name for who sent it, or None: the
            owner of the runs that it starts. Awaited, and refuses, as `configure`.
        resume: Runs outlive their readers: a `Resume`, or True for one with its defaults.
        inline_parser: Run a ``StrOutputParser`` at the end of a chain on the event loop instead of
            in a thread for each chunk. Output, callbacks and traces stay the same.
        debug: Send the text of exceptions too; for development.

    Raises:
        TableError: An option cannot work. The message names the route and what was expected.
    """

    path: str
    runnable: RunnableSource | Mapping[str, RunnableSource]
    format: str = _option("tokens")
    methods: Sequence[str] = _option(("POST",))
    input: Any = _option(None)
    conversation: Converse | None = _option(None)
    filter: EventFilter | None = _option(None)
    answer: Sequence[str] = _option(())
    config: RunnableConfig | None = _option(None)
    configure: Configure | None = _option(None)
    configurable: Sequence[str] = _option(())
    stream: Mapping[str, Any] = _option(MappingProxyType({}))
    limits: Limits = _option(Limits())
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

    @property
    def endpoints(self) -> Sequence[tuple[str, str]]:
        """Method and path below this route's, of all that it serves."""
        own = self.format_class.endpoints or tuple((method, "") for method in self.methods)
        return (*own, *(self.format_class.runs if self.kept else ()))

    async def owner(self, request: Request) -> str | None:
        """Who has sent `request`, to whom the runs belong that it starts.

        Raises:
            TypeError: `authorize` returned something else.
        """
        owner: Any = self.authorize(request) if self.authorize else None
        if isawaitable(owner):
            owner = await owner
        if not isinstance(owner, str | None):
            raise TypeError(
                f"authorize of route {self.path!r} returned {kind_of(owner)}, not a name or None"
            )
        return owner

    async def resolve(self, request: Request, name: str | None = None) -> AnyRunnable:
        """The Runnable of that name, or the only one, for this request.

        Raises:
            TypeError: The function that the route names returned something else.
        """
        found: Any = self.runnables[name] if name else next(iter(self.runnables.values()))
        if not is_runnable(found):
            found = found(request)
            if isawaitable(found):
                found = await found
            if not is_runnable(found):
                raise TypeError(
                    f"the function of route {self.path!r} returned {kind_of(found)}, not a Runnable"
                )
        return found  # type: ignore[no-any-return]  # checked above

    async def config_for(self, request: Request, configurable: Mapping[str, Any]) -> RunnableConfig:
        """The config of one run: what the client may set, under what the server sets."""
        configured: Any = self.configure(request) if self.configure else None
        if isawaitable(configured):
            configured = await configured
        return merge_configs({"configurable": dict(configurable)}, self.config, configured)

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

    def _schemas(self, runnable: AnyRunnable) -> tuple[InputSchema, ConfigurableSchema]:
        for known, schemas in self._seen:
            if known is runnable:
                return schemas
        schemas = (InputSchema(runnable, self.input), ConfigurableSchema(runnable))
        # As many as the route has; a function that makes a new one each time pushes out its last.
        self._seen.insert(0, (runnable, schemas))
        del self._seen[len(self.runnables) :]
        return schemas

    @cached_property
    def _seen(self) -> list[tuple[AnyRunnable, tuple[InputSchema, ConfigurableSchema]]]:
        return []

    # Everything that can be wrong with a route is found out here, when it is made.

    def _check(self) -> None:
        if not isinstance(self.path, str) or not self.path.startswith("/"):
            raise self._wrong(f'the path must begin with "/", not be {self.path!r}')
        try:
            object.__setattr__(self, "format_class", formats.load(self.format))
        except ImportFailed as error:
            raise self._wrong(f"format: {error}") from error.__cause__
        self._check_resume()
        for _, endpoint in (("", ""), *self.format_class.endpoints):
            try:
                compile_path(self.path.rstrip("/") + endpoint)
            except (AssertionError, ValueError) as error:
                raise self._wrong(f"the path cannot be read: {error}") from None
        self._check_runnable()
        self._check_words()
        self._check_use()
        if not isinstance(self.limits, Limits):
            raise self._wrong(f"limits must be a Limits, not {kind_of(self.limits)}")
        for problem in self.limits.problems():
            raise self._wrong(problem)
        for kind, told in self.errors.items():
            if not (isinstance(kind, type) and issubclass(kind, BaseException)):
                raise self._wrong(f"errors: {kind!r} is not an exception class")
            if not isinstance(told, StreamError) or not 400 <= told.status <= 599:
                raise self._wrong(
                    f"errors: {kind.__name__} needs a StreamError with a status from 400 to 599,"
                    f" not {told!r}"
                )

    def _check_runnable(self) -> None:
        given: Any = self.runnable
        if isinstance(given, Mapping) and self.format_class.chooses:
            if not given or not all(isinstance(name, str) and name for name in given):
                raise self._wrong(f"runnable: expected names with their Runnables, not {given!r}")
        else:
            given = {self.path.rpartition("/")[2] or "default": given}
        runnables = {name: self._runnable(found) for name, found in given.items()}
        object.__setattr__(self, "runnables", runnables)
        for found in runnables.values():
            self._check_one(found)

    def _runnable(self, found: Any) -> Any:
        if not isinstance(found, str):
            return found
        try:
            return import_from_string(found)
        except ImportFailed as error:
            raise self._wrong(f"runnable: {error}") from error.__cause__

    def _check_one(self, found: Any) -> None:
        if is_runnable(found):
            try:
                self._schemas(found)
            except Exception as error:
                raise self._wrong(
                    f"input: {kind_of(self.input)} cannot be validated: {error}"
                ) from error
            if self.format_class.graphs and default_mode(found) is None:
                raise self._wrong(
                    f"the {self.format} format serves compiled LangGraph graphs,"
                    f" not {kind_of(found)}"
                )
            if self.format_class.converses:
                try:
                    self.conversation_of(found)
                except Ambiguous as error:
                    raise self._wrong(
                        f"{error}; say with conversation= how it takes a conversation"
                    ) from None
        elif hasattr(found, "compile") and hasattr(found, "add_node"):
            raise self._wrong(f"{kind_of(found)} is a graph that is not compiled: call .compile()")
        elif not callable(found):
            raise self._wrong(
                "expected a Runnable, a function of the request that returns one, or its"
                f' "module:attribute", not {kind_of(found)}'
            )

    def _check_words(self) -> None:
        for name in ("methods", "answer", "configurable"):
            words = getattr(self, name)
            if isinstance(words, str) or not all(isinstance(word, str) for word in words):
                raise self._wrong(f"{name} must be a sequence of strings, not {words!r}")
            object.__setattr__(self, name, tuple(words))
        if self.format_class.endpoints and "methods" in self._asked_for:
            raise self._wrong(f"methods: the {self.format} format has methods of its own")
        if not self.methods or not set(self.methods) <= set(METHODS):
            raise self._wrong(f"methods must be some of {METHODS}, not {self.methods!r}")
        hidden = [name for name in self.configurable if name.startswith("__")]
        if hidden:
            raise self._wrong(f"configurable: {hidden[0]!r} is LangChain's own, not a client's")
        for name in ("configure", "conversation", "authorize"):
            if not callable(function := getattr(self, name)) and function is not None:
                raise self._wrong(f"{name} must be a function, not {kind_of(function)}")
        for name in ("config", "stream", "errors"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, Mapping):
                raise self._wrong(f"{name} must be a mapping, not {kind_of(value)}")

    def _check_use(self) -> None:
        """An option that the format has no use for is a mistake, not a wish."""
        if self.filter is not None:
            if not isinstance(self.filter, EventFilter):
                raise self._wrong(f"filter must be an EventFilter, not {kind_of(self.filter)}")
            if self.format_class.wants <= {OutputChunk}:
                raise self._wrong(f"filter: the {self.format} format has no events to filter")
        if self.conversation is not None and not self.format_class.converses:
            raise self._wrong(f"conversation: the {self.format} format takes an input")
        if self.answer and TextDelta not in self.format_class.wants:
            raise self._wrong(f"answer: the {self.format} format is not made of answers")

    def _check_resume(self) -> None:
        kept = Resume() if self.resume is True else self.resume or None
        object.__setattr__(self, "kept", kept)
        if not isinstance(kept, Resume | None):
            raise self._wrong(f"resume must be a Resume or True, not {kind_of(kept)}")
        if kept and not self.format_class.runs:
            raise self._wrong(f"resume: the clients of the {self.format} format cannot come back")
        for problem in kept.problems() if kept else ():
            raise self._wrong(problem)

    def _wrong(self, what: str) -> TableError:
        return TableError(f"route {self.path!r}: {what}")


OPTIONS = tuple(
    f.name for f in fields(StreamRoute) if f.init and f.name not in ("path", "runnable")
)
