"""Each option of LangServe's ``add_routes``, as an option of a `StreamRoute` or as a note.

The options are those of PyPI ``langserve`` 0.3.3.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .source import ServedCall
from .targets import Target

DEPENDENCIES = "dependencies"
ENDPOINTS, NOT_MIGRATED = "only_endpoints", "not_migrated"
"""Functions of `imports.FUNCTIONS`."""

WIDTH = 80
"""Characters of a route that stands on one line."""


@dataclass(slots=True)
class Migrated:
    """What replaces one call.

    Attributes:
        line: The line of the call.
        path: The route's path, as Python.
        runnable: The Runnable, as Python.
        options: The options of the `StreamRoute`, as Python.
        notes: What is not the same as before, and what to do about it.
        helpers: The names of the functions that the options use.
        before: Statements that have to be where the call was.
        todo: The notes without which the app does not do what it did.
    """

    line: int
    path: str
    runnable: str
    options: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    helpers: set[str] = field(default_factory=set)
    before: list[str] = field(default_factory=list)
    todo: list[str] = field(default_factory=list)

    def route(self, path: str | None = None) -> list[str]:
        """Return the lines of the route, at another path if one is named."""
        options = [f"{name}={value}" for name, value in self.options.items()]
        arguments = [path or self.path, self.runnable, *options]
        line = f"StreamRoute({', '.join(arguments)})"
        if len(line) <= WIDTH:
            return [line]
        return ["StreamRoute(", *(f"    {each}," for each in arguments), ")"]


def migrate(call: ServedCall, target: Target, free: Callable[[str], str]) -> Migrated:
    """Return what replaces a call.

    Args:
        call: The call.
        target: Where its routes are mounted.
        free: Returns a name like another that the file does not have.
    """
    path, name = joined(*target.prefix, call.options.get("path", ast.Constant("")))
    route = Migrated(call.line, path, ast.unparse(call.runnable))
    if not isinstance(call.runnable, ast.Name | ast.Attribute):
        name = free(f"{name or f'line_{call.line}'}_runnable")
        route.before.append(f"{name} = {route.runnable}")
        route.runnable = name
    route.options["format"] = '"langserve"'
    _keys(route, call.options)
    for option, value in call.options.items():
        if option not in OPTIONS:
            route.notes.append(f"{option}: LangServe 0.3.3 has no such option; it is left out.")
        elif ast.unparse(value) not in ("None", "False"):
            OPTIONS[option](route, value, call.options)
    own = [call.options[DEPENDENCIES]] if DEPENDENCIES in call.options else []
    for value in (*target.dependencies, *own):
        if ast.unparse(value) not in ("None", "[]", "()"):
            _refuse(
                route, f"FastAPI's do not run before a mounted app: {ast.unparse(value)}. Write"
            )
    if not target.is_known:
        _refuse(
            route,
            f"those of {target.app}, and of what includes it, cannot be read here. If there are"
            " none, remove not_migrated. Otherwise write",
        )
    return route


def joined(*parts: ast.expr) -> tuple[str, str]:
    """Return a path of several parts as Python, and as a name if it is known."""
    if all(isinstance(part, ast.Constant) for part in parts):
        path = "".join(str(part.value) for part in parts if isinstance(part, ast.Constant))
        words = "".join(letter if f"_{letter}".isidentifier() else " " for letter in path).split()
        return repr(path or "/").replace("'", '"'), "_".join(words)
    known = [part for part in parts if ast.unparse(part) not in ("''", "None")]
    return " + ".join(ast.unparse(part) for part in known), ""


def _keys(route: Migrated, options: Mapping[str, ast.expr]) -> None:
    """Let clients set the ``configurable`` keys that they could set."""
    value = options.get("config_keys")
    try:
        keys = ("configurable",) if value is None else tuple(ast.literal_eval(value))
    except ValueError:
        route.notes.append(f"config_keys: it is read when the app starts: {ast.unparse(value)}.")  # type: ignore[arg-type]
        keys = ("configurable",)
    if "configurable" in keys:
        route.options["configurable"] = f"configurable_keys({route.runnable})"
        route.helpers.add("configurable_keys")
    if others := [key for key in keys if key != "configurable"]:
        route.notes.append(
            f"config_keys: clients can no longer set {', '.join(others)} of the config; set it with"
            ' config= or configure=. Keys of its "configurable" are not concerned.'
        )
        if "per_req_config_modifier" in options:
            route.todo.append(
                f"per_req_config_modifier: it gets no {', '.join(others)} of the client's: it must"
                " not read them."
            )


def _input(route: Migrated, value: ast.expr, _: object) -> None:
    if ast.unparse(value) != "'auto'":
        route.options["input"] = ast.unparse(value)


def _output(route: Migrated, value: ast.expr, _: object) -> None:
    if ast.unparse(value) != "'auto'":
        route.runnable += f".with_types(output_type={ast.unparse(value)})"
        route.notes.append(
            "output_type: /output_schema has it; the output itself is not validated."
        )


def _modifier(route: Migrated, value: ast.expr, _: object) -> None:
    route.options["configure"] = f"configured_by({ast.unparse(value)})"
    route.helpers.add("configured_by")


def _endpoints(route: Migrated, value: ast.expr, options: Mapping[str, ast.expr]) -> None:
    names = {
        name: ast.unparse(options[f"{name}_endpoints"])
        for name in ("enabled", "disabled")
        if f"{name}_endpoints" in options
    }
    arguments = ", ".join(f"{name}={names}" for name, names in names.items())
    route.options["authorize"] = f"{ENDPOINTS}({arguments})"
    route.helpers.add(ENDPOINTS)
    if "enabled_endpoints" in options:
        for name in ("stream_log", "config_hashes"):
            if name in names["enabled"]:
                route.notes.append(f"enabled_endpoints: {name} is not served. {NOT_SERVED[name]}")


NOT_SERVED = {
    "stream_log": "Clients use /stream_events (RemoteRunnable.astream_events).",
    "config_hashes": "Clients send the config in the request's body.",
}


def _allow_list(route: Migrated, value: ast.expr, _: object) -> None:
    names = f"[*{ast.unparse(value)}, {route.runnable}.get_name()]"
    route.options["filter"] = f"EventFilter(names={names})"
    route.helpers.add("EventFilter")
    route.notes.append(
        "stream_log_name_allow_list: /stream_events sends the events of these steps and of the"
        " Runnable itself, without which /stream would be empty."
    )


def _playground(route: Migrated, value: ast.expr, _: object) -> None:
    route.notes.append(
        "playground_type: playground=True of the StreamApp serves one playground for all routes, at"
        " /playground. It is for development, because it shows the inputs of all to everybody."
    )


def _refuse(route: Migrated, why: str) -> None:
    """Refuse every request, until somebody has written what FastAPI's dependencies did."""
    own = route.options.get("authorize", "")
    where = "the authorize= of only_endpoints" if own.startswith(ENDPOINTS) else "authorize="
    note = (
        f"dependencies: {why} a function of the request that refuses it with an HTTPException, or"
        f" returns the user's name or None, and set it as {where}. Until then each request is"
        " refused."
    )
    route.todo.append(note)
    if own.startswith(ENDPOINTS):
        if NOT_MIGRATED not in own:
            route.options["authorize"] = f"{own[:-1]}, authorize={NOT_MIGRATED})"
    else:
        route.options["authorize"] = NOT_MIGRATED
    route.helpers.add(NOT_MIGRATED)


