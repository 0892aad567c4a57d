"""Everything that can be wrong with a route, found out when it is bound to its app's defaults."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from starlette.routing import compile_path

from .. import formats
from .._importer import ImportFailed, import_from_string, kind_of
from .._langchain.conversation import Ambiguous
from .._langchain.graphs import graph_of
from .._langchain.runnables import is_runnable
from .._langchain.served_runnable import ServedRunnable
from .._options import Option
from ..errors import StreamError
from ..events import OutputChunk, TextDelta
from ..filters import EventFilter
from ..limits import Limits
from ..resume import Resume
from ..routes import OPTIONS, StreamRoute
from ..threads import Threads
from .continuing_checks import continuing_problems, local_problems
from .thread_checks import graph_problems, option_problems, policy_of, warn_of_checkpointer

METHODS = ("GET", "POST")


class RouteValidation:
    """Validates a route and resolves what its options name.

    Args:
        route: The route, with its app's defaults.
        own: The route as it was before; by default the same.

    Attributes:
        problems: One sentence for each mistake; none if the route can work.
        cause: The exception behind the first of them that has one.
        format_class: The class of its format.
        runnables: Its Runnables, or functions that return them, by name.
        served: What is known of the Runnables among them.
        resume_policy: How its runs are stored, if they are.
        thread_policy: How its conversations are kept, if they are.
        words: Those of its options that are sequences of strings.
    """

    cause: BaseException | None = None

    def __init__(self, route: StreamRoute, own: StreamRoute | None = None) -> None:
        self._route = route
        self._own = own or route
        self.format_class: type[formats.Format]
        self.runnables: Mapping[str, Any] = {}
        self.served: list[ServedRunnable] = []
        self.resume_policy: Resume | None = None
        self.thread_policy: Threads | None = None
        self.words: dict[str, tuple[str, ...]] = {}
        self.problems = [f"route {route.path!r}: {problem}" for problem in self._problems()]

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
        yield from self._resume_problems()
        self.thread_policy = policy_of(self._route, self._own)
        yield from option_problems(self._route, self.thread_policy, self.format_class)
        if self.resume_policy and self.resume_policy.continues:
            yield from continuing_problems(
                self.resume_policy, self.thread_policy, self._route.format, self.format_class
            )
        yield from self._path_problems()
        yield from self._words_problems()
        yield from self._kind_problems()
        yield from self._format_problems()
        yield from self._limits_problems()
        yield from self._errors_problems()
        yield from self._runnable_problems()

    def _resume_problems(self) -> Iterator[str]:
        route = self._route
        policy: Any = route.resume or None
        if policy is True:
            policy = self._own.own_resume if self._own.resume is True else Resume()
        if not isinstance(policy, Resume | None):
            yield f"resume must be a Resume or True, not {kind_of(policy)}"
            return
        self.resume_policy = policy
        if policy and not self.format_class.runs:
            yield f"resume: clients of the {route.format} format cannot reconnect"
        if policy:
            yield from policy.problems()
        for (_, path), operation in self.format_class.runs.items():
            named = "{run_id" in path or f"{{{formats.STORED_CONVERSATION}" in path
            if operation != "list" and not named:
                expected = f"{{run_id}} or {{{formats.STORED_CONVERSATION}}}"
                yield f"format: its path {path!r} for stored runs has no parameter {expected}"

    def _path_problems(self) -> Iterator[str]:
        path: Any = self._route.path
        if not isinstance(path, str) or not path.startswith("/"):
            return
        kind = self.format_class
        for _, endpoint in (("", ""), *kind.endpoints, *kind.threads, *kind.thread_runs):
            try:
                compile_path(path.rstrip("/") + endpoint)
            except (AssertionError, ValueError) as error:
                yield f"the path is invalid: {error}"
                return

    def _words_problems(self) -> Iterator[str]:
        for option in options_in_toml_as("strings", "HTTP methods"):
            words: Any = getattr(self._route, option.name)
            listed = isinstance(words, Collection) and not isinstance(words, str)
            if not listed or not all(isinstance(word, str) for word in words):
                yield f"{option.name} must be a sequence of strings, not {words!r}"
                words = ()
            self.words[option.name] = tuple(words)
        methods = self.words[StreamRoute.methods.name]
        if (
            methods
            and self.format_class.endpoints
            and StreamRoute.methods.name in self._own.options
        ):
            yield f"methods: the {self._route.format} format defines its own methods"
        elif not set(methods) <= set(METHODS) or not self._route.methods:
            yield f"methods must be some of {METHODS}, not {self._route.methods!r}"
        hidden = [key for key in self.words[StreamRoute.configurable.name] if key.startswith("__")]
        if hidden:
            yield f"configurable: {hidden[0]!r} is reserved by LangChain"

    def _kind_problems(self) -> Iterator[str]:
        for option in options_in_toml_as("function"):
            value = getattr(self._route, option.name)
            if value is not None and not callable(value):
                yield f"{option.name} must be a function, not {kind_of(value)}"
        for option in options_in_toml_as("table", "reference or table", "errors by class"):
            value = getattr(self._route, option.name)
            if not isinstance(value, Mapping) and (value is not None or option.default is not None):
                yield f"{option.name} must be a mapping, not {kind_of(value)}"
        for option in options_in_toml_as("boolean"):
            value = getattr(self._route, option.name)
            if not isinstance(value, bool) and (value is not None or option.default is not None):
                expected = "True or False" if option.default is not None else "True, False or None"
                yield f"{option.name} must be {expected}, not {value!r}"

    def _format_problems(self) -> Iterator[str]:
        """Yield the problems of options that the format does not use."""
        route, kind = self._route, self.format_class
        if isinstance(route.filter, EventFilter):
            yield from route.filter.problems()
        elif route.filter is not None:
            yield f"filter must be an EventFilter, not {kind_of(route.filter)}"
        if route.filter is not None and kind.wants <= {OutputChunk}:
            yield f"filter: the {route.format} format has no events to filter"
        if route.conversation is not None and not kind.converses:
            yield f"conversation: the {route.format} format has an input, not a conversation"
        if StreamRoute.sdk_version.name in self._own.options and not kind.sdk_versions:
            yield f"sdk_version: clients of the {route.format} format have no AI SDK"
        if kind.sdk_versions and route.sdk_version not in kind.sdk_versions:
            yield f"sdk_version must be one of {kind.sdk_versions}, not {route.sdk_version!r}"
        if self.words[StreamRoute.answer.name] and TextDelta not in kind.wants:
            yield f"answer: the {route.format} format does not stream an answer"

    def _limits_problems(self) -> Iterator[str]:
        limits: Any = self._route.limits
        if isinstance(limits, Limits):
            yield from limits.problems()
            if self._route.json_pings and not limits.ping:
                yield "json_pings: needs limits.ping, which is off"
        else:
            yield f"limits must be a Limits, not {kind_of(limits)}"

    def _errors_problems(self) -> Iterator[str]:
        errors: Any = self._route.errors
        for kind, error in errors.items() if isinstance(errors, Mapping) else ():
            if not (isinstance(kind, type) and issubclass(kind, BaseException)):
                yield f"errors: {kind!r} is not an exception class"
            elif not isinstance(error, StreamError) or not 400 <= error.status <= 599:
                needs = "needs a StreamError with a status from 400 to 599"
                yield f"errors: {kind.__name__} {needs}, not {error!r}"

    def _runnable_problems(self) -> Iterator[str]:
        source: Any = self._route.runnable
        if isinstance(source, Mapping) and self.format_class.chooses:
            if not source or not all(isinstance(name, str) and name for name in source):
                yield f"runnable: expected names with their Runnables, not {source!r}"
                return
        else:
            source = {str(self._route.path).rpartition("/")[2] or "default": source}
        for name in source:
            if not re.fullmatch(self.format_class.names, name):
                yield f"runnable: {name!r} is no name in the {self._route.format} format; set names"
        runnables: dict[str, Any] = {}
        for name, each in source.items():
            try:
                runnables[name] = import_from_string(each) if isinstance(each, str) else each
            except ImportFailed as error:
                self.cause = self.cause or error.__cause__
                yield f"runnable: {error}"
            else:
                yield from self._source_problems(runnables[name])
        self.runnables = runnables

    def _source_problems(self, source: Any) -> Iterator[str]:
        if is_runnable(source):
            yield from self._problems_of(source)
        elif hasattr(source, "compile") and hasattr(source, "add_node"):
            yield f"{kind_of(source)} is a graph that is not compiled: call .compile()"
        elif not callable(source):
            one = "a Runnable, a function of the request that returns one"
            yield f'expected {one}, or its "module:attribute", not {kind_of(source)}'

    def _problems_of(self, runnable: Any) -> Iterator[str]:
        route, kind = self._route, self.format_class
        try:
            served = ServedRunnable(runnable, route.input, route.conversation)
        except Exception as error:
            self.cause = self.cause or error
            yield f"input: {kind_of(route.input)} cannot be used: {error}"
            return
        self.served.append(served)
        if kind.graphs and graph_of(runnable) is None:
            yield (
                f"the {route.format} format serves compiled LangGraph graphs,"
                f" not {kind_of(runnable)}"
            )
        if self.thread_policy is not None:
            yield from graph_problems(served, kind)
            if self.resume_policy and self.resume_policy.continues:
                yield from local_problems(runnable)
        elif route.multitask is None:  # which needs threads, so that is an error
            warn_of_checkpointer(route, kind, runnable)
        config = route.config if isinstance(route.config, Mapping) else {}
        if "context" in config and not served.takes_context:
            yield f"config: {kind_of(runnable)} takes no context"
        if kind.converses and isinstance(served.conversation, Ambiguous):
            yield f"{served.conversation}; set conversation= to a function that converts one"


def options_in_toml_as(*forms: str) -> Iterator[Option[Any]]:
    """Yield the options that are written in one of these forms in TOML."""
    return (option for option in OPTIONS.values() if option.toml in forms)
