"""Which Runnables can take the tools that a client brings and runs itself.

A chat model has them bound to it, alone or behind a prompt. A graph takes them in its input, in the
fields of its state by which AG-UI's adapter for LangGraph and CopilotKit's middleware know them
(read in PyPI ``ag-ui-langgraph`` 0.0.47 and ``copilotkit`` 0.1.96). All else runs without them,
because CopilotKit sends the tools of a page to each of its agents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_core.output_parsers import StrOutputParser
from langchain_core.runnables import RunnableSequence
from pydantic import TypeAdapter, ValidationError

from .._langchain.conversation import Ambiguous
from .._langchain.runnables import rewrapped, with_tools
from .._langchain.type_hints import fields_of
from .._logs import logger
from ..errors import InvalidRequest, listed
from ..formats import RunSpec
from ..routes import StreamRoute

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable


@dataclass(frozen=True, slots=True)
class Equipped:
    """A Runnable with what it can take of a client's tools.

    Attributes:
        runnable: What to run.
        state: The fields of a graph's state that the client and its tools fill.
        names: The tools whose calls are the client's to answer.
    """

    runnable: Runnable[Any, Any]
    state: Mapping[str, Any]
    names: frozenset[str] = frozenset()


def equipped(route: StreamRoute, runnable: Runnable[Any, Any], call: RunSpec) -> Equipped:
    """Return `runnable` with the tools of `call`, as far as it can take them.

    Raises:
        InvalidRequest: It cannot, and the client says that one of them has to be called.
    """
    in_state = _in_state(route, runnable, call)
    if not call.tools:
        return Equipped(runnable, {**call.state, **in_state})
    names = frozenset(tool["function"]["name"] for tool in call.tools)
    if in_state:
        return Equipped(runnable, {**call.state, **in_state}, names)
    try:
        bound = _bound(route, runnable, call)
    except InvalidRequest:
        if call.tool_choice is not None:
            raise
        _log_once(route, runnable, call.model or "", sorted(names))
        return Equipped(runnable, call.state)
    return Equipped(bound, call.state, names)


def _bound(route: StreamRoute, runnable: Runnable[Any, Any], call: RunSpec) -> Runnable[Any, Any]:
    """The Runnable with the tools bound to its model.

    A chain is taken for a prompt and a model if it has a place for the whole conversation, of which
    the results of its calls are a part.

    Raises:
        InvalidRequest: It has no model, or one that cannot have them.
    """

    def bind(inner: Runnable[Any, Any]) -> Runnable[Any, Any]:
        # A chain takes what its wrapper takes, which the route knows already.
        if not isinstance(inner, RunnableSequence) or not _takes_all(route, runnable):
            return with_tools(inner, call.tools or (), call.tool_choice)
        steps = list(inner.steps)
        model = len(steps) - (2 if isinstance(steps[-1], StrOutputParser) else 1)
        steps[model] = with_tools(steps[model], call.tools or (), call.tool_choice)
        return RunnableSequence(*steps, name=inner.name)

    return rewrapped(runnable, bind)


def _takes_all(route: StreamRoute, runnable: Runnable[Any, Any]) -> bool:
    if route.conversation is not None:
        return False
    try:
        return route.conversation_of(runnable).takes_all
    except Ambiguous:
        return False


def _in_state(route: StreamRoute, runnable: Runnable[Any, Any], call: RunSpec) -> dict[str, Any]:
    """The fields of the graph's state that take tools, filled.

    They are filled if the client has no tools too, because a graph's code relies on them; ``tools``
    only for a client that sends a list of tools. A field whose type does not fit is another thing
    of that name.
    """
    if call.messages is None or route.conversation is not None:
        return {}
    fields = fields_of(route.input_schema(runnable).wanted)
    tools = [_plain(tool["function"]) for tool in call.tools or ()]
    given: dict[str, Any] = {} if call.tools is None else {"tools": tools}
    if call.context:
        given["context"] = list(call.context)
    for name, member in (("copilotkit", "actions"), ("ag-ui", "tools")):
        known = call.state.get(name)
        more = {"context": [], **known} if isinstance(known, Mapping) else {"context": []}
        told = {"context": list(call.context)} if call.context else {}
        given[name] = {**more, member: tools, **told}
    return {
        name: given[name] for name in given if name in fields and _fits(given[name], fields[name])
    }


def _plain(function: Mapping[str, Any]) -> dict[str, Any]:
    """A tool as AG-UI has it, of one as OpenAI has it."""
    return {
        "name": function["name"],
        "description": function.get("description") or "",
        "parameters": function.get("parameters") or {"type": "object", "properties": {}},
    }


def _fits(value: Any, wanted: Any) -> bool:
    """Whether `value` is of the type `wanted`, or a part of it."""
    try:
        TypeAdapter(wanted).validate_python(value)
    except ValidationError as failure:
        return all(error["type"] == "missing" for error in failure.errors())
    except Exception:  # a type that pydantic has no schema for, and LangGraph does not check
        return True
    return True


def _log_once(
    route: StreamRoute, runnable: Runnable[Any, Any], model: str, names: list[str]
) -> None:
    if not route.says_first(f"tools {model}"):
        return
    logger.warning(
        "route %s: %s cannot take the tools of its clients (%s) and runs without them; a chat"
        " model can, and a graph whose input has the field tools, copilotkit or ag-ui",
        route.path,
        runnable.get_name(),
        listed(names),
    )
