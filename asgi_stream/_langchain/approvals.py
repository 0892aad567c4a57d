"""Tool calls that wait for approval, as LangChain's ``HumanInTheLoopMiddleware`` asks for it.

https://docs.langchain.com/oss/python/langchain/human-in-the-loop, read in langchain 1.5.2, in both
of its modes: ``batched`` has one interrupt for all calls of a message, without their ids, and takes
a list of decisions; ``per_call`` has an interrupt for each, and takes one decision.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal, NotRequired

from langchain_core.messages import AIMessage, BaseMessage
from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from ..errors import InvalidInput
from ..events import Approval, Interrupt

DECISIONS = ("approve", "edit", "reject", "respond")


class _Action(TypedDict):
    name: str
    args: dict[str, Any]


class _Decision(TypedDict):
    type: Literal["approve", "edit", "reject", "respond"]
    edited_action: NotRequired[_Action]
    message: NotRequired[str]


_decision = TypeAdapter(_Decision)

Conversation = tuple[Collection[str] | None, Sequence[BaseMessage]]
"""The ids of the interrupts that may be about calls in the messages of a graph; None: any."""


def distinct(interrupts: Iterable[Any]) -> list[Any]:
    """Return LangGraph's interrupts, each once.

    In a subgraph, LangGraph reports what a ``@task`` asks twice: by it, and by the node around it.
    """
    return [*{getattr(each, "id", id(each)): each for each in interrupts}.values()]


def interrupt_events(
    interrupts: Iterable[Any], conversations: Sequence[Conversation]
) -> list[Interrupt]:
    """Return the events for all interrupts of a thread, which are about different calls.

    They come in the order of the calls; parallel tasks ask in any order.

    Args:
        interrupts: LangGraph's.
        conversations: Where the calls may be, most likely first.
    """
    events: list[Interrupt] = []
    taken: set[str] = set()
    for each in interrupts:
        messages = [known for ids, known in conversations if ids is None or each.id in ids]
        events.append(interrupt_event(each, messages, taken))
        taken |= {approval.call_id for approval in events[-1].approvals}
    calls = [
        call["id"]
        for _, messages in conversations
        for message in messages
        if isinstance(message, AIMessage)
        for call in message.tool_calls
    ]
    order = {call_id: n for n, call_id in enumerate(calls)}
    events.sort(key=lambda event: [order.get(each.call_id, 0) for each in event.approvals[:1]])
    return events


def interrupt_event(
    interrupt: Any, messages: Iterable[Sequence[BaseMessage]] = (), taken: Collection[str] = ()
) -> Interrupt:
    """Return the event for one of LangGraph's interrupts.

    Args:
        interrupt: LangGraph's ``Interrupt``, or any value that stands for one.
        messages: The lists of messages in which the calls to be approved may be, most likely first.
        taken: The ids of calls that other interrupts are about.
    """
    value = getattr(interrupt, "value", interrupt)
    schema = getattr(interrupt, "response_schema", None)
    approvals = _per_call(value, schema) or _batched(value, messages, taken)
    return Interrupt(str(getattr(interrupt, "id", "")), value, schema, approvals)


def is_batched(interrupt: Interrupt) -> bool:
    """Return whether an interrupt takes a list of decisions, one for each of its calls."""
    return isinstance(interrupt.value, Mapping) and "action_requests" in interrupt.value


def check_decision(path: str, decision: Any, approval: Approval) -> Any:
    """Return a decision on a call as the middleware takes it.

    Args:
        path: Where in the request it is.
        decision: ``{"type": "approve"}`` for example, or the same in AG-UI's words:
            ``{"approved": true}``.
        approval: What it is about.

    Raises:
        InvalidInput: It is no decision, or not an allowed one. The error names the field.
    """
    decision = _as_decision(decision, approval)
    try:
        _decision.validate_python(decision, strict=True)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, (path, *problem["loc"])))
        raise InvalidInput.at(where, problem["msg"]) from None
    kind = decision["type"]
    if approval.allowed and kind not in approval.allowed:
        allowed = ", ".join(approval.allowed)
        raise InvalidInput.at(f"{path}.type", f"expected one of {allowed} for {approval.name}")
    needed = {"edit": "edited_action", "respond": "message"}.get(kind)
    if needed and needed not in decision:
        raise InvalidInput.at(f"{path}.{needed}", f"required with {kind}")
    return decision


def _as_decision(value: Any, approval: Approval) -> Any:
    """Return a decision in the form that AG-UI's documentation has, as the middleware takes it.

    https://docs.ag-ui.com/concepts/interrupts
    """
    match value:
        case {"approved": True, "editedArgs": {**arguments}}:
            return {"type": "edit", "edited_action": {"name": approval.name, "args": arguments}}
        case {"approved": True}:
            return {"type": "approve"}
        case {"approved": False, **rest}:
            message = rest.get("reason") or rest.get("message")
            return {"type": "reject", **({"message": message} if message else {})}
    return value


def _per_call(value: Any, schema: Any) -> tuple[Approval, ...]:
    match value:
        case {"type": "tool_approval", "tool_call_id": str(id_), "name": str(name), **rest}:
            allowed = tuple(
                each
                for each in DECISIONS
                if isinstance(schema, Mapping) and each in _discriminators(schema)
            )
            text = str(rest.get("description") or "")
            return (Approval(id_, name, rest.get("args"), text, allowed),)
    return ()


def _discriminators(schema: Mapping[str, Any]) -> Iterable[str]:
    match schema:
        case {"discriminator": {"mapping": {**mapping}}}:
            return [*map(str, mapping)]
        case {"properties": {"type": {"const": str(only)}}}:
            return (only,)
    return DECISIONS


def _batched(
    value: Any, messages: Iterable[Sequence[BaseMessage]], taken: Collection[str]
) -> tuple[Approval, ...]:
    match value:
        case {"action_requests": list(requests), "review_configs": list(configs)}:
            pass
        case _:
            return ()
    if not all(isinstance(each, Mapping) for each in (*requests, *configs)):
        return ()
    allowed = {each.get("action_name"): each.get("allowed_decisions") for each in configs}
    ids = _call_ids(requests, messages, taken)
    return tuple(
        Approval(
            id_,
            str(each.get("name")),
            each.get("args"),
            str(each.get("description") or ""),
            tuple(allowed.get(each.get("name")) or ()),
        )
        for each, id_ in zip(requests, ids, strict=True)
    )


def _call_ids(
    requests: Sequence[Mapping[str, Any]],
    messages: Iterable[Sequence[BaseMessage]],
    taken: Collection[str],
) -> list[str]:
    """Return the ids of the calls that the requests are about, in their order.

    Equal calls are told apart by their order, which is that of the requests.
    """
    for each in messages:
        last = next((message for message in reversed(each) if isinstance(message, AIMessage)), None)
        calls = list(last.tool_calls) if last is not None else []
        calls = [call for call in calls if call["id"] not in taken]
        ids: list[str] = []
        for request in requests:
            wanted = request.get("name"), request.get("args")
            call = next((call for call in calls if (call["name"], call["args"]) == wanted), None)
            if call is None:
                break
            calls.remove(call)
            ids.append(call["id"] or "")
        else:
            return ids
    return [""] * len(requests)
