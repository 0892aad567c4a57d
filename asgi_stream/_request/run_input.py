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
from .._limit_checks import check_count, check_files, check_inline
from .._routing.bound import BoundRoute
from .._routing.hooks import call_hook
from ..errors import InvalidInput
from ..formats import RunSpec


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
    served: ServedRunnable,
    sent: Mapping[str, Any],
    state: Mapping[str, Any],
    changes: Mapping[str, Any] | None,
) -> Mapping[str, Any]:
    """Return what of a state adds something to a thread.

    Clients send the state back that they have been sent, and a graph may add it to what it has. So
    fields are left out that they have not changed; and those that they do not see, and further
    lists of messages, because nobody writes the words of others.

    Args:
        served: The graph.
        sent: The fields that the client sends.
        state: These, and those that its tools fill, which are returned as they are.
        changes: The fields that the client has changed; None: there is no thread.
    """
    if changes is None:
        return state
    seen, types = graph_of(served.runnable).output_channels, served.state_fields
    new = {
        name: value
        for name, value in changes.items()
        if name in seen and not has_messages(types.get(name))
    }
    filled = {
        name: value for name, value in state.items() if name not in sent or value is not sent[name]
    }
    return {**new, **filled}


def _validated(route: BoundRoute, served: ServedRunnable, spec: RunSpec, value: Any) -> Any:
    valid = served.schema.check(value, route.limits)
    if not route.takes_system_messages(spec) and has_system_message(valid):
        raise InvalidInput.at("input", "this route does not accept system messages")
    return valid
