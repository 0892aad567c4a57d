"""What steps return, without the private fields of a state."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage
from langgraph.types import Command, Send
from pydantic import BaseModel, Field

from asgi_stream._langchain.graph_fields import DEEPEST, without_private
from asgi_stream.serialize import to_json

PRIVATE = {"hidden", "content"}
STATE = {"hidden": "secret", "log": ["a"]}
SHOWN = {"log": ["a"]}
MESSAGE = AIMessage("a", id="1")
DOCUMENT = Document("a", metadata={"log": 1})
COMMAND = {"graph": None, "resume": None}


class Model(BaseModel):
    hidden: str = "secret"
    log: list[str] = ["a"]
    left_out: str = Field(default="secret", exclude=True)


@dataclass
class Data:
    hidden: str = "secret"
    log: list[str] = field(default_factory=lambda: ["a"])
    _own: str = "secret"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (STATE, SHOWN),
        ({"state": STATE}, {"state": SHOWN}),
        ((STATE, "x"), [SHOWN, "x"]),
        (Model(), SHOWN),
        (Data(), SHOWN),
        (Data, Data),
        (Command(update=STATE), {**COMMAND, "update": SHOWN, "goto": []}),
        (
            Command(update=[("hidden", "secret"), ("log", ["a"])], goto=Send("n", STATE)),
            {**COMMAND, "update": [[], ["log", ["a"]]], "goto": {"node": "n", "arg": SHOWN}},
        ),
        (MESSAGE, MESSAGE),
        ({"log": [MESSAGE]}, {"log": [MESSAGE]}),
        (DOCUMENT, DOCUMENT),
        ("hidden", "hidden"),
        (None, None),
    ],
)
def test_private_fields_are_left_out_wherever_a_state_may_be(value: Any, shown: Any) -> None:
    assert json.loads(to_json(without_private(value, PRIVATE))) == json.loads(to_json(shown))
    assert without_private(value, frozenset()) is value


def test_what_contains_itself_is_no_error() -> None:
    value: dict[str, Any] = {"log": 1}
    value["again"] = value
    shown = without_private(value, PRIVATE)
    for _ in range(DEEPEST - 1):
        shown = shown["again"]
    assert shown["again"] is value
