"""Runs of LangGraph's SDKs on routes that take messages of the user only."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .._content import refused
from .._spec import RunSpec

USER = ("user", "human")


def of_user(spec: RunSpec) -> RunSpec:
    """Return `spec` if it only adds messages of the user, as a conversation of these.

    Raises:
        InvalidInput: It does something else.
    """
    if spec.update is not None or spec.goto:
        raise refused("command", "this route accepts answers only")
    if spec.input is None:
        return spec
    value = spec.input if isinstance(spec.input, dict) else {"": None}
    sent = value.get("messages")
    messages = sent if isinstance(sent, list) else [sent]
    if value.keys() != {"messages"}:
        raise refused("input", "this route accepts messages only")
    return replace(spec, input=None, messages=[_user_message(each) for each in messages])


def _user_message(message: Any) -> dict[str, Any]:
    match message:
        case str():
            return {"role": "user", "content": message}
        case ["user" | "human", str(text)]:
            return {"role": "user", "content": text}
        case {"content": str() | list() as content, **rest}:
            kinds = {rest[key] for key in ("type", "role") if isinstance(rest.get(key), str)}
            if kinds and kinds <= {*USER} and rest.keys().isdisjoint({"lc", "kwargs", "data"}):
                id_ = {"id": rest["id"]} if isinstance(rest.get("id"), str) else {}
                return {"role": "user", "content": content, **id_}
    raise refused("input.messages", "this route accepts messages of the user only")
