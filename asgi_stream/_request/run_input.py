"""The input of a run: made of a conversation where the client sends one, and validated."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from .._langchain.conversation import Ambiguous
from .._langchain.graphs import graph_of
from .._langchain.schemas.type_hints import has_messages
from .._langchain.served_runnable import ServedRunnable
from .._langchain.system_messages import has_system_message
from .._langchain.threads.state import changed_fields
from .._routing.bound import BoundRoute
from .._routing.hooks import call_hook
from ..errors import InvalidInput
from ..formats import RunSpec
from ..formats._content import check_count, check_files, check_inline, refused


async def run_input(
    route: BoundRoute, served: ServedRunnable, spec: RunSpec, state: Mapping[str, Any]
) -> Any:
    """Return the input of a run, validated.

    Args:
        route: The route.
        served: What runs.
        spec: What the client asks for.
        state: Further fields of the input.

    Raises:
        StreamError: The input is not valid for this route.
    """
    limits, value = route.limits, spec.input
    if spec.messages is not None:
        check_count("messages", spec.messages, "messages", limits.messages)
        check_files("messages", (each.get("content") for each in spec.messages), limits.files)
        check_inline(spec.messages, limits.inline)
        conversation = served.conversation
        if isinstance(conversation, Ambiguous):
            raise InvalidInput("This route does not accept a conversation.")
        if route.conversation is not None:
            return await call_hook(conversation.input_for, spec.messages, state, spec)
        value = conversation.input_for(spec.messages, state, spec)
    if spec.arguments:
        value = served.input_in(value)
    if not spec.many:
        return _validated(route, served, spec, value)
    check_count("inputs", value, "batch", limits.batch)
    inputs = []
    for each in value:
        inputs.append(_validated(route, served, spec, each))
        await asyncio.sleep(0)
    return inputs


def new_state(
    served: ServedRunnable, sent: Mapping[str, Any], state: Mapping[str, Any], values: Any
) -> Mapping[str, Any]:
    """Return what of a state adds something to a thread.

    Clients send the state back that they have been sent, and a graph may add it to what it has. So
    fields are left out that the thread has already; and those that clients do not see, and further
    lists of messages, because nobody writes the words of others.

    Args:
        served: The graph.
        sent: The fields that the client sends.
        state: These, and those that its tools fill, which are returned as they are.
        values: The state of the thread as the client sees it; None: there is no thread.
    """
    if values is None:
        return state
    seen = graph_of(served.runnable).output_channels
    new = changed_fields(sent, values)
    hidden = {
        name
        for name in sent
        if name not in new or name not in seen or has_messages(served.state_fields.get(name))
    }
    return {
        name: value
        for name, value in state.items()
        if name not in hidden or value is not sent[name]
    }


def _validated(route: BoundRoute, served: ServedRunnable, spec: RunSpec, value: Any) -> Any:
    valid = served.schema.check(value, route.limits)
    if not route.takes_system_messages(spec) and has_system_message(valid):
        raise refused("input", "this route does not accept system messages")
    return valid