def _note(text: str) -> Callable[[Migrated, ast.expr, object], None]:
    def add(route: Migrated, value: ast.expr, _: object) -> None:
        route.notes.append(text)

    return add


def _version(route: Migrated, value: ast.expr, _: object) -> None:
    if ast.unparse(value) != "'v2'":
        route.notes.append("astream_events_version: /stream_events sends version 2 only.")


def _read_elsewhere(*_: object) -> None:
    """For options that `migrate` reads by itself."""


OPTIONS: Mapping[str, Callable[[Migrated, ast.expr, Mapping[str, ast.expr]], None]] = {
    "path": _read_elsewhere,
    "config_keys": _read_elsewhere,
    DEPENDENCIES: _read_elsewhere,
    "input_type": _input,
    "output_type": _output,
    "per_req_config_modifier": _modifier,
    "enabled_endpoints": _endpoints,
    "disabled_endpoints": _endpoints,
    "stream_log_name_allow_list": _allow_list,
    "playground_type": _playground,
    "astream_events_version": _version,
    "include_callback_events": _note(
        "include_callback_events: responses have no callback events; clients that need them call"
        " /stream_events (RemoteRunnable.astream_events)."
    ),
    "enable_feedback_endpoint": _note(
        "enable_feedback_endpoint: /feedback is not served. The response's run id is the id of the"
        " trace: let an endpoint of your own call langsmith's Client().create_feedback(run_id, key,"
        " score=...)."
    ),
    "token_feedback_config": _note(
        "token_feedback_config: /token_feedback is not served. Let an endpoint of your own return"
        " langsmith's Client().create_presigned_feedback_token(run_id, key)."
    ),
    "enable_public_trace_link_endpoint": _note(
        "enable_public_trace_link_endpoint: /public_trace_link is not served. Let an endpoint of"
        " your own return langsmith's Client().share_run(run_id)."
    ),
    "serializer": _note(
        "serializer: values are serialized as JSON, LangChain's objects and pydantic models too."
        " For another form let the Runnable return it: runnable | your_function."
    ),
}
"""What becomes of each option."""
