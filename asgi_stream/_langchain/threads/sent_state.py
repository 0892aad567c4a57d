"""Changes that a client makes to the state of a thread, among what it only sends back.

Clients of AG-UI send the state of the last snapshot with each request. It need not be that of the
thread by now: the run that came after it was stopped, or another tab has gone on. So it is compared
with the state that the client must have seen, where its messages prove that, otherwise with that of
the recent checkpoints which it resembles most.
"""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage

from ...formats import RunSpec
from .graph_thread import GraphThread
from .replay import input_after
from .state import PublicState, changed_fields
from .state_messages import messages_of

PAGES = 16, 48
"""How many checkpoints are read, if need be, to recognise a state that the client sends back."""


async def changes_of(
    thread: GraphThread, snapshot: Any, spec: RunSpec, *, newest: bool
) -> dict[str, Any]:
    """Return the fields of a client's state that it has changed, as far as it can see them.

    Args:
        thread: The thread.
        snapshot: The state of it that the request is about.
        spec: What the client asks for.
        newest: Whether that is the newest state.
    """
    keys = thread.graph.output_channels
    visible = () if isinstance(keys, str) else keys
    sent = {name: value for name, value in spec.state.items() if name in visible}
    public = PublicState(thread)
    changed = changed_fields(sent, public.values(snapshot.values))
    if changed and not (newest and _has_seen(snapshot, spec)):
        async for each in thread.newest_first(PAGES):
            changed = min(changed, changed_fields(sent, public.values(each.values)), key=len)
            if not changed:
                break
    return {name: sent[name] for name in changed}


def came_with(snapshot: Any, spec: RunSpec) -> dict[str, Any]:
    """Return the fields of a client's state that the run after a snapshot began with."""
    fields = input_after(snapshot)
    return {name: value for name, value in fields.items() if name in spec.state}


def _has_seen(snapshot: Any, spec: RunSpec) -> bool:
    """Whether the client has the answer with which a run has come to rest, so its state, too."""
    if snapshot.created_at is None:
        return True
    if snapshot.next and not snapshot.interrupts:
        return False
    last = next(reversed(messages_of(snapshot.values)), None)
    ids = {each.get("id") for each in spec.messages or ()}
    return isinstance(last, AIMessage) and last.id in ids
