"""Everything that can be wrong with a route, found out when it is made."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from starlette.routing import compile_path

from .. import formats
from .._importer import ImportFailed, import_from_string, kind_of
from .._langchain.conversation import Ambiguous, Conversation
from .._langchain.graphs import graph_of, takes_context
from .._langchain.input_schema import ConfigurableSchema, InputSchema
from .._langchain.runnables import is_runnable
from ..errors import StreamError
from ..events import OutputChunk, TextDelta
from ..filters import EventFilter
from ..limits import Limits
from ..resume import Resume

if TYPE_CHECKING:
    from ..routes import StreamRoute

METHODS = ("GET", "POST")
WORDS = ("methods", "answer", "configurable")
FUNCTIONS = ("configure", "conversation", "authorize")
MAPPINGS = ("config", "stream", "errors")
SETTLED = ("format_class", "runnables", "kept", "schemas", "said", *WORDS)
"""What is made of a route's options."""


class RouteValidation:
    """A route's options, with all that is wrong with them.

    Attributes:
        problems: A sentence each; none if the route can work. Then there is what is `SETTLED`.
        cause: The exception behind the first of them that has one.
    """

    cause: BaseException | None = None

    def __init__(self, route: StreamRoute) -> None:
        self._route = route
        self.format_class: type[formats.Format]
        self.runnables: Mapping[str, Any] = {}
        self.kept: Resume | None = None
        self.schemas: list[tuple[Any, tuple[InputSchema, ConfigurableSchema]]] = []
        self.said: set[str] = set()
        self.methods: Sequence[str] = ()
        self.answer: Sequence[str] = ()
        self.configurable: Sequence[str] = ()
        self.problems = tuple(self._problems())

    def _problems(self) -> Iterator[str]:
        path: Any = self._route.path
        if not isinstance(path, str) or not path.startswith("/"):
            yield f'the path must begin with "/", not be {path!r}'
        try:
            self.format_class = formats.load(self._route.format)
        except ImportFailed as error:
            self.cause = error.__cause__
            yield f"format: {error}"
            return  # what the other options mean depends on it
        yield from self._wrong_resume()
        yield from self._wrong_paths()
        yield from self._wrong_words()
        yield from self._wrong_kinds()
        yield from self._wrong_uses()
        yield from self._wrong_limits()
        yield from self._wrong_errors()
        yield from self._wrong_runnables()

    def _wrong_resume(self) -> Iterator[str]:
        route = self._route
        kept: Any = Resume() if route.resume is True else route.resume or None
        if not isinstance(kept, Resume | None):
            yield f"resume must be a Resume or True, not {kind_of(kept)}"
            return
        self.kept = kept
        if kept and not self.format_class.runs:
            yield f"resume: the clients of the {route.format} format cannot come back"
        if kept:
            yield from kept.problems()

    def _wrong_paths(self) -> Iterator[str]:
        path: Any = self._route.path
        if not isinstance(path, str) or not path.startswith("/"):
            return
        for _, endpoint in (("", ""), *self.format_class.endpoints):
            try:
                compile_path(path.rstrip("/") + endpoint)
            except (AssertionError, ValueError) as error:
                yield f"the path cannot be read: {error}"
                return

    def _wrong_words(self) -> Iterator[str]:
        for name in WORDS:
            words: Any = getattr(self._route, name)
            listed = isinstance(words, Collection) and not isinstance(words, str)
            if not listed or not all(isinstance(word, str) for word in words):
                yield f"{name} must be a sequence of strings, not {words!r}"
            else:
                setattr(self, name, tuple(words))
        if self.methods and self.format_class.endpoints and self._route.gives("methods"):
            yield f"methods: the {self._route.format} format has methods of its own"
        elif not set(self.methods) <= set(METHODS) or not self._route.methods:
            yield f"methods must be some of {METHODS}, not {self._route.methods!r}"
        hidden = [name for name in self.configurable if name.startswith("__")]
        if hidden:
            yield f"configurable: {hidden[0]!r} is LangChain's own, not a client's"

    def _wrong_kinds(self) -> Iterator[str]:
        for name in FUNCTIONS:
            if not callable(function := getattr(self._route, name)) and function is not None:
                yield f"{name} must be a function, not {kind_of(function)}"
        for name in MAPPINGS:
            value = getattr(self._route, name)
            if not isinstance(value, Mapping) and (value is not None or name != "config"):
                yield f"{name} must be a mapping, not {kind_of(value)}"

    def _wrong_uses(self) -> Iterator[str]:
        """An option that the format has no use for is a mistake, not a wish."""
        route, kind = self._route, self.format_class
        if route.filter is not None:
            if not isinstance(route.filter, EventFilter):
                yield f"filter must be an EventFilter, not {kind_of(route.filter)}"
            if kind.wants <= {OutputChunk}:
                yield f"filter: the {route.format} format has no events to filter"
        if route.conversation is not None and not kind.converses:
            yield f"conversation: the {route.format} format takes an input"
        if not isinstance(route.system_messages, bool | None):
            yield f"system_messages must be True, False or None, not {route.system_messages!r}"
        if self.answer and TextDelta not in kind.wants:
            yield f"answer: the {route.format} format is not made of answers"

    def _wrong_limits(self) -> Iterator[str]:
        limits: Any = self._route.limits
        if isinstance(limits, Limits):
            yield from limits.problems()
            if self._route.json_pings and not limits.ping:
                yield "json_pings: limits.ping says that there are none"
        else:
            yield f"limits must be a Limits, not {kind_of(limits)}"

    def _wrong_errors(self) -> Iterator[str]:
        errors: Any = self._route.errors
        for kind, told in errors.items() if isinstance(errors, Mapping) else ():
            if not (isinstance(kind, type) and issubclass(kind, BaseException)):
                yield f"errors: {kind!r} is not an exception class"
            elif not isinstance(told, StreamError) or not 400 <= told.status <= 599:
                needs = "needs a StreamError with a status from 400 to 599"
                yield f"errors: {kind.__name__} {needs}, not {told!r}"

    def _wrong_runnables(self) -> Iterator[str]:
        given: Any = self._route.runnable
        if isinstance(given, Mapping) and self.format_class.chooses:
            if not given or not all(isinstance(name, str) and name for name in given):
                yield f"runnable: expected names with their Runnables, not {given!r}"
                return
        else:
            given = {str(self._route.path).rpartition("/")[2] or "default": given}
        found: dict[str, Any] = {}
        for name, source in given.items():
            try:
                found[name] = import_from_string(source) if isinstance(source, str) else source
            except ImportFailed as error:
                self.cause = self.cause or error.__cause__
                yield f"runnable: {error}"
            else:
                yield from self._wrong_one(found[name])
        self.runnables = found

    def _wrong_one(self, found: Any) -> Iterator[str]:
        if is_runnable(found):
            yield from self._wrong_for(found)
        elif hasattr(found, "compile") and hasattr(found, "add_node"):
            yield f"{kind_of(found)} is a graph that is not compiled: call .compile()"
        elif not callable(found):
            one = "a Runnable, a function of the request that returns one"
            yield f'expected {one}, or its "module:attribute", not {kind_of(found)}'

    def _wrong_for(self, runnable: Any) -> Iterator[str]:
        route, kind = self._route, self.format_class
        try:
            schema = InputSchema(runnable, route.input)
            self.schemas.append((runnable, (schema, ConfigurableSchema(runnable))))
        except Exception as error:
            self.cause = self.cause or error
            yield f"input: {kind_of(route.input)} cannot be validated: {error}"
            return
        if kind.graphs and graph_of(runnable) is None:
            yield (
                f"the {route.format} format serves compiled LangGraph graphs,"
                f" not {kind_of(runnable)}"
            )
        config = route.config if isinstance(route.config, Mapping) else {}
        if "context" in config and not takes_context(runnable):
            yield f"config: {kind_of(runnable)} takes no context"
        if kind.converses:
            try:
                Conversation(schema.wanted, route.conversation)
            except Ambiguous as error:
                yield f"{error}; say with conversation= how it takes a conversation"
