"""The messages of a thread as AG-UI's, and what a client needs to have the same.

https://docs.ag-ui.com/concepts/messages, read in npm ``@ag-ui/client`` 1.0.0 and 0.0.59.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any

import orjson

from ...events import ThreadSnapshot
from ...serialize import text_or_json, to_json

Message = dict[str, Any]

PART_TYPES = {"image": "image", "audio": "audio", "video": "video", "file": "document"}
"""AG-UI's types of content that is a file, by LangChain's."""


class ClientThread:
    """What a client has of its thread, so that it can be brought up to date.

    A snapshot replaces the client's messages, save those of the roles ``activity`` and
    ``reasoning``; those that it has already keep their order.

    Args:
        sent: The messages of the request, which is valid.
        state: The state of the request.
    """

    def __init__(self, sent: Iterable[Message], state: Mapping[str, Any]) -> None:
        self._own = {
            each["id"]: {key: value for key, value in each.items() if value is not None}
            for each in sent
            if isinstance(each.get("id"), str) and each["role"] not in ("activity", "reasoning")
        }
        self._own_state = state
        self._shown: list[Message] | None = None
        self._shown_state: Mapping[str, Any] = {}
        self._started = False
        self._results: Counter[str] = Counter()

    def result_id(self, call_id: str) -> str:
        """Return the id of the message with a new result of a tool call."""
        self._results[call_id] += 1
        return _result_id(call_id, self._results[call_id])

    def frames(self, snapshot: ThreadSnapshot) -> Iterator[Message]:
        """Yield what brings the client up to date, at the start of a run only if it is not."""
        messages = self._with_own(snapshot.messages)
        state, starts, self._started = snapshot.state, not self._started, True
        if starts:
            self._results.update(str(each.get("toolCallId")) for each in messages or ())
            if messages is not None and self._has(messages):
                messages = None
            state = {**self._own_state, **orjson.loads(to_json(state))}
            if messages is None and state == self._own_state:
                return
        if state and state != self._shown_state:
            self._shown_state = state
            yield {"type": "STATE_SNAPSHOT", "snapshot": state}
        if messages is None or messages == self._shown:
            return
        if starts and (agreed := _agreed(self._own, messages)) is not None:
            yield {"type": "MESSAGES_SNAPSHOT", "messages": messages[:agreed]}
        self._shown = messages
        yield {"type": "MESSAGES_SNAPSHOT", "messages": messages}

    def _has(self, messages: Sequence[Message]) -> bool:
        ids = {each["id"] for each in messages}
        return self._own.keys() == ids and _agreed(self._own, messages) is None

    def _with_own(self, messages: Sequence[Mapping[str, Any]] | None) -> list[Message] | None:
        """Return the messages of the thread, after those in front that only the client has."""
        if messages is None:
            return None
        shown = encode_messages(messages, self._own)
        ids = {each["id"] for each in shown}
        # The fields that only the client knows of its user's and its tools' messages remain.
        shown = [
            {**self._own[each["id"]], **each}
            if each["role"] in ("user", "tool") and each["role"] == self._role(each)
            else each
            for each in shown
        ]
        front = takewhile(lambda each: each["id"] not in ids, self._own.values())
        return [*front, *shown]

    def _role(self, message: Message) -> Any:
        """Return the role that the client has of a message, None if it has no such message."""
        return self._own.get(message["id"], {}).get("role")


def encode_messages(
    messages: Iterable[Mapping[str, Any]], known: Collection[Any] = ()
) -> list[Message]:
    """Return neutral messages as AG-UI's.

    Args:
        messages: The messages of a thread.
        known: Ids of messages that the client has. The message with a tool's result has its own id
            if it is among them, otherwise the one that a run would give it.
    """
    encoded: list[Message] = []
    results: Counter[str] = Counter()
    calls: set[str] = set()
    for n, message in enumerate(messages):
        id_ = str(message.get("id") or f"message-{n + 1}")
        match message["role"]:
            case "user":
                content = _user_content(message["content"])
                encoded.append({"id": id_, "role": "user", "content": content})
            case "assistant":
                for each in _answer(id_, message):
                    calls.update(call["id"] for call in each.get("toolCalls", ()))
                    if each["role"] == "assistant":
                        encoded.append(each)
                    elif (call_id := each["toolCallId"]) in calls:
                        results[call_id] += 1
                        encoded.append({"id": _result_id(call_id, results[call_id]), **each})
            case _ if message["tool_call_id"] in calls:  # others are hidden
                call_id = message["tool_call_id"]
                results[call_id] += 1
                if id_ not in known:
                    id_ = _result_id(call_id, results[call_id])
                encoded.append({"id": id_, **_result(call_id, message["content"])})
    return encoded


def _agreed(own: Iterable[str], messages: Sequence[Message]) -> int | None:
    """Return how many messages come first in both; None if all that the client has do.

    Results of tools belong to their calls, wherever they are.
    """
    order = {each["id"]: n for n, each in enumerate(messages) if each["role"] != "tool"}
    kept = (each for each in own if each in order)
    return next((order[mine] for id_, mine in zip(kept, order, strict=False) if id_ != mine), None)


def _result_id(call_id: str, number: int) -> str:
    # Some models give several calls the same id.
    return f"{call_id}-result" if number == 1 else f"{call_id}-result-{number}"


def _answer(id_: str, message: Mapping[str, Any]) -> Iterator[Message]:
    """Yield the messages of an answer: one, but more if its model's provider has run tools.

    As in a run, all calls are in the first message, and a text after a result is another message.
    """
    first: Message = {"id": id_, "role": "assistant", "content": ""}
    shown, text, texts = [first], first, 0
    calls = []
    for block in message["content"]:
        match block["type"]:
            case "text":
                texts += 1
                if shown[-1]["role"] == "tool" and texts > 1:
                    text = {"id": f"{id_}-text-{texts}", "role": "assistant", "content": ""}
                    shown.append(text)
                text["content"] += block["text"]
            case "server_tool_call":
                calls.append(_call(block))
            case "server_tool_result":
                shown.append(_result(block["tool_call_id"], block.get("output")))
    calls += map(_call, message["tool_calls"])
    first |= {"toolCalls": calls} if calls else {}
    yield from shown


def _call(call: Mapping[str, Any]) -> Message:
    arguments = to_json(call["args"]).decode()
    function = {"name": call["name"], "arguments": arguments}
    return {"id": call["id"], "type": "function", "function": function}


def _result(call_id: str, output: Any) -> Message:
    return {"role": "tool", "toolCallId": call_id, "content": text_or_json(output)}


def _user_content(blocks: Sequence[Mapping[str, Any]]) -> str | list[Message]:
    if all(block["type"] == "text" for block in blocks):
        return "".join(block["text"] for block in blocks)
    return [part for block in blocks if (part := _part(block)) is not None]


def _part(block: Mapping[str, Any]) -> Message | None:
    type_ = PART_TYPES.get(block["type"])
    if type_ is None:
        return {"type": "text", "text": block["text"]} if block["type"] == "text" else None
    head, comma, data = block["url"].partition(",")
    inline = comma and head.startswith("data:")
    source = {"type": "data", "value": data} if inline else {"type": "url", "value": block["url"]}
    return {"type": type_, "source": {**source, "mimeType": block["mime_type"]}}
