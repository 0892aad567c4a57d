"""Tools that a client brings and runs itself, and the Runnables that can take them.

A chat model has them bound to it, alone or behind a prompt. A graph takes them in its input, in the
fields of its state by which AG-UI's adapter for LangGraph and CopilotKit's middleware know them
(read in PyPI ``ag-ui-langgraph`` 0.0.47 and ``copilotkit`` 0.1.96). Everything else runs without
them, because CopilotKit sends the tools of a page to each of its agents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_core.output_parsers import StrOutputParser
from langchain_core.runnables import RunnableSequence
from pydantic import TypeAdapter, ValidationError

from ..errors import InvalidRequest
from .runnables import rewrapped, with_tools
from .served_runnable import ServedRunnable

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable

    from ..formats import RunSpec


@dataclass(frozen=True, slots=True)
class Equipped:
    """A Runnable with the client's tools, as far as it can take them.

    Attributes:
        runnable: What to run.
        state: The fields of a graph's state that the client and its tools fill.
        names: The tools whose calls are the client's to answer.
        dropped: The tools that the Runnable cannot take.
    """

    runnable: Runnable[Any, Any]
    state: Mapping[str, Any]
    names: frozenset[str] = frozenset()
    dropped: frozenset[str] = frozenset()


def with_client_tools(served: ServedRunnable, spec: RunSpec) -> Equipped:
    """Return a Runnable with the tools of `spec`, as far as it can take them.

    Args:
        served: The Runnable.
        spec: What the client asks for.

    Raises:
        InvalidRequest: It cannot, and the client requires a call of one of them.
    """
    runnable, fields = served.runnable, _tool_fields(served, spec)
    state = {**spec.state, **fields}
    if not spec.tools:
        return Equipped(runnable, state)
    names = frozenset(tool["function"]["name"] for tool in spec.tools)
    if fields.keys() - {"context"}:
        return Equipped(runnable, state, names)
    try:
        return Equipped(_with_bound_tools(served, spec), state, names)
    except InvalidRequest:
        if spec.tool_choice is not None:
            raise
        return Equipped(runnable, state, dropped=names)


def _with_bound_tools(served: ServedRunnable, spec: RunSpec) -> Runnable[Any, Any]:
    """Return the Runnable with the tools bound to its model.

    A chain counts as a prompt and a model if its input has a place for the whole conversation, of
    which the results of the tool calls are a part.

    Raises:
        InvalidRequest: It has no model, or one that cannot have them.
    """

    def bind(inner: Runnable[Any, Any]) -> Runnable[Any, Any]:
        # A chain takes what its wrapper served.
        if not isinstance(inner, RunnableSequence) or not served.whole_conversation:
            return with_tools(inner, spec.tools or (), spec.tool_choice)
        steps = list(inner.steps)
        model = len(steps) - (2 if isinstance(steps[-1], StrOutputParser) else 1)
        steps[model] = with_tools(steps[model], spec.tools or (), spec.tool_choice)
        return RunnableSequence(*steps, name=inner.name)

    return rewrapped(served.runnable, bind)


def _tool_fields(served: ServedRunnable, spec: RunSpec) -> dict[str, Any]:
    """Return the fields of the graph's state that take tools, with their values.

    They are filled if the client has no tools too, because a graph's code relies on them, and a
    thread has those of the last run; ``tools`` and ``context`` only for a client that sends a list
    of them. A field of another type is not meant.
    """
    if spec.messages is None:
        return {}
    tools = [_as_agui(tool["function"]) for tool in spec.tools or ()]
    values: dict[str, Any] = {} if spec.tools is None else {"tools": tools}
    context = {} if spec.context is None else {"context": [*spec.context]}
    values |= context
    for name, member in (("copilotkit", "actions"), ("ag-ui", "tools")):
        sent = spec.state.get(name)
        defaults = {"context": [], **sent} if isinstance(sent, Mapping) else {"context": []}
        values[name] = {**defaults, member: tools, **context}
    types = served.state_fields
    return {
        name: value for name, value in values.items() if name in types and _fits(value, types[name])
    }


def _as_agui(function: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tool in AG-UI's form, given OpenAI's."""
    return {
        "name": function["name"],
        "description": function.get("description") or "",
        "parameters": function.get("parameters") or {"type": "object", "properties": {}},
    }


def _fits(value: Any, type_: Any) -> bool:
    """Whether `value` is of the type, or a part of it."""
    try:
        TypeAdapter(type_).validate_python(value)
    except ValidationError as failure:
        return all(error["type"] == "missing" for error in failure.errors())
    except Exception:  # a type that pydantic has no schema for, and LangGraph does not check
        return True
    return True
