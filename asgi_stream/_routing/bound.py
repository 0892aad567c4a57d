"""A route with its app's defaults, checked, and with what is found out about its Runnables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from .._importer import kind_of
from .._langchain.graphs import merged_context
from .._langchain.runnables import is_runnable, merge_configs
from .._langchain.served_runnable import ServedRunnable
from .._langchain.tasks import RunTasks
from ..formats import RunSpec
from ..requests import StreamRequest
from ..resume import Resume
from ..routes import OPTIONS, Options, StreamRoute
from ..stores.shared_claims import Claims
from ..threads import Threads
from .claim_places import ClaimPlaces
from .hooks import call_hook
from .opened import Opened, as_manager
from .validation import RouteValidation

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

    from ..requests import AnyRunnable, RunnableSource


NO_THREADS = "This route keeps no threads."


class Operation(NamedTuple):
    """What a request asks a route to do.

    Attributes:
        subject: What it is about: a new run, a stored run, a thread, or the stored runs of one.
        name: One of the operations of `Format.runs`, `Format.threads` or `Format.thread_runs`.
    """

    subject: Literal["run", "stored run", "thread", "run of a thread"]
    name: str

    @property
    def starts(self) -> bool:
        """Whether it starts a run."""
        return self.subject == "run" or (
            self.subject == "run of a thread" and self.name in ("start", "command")
        )


class BoundRoute(Options):
    """A route that can serve requests. Its options are attributes, as a `StreamRoute`'s are.

    Args:
        route: The route, with its app's defaults.
        validation: What was found out when it was checked, without a problem.
        resume_policy: How its runs are stored, if they are.
        thread_policy: How its conversations are kept, if they are.
        places: Where the routes of its table claim threads.

    Attributes:
        path: The route's path.
        route: The route, with its app's defaults.
        format_class: The class of its format.
        runnables: Its Runnables, or functions that return them, by name; the name of a single one
            is the last part of the path.
        resume_policy: How its runs are stored; None if they are not.
        thread_policy: How its conversations are kept; None if they are not.
        thread_path: The path of the route whose threads it has: its own, save for a trace.
    """

    def __init__(
        self,
        route: StreamRoute,
        validation: RouteValidation,
        resume_policy: Resume | None,
        thread_policy: Threads | None,
        places: ClaimPlaces,
    ) -> None:
        self.route = route
        self.path = route.path
        self.options: Mapping[str, Any] = {**route.options, **validation.words}
        # As plain attributes, because each is read for each request.
        vars(self).update({name: getattr(self, name) for name in OPTIONS})
        self.format_class = validation.format_class
        self.runnables: Mapping[str, RunnableSource] = validation.runnables
        self.resume_policy = resume_policy
        self.thread_policy = thread_policy
        self.thread_path = (thread_policy and thread_policy.of_route) or route.path
        self._served = validation.served
        self._places = places
        if thread_policy is not None:
            for source in self.runnables.values():
                places.add(source, self.thread_path, thread_policy.opened)
        self._logged: set[str] = set()

    def __repr__(self) -> str:
        return f"BoundRoute({self.route!r})"

    @property
    def continues(self) -> bool:
        """Whether runs go on with another worker if theirs dies."""
        return self.resume_policy is not None and self.resume_policy.continues

    def is_first(self, kind: str) -> bool:
        """Return whether this is the first call with `kind`: what the log tells once."""
        first = kind not in self._logged
        self._logged.add(kind)
        return first

    @property
    def endpoints(self) -> Sequence[tuple[str, str]]:
        """The method and the path, below this route's own, of everything that it serves."""
        own = self.format_class.endpoints or tuple((method, "") for method in self.methods)
        runs = self.format_class.runs if self.resume_policy else ()
        kind = self.format_class
        threads = (*kind.threads, *kind.thread_runs) if self.thread_policy else ()
        return (*own, *runs, *threads)

    @property
    def not_offered(self) -> Mapping[tuple[str, str], str]:
        """The method and the path, below this route's own, of what it does not serve, and why."""
        kind = self.format_class
        of_threads = () if self.thread_policy else (*kind.threads, *kind.thread_runs)
        return {**kind.not_offered, **dict.fromkeys(of_threads, NO_THREADS)}

    def operation(self, method: str, endpoint: str) -> Operation:
        """Return what a request to one of the `endpoints` asks for."""
        kind, key = self.format_class, (method, endpoint)
        if self.resume_policy and key in kind.runs:
            return Operation("stored run", kind.runs[key])
        if self.thread_policy and key in kind.thread_runs:
            return Operation("run of a thread", kind.thread_runs[key])
        if self.thread_policy and kind.threads.get(key, "run") != "run":
            return Operation("thread", kind.threads[key])
        return Operation("run", "start")

    def claims(self, name: str | None, owner: str | None) -> Claims:
        """Return what claims the threads of the graph of that name, or of the first."""
        store = cast(Threads, self.thread_policy).opened
        source = self.runnables.get(str(name)) or next(iter(self.runnables.values()))
        return self._places.claims(source, store, owner)

    async def owner(self, request: StreamRequest) -> str | None:
        """Return the user that sent `request`, who owns the runs that it starts.

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
                f"authorize of route {self.path!r} returned an empty name; return None for no user"
            )
        return owner

    async def resolve(
        self, request: StreamRequest, name: str | None, held: ExitStack, tasks: RunTasks
    ) -> AnyRunnable:
        """Return the Runnable of that name, or the only one, for this request.

        Args:
            request: What the route's function is called with.
            name: One of `runnables`.
            held: Closed when the run has ended; this closes what the function has opened.
            tasks: Keeps the task alive that waits for that.

        Raises:
            TypeError: The function that the route names returned something else.
        """
        source: Any = self.runnables[name] if name else next(iter(self.runnables.values()))
        if is_runnable(source):
            return source  # type: ignore[no-any-return]  # checked
        result = await call_hook(source, request)
        manager = None if is_runnable(result) else as_manager(result)
        if manager is not None:
            opened = Opened(manager, self.path, tasks)
            held.callback(opened.release)
            result = await opened.value()
        if not is_runnable(result):
            how = "returned" if manager is None else "yielded"
            raise TypeError(
                f"the function of route {self.path!r} {how} {kind_of(result)}, not a Runnable"
            )
        return result  # type: ignore[no-any-return]  # checked

    async def config_for(
        self, request: StreamRequest, configurable: Mapping[str, Any]
    ) -> tuple[RunnableConfig, Any]:
        """Return the config of one run: what the client may set, under what the server sets.

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

    def served(self, runnable: AnyRunnable) -> ServedRunnable:
        """Return what is known of `runnable`, found out once for each Runnable of the route."""
        for each in self._served:
            if each.runnable is runnable:
                return each
        served = ServedRunnable(runnable, self.input, self.conversation)
        # As many as the route has: those that a function makes for each request replace each other.
        self._served.insert(0, served)
        del self._served[len(self.runnables) :]
        return served

    def takes_system_messages(self, spec: RunSpec) -> bool:
        """Return whether the client's system messages reach the Runnable."""
        if self.system_messages is not None:
            return self.system_messages
        return spec.messages is None or self.format_class.system_messages


def _copied(value: Any) -> Any:
    """Return a deep copy of plain containers; all else, a client or a lock perhaps, is shared."""
    if type(value) is dict:
        return {key: _copied(each) for key, each in value.items()}
    if type(value) in (list, tuple, set):
        return type(value)(map(_copied, value))
    return value
