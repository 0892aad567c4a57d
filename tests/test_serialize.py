from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import json
import pathlib
import uuid
from collections import OrderedDict, deque, namedtuple
from collections.abc import Iterator
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.prompt_values import ChatPromptValue, StringPromptValue
from langchain_core.runnables import RunnableLambda
from langgraph.types import Command, Interrupt, Send
from pydantic import BaseModel, Field, SecretStr, field_serializer

from asgi_stream.serialize import to_json


class Colour(enum.Enum):
    RED = "red"


class Weird(enum.Enum):
    THING = object()


@dataclasses.dataclass
class Point:
    x: int
    y: Any


class Account(BaseModel):
    name: str
    password: SecretStr = SecretStr("hunter2")
    hidden: str = Field(default="hunter3", exclude=True)


class Broken(BaseModel):
    value: int

    @field_serializer("value")
    def _fail(self, value: int) -> int:
        raise RuntimeError("hunter4")


class Odd:
    def __repr__(self) -> str:
        return "hunter5"


Pair = namedtuple("Pair", "a b")


def mark(name: str) -> dict[str, str]:
    return {"__unserializable__": name}


UUID = uuid.UUID(int=7)
CASES: list[tuple[Any, Any]] = [
    ({"a": [1, 2.5, True, None, "é\u2028😀\r\n\x00"]}, None),
    (float("nan"), ...),
    ([float("inf"), -float("inf")], [None, None]),
    (2**70, 2**70),
    (
        {"big": 2**70, "when": dt.date(2026, 1, 2), "id": uuid.UUID(int=7), "colour": Colour.RED},
        {"big": 2**70, "when": "2026-01-02", "id": str(uuid.UUID(int=7)), "colour": "red"},
    ),
    ("\ud800", "\ud800"),
    (dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC), "2026-01-02T03:04:05+00:00"),
    (dt.date(2026, 1, 2), "2026-01-02"),
    (dt.time(3, 4, tzinfo=dt.UTC), "03:04:00+00:00"),
    (dt.timedelta(minutes=1.5), 90.0),
    (UUID, str(UUID)),
    (Decimal("1.10"), "1.10"),
    (Colour.RED, "red"),
    (Weird.THING, mark("object")),
    (pathlib.PurePosixPath("a/b"), "a/b"),
    (b"\xff\x00", "/wA="),
    (bytearray(b"a"), "YQ=="),
    ({1}, [1]),
    (frozenset(), []),
    (deque([1, 2]), [1, 2]),
    (Pair(1, 2), [1, 2]),
    (OrderedDict(a=1), {"a": 1}),
    (MappingProxyType({"a": 1}), {"a": 1}),
    (Point(1, {2}), {"x": 1, "y": [2]}),
    (Point(2**70, None), {"x": 2**70, "y": None}),
    (numpy.float32(0.5), 0.5),
    (numpy.int64(3), 3),
    (numpy.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
    (numpy.array([[1, 2], [3, 4]]).T[::2], [[1, 3]]),
    ({1: "a", None: "b", (1, "x"): "c", UUID: "d"}, ...),
    ({Odd(): 1}, {"__unserializable__:Odd": 1}),
    (Odd(), mark("Odd")),
    (Odd, mark("type")),
    (ValueError("hunter6"), mark("ValueError")),
    ((x for x in "ab"), mark("generator")),
    (Account(name="a"), {"name": "a", "password": mark("SecretStr")}),
    (Broken(value=1), mark("Broken")),
    (RunnableLambda(lambda x: x), mark("RunnableLambda")),
    (Send("n", {"a": 1}), {"node": "n", "arg": {"a": 1}}),
    (Command(goto="n"), {"graph": None, "update": None, "resume": None, "goto": "n"}),
]


@pytest.mark.parametrize(("value", "plain"), CASES, ids=lambda case: type(case).__name__)
def test_values_are_serialized(value: Any, plain: Any) -> None:
    encoded = to_json(value)
    assert encoded.isascii()
    assert b"\n" not in encoded
    assert b"hunter" not in encoded
    if plain is not ...:
        assert json.loads(encoded) == (value if plain is None else plain)


def test_nan_is_null() -> None:
    assert to_json(float("nan")) == b"null"
    assert json.loads(to_json({"nan": float("nan"), "big": 2**70})) == {"nan": None, "big": 2**70}


def test_other_keys_become_their_json() -> None:
    keys = {1: "a", None: "b", (1, "x"): "c", dt.date(2026, 1, 2): "f"}
    assert json.loads(to_json(keys)) == {"1": "a", "null": "b", '[1, "x"]': "c", "2026-01-02": "f"}


def test_messages_have_all_their_fields_at_any_depth() -> None:
    called = AIMessage(
        "a", tool_calls=[{"name": "t", "args": {"q": 1}, "id": "c1"}], id="m", extra_field=3
    )
    expected = {**called.model_dump(), "extra_field": 3}
    assert json.loads(to_json(called)) == expected
    assert json.loads(to_json({"messages": [called]})) == {"messages": [expected]}
    assert json.loads(to_json(ChatPromptValue(messages=[called])))["messages"][0] == expected
    result = LLMResult(generations=[[ChatGeneration(message=called)]])
    assert json.loads(to_json(result))["generations"][0][0]["message"] == expected


@pytest.mark.parametrize(
    "value",
    [
        AIMessageChunk(content="x", id="1", tool_call_chunks=[]),
        HumanMessage([{"type": "text", "text": "é"}]),
        ToolMessage("out", tool_call_id="c", artifact={"a": 1}),
        Document("text", metadata={"n": 1}),
        StringPromptValue(text="p"),
    ],
)
def test_langchain_values_are_serialized_like_model_dump(value: BaseModel) -> None:
    assert json.loads(to_json(value)) == json.loads(json.dumps(value.model_dump()))


def test_an_unserializable_field_leaves_the_rest_of_a_message() -> None:
    message = ToolMessage("out", tool_call_id="c", artifact=Odd())
    assert json.loads(to_json(message))["artifact"] == mark("Odd")


def test_an_interrupt_has_its_value_and_id() -> None:
    assert (
        json.loads(to_json(Interrupt(value={"ask": "ok?"}, id="1"))).items() >= {"id": "1"}.items()
    )
    assert json.loads(to_json(Interrupt(value={"ask": "ok?"}, id="1")))["value"] == {"ask": "ok?"}


def test_cycles_are_cut() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    assert b'{"__unserializable__": "list"}' in to_json(cycle)


def test_an_object_whose_attributes_raise_is_marked() -> None:
    class Hostile:
        @property
        def dtype(self) -> Iterator[int]:
            raise RuntimeError("hunter7")

    assert json.loads(to_json([Hostile()])) == [mark("Hostile")]


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.dates()
    | st.decimals()
    | st.uuids()
    | st.builds(Odd),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.tuples(inner, inner)
    ),
    max_leaves=20,
)


@given(anything)
def test_any_value_becomes_one_line_of_ascii_json(value: Any) -> None:
    encoded = to_json(value)
    json.loads(encoded)
    assert encoded.isascii()
    assert b"\n" not in encoded
    assert b"hunter" not in encoded
